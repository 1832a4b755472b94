"""Digits become sequences without loss, and no image is both learnt from and tested on."""

import pytest
import torch
from sklearn.datasets import load_digits

from unrolled.data.digits import digit_sequences


def images(part):
    return part[0].reshape(len(part[0]), 64)


def test_rows_and_pixels_are_two_readings_of_the_same_images():
    """Eight steps of eight or 64 of one, in reading order, with the same labels."""
    for rows, pixels in zip(digit_sequences("row"), digit_sequences("pixel"), strict=True):
        assert rows[0].shape[1:] == (8, 8) and pixels[0].shape[1:] == (64, 1)
        assert torch.equal(images(rows), images(pixels)) and torch.equal(rows[1], pixels[1])
        assert rows[0].dtype == torch.float32 and rows[1].dtype == torch.int64


def test_every_image_is_in_exactly_one_part_and_keeps_its_label():
    """Training and test images together are scikit-learn's, each once."""
    train, test = digit_sequences("pixel", seed=1)
    assert len(train[0]) == 1437 and len(test[0]) == 360
    data = load_digits()
    known = sorted((*row, label) for row, label in zip(data.data / 16, data.target, strict=True))
    mine = torch.cat([images(train), images(test)]).double()
    labels = torch.cat([train[1], test[1]])
    found = sorted((*row.tolist(), y.item()) for row, y in zip(mine, labels, strict=True))
    assert found == [tuple(map(float, row)) for row in known]


def test_one_permutation_serves_all_images():
    """A permuted image has the same pixels; the order is the same in both parts."""
    plain, mixed = digit_sequences("pixel"), digit_sequences("pixel", permuted=True)
    columns = torch.cat([images(p) for p in plain]), torch.cat([images(p) for p in mixed])
    assert not torch.equal(*columns)
    first, second = (sorted(map(tuple, c.T.tolist())) for c in columns)
    assert first == second


def test_the_seed_decides_the_split():
    """The same seed holds out the same images, another seed others."""
    assert torch.equal(digit_sequences(seed=2)[1][0], digit_sequences(seed=2)[1][0])
    assert not torch.equal(digit_sequences(seed=2)[1][0], digit_sequences(seed=3)[1][0])


def test_other_readings_are_refused():
    """Columns are not offered, and rows are not permuted."""
    with pytest.raises(ValueError, match="by="):
        digit_sequences("column")
    with pytest.raises(ValueError, match="pixel"):
        digit_sequences("row", permuted=True)
