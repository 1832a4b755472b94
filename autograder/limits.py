"""What one submission may use, and how a course sets it for an assignment."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

from autograder.course import Course
from autograder.errors import BadConfig


@dataclass(frozen=True)
class Limits:
    """What one submission may use. A full solution of the longest exercise uses a fifth of it."""

    cell_seconds: float = 30  # one cell of the student's
    test_seconds: float = 30  # one test cell
    again_seconds: float = 5  # a cell or test after one was stopped: what hangs, hangs again
    notebook_seconds: float = 300  # everything
    grace_seconds: float = 2  # between asking the student's code to stop and killing it
    restarts: int = 2  # of a candidate that died, so that one bad function costs one item


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
