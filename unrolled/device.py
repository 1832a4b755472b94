"""Where tensors live: a CUDA device when there is one, else the CPU."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

CHOICES = ("cpu", "cuda")


def device() -> torch.device:
    """Return CUDA when PyTorch sees one, else the CPU.

    The environment variable ``UNROLLED_DEVICE`` (``cpu`` or ``cuda``) overrides the choice.

    Raises:
        ValueError: ``UNROLLED_DEVICE`` is neither ``cpu`` nor ``cuda``.
        RuntimeError: it asks for ``cuda`` and PyTorch sees none.
    """
    import torch  # here, not above: `import unrolled` stays light

    choice = os.environ.get("UNROLLED_DEVICE", "").strip().lower()
    available = torch.cuda.is_available()
    if not choice:
        return torch.device("cuda" if available else "cpu")
    if choice not in CHOICES:
        raise ValueError(
            f"UNROLLED_DEVICE: expected cpu or cuda, got {choice!r}. "
            "Set one of the two, or unset it to choose automatically."
        )
    if choice == "cuda" and not available:
        raise RuntimeError(
            "UNROLLED_DEVICE=cuda, but PyTorch sees no CUDA device. "
            "Set UNROLLED_DEVICE=cpu, or install a CUDA build of PyTorch and its driver."
        )
    return torch.device(choice)
