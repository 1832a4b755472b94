"""Rendered shapes with captions, and moving shapes with a sentence on what they do.

"a large blue circle left of a small red cross": the object named first is the one on the left, or
the upper one, so that every picture has exactly one right caption. Every word that describes an
object comes with the number of that object, and every object with its pixels: it is known where a
model should look.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

SIDE = 24  # pixels along each side of a picture
FRAME = 16  # and of a frame of a film
FRAMES = 8
FILM_HALF = 3.9  # half the width of a moving shape, in pixels

COLOURS = {"red": (0.9, 0.15, 0.15), "green": (0.1, 0.7, 0.2), "blue": (0.15, 0.3, 0.95)}
KINDS = ("ring", "square", "cross")
SIZES = {"small": 2.9, "large": 4.9}  # half the width, in pixels
RELATIONS = {"left of": ("left", "of"), "above": ("above",)}
MOVES = {"left": (-1, 0), "right": (1, 0), "up": (0, -1), "down": (0, 1)}  # x to the right, y down

PAD, BOS, EOS = "<pad>", "<bos>", "<eos>"
CAPTION_WORDS = (PAD, BOS, EOS, "a", *SIZES, *COLOURS, *KINDS, "left", "of", "above")
FILM_WORDS = (PAD, BOS, EOS, "a", *COLOURS, *KINDS, "moves", *MOVES, "then")


@dataclass(frozen=True)
class Captioned:
    """Pictures, their captions with ``<bos>`` and ``<eos>``, and where the named objects are.

    ``owner[b, t]`` is the object (0 or 1) that word t describes, -1 for words that describe none;
    ``pixels[b, i]`` is true where object i covers the picture.
    """

    images: Float[Tensor, "B 3 side side"]
    captions: Int[Tensor, "B T"]
    owner: Int[Tensor, "B T"]
    pixels: Bool[Tensor, "B 2 side side"]


def captioned_shapes(
    count: int, seed: int, device: torch.device | str = "cpu", noise: float = 0.03
) -> Captioned:
    """Return ``count`` pictures of two shapes side by side or one above the other.

    Colours lie near 0 to 1 on a light ground, with normal ``noise`` on every pixel. Captions are
    indices into ``CAPTION_WORDS``, padded on the right. float32 and int64 on ``device``.
    """
    rng = np.random.default_rng(seed)
    images = np.full((count, 3, SIDE, SIDE), 0.95)
    pixels = np.zeros((count, 2, SIDE, SIDE), dtype=bool)
    captions, owners = [], []
    for b in range(count):
        relation = list(RELATIONS)[rng.integers(2)]
        along = np.array([6.0, 18.0]) + rng.uniform(-1, 1, 2)
        across = rng.uniform(6, 18) + rng.uniform(-1, 1, 2)
        words: list[str] = []
        owner: list[int] = []
        for i in range(2):
            size, colour, kind = (_pick(options, rng) for options in (SIZES, COLOURS, KINDS))
            centre = (along[i], across[i]) if relation == "left of" else (across[i], along[i])
            pixels[b, i] = shape_mask(kind, centre, SIZES[size], SIDE)
            images[b][:, pixels[b, i]] = np.array(COLOURS[colour])[:, None]
            words += ["a", size, colour, kind, *(RELATIONS[relation] if i == 0 else ())]
            owner += [-1, i, i, i, *([-1] * len(RELATIONS[relation]) if i == 0 else [])]
        captions.append([BOS, *words, EOS])
        owners.append([-1, *owner, -1])
    images += noise * rng.normal(size=images.shape)
    return Captioned(
        torch.tensor(images, dtype=torch.float32, device=device),
        _padded([[CAPTION_WORDS.index(word) for word in row] for row in captions], 0, device),
        _padded(owners, -1, device),
        torch.tensor(pixels, device=device),
    )


def moving_shapes(
    count: int, seed: int, device: torch.device | str = "cpu", noise: float = 0.03
) -> tuple[Float[Tensor, "B frames 3 side side"], Int[Tensor, "B T"]]:
    """Return films of one shape that moves one way and then another, and their captions.

    "a red circle moves left then up": the second move is at a right angle to the first. Every
    film played backwards is a film as likely, with another caption. Captions are indices into
    ``FILM_WORDS``, all of one length. float32 and int64 on ``device``.
    """
    rng = np.random.default_rng(seed)
    films = np.full((count, FRAMES, 3, FRAME, FRAME), 0.95)
    captions = []
    for b in range(count):
        colour, kind, first = (_pick(options, rng) for options in (COLOURS, KINDS, MOVES))
        second = _pick([move for move in MOVES if np.dot(MOVES[move], MOVES[first]) == 0], rng)
        for frame, centre in zip(films[b], _path(MOVES[first], MOVES[second], rng), strict=True):
            covered = shape_mask(kind, centre, FILM_HALF, FRAME)
            frame[:, covered] = np.array(COLOURS[colour])[:, None]
        words = [BOS, "a", colour, kind, "moves", first, "then", second, EOS]
        captions.append([FILM_WORDS.index(word) for word in words])
    films += noise * rng.normal(size=films.shape)
    return (
        torch.tensor(films, dtype=torch.float32, device=device),
        torch.tensor(captions, device=device),
    )


def shape_mask(
    kind: str, centre: tuple[float, float], half: float, side: int
) -> Bool[np.ndarray, "side side"]:
    """Return which pixels a shape covers; ``centre`` is (x, y), ``half`` is half its width."""
    y, x = np.mgrid[0:side, 0:side] + 0.5
    x, y = (x - centre[0]) / half, (y - centre[1]) / half
    box = np.maximum(abs(x), abs(y)) <= 1
    if kind == "ring":
        return (x**2 + y**2 <= 1.1) & (x**2 + y**2 >= 0.28)
    if kind == "square":
        return np.maximum(abs(x), abs(y)) <= 0.88
    if kind == "cross":
        return box & (np.minimum(abs(x), abs(y)) <= 0.32)
    raise ValueError(f"shape_mask: expected one of {KINDS}, got {kind!r}.")


def _path(
    first: tuple[int, int], second: tuple[int, int], rng: np.random.Generator
) -> Float[np.ndarray, "frames 2"]:
    """Return the centre in every frame: along ``first`` to a corner, then along ``second``."""
    turn = (FRAMES - 1) / 2 + rng.choice([-0.5, 0.5])
    along = rng.uniform(1.3, 1.7) * (np.arange(FRAMES)[:, None] - turn)
    steps = np.minimum(along, 0) * first + np.maximum(along, 0) * second
    corner = rng.uniform(FILM_HALF - steps.min(0), FRAME - FILM_HALF - steps.max(0))
    return corner + steps


def _pick(options: object, rng: np.random.Generator) -> str:
    choices = list(options)  # type: ignore[call-overload]
    return choices[int(rng.integers(len(choices)))]


def _padded(rows: list[list[int]], filler: int, device: torch.device | str) -> Int[Tensor, "B T"]:
    width = max(map(len, rows))
    return torch.tensor([row + [filler] * (width - len(row)) for row in rows], device=device)
