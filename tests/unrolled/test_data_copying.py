"""Copy memory is what the papers say: symbols, a wait, a marker, and the symbols again."""

import math

import pytest
import torch

from unrolled.data.copying import BLANK, copy_baseline, copy_memory


def drawn(B=400, wait=7, symbols=3, alphabet=4, seed=0):
    return copy_memory(B, wait, torch.Generator().manual_seed(seed), symbols, alphabet)


def test_sequences_have_symbols_blanks_and_markers_in_that_order():
    """Symbols come first, then wait - 1 blanks, then one marker more than there are symbols."""
    tokens, answers = drawn()
    assert tokens.shape == answers.shape == (400, 7 + 2 * 3)
    assert tokens.dtype == answers.dtype == torch.int64
    assert set(tokens[:, :3].unique().tolist()) == {1, 2, 3, 4}
    assert (tokens[:, 3:9] == BLANK).all()
    assert (tokens[:, 9:] == 5).all()


def test_answers_are_blank_and_then_the_symbols_in_order():
    """The symbols return after the first marker, wait + symbols steps after they were shown."""
    for wait in (1, 2, 7):
        tokens, answers = drawn(wait=wait)
        assert (answers[:, :-3] == BLANK).all()
        assert torch.equal(answers[:, -3:], tokens[:, :3])
        assert (tokens[:, -4:] == 5).all() and (tokens[:, 3:-4] == BLANK).all()


def test_defaults_are_those_of_the_paper():
    """Ten of eight symbols: T + 20 steps, the last eleven of them filled with 9."""
    tokens, _ = copy_memory(2, 1000, torch.Generator().manual_seed(0))
    assert tokens.shape == (2, 1020)
    assert (tokens == 9).sum(1).tolist() == [11, 11]


def test_baseline_is_the_loss_of_knowing_all_but_the_symbols():
    """Blanks are certain and symbols uniform: the measured cross-entropy is the formula."""
    _, answers = drawn()
    log_prob = torch.where(answers == BLANK, 0.0, -math.log(4))
    assert -log_prob.mean().item() == pytest.approx(copy_baseline(7, 3, 4))


def test_the_seed_decides_everything():
    """The same seed gives the same data, another seed other data."""
    assert torch.equal(drawn(seed=3)[0], drawn(seed=3)[0])
    assert not torch.equal(drawn(seed=3)[0], drawn(seed=4)[0])


def test_no_room_is_refused():
    """There must be at least one step, one symbol and one letter."""
    for sizes in ({"wait": 0}, {"symbols": 0}, {"alphabet": 0}):
        with pytest.raises(ValueError, match="at least 1"):
            drawn(**sizes)
