"""Make visible that a function changed its argument in place, without believing the change.

The test sees other values than it passed, but not values the student's side chose.
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np

MARK = "changed in place"


def spoil(value: Any) -> None:
    """Change a value in place, in a way that nobody can foresee, as far as its kind allows."""
    noise = np.random.default_rng()
    if isinstance(value, np.ndarray) and value.size:
        _spoil_array(value, noise)
    elif isinstance(value, np.random.Generator):
        value.bit_generator.state = value.bit_generator.jumped().state  # type: ignore[attr-defined]
    elif isinstance(value, list):
        value[:] = [MARK]
    elif isinstance(value, dict):
        for item in value.values():
            spoil(item)
        value[MARK] = True
    elif isinstance(value, set):
        value.add(MARK)
    elif "torch" in sys.modules:
        _spoil_torch(value, int(noise.integers(2**32)))


def _spoil_array(value: np.ndarray, noise: np.random.Generator) -> None:
    if value.dtype.kind in "fc":
        value[...] = np.asarray(noise.normal(size=value.shape), dtype=value.dtype)
    elif value.dtype.kind in "iu":
        value += noise.integers(1, 8, value.shape).astype(value.dtype)
    elif value.dtype.kind == "b":
        value[...] = ~value
    elif value.dtype.kind == "U":
        value[...] = MARK


def _spoil_torch(value: Any, seed: int) -> None:
    import torch

    noise = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        if isinstance(value, torch.Tensor) and value.numel():
            if value.is_floating_point() or value.is_complex():
                random = torch.randn(value.shape, dtype=torch.float64, generator=noise)
                value.copy_(random.to(value.dtype))
            elif value.dtype is torch.bool:
                value.logical_not_()
            else:
                steps = torch.randint(1, 8, value.shape, generator=noise)
                value.copy_((value.cpu() + steps).to(value.dtype))
        elif isinstance(value, torch.Generator):
            value.manual_seed((value.initial_seed() + 1) % 2**63)


def moves_on(value: Any) -> bool:
    """Return whether a value is of a kind that an honest function changes: a random generator."""
    if isinstance(value, np.random.Generator):
        return True
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(value, torch.Generator)
