"""What became of one test, and how it is written into the graded notebook."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any

import nbformat
from nbformat import from_dict

MAX_TEXT = 4000  # characters of a message, a traceback or of what was printed


@dataclass(frozen=True)
class Verdict:
    """What became of one test cell.

    ``status`` is one of passed, failed (a check said no), error (the student's code raised),
    timeout, memory, killed, and grader-error, which is never the student's fault.
    """

    status: str
    message: str = ""
    error: str = ""  # the exception's name
    student_traceback: str = ""
    hidden: bool = False  # the check that said no is one the student cannot see
    line: int = 0  # of the visible check that said no
    printed: str = ""
    seconds: float = 0.0
    checks: int = 0  # calls of the student's functions that were answered

    @classmethod
    def of(cls, answer: dict[str, Any]) -> Verdict:
        """Return the verdict of an examiner's answer, whose every field has its type."""
        made: dict[str, Any] = {f.name: _TYPES[str(f.type)](answer[f.name]) for f in fields(cls)}
        texts = {name: value for name, value in made.items() if isinstance(value, str)}
        cleaned = {n: text.encode("utf-8", "replace").decode() for n, text in texts.items()}
        return cls(**made | cleaned)

    @property
    def earned(self) -> bool:
        """Whether it earns the points: a test that asked for nothing proved nothing."""
        return self.status == "passed" and self.checks > 0

    def with_print(self, printed: str) -> Verdict:
        """Return the same verdict with more that was printed."""
        return replace(self, printed=(self.printed + printed)[-MAX_TEXT:])


_TYPES: dict[str, Any] = {kind.__name__: kind for kind in (str, bool, int, float)}


def stream(text: str) -> nbformat.NotebookNode:
    """Return an output of plain text."""
    return from_dict({"output_type": "stream", "name": "stdout", "text": text})


def note(text: str) -> nbformat.NotebookNode:
    """Return an output in which the grader says something."""
    return stream(f"[grader] {text}\n")


def write_verdict(cell: nbformat.NotebookNode, points: float, verdict: Verdict) -> None:
    """Make a verdict the output of its test cell, in the form nbgrader reads marks from."""
    cell.outputs = [stream(verdict.printed)] if verdict.printed else []
    if verdict.earned:
        cell.outputs.append(stream(f"passed: {points:g} of {points:g} points\n"))
        return
    message = verdict.message
    if verdict.status == "passed":
        message = "The test asked your code for nothing, so it says nothing about it."
    story = [f"{verdict.error or verdict.status}: {message}"]
    if verdict.line:
        story.insert(0, f"At line {verdict.line} of this cell:")
    if verdict.hidden:
        story.insert(0, "In a hidden check:")
    if verdict.student_traceback:
        story.append(verdict.student_traceback)
    error = {"output_type": "error", "ename": verdict.status, "evalue": message}
    cell.outputs.append(from_dict(error | {"traceback": story}))
