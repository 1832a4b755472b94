"""Every case of the corpus through the grader: held, as the threat model defines it.

Held: no point is gained over the same work without the attack; nothing else changes; nothing
leaves the sandbox; it ends in bounded time as one row with a reason; other items keep their marks.
"""

from __future__ import annotations

import json
import os
import time
from dataclasses import asdict, replace
from pathlib import Path

import nbformat
import pytest

from autograder import launcher
from autograder.limits import Limits
from autograder.results import Result, as_notebook, grade_submission
from tests.attacks.corpus import Case, all_cases, assignment

LIMITS = Limits(
    cell_seconds=1.5,
    test_seconds=1.5,
    again_seconds=1.0,
    notebook_seconds=20,
    grace_seconds=0.5,
    memory_mib=300,
    disk_mib=16,
    processes=40,
)
MOST_SECONDS = 30  # one case, on a machine that others use as well
MOST_BYTES = 6 * 2**20  # of a graded notebook
PICTURES = {"text/plain", "image/png", "image/jpeg"}


@pytest.fixture(scope="module", autouse=True)
def warm() -> None:
    """Start the warm process once, in an environment with a secret that no candidate may see."""
    os.environ["AUTOGRADER_SECRET"] = "SECRET"
    launcher.current().wait_until_ready()


@pytest.mark.parametrize("case", all_cases(), ids=lambda case: case.id)
def test_attack_is_held_and_honest_work_keeps_its_marks(case: Case) -> None:
    started = time.monotonic()
    limits = replace(LIMITS, test_seconds=20) if "patient" in case.marks else LIMITS
    result = grade_submission(assignment(), case.data, limits)
    seconds = time.monotonic() - started
    statuses = {name: verdict["status"] for name, verdict in result.verdicts.items()}
    for test, allowed in case.expected.items():
        assert statuses[test] in allowed, (statuses, result.verdicts[test], result.flags)
    assert case.flag in " | ".join(result.flags), result.flags
    assert seconds < MOST_SECONDS
    assert_nothing_left_the_sandbox(result)
    assert_a_person_can_look_at_it(result)
    assert survivors() == []


def assert_nothing_left_the_sandbox(result: Result) -> None:
    """No attack printed that it got hold of something."""
    printed = [
        output["text"]
        for cell in result.notebook["cells"]
        for output in cell.get("outputs", [])
        if output["output_type"] == "stream"
    ]
    assert "LEAK" not in "".join(printed), printed


def assert_a_person_can_look_at_it(result: Result) -> None:
    """The graded notebook is small, and what it shows is text and pictures."""
    assert len(json.dumps(asdict(result), ensure_ascii=False).encode("utf-8")) < MOST_BYTES
    nbformat.validate(as_notebook(result))
    for cell in result.notebook["cells"]:
        for output in cell.get("outputs", []):
            assert set(output.get("data", {})) <= PICTURES
    points = {
        c["metadata"]["nbgrader"].get("points")
        for c in result.notebook["cells"]
        if "nbgrader" in c["metadata"]
    }
    assert points <= {None, 40, 30, 25, 5, 0}


def survivors() -> list[str]:
    """Return the processes that the warm process forked and that still live."""
    root = launcher.current().process.pid
    parents = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
                parents[int(entry.name)] = int(fields[1])
            except OSError:
                continue
    # the warm process is a fork of the process that was started; below it nothing may be left
    zygotes = [pid for pid, parent in parents.items() if parent == root]
    left = [f"{pid}" for pid, parent in parents.items() if parent in zygotes]
    deadline = time.monotonic() + 10
    while left and time.monotonic() < deadline:
        time.sleep(0.02)
        left = [pid for pid in left if Path(f"/proc/{pid}").exists()]
    return left
