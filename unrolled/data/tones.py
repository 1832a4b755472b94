"""Strings of digits dialled as tones, heard through noise: speech recognition in miniature.

Every digit is the pair of sine waves that a telephone key makes. Duration, pause, loudness and
pitch vary from key to key, so that the number of frames says little about the number of digits.
What a model is told is the digits in order, not where each of them sounds.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

RATE = 8000  # samples a second
HOP = 160  # samples from one frame to the next: 20 ms
WINDOW = 256  # samples a frame looks at; a Fourier coefficient is then 31.25 Hz wide
FIRST, LAST = 20, 52  # the coefficients kept: 625 to 1625 Hz
BANDS = (LAST - FIRST) // 2  # two neighbours are added up

ROWS, COLUMNS = (697, 770, 852, 941), (1209, 1336, 1477)  # Hz, ITU-T recommendation Q.23
KEYPAD = ("123", "456", "789", " 0 ")
FREQUENCIES = {
    int(key): (low, high)
    for low, keys in zip(ROWS, KEYPAD, strict=True)
    for high, key in zip(COLUMNS, keys, strict=True)
    if key != " "
}


TONE, PAUSE, LEAD = (0.06, 0.16), (0.03, 0.08), 0.1  # seconds


@dataclass(frozen=True)
class Dialled:
    """Spectrograms, the digits that they contain, and where the digits really sound.

    Digits after ``lengths[b]`` are padding (0). ``spans[b, u]`` is the first frame of digit u and
    the first one after it; no model is shown it.
    """

    x: Float[Tensor, "B T D"]
    digits: Int[Tensor, "B U"]
    lengths: Int[Tensor, " B"]
    spans: Int[Tensor, "B U 2"]


def dialled_digits(
    count: int,
    seed: int,
    device: torch.device | str = "cpu",
    shortest: int = 3,
    longest: int = 6,
    noise: float = 0.5,
    frames: int = 0,
) -> Dialled:
    """Return ``count`` recordings of ``shortest`` to ``longest`` digits as spectrograms.

    All recordings last equally long: ``frames`` if that is enough for the slowest string of
    ``longest`` digits, else just enough, rounded up to a multiple of 4 frames. ``noise`` is the
    standard deviation of white noise beside tones of amplitude near 1. Spectra are logarithms of
    energies, shifted and scaled to be of order 1; a frame is ``BANDS`` wide. float32 and int64 on
    ``device``.
    """
    rng = np.random.default_rng(seed)
    enough = math.ceil((LEAD + longest * (TONE[1] + PAUSE[1])) * RATE / HOP / 4) * 4
    T = max(frames, enough)
    x = np.empty((count, T, BANDS))
    digits = np.zeros((count, longest), dtype=int)
    lengths = rng.integers(shortest, longest + 1, size=count)
    spans = np.zeros((count, longest, 2), dtype=int)
    for b, length in enumerate(lengths):
        digits[b, :length] = rng.integers(10, size=length)
        wave, spans[b, :length] = waveform(digits[b, :length], T * HOP, rng)
        x[b] = spectrogram(wave + noise * rng.normal(size=wave.shape))
    return Dialled(
        torch.tensor(x, dtype=torch.float32, device=device),
        *(torch.tensor(array, device=device) for array in (digits, lengths, spans)),
    )


def waveform(
    digits: Int[np.ndarray, " U"], samples: int, rng: np.random.Generator
) -> tuple[Float[np.ndarray, " samples"], Int[np.ndarray, "U 2"]]:
    """Return the sound of ``digits`` without noise, and the frames in which each sounds.

    Raises:
        ValueError: ``samples`` are too few for the digits at the slowest pace.
    """
    slowest = int(len(digits) * (TONE[1] + PAUSE[1]) * RATE)
    if slowest > samples:
        raise ValueError(f"waveform: {len(digits)} digits need {slowest} samples, got {samples}.")
    tones = (rng.uniform(*TONE, len(digits)) * RATE).astype(int)
    pauses = (rng.uniform(*PAUSE, len(digits)) * RATE).astype(int)
    at = int(rng.integers(samples - tones.sum() - pauses.sum() + 1))
    wave, spans = np.zeros(samples), []
    for digit, tone, pause in zip(digits, tones, pauses, strict=True):
        t = np.arange(tone) / RATE * 2 * np.pi * rng.uniform(0.99, 1.01)
        phases = rng.uniform(0, 2 * np.pi, 2)
        pair = np.sin(np.outer(FREQUENCIES[int(digit)], t) + phases[:, None]).sum(axis=0)
        wave[at : at + tone] = rng.uniform(0.5, 1.2) * pair
        spans.append((at // HOP, -(-(at + tone) // HOP)))
        at += tone + pause
    return wave, np.array(spans)


def spectrogram(wave: Float[np.ndarray, " samples"]) -> Float[np.ndarray, "T D"]:
    """Return the logarithm of the energy in each band, one row a frame."""
    padded = np.pad(wave, (WINDOW // 2, WINDOW // 2))
    starts = np.arange(0, len(wave), HOP)
    frames = padded[starts[:, None] + np.arange(WINDOW)] * np.hanning(WINDOW)
    energy = abs(np.fft.rfft(frames)[:, FIRST:LAST]) ** 2
    return np.log(energy.reshape(len(frames), BANDS, 2).sum(-1) + 1) / 3 - 1.5
