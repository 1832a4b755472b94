"""Runs code in the sandbox, as whoever runs the tests and, where that is root, as others too."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

ORDINARY = Path(__file__).with_name("ordinary_user.py")
# What is run: the body in the sandbox; its answer and how it ended come back as JSON.
PROGRAM = """
import json, os, sys
from autograder import lock_in
from autograder.sandbox import Quota, SandboxIncomplete
lock_in.prepare()
read, write = os.pipe()
def body():
    names = {}
    exec(BODY, names)
    try:
        answer = names["attack"]()
    except BaseException as error:
        answer = f"{type(error).__name__}: {error}"
    os.write(write, json.dumps(answer).encode())
    names.get("after", lambda: None)()
child = lock_in.spawn(body, Quota(**QUOTA), "/tmp", [write])
os.close(write)
data = b""
while part := os.read(read, 65536):
    data += part
print(json.dumps({"answer": json.loads(data) if data else None, "exit": lock_in.end(child)}))
"""

Inside = Callable[..., Any]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run each test that goes inside as root and as an ordinary user, if we are root."""
    if "user" in metafunc.fixturenames:
        users = ["root", "ordinary"] if os.geteuid() == 0 else ["ordinary"]
        metafunc.parametrize("user", users)


def run_python(user: str, arguments: list[str], home: Path) -> subprocess.CompletedProcess[str]:
    """Run Python as root or as an ordinary user, with a secret in its environment."""
    command = [sys.executable, *arguments]
    if user == "ordinary" and os.geteuid() == 0:
        command[1:1] = [str(ORDINARY), str(home)]
    environment = os.environ | {"AUTOGRADER_SECRET": "secret", "OMP_NUM_THREADS": "1"}
    return subprocess.run(
        command, capture_output=True, text=True, timeout=60, env=environment, cwd="/"
    )


@pytest.fixture
def inside(user: str, tmp_path_factory: pytest.TempPathFactory) -> Inside:
    """Runs a function of the given source in the sandbox: inside(source, memory=…) -> answer."""

    def run(body: str, **quota: int) -> Any:
        text = f"BODY = {body!r}\nQUOTA = {quota!r}\n{PROGRAM}"
        done = run_python(user, ["-c", text], tmp_path_factory.mktemp("home"))
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)["answer"]

    return run
