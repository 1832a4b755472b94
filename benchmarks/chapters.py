"""What each chapter costs on one core, alone, beside its budget."""

from __future__ import annotations

import os
import time
from pathlib import Path

import jupytext
from nbclient import NotebookClient

BOOK = Path(__file__).resolve().parents[1] / "book"
LARGE = {"ch12_transformer", "ch13_bert", "ch14_beyond_text"}  # these train large models


def main() -> None:
    """Execute every chapter, one after the other on one core, and print its seconds."""
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    os.environ.update(OMP_NUM_THREADS="1", MKL_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1")
    total = 0.0
    for path in sorted(BOOK.glob("ch[0-9]*.md")):
        notebook = jupytext.read(path, fmt="md:myst")
        started = time.perf_counter()
        NotebookClient(notebook, timeout=300, resources={"metadata": {"path": str(BOOK)}}).execute()
        seconds = time.perf_counter() - started
        total += seconds
        budget = 120 if path.stem in LARGE else 60
        verdict = "" if seconds <= budget else "  OVER"
        print(f"{path.stem:24}{seconds:7.1f} s of {budget} s{verdict}", flush=True)
    print(f"{'all, one after the other':24}{total:7.1f} s")
