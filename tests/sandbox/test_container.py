"""Where a container forbids namespaces: grading refuses, and works when told to go on."""

import json
import subprocess
import sys
from pathlib import Path

# The filter that candidates get stands for a container's, which forbids the same calls.
PROGRAM = """
import json, os
from autograder import launcher, sandbox, seccomp, syscalls
from autograder.limits import Limits
from autograder.results import grade_submission
from tests.attacks.corpus import assignment, data_of, notebook
syscalls.prctl(syscalls.PR_SET_NO_NEW_PRIVS, 1)
seccomp.restrict()
data = data_of(notebook())
said = {}
try:
    sandbox.require()
except sandbox.SandboxIncomplete as error:
    said["doctor"] = sorted(error.missing)
try:
    grade_submission(assignment(), data, Limits())
except sandbox.SandboxIncomplete as error:
    said["refused"] = sorted(error.missing)
launcher.current().close()
os.environ[sandbox.WITHOUT] = " ".join(said["doctor"])
sandbox.require()
result = grade_submission(assignment(), data, Limits())
said["graded"] = sorted({v["status"] for v in result.verdicts.values()})
print(json.dumps(said))
"""


def test_grading_without_namespaces_needs_to_be_told() -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        capture_output=True,
        text=True,
        timeout=120,
        cwd=Path(__file__).resolve().parents[2],
    )
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert {"pid", "mount", "network", "ipc"} <= set(said["refused"]) <= set(said["doctor"])
    assert "landlock" not in said["doctor"]
    assert said["graded"] == ["passed"]
