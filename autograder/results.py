"""What grading one submission gives, as plain data that can be stored, sent and compared."""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import platform
from dataclasses import asdict, dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import nbformat

from autograder.assignment import Assignment
from autograder.course import write_atomically
from autograder.handin import read_timestamp
from autograder.limits import Limits
from autograder.rebuild import rebuild
from autograder.sandbox import MIB
from autograder.session import grade
from autograder.verdicts import Verdict

NOTE = "autograder"  # the key of the grader's note in a graded notebook's metadata
# Statuses that may come out otherwise on another day; they are graded again, not remembered.
UNSTABLE = frozenset({"timeout", "memory", "killed", "grader-error"})


@dataclass(frozen=True)
class Result:
    """The graded notebook, a verdict for every test, and what an appeal needs to know."""

    key: str  # of submission, tests and environment: equal keys mean equal results
    submission: str  # the SHA-256 of the submitted file
    notebook: dict[str, Any]
    verdicts: dict[str, dict[str, Any]]
    flags: tuple[str, ...]
    seconds: float
    computing: float = 0.0  # seconds of a core that the student's cells and calls took
    memory_mib: int = 0  # that the student's processes used at most
    limits: dict[str, float] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)

    @property
    def stable(self) -> bool:
        """Whether the same submission would certainly get the same result again."""
        return all(v["status"] not in UNSTABLE for v in self.verdicts.values())

    @property
    def trusted(self) -> bool:
        """Whether the grader itself worked: no verdict says that it failed."""
        return all(v["status"] != "grader-error" for v in self.verdicts.values())


@cache
def versions() -> dict[str, str]:
    """Return the versions on which a result depends."""
    names = ("numpy", "torch", "unrolled", "nbgrader", "ipykernel")
    found = {name: importlib.metadata.version(name) for name in names}
    return {"python": platform.python_version(), **found, "grader": _own_digest()}


def _own_digest() -> str:
    """Return a hash of the grader's and the students' library code."""
    digest = hashlib.sha256()
    root = Path(__file__).parent
    for path in sorted([*root.glob("*.py"), *(root.parent / "unrolled").glob("*.py")]):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def key_of(assignment: Assignment, data: bytes, limits: Limits) -> str:
    """Return the hash of a submission, its tests and the environment it is graded in."""
    parts = [assignment.digest, hashlib.sha256(data).hexdigest(), versions(), asdict(limits)]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def grade_submission(assignment: Assignment, data: bytes, limits: Limits) -> Result:
    """Return the result of grading one submitted file; never raises for what a student did."""
    rebuilt = rebuild(assignment, data)
    outcome = grade(assignment, rebuilt.notebook, limits)
    verdicts = {item.grade_id: outcome.verdicts.get(item.grade_id) for item in assignment.tests}
    missing = Verdict("grader-error", "The test was not run.")
    flags = [*rebuilt.flags, *outcome.flags]
    flags += [f"{v}: passed without asking for anything" for v in _silent(verdicts)]
    return Result(
        key=key_of(assignment, data, limits),
        submission=hashlib.sha256(data).hexdigest(),
        notebook=dict(rebuilt.notebook),
        verdicts={name: asdict(verdict or missing) for name, verdict in verdicts.items()},
        flags=tuple(flags),
        seconds=outcome.seconds,
        computing=round(outcome.computing, 2),
        memory_mib=outcome.peak // MIB,
        limits=asdict(limits),
        versions=versions(),
    )


def _silent(verdicts: dict[str, Verdict | None]) -> list[str]:
    return [k for k, v in verdicts.items() if v and v.status == "passed" and v.checks == 0]


class Store:
    """Results on disk by key, so that nothing is graded twice. Unstable ones are not kept."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def get(self, key: str) -> Result | None:
        """Return the result under a key, or None."""
        try:
            fields = json.loads((self.folder / f"{key}.json").read_text(encoding="utf-8"))
            return Result(**fields | {"flags": tuple(fields["flags"])})
        except (OSError, ValueError, TypeError, KeyError):
            return None  # absent, or of an older grader: graded again

    def put(self, result: Result) -> None:
        """Keep a result, if it would certainly come out the same again."""
        if result.stable:
            text = json.dumps(asdict(result), ensure_ascii=False)
            write_atomically(self.folder / f"{result.key}.json", text)


def note_on(result: Result, note: str, folder: Path) -> dict[str, Any]:
    """Return the grader's note in a graded notebook: which result stands, and what was irregular.

    Args:
        result: what stands recorded.
        note: what was odd about the file, "" if nothing was.
        folder: where it was handed in.
    """
    flags = [note] if note else []
    time = read_timestamp(folder, flags)
    return {
        "key": result.key,
        "flags": [*flags, *result.flags],
        "submission": result.submission,
        "file": note,
        "handed_in": str(time or ""),
    }


def as_notebook(result: Result) -> nbformat.NotebookNode:
    """Return the graded notebook of a result."""
    return nbformat.from_dict(result.notebook)
