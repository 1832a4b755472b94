"""Run every benchmark, or those named on the command line: `python -m benchmarks grading`."""

from __future__ import annotations

import importlib
import pkgutil
import sys
from pathlib import Path


def main() -> None:
    """Run the benchmarks and print what they measured."""
    names = [module.name for module in pkgutil.iter_modules([str(Path(__file__).parent)])]
    names = sorted(name for name in names if not name.startswith("_"))
    chosen = sys.argv[1:] or names
    if unknown := sorted(set(chosen) - set(names)):
        sys.exit(f"benchmarks: there is no {unknown[0]!r}. Next: choose from {', '.join(names)}.")
    for name in chosen:
        print(f"\n== {name}", flush=True)
        importlib.import_module(f"benchmarks.{name}").main()


if __name__ == "__main__":
    main()
