"""A caption says what its picture shows, and it is known which words describe which pixels."""

import numpy as np
import pytest
import torch

from unrolled.data.shapes import (
    CAPTION_WORDS,
    COLOURS,
    FILM_WORDS,
    FRAMES,
    KINDS,
    MOVES,
    SIZES,
    captioned_shapes,
    moving_shapes,
    shape_mask,
)

PICTURES = captioned_shapes(60, 0)


def words(row, vocabulary):
    return [vocabulary[i] for i in row.tolist() if vocabulary[i] != "<pad>"]


def test_caption_names_size_colour_and_place_of_both_objects():
    """Colours are those of the pixels, a large object is larger, the first is left or above."""
    areas = {size: [] for size in SIZES}
    for b in range(60):
        caption = words(PICTURES.captions[b], CAPTION_WORDS)
        assert caption[0] == "<bos>" and caption[-1] == "<eos>"
        centres = []
        for i in range(2):
            mask = PICTURES.pixels[b, i]
            own = [w for w, o in zip(caption, PICTURES.owner[b], strict=False) if o == i]
            size, colour, kind = own
            mean = PICTURES.images[b][:, mask].mean(dim=1)
            assert (mean - torch.tensor(COLOURS[colour])).abs().max() < 0.05
            if kind == "square":
                areas[size].append(mask.sum().item())
            centres.append(mask.nonzero().double().mean(dim=0))
        down, right = centres[1] - centres[0]
        assert (down > 6) if "above" in caption else (right > 6)
    assert max(areas["small"]) < min(areas["large"])


def test_objects_lie_apart_and_inside():
    """No pixel belongs to two objects, and every kind of shape is wholly in the picture."""
    assert not (PICTURES.pixels[:, 0] & PICTURES.pixels[:, 1]).any()
    assert PICTURES.pixels.any(dim=(2, 3)).all()
    for row, owner, pixels in zip(PICTURES.captions, PICTURES.owner, PICTURES.pixels, strict=True):
        for i in range(2):
            half = SIZES[CAPTION_WORDS[row[owner == i][0]]]
            spans = [pixels[i].any(dim=d).sum().item() for d in (0, 1)]
            assert min(spans) >= 2 * 0.88 * half - 1.2, "cut off by the border"


def test_every_caption_is_as_likely():
    """The two relations, and the attributes of both objects, occur equally often."""
    captions = captioned_shapes(2000, 1).captions
    share = (captions == CAPTION_WORDS.index("above")).any(dim=1).double().mean()
    assert abs(share - 0.5) < 0.04
    for place, options in ((2, SIZES), (3, COLOURS), (4, KINDS)):
        counts = torch.bincount(captions[:, place], minlength=len(CAPTION_WORDS))
        shares = [counts[CAPTION_WORDS.index(word)].item() / 2000 for word in options]
        assert np.allclose(shares, 1 / len(options), atol=0.05)


def test_owner_is_minus_one_for_words_that_describe_nothing():
    """Padding, <bos>, "a", the relation and <eos> belong to no object."""
    for row, owner in zip(PICTURES.captions, PICTURES.owner, strict=True):
        described = {CAPTION_WORDS[w] for w, o in zip(row, owner, strict=True) if o >= 0}
        assert described <= {*SIZES, *COLOURS, *KINDS}
        assert (owner >= 0).sum() == 6


def test_film_moves_as_its_caption_says():
    """The shape's centre goes along the first move and then along the second."""
    films, captions = moving_shapes(60, 0)
    assert films.shape[:3] == (60, FRAMES, 3)
    for film, row in zip(films, captions, strict=True):
        caption = words(row, FILM_WORDS)
        ink = (0.95 - film).clamp(min=0.3).sub(0.3).sum(dim=1)  # noise lies below
        y, x = torch.meshgrid(*2 * [torch.arange(16.0)], indexing="ij")
        path = torch.stack([(ink * v).sum((1, 2)) / ink.sum((1, 2)) for v in (x, y)], dim=1)
        first, second = (torch.tensor(MOVES[caption[i]]).float() for i in (5, 7))
        assert ((path[2] - path[0]) @ first) > 1.5
        assert ((path[-1] - path[-3]) @ second) > 1.5
        assert abs((path[2] - path[0]) @ second) < 1 and first @ second == 0


def test_film_played_backwards_is_as_likely():
    """Reversing turns (first, second) into the opposites of (second, first), equally frequent."""
    _, captions = moving_shapes(3000, 1)
    opposite = {"left": "right", "right": "left", "up": "down", "down": "up"}
    counts = {}
    for row in captions:
        pair = (FILM_WORDS[row[5]], FILM_WORDS[row[7]])
        counts[pair] = counts.get(pair, 0) + 1 / 3000
    assert len(counts) == 8
    for (first, second), share in counts.items():
        assert abs(share - counts[opposite[second], opposite[first]]) < 0.04


def test_the_seed_decides():
    """The same seed gives the same pictures, another seed others."""
    again = captioned_shapes(60, 0)
    assert torch.equal(again.images, PICTURES.images)
    assert not torch.equal(captioned_shapes(60, 2).images, PICTURES.images)


def test_unknown_shape_is_refused():
    """A mask exists for the named kinds only."""
    with pytest.raises(ValueError, match="shape_mask"):
        shape_mask("star", (8, 8), 3, 16)
