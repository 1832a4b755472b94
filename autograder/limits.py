"""What one submission may use, and how a course sets it for an assignment."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

from autograder.course import Course
from autograder.errors import MIB, BadConfig
from autograder.sandbox import Quota


@dataclass(frozen=True)
class Limits:
    """What one submission may use. A full solution of the longest exercise uses a fifth of it."""

    cell_seconds: float = 30  # one cell of the student's
    test_seconds: float = 30  # one test cell
    again_seconds: float = 5  # one after another was stopped, before all others had their turn
    notebook_seconds: float = 300  # everything
    grace_seconds: float = 2  # between asking the student's code to stop and killing it
    restarts: int = 20  # of a candidate that died, so that one bad function costs one item
    leftover: int = 8  # threads and processes that may go on after a call, for the next one's sake
    memory_mib: int = 2048  # of all the student's processes together, beyond the imports
    processes: int = 64  # and threads; an idle kernel has eight
    disk_mib: int = 64  # of files, which are kept in memory

    @property
    def quota(self) -> Quota:
        """Return what the candidate may use, for the sandbox."""
        memory, disk = self.memory_mib * MIB, self.disk_mib * MIB
        seconds = round(self.notebook_seconds) + 60  # only for when the grader itself is gone
        return Quota(memory, self.processes, disk, seconds=seconds)

    @property
    def examiner_quota(self) -> Quota:
        """Return what the examiner may use: it holds what the student's functions return."""
        return replace(self.quota, memory=self.memory_mib * MIB + 1024 * MIB)


def limits_for(course: Course, stem: str) -> Limits:
    """Return an assignment's limits: the defaults, changed by ``c.Autograder.limits``.

    ``nbgrader_config.py`` may say ``c.Autograder.limits = {"ch12_transformer":
    {"notebook_seconds": 600}}``; the name "*" stands for every assignment.

    Raises:
        BadConfig: it names a limit that does not exist.
    """
    wanted = dict(course.config().Autograder.get("limits", {}))
    changes = {**wanted.get("*", {}), **wanted.get(stem, {})}
    known = {field.name for field in fields(Limits)}
    if unknown := sorted(set(changes) - known):
        reason = f"no limit is called {unknown[0]}; there are {', '.join(sorted(known))}"
        raise BadConfig(course.root / "nbgrader_config.py", reason)
    return replace(Limits(), **changes)
