"""The hidden Markov source is what its docstring says: sticky, fair, and seeded."""

import pytest
import torch

from unrolled.data.hmm import STATES, STAY, SYMBOLS, Source, sample, sticky_source


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def test_every_row_is_a_distribution():
    """Start, moves and emissions are positive and sum to one."""
    for part in sticky_source(seeded()):
        assert part.dtype == torch.float64 and (part > 0).all()
        torch.testing.assert_close(part.sum(-1), torch.ones_like(part.sum(-1)))


def test_shapes_follow_the_sizes():
    """H states and V symbols give (H,), (H, H) and (H, V)."""
    source = sticky_source(seeded(), states=3, symbols=5)
    assert [tuple(part.shape) for part in source] == [(3,), (3, 3), (3, 5)]


def test_states_are_equally_likely_for_ever():
    """The uniform start is stationary, so a window may begin anywhere."""
    source = sticky_source(seeded())
    torch.testing.assert_close(source.start @ source.move, source.start)


def test_a_state_stays_as_often_as_asked():
    """The share of steps without a change is ``stay``."""
    x, q = sample(sticky_source(seeded()), B=200, T=500, generator=seeded(1))
    assert x.shape == q.shape == (200, 500) and x.dtype == q.dtype == torch.int64
    assert (q[:, 1:] == q[:, :-1]).double().mean().item() == pytest.approx(STAY, abs=0.003)
    assert q.unique().tolist() == list(range(STATES))


def test_symbols_have_the_frequencies_of_their_state():
    """Counted by state, symbols occur as ``emit`` says."""
    source = sticky_source(seeded(2))
    x, q = sample(source, B=400, T=500, generator=seeded(3))
    counts = torch.zeros(STATES, SYMBOLS, dtype=torch.float64)
    counts.index_put_((q.flatten(), x.flatten()), torch.tensor(1.0).double(), accumulate=True)
    share = counts / counts.sum(1, keepdim=True)
    torch.testing.assert_close(share, source.emit, atol=0.01, rtol=0)


def test_a_source_that_never_moves_and_always_says_the_same():
    """Impossible moves and symbols do not occur."""
    eye = torch.eye(3, dtype=torch.float64)
    source = Source(torch.tensor([0.0, 1.0, 0.0]).double(), eye, eye.flip(0))
    x, q = sample(source, B=4, T=7, generator=seeded())
    assert (q == 1).all() and (x == 1).all()


def test_the_seed_decides_everything():
    """The same seed gives the same source and sequences, another seed others."""
    for one, two in zip(sticky_source(seeded(4)), sticky_source(seeded(4)), strict=True):
        assert torch.equal(one, two)
    source = sticky_source(seeded(4))
    assert torch.equal(sample(source, 3, 9, seeded(5))[0], sample(source, 3, 9, seeded(5))[0])
    assert not torch.equal(sample(source, 3, 9, seeded(5))[0], sample(source, 3, 9, seeded(6))[0])


def test_impossible_sizes_are_refused():
    """One state cannot be left, and a probability lies between 0 and 1."""
    with pytest.raises(ValueError, match="states >= 2"):
        sticky_source(seeded(), states=1)
    with pytest.raises(ValueError, match="stay"):
        sticky_source(seeded(), stay=1.2)
