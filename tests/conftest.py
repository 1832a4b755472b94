"""What several folders of tests share."""

import fcntl
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
# Triton decides at its first import whether its kernels are interpreted, and other tests import it.
os.environ.setdefault("TRITON_INTERPRET", "1")


@pytest.fixture(scope="session")
def site() -> Path:
    """Return the folder that ``make site`` fills; a second build finds nothing to do."""
    (ROOT / ".cache").mkdir(exist_ok=True)
    with open(ROOT / ".cache" / "site.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # with pytest-xdist every worker comes here
        built = subprocess.run(
            ["make", "site"],
            cwd=ROOT,
            env={**os.environ, "VENV": sys.prefix},
            capture_output=True,
            text=True,
        )
    assert built.returncode == 0, f"make site failed:\n{built.stdout}\n{built.stderr}"
    return ROOT / "_build" / "html"
