"""Run the chapters that changed, several at once, into the cache from which myst-nb then reads.

Jupyter Book runs pages one after the other while it reads them. Here they run before, in parallel
and with one thread each. A chapter runs again when its code changed; every chapter does when the
library `unrolled`, a pinned version, an optional package or Python changed: the cache folder's name
is a hash of those.
"""

import hashlib
import os
import re
import shutil
import sys
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from jupyter_cache import get_cache
from jupyter_cache.base import CacheBundleIn
from jupyter_cache.executors.utils import single_nb_execution
from myst_nb.core.read import is_myst_markdown_notebook, myst_nb_reader_plugin
from sphinx.application import Sphinx
from sphinx.errors import ExtensionError

ROOT = Path(__file__).resolve().parents[3]
KEPT = 3  # caches of earlier library versions stay, so that switching branches stays warm


def one_thread() -> None:
    """Let kernels started from here use one thread each; chapters share the cores instead."""
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ.setdefault(name, "1")


def cache_path(root: Path = ROOT) -> Path:
    """Return the cache folder for this library, these pins and packages, and this Python."""
    library = (p for p in (root / "unrolled").rglob("*") if "__pycache__" not in p.parts)
    digest = hashlib.sha256(sys.version.encode())
    for path in [*sorted(library), root / "requirements.txt", root / "constraints.txt"]:
        if path.is_file():
            digest.update(path.relative_to(root).as_posix().encode() + b"\0" + path.read_bytes())
    for name in sorted(optional_packages(root / "requirements-optional.txt")):
        with suppress(PackageNotFoundError):
            digest.update(f"{name} {version(name)}".encode())
    return root / ".cache" / "chapters" / digest.hexdigest()[:16]


def optional_packages(path: Path) -> list[str]:
    """Return the names of the packages that ``path`` pins; none where there is no such file."""
    if not path.is_file():
        return []
    return re.findall(r"^([\w-]+)==", path.read_text("utf8"), re.MULTILINE)


def run(path: Path, timeout: int):
    """Return the executed notebook, the seconds it took and the error message, if any."""
    one_thread()
    result = single_nb_execution(
        myst_nb_reader_plugin(str(path)),
        cwd=str(path.parent),
        timeout=timeout,
        allow_errors=False,
        extra_arguments=["--log-level=ERROR"],  # the kernel warns of its local port
    )
    return result.nb, result.time, None if result.err is None else str(result.err)


def missing(paths: list[Path], cache) -> list[Path]:
    """Return the notebooks that the cache holds no result for."""

    def is_missing(path: Path) -> bool:
        try:
            # read as myst-nb reads it, so that the keys agree
            cache.match_cache_notebook(myst_nb_reader_plugin(str(path)))
        except KeyError:
            return True
        return False

    return [path for path in paths if is_missing(path)]


def fill(notebooks: list[Path], folder: Path, jobs: int, timeout: int) -> dict[Path, str]:
    """Execute what the cache ``folder`` lacks, ``jobs`` at a time; return errors by notebook."""
    cache = get_cache(folder)
    todo = missing(notebooks, cache)
    print(f"chapters: {len(notebooks) - len(todo)} unchanged, {len(todo)} to run", flush=True)
    errors = {}
    if not todo:
        return errors
    with ProcessPoolExecutor(min(jobs, len(todo))) as pool:
        futures = {pool.submit(run, path, timeout): path for path in todo}
        for done, future in enumerate(as_completed(futures), start=1):
            path = futures[future]
            notebook, seconds, error = future.result()
            print(f"  [{done}/{len(todo)}] {path.stem}: {seconds:.1f} s", flush=True)
            if error:
                errors[path] = error
                continue
            bundle = CacheBundleIn(notebook, str(path), data={"execution_seconds": seconds})
            cache.cache_notebook_bundle(bundle, check_validity=False, overwrite=True)
    return errors


def forget_old_caches(current: Path) -> None:
    """Remove all but the newest few caches; the current one stays."""
    os.utime(current)
    caches = sorted(current.parent.iterdir(), key=lambda p: p.stat().st_mtime, reverse=True)
    for folder in caches[KEPT:]:
        shutil.rmtree(folder)


def use_keyed_cache(app: Sphinx, config) -> None:
    """Point myst-nb at the cache that belongs to this version of the library and the pins."""
    one_thread()
    config.nb_execution_cache_path = str(cache_path())


def run_changed_chapters(app: Sphinx) -> None:
    """Fill the cache before Sphinx reads a page; a failed cell ends the build here."""
    config = app.config
    pages = app.project.discover(config.exclude_patterns, config.include_patterns)
    paths = [Path(app.srcdir) / f"{page}.md" for page in sorted(pages)]
    notebooks = [p for p in paths if p.exists() and is_myst_markdown_notebook(p.read_text("utf8"))]
    folder = Path(config.nb_execution_cache_path)
    jobs = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    errors = fill(notebooks, folder, jobs or 1, config.nb_execution_timeout)
    forget_old_caches(folder)
    if errors:
        print("\n".join(f"\n{path}: a cell failed.\n{error}" for path, error in errors.items()))
        names = ", ".join(path.name for path in errors)
        raise ExtensionError(f"A cell failed in {names}: see above, mend it, and build again.")


def setup(app: Sphinx) -> None:
    """Choose the cache, then fill it."""
    app.connect("config-inited", use_keyed_cache)
    app.connect("builder-inited", run_changed_chapters)
