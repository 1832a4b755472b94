"""The adding problem is what the papers say: two marks, one a half, and their sum."""

import pytest
import torch

from unrolled.data.adding import BASELINE, adding_problem


def drawn(B=500, T=9, seed=0):
    return adding_problem(B, T, torch.Generator().manual_seed(seed))


def test_target_is_the_sum_of_the_marked_numbers():
    """Multiplying numbers and marks and summing over time gives the target."""
    x, y = drawn()
    assert x.shape == (500, 9, 2) and y.shape == (500,)
    assert x.dtype == y.dtype == torch.float32
    torch.testing.assert_close((x[..., 0] * x[..., 1]).sum(1), y)
    assert (x[..., 0] >= 0).all() and (x[..., 0] < 1).all()


def test_each_half_has_one_mark_at_any_of_its_places():
    """Every place is marked sometimes, and every sequence has one mark in either half."""
    for T in (2, 3, 9, 10):
        marks = drawn(T=T)[0][..., 1]
        assert set(marks.unique().tolist()) <= {0.0, 1.0}
        assert (marks[:, : T // 2].sum(1) == 1).all()
        assert (marks[:, T // 2 :].sum(1) == 1).all()
        assert (marks.sum(0) > 0).all()


def test_the_constant_one_has_the_baseline_error():
    """Answering 1 whatever the input costs the variance of the target, one sixth."""
    _, y = drawn(B=200_000, T=2)
    assert (y - 1).square().mean().item() == pytest.approx(BASELINE, rel=0.02)


def test_the_seed_decides_everything():
    """The same seed gives the same data, another seed other data."""
    assert torch.equal(drawn(seed=3)[0], drawn(seed=3)[0])
    assert not torch.equal(drawn(seed=3)[0], drawn(seed=4)[0])


def test_one_step_is_refused():
    """There is no room for two marks in a sequence of one."""
    with pytest.raises(ValueError, match="T >= 2"):
        drawn(T=1)
