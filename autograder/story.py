"""What is known about an assignment's submissions: marks from the gradebook, verdicts from the log.

The log holds a line for each time that something was graded; the note in the graded notebook says
which of them stands.
"""

from __future__ import annotations

import json
import statistics
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from autograder.course import Course
from autograder.grade import log_path
from autograder.marks import Mark, read_marks

LONGEST_REASON = 160  # characters of an error's first line


@dataclass
class StudentStory:
    """One student's marks, the verdict on every test, and what was irregular."""

    mark: Mark
    verdicts: dict[str, dict[str, Any]] = field(default_factory=dict)
    flags: list[str] = field(default_factory=list)
    seconds: float = 0.0
    submission: str = ""  # SHA-256 of the submitted file
    versions: dict[str, str] = field(default_factory=dict)
    gradings: int = 0  # how often something was graded for this student
    shown: str = ""  # what a page calls the student

    @property
    def share(self) -> float:
        """Return the share of the points that were earned, before any penalty."""
        return (self.mark.points or 0.0) / self.mark.out_of if self.mark.out_of else 0.0

    def reason(self, item: str) -> str:
        """Return the first line of what went wrong with an item, "" if nothing did."""
        verdict = self.verdicts.get(item, {})
        if verdict.get("status", "passed") == "passed":
            return ""
        lines = str(verdict.get("message") or verdict.get("error") or "").splitlines()
        return (lines[0] if lines else str(verdict["status"]))[:LONGEST_REASON]


@dataclass
class ItemStory:
    """How a class did on one graded cell."""

    name: str
    out_of: float
    written: bool
    points: list[float] = field(default_factory=list)
    waiting: int = 0
    reasons: Counter[str] = field(default_factory=Counter)
    statuses: Counter[str] = field(default_factory=Counter)
    seconds: list[float] = field(default_factory=list)
    quarters: list[float] = field(default_factory=list)  # share earned, weakest quarter first
    discrimination: float | None = None

    @property
    def full(self) -> int:
        """Return how many earned all points."""
        return sum(p >= self.out_of for p in self.points)

    @property
    def share(self) -> float:
        """Return the share of the points that the class earned (its ease), from 0 to 1."""
        return statistics.fmean(self.points) / self.out_of if self.points and self.out_of else 0.0

    @property
    def remark(self) -> str:
        """Return what an instructor should look at, "" if nothing stands out."""
        if len(self.points) < 5:
            return ""
        if self.share == 0:
            return "nobody passed"
        if self.share == 1:
            return "everybody passed"
        if self.discrimination is not None and self.discrimination < 0.1:
            return "does not tell strong from weak"
        return ""


@dataclass
class ClassStory:
    """An assignment as a class did it."""

    stem: str
    students: list[StudentStory]
    items: list[ItemStory]
    missing: int  # students who handed in nothing


def last_lines(course: Course, stem: str) -> tuple[dict[str, dict[str, Any]], Counter[str]]:
    """Return the log's last line by result, and how often each student was graded."""
    by_key: dict[str, dict[str, Any]] = {}
    gradings: Counter[str] = Counter()
    path = log_path(course, stem)
    if path.is_file():
        with path.open(encoding="utf-8") as file:
            for line in file:
                try:
                    entry = json.loads(line)
                except ValueError:
                    continue  # the line that a killed grader did not finish
                by_key[entry.get("key", "")] = entry
                gradings[entry.get("student", "")] += 1
    return by_key, gradings


def gather(course: Course, stem: str) -> ClassStory:
    """Return the story of an assignment; nothing is changed."""
    from autograder.record import standing

    by_key, gradings = last_lines(course, stem)
    students, missing = [], 0
    for mark in read_marks(course, stem):
        if mark.status in ("missing", "not graded"):
            missing += mark.status == "missing"
            continue
        note = standing(course, stem, mark.student)
        entry = by_key.get(note.get("key", ""), {})
        students.append(
            StudentStory(
                mark,
                verdicts=entry.get("verdicts") or _from_notebook(course, stem, mark.student),
                flags=list(note.get("flags", [])),
                seconds=float(entry.get("seconds", 0.0)),
                submission=str(note.get("submission", "")),
                versions=dict(entry.get("versions", {})),
                gradings=gradings[mark.student],
                shown=mark.student,
            )
        )
    return ClassStory(stem, students, _items(students), missing)


def _from_notebook(course: Course, stem: str, student: str) -> dict[str, dict[str, Any]]:
    """Return the verdicts that plain nbgrader left as the outputs of a graded notebook."""
    path = course.folder("autograded", stem, student) / f"{stem}.ipynb"
    try:
        cells = json.loads(Path(path).read_text(encoding="utf-8"))["cells"]
    except (OSError, ValueError, KeyError):
        return {}
    found = {}
    for cell in cells:
        about = cell["metadata"].get("nbgrader", {})
        if about.get("grade") and not about.get("solution"):
            errors = [o for o in cell.get("outputs", []) if o["output_type"] == "error"]
            found[about["grade_id"]] = (
                {"status": errors[0]["ename"], "message": errors[0]["evalue"]}
                if errors
                else {"status": "passed"}
            )
    return found


def _items(students: Sequence[StudentStory]) -> list[ItemStory]:
    """Return the story of every item, in the order of the notebook as far as it is known."""
    stories: dict[str, ItemStory] = {}
    order = sorted(students, key=lambda s: len(s.verdicts), reverse=True)[:1]
    for name in [n for s in order for n in s.verdicts]:
        stories[name] = ItemStory(name, 0.0, written=False)
    ranked = sorted(students, key=lambda s: s.share)
    for student in ranked:
        for item in student.mark.items:
            story = stories.setdefault(item.name, ItemStory(item.name, 0.0, item.written))
            story.out_of, story.written = item.out_of, item.written
            if item.points is None:
                story.waiting += 1
                continue
            story.points.append(item.points)
            verdict = student.verdicts.get(item.name, {})
            if reason := student.reason(item.name):
                story.reasons[reason] += 1
            if verdict:
                story.statuses[str(verdict["status"])] += 1
                story.seconds.append(float(verdict.get("seconds", 0.0)))
    for story in stories.values():
        _compare(story, ranked)
    return [story for story in stories.values() if story.points or story.waiting]


def _compare(story: ItemStory, ranked: Sequence[StudentStory]) -> None:
    """Set how an item goes with the rest of the marks: by quarters of the class, and correlated."""
    pairs = []
    for student in ranked:
        points = next((i.points for i in student.mark.items if i.name == story.name), None)
        if points is not None and story.out_of:
            pairs.append((points / story.out_of, (student.mark.points or 0.0) - points))
    if len(pairs) >= 4:
        size = len(pairs) / 4
        cuts = [pairs[round(size * q) : round(size * (q + 1))] for q in range(4)]
        story.quarters = [statistics.fmean(share for share, _ in cut) for cut in cuts]
    own, rest = [a for a, _ in pairs], [b for _, b in pairs]
    if len(set(own)) > 1 and len(set(rest)) > 1:
        story.discrimination = statistics.correlation(own, rest)
