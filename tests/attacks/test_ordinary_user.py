"""The whole corpus again, as somebody who is not root: the same outcomes, by other layers."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from tests.attacks.corpus import all_cases

REPOSITORY = Path(__file__).resolve().parents[2]
ORDINARY = REPOSITORY / "tests" / "sandbox" / "ordinary_user.py"


@pytest.mark.skipif(os.geteuid() != 0, reason="this is an ordinary user already")
def test_every_attack_is_held_for_an_ordinary_user_too() -> None:
    with tempfile.TemporaryDirectory() as home:
        command = [sys.executable, str(ORDINARY), home, "-m", "pytest", "-o", "addopts="]
        command += ["-n", "2", "-rfE", "-p", "no:cacheprovider", "--tb=short"]  # much is waiting
        command.append(str(REPOSITORY / "tests" / "attacks" / "test_attacks.py"))
        environment = {k: v for k, v in os.environ.items() if not k.startswith("PYTEST_")}
        done = subprocess.run(
            command, capture_output=True, text=True, cwd=REPOSITORY, env=environment
        )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-1000:]
    assert f"{len(all_cases())} passed" in done.stdout, done.stdout[-1000:]
