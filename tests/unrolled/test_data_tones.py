"""A recording holds the tones of its digits, where its spans say."""

import numpy as np
import pytest
import torch

from unrolled.data.tones import (
    BANDS,
    FIRST,
    FREQUENCIES,
    HOP,
    RATE,
    WINDOW,
    dialled_digits,
    spectrogram,
    waveform,
)


def test_ten_digits_have_ten_pairs_of_frequencies():
    """No two keys sound alike."""
    assert sorted(FREQUENCIES) == list(range(10))
    assert len(set(FREQUENCIES.values())) == 10
    assert FREQUENCIES[5] == (770, 1336)


def test_both_frequencies_of_a_digit_stand_out_where_it_sounds():
    """In the middle of a span the two loudest bands are the digit's, without noise."""
    said = dialled_digits(20, 0, noise=0.0)
    for b in range(20):
        for u in range(said.lengths[b]):
            first, after = said.spans[b, u].tolist()
            frame = said.x[b, (first + after) // 2]
            loudest = frame.topk(2).indices.sort().values
            hertz = [RATE / WINDOW * (FIRST + 2 * i.item() + 0.5) for i in loudest]
            wanted = FREQUENCIES[said.digits[b, u].item()]
            assert all(abs(h - w) < 50 for h, w in zip(hertz, wanted, strict=True))


def test_spans_are_in_order_and_apart():
    """A digit ends before the next one begins, and the last before the recording does."""
    said = dialled_digits(100, 1)
    for b in range(100):
        edges = said.spans[b, : said.lengths[b]]
        assert (edges[:, 0] < edges[:, 1]).all() and edges.max() <= said.x.shape[1]
        assert (edges[1:, 0] >= edges[:-1, 1]).all()


def test_recordings_have_equal_length_and_padding_is_marked():
    """T is a multiple of 4 and depends on the longest string only."""
    said = dialled_digits(30, 2, shortest=2, longest=5)
    assert said.x.shape == (30, 68, BANDS) and said.x.dtype == torch.float32
    assert dialled_digits(2, 2, shortest=2, longest=5, frames=100).x.shape[1] == 100
    assert set(said.lengths.tolist()) == {2, 3, 4, 5}
    for digits, length in zip(said.digits, said.lengths, strict=True):
        assert (digits[length:] == 0).all()


def test_spectrogram_has_a_frame_every_hop():
    """Silence is flat, and a frame looks at the samples around it."""
    flat = spectrogram(np.zeros(10 * HOP))
    assert flat.shape == (10, BANDS) and np.ptp(flat) == 0


def test_too_many_digits_are_refused():
    """A string that might not fit is not cut."""
    with pytest.raises(ValueError, match="samples"):
        waveform(np.arange(6), 100, np.random.default_rng(0))


def test_the_seed_decides():
    """The same seed gives the same recordings, another seed others."""
    assert torch.equal(dialled_digits(3, 5).x, dialled_digits(3, 5).x)
    assert not torch.equal(dialled_digits(3, 5).x, dialled_digits(3, 6).x)
