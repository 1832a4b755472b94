"""Run the chapters that changed, several at once, into the cache that Sphinx reads afterwards.

    python book/_ext/unrolled_site/execute.py [--jobs N]

A chapter runs again when its code changed, and every chapter does when the library `unrolled`,
a pinned version or Python changed: the cache folder's name is a hash of those.
"""

import argparse
import hashlib
import os
import sys
import time
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
CACHES = ROOT / ".cache" / "chapters"
TIMEOUT = 300  # seconds a cell: generous, so that a busy machine does not fail the book
KEPT = 3  # caches of earlier library versions, so that switching branches stays warm


def one_thread() -> None:
    """Let kernels started from here use one thread each; chapters share the cores instead."""
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ.setdefault(name, "1")


def cache_path(root: Path = ROOT) -> Path:
    """Return the cache folder for this library, these pins and this Python."""
    sources = sorted(p for p in (root / "unrolled").rglob("*") if p.is_file())
    sources = [p for p in sources if "__pycache__" not in p.parts]
    digest = hashlib.sha256(sys.version.encode())
    for path in [*sources, root / "requirements.txt", root / "constraints.txt"]:
        if path.exists():
            digest.update(path.relative_to(root).as_posix().encode() + b"\0" + path.read_bytes())
    return root / ".cache" / "chapters" / digest.hexdigest()[:16]


def notebooks(book: Path) -> list[Path]:
    """Return the pages of ``book`` that are executed."""
    from myst_nb.core.read import is_myst_markdown_notebook

    return [p for p in sorted(book.glob("*.md")) if is_myst_markdown_notebook(p.read_text("utf8"))]


def read(path: Path):
    """Return the page as a notebook, read as myst-nb reads it, so that the cache keys agree."""
    from myst_nb.core.read import myst_nb_reader_plugin

    return myst_nb_reader_plugin(str(path))


def run(path: Path):
    """Return the executed notebook, the seconds it took and the error message, if any."""
    from jupyter_cache.executors.utils import single_nb_execution

    one_thread()
    result = single_nb_execution(
        read(path), cwd=str(path.parent), timeout=TIMEOUT, allow_errors=False
    )
    return result.nb, result.time, None if result.err is None else str(result.err)


def missing(paths: list[Path], cache) -> list[Path]:
    """Return the pages that the cache holds no result for."""

    def is_missing(path: Path) -> bool:
        try:
            cache.match_cache_notebook(read(path))
        except KeyError:
            return True
        return False

    return [path for path in paths if is_missing(path)]


def fill(book: Path, folder: Path, jobs: int) -> int:
    """Execute what ``folder`` lacks, ``jobs`` at a time; return how many pages failed."""
    from jupyter_cache import get_cache
    from jupyter_cache.base import CacheBundleIn

    folder.mkdir(parents=True, exist_ok=True)
    cache = get_cache(folder)
    pages = notebooks(book)
    todo = missing(pages, cache)
    print(f"chapters: {len(pages) - len(todo)} unchanged, {len(todo)} to run", flush=True)
    if not todo:
        return 0
    failed = 0
    with ProcessPoolExecutor(min(jobs, len(todo))) as pool:
        futures = {pool.submit(run, path): path for path in todo}
        for done, future in enumerate(as_completed(futures), start=1):
            path = futures[future]
            notebook, seconds, error = future.result()
            print(f"  [{done}/{len(todo)}] {path.stem}: {seconds:.1f} s", flush=True)
            if error:
                failed += 1
                print(f"{path}: a cell failed. Mend it and build again.\n{error}", file=sys.stderr)
                continue
            bundle = CacheBundleIn(notebook, str(path), data={"execution_seconds": seconds})
            cache.cache_notebook_bundle(bundle, check_validity=False, overwrite=True)
    return failed


def forget_old_caches(current: Path) -> None:
    """Remove all but the newest few caches; the current one stays."""
    import shutil

    current.touch()
    caches = sorted(current.parent.iterdir(), key=lambda p: p.stat().st_mtime, reverse=True)
    for folder in caches[KEPT:]:
        shutil.rmtree(folder)


def main() -> int:
    """Return 0, or 1 if a chapter failed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    parser.add_argument("--jobs", type=int, default=cores or 1, help="chapters at a time")
    parser.add_argument("--book", type=Path, default=ROOT / "book")
    parser.add_argument("--cache", type=Path, default=cache_path())
    options = parser.parse_args()
    one_thread()
    start = time.perf_counter()
    failed = fill(options.book, options.cache, options.jobs)
    forget_old_caches(options.cache)
    print(f"chapters: ready after {time.perf_counter() - start:.1f} s", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
