"""Marks as they stand in the gradebook, for every student, handed in or not.

Everything is read with two questions to the database, so a class of thousands takes no longer than
one of ten; a test compares the sums with nbgrader's own.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from autograder.course import Course

EPOCH = datetime(1970, 1, 1)
STUDENTS = """
select st.id, coalesce(st.last_name, ''), coalesce(st.first_name, ''), coalesce(st.email, ''),
       coalesce(st.lms_user_id, ''), s.timestamp, a.duedate, s.extension,
       s.id is not null, coalesce(sum(n.late_submission_penalty), 0)
from student st
join assignment a on a.name = ?
left join submitted_assignment s on s.student_id = st.id and s.assignment_id = a.id
left join submitted_notebook n on n.assignment_id = s.id
group by st.id order by st.id
"""
GRADES = """
select s.student_id, b.name, c.max_score, c.cell_type, g.auto_score, g.manual_score,
       coalesce(g.extra_credit, 0), g.needs_manual_grade, coalesce(k.manual_comment, '')
from grade g
join base_cell b on b.id = g.cell_id
join (select id, max_score, cell_type from grade_cells
      union all select id, max_score, cell_type from task_cells) c on c.id = b.id
join submitted_notebook n on n.id = g.notebook_id
join submitted_assignment s on s.id = n.assignment_id
join assignment a on a.id = s.assignment_id
left join comment k on k.notebook_id = n.id
     and k.cell_id in (select id from base_cell where name = b.name and notebook_id = b.notebook_id)
where a.name = ?
"""
MAXIMUM = """
select coalesce(sum(c.max_score), 0) from
    (select id, max_score from grade_cells union all select id, max_score from task_cells) c
join base_cell b on b.id = c.id join notebook n on n.id = b.notebook_id
join assignment a on a.id = n.assignment_id where a.name = ?
"""


@dataclass(frozen=True)
class Item:
    """One student's points for one graded cell. ``points`` is None while nothing was given."""

    name: str
    out_of: float
    written: bool
    points: float | None
    by_hand: bool  # a person gave the points
    to_review: bool
    comment: str


@dataclass(frozen=True)
class Mark:
    """What one student has for one assignment: ``score`` is ``points`` less ``penalty``."""

    student: str
    last_name: str
    first_name: str
    email: str
    lms_id: str
    points: float | None  # None: nothing was graded
    penalty: float
    score: float | None
    out_of: float
    handed_in: datetime | None
    late_seconds: float
    status: str  # graded, to review (written answers wait for a person), missing, not graded
    items: tuple[Item, ...] = ()

    @property
    def name(self) -> str:
        """Return the student's name as far as the gradebook knows it, else the id."""
        return " ".join(part for part in (self.first_name, self.last_name) if part) or self.student


def read_marks(course: Course, stem: str) -> list[Mark]:
    """Return the marks of an assignment, sorted by student; nothing is changed."""
    items = defaultdict(list)
    for student, item in _items(course, stem):
        items[student].append(item)
    (out_of,) = course.query(MAXIMUM, stem)[0]
    marks = []
    for row in course.query(STUDENTS, stem):
        student, last, first, email, lms, stamp, due, extension, there, penalty = row
        graded = tuple(items[student])
        waiting = course.folder("submitted", stem, student).is_dir()
        status = _status(graded) if there else "not graded" if waiting else "missing"
        points = sum(i.points or 0.0 for i in graded) if status in ("graded", "to review") else None
        handed_in = datetime.fromisoformat(stamp) if stamp else None
        marks.append(
            Mark(
                student=student,
                last_name=last,
                first_name=first,
                email=email,
                lms_id=lms,
                points=points,
                penalty=penalty if points is not None else 0.0,
                score=None if points is None else max(0.0, points - penalty),
                out_of=out_of,
                handed_in=handed_in,
                late_seconds=seconds_late(stamp, due, extension),
                status=status,
                items=graded,
            )
        )
    return marks


def seconds_late(stamp: str | None, due: str | None, extension: str | None) -> float:
    """Return by how many seconds something came late; an extension is stored as time since 1970."""
    if not stamp or not due:
        return 0.0
    longer = datetime.fromisoformat(extension) - EPOCH if extension else timedelta()
    late = datetime.fromisoformat(stamp) - datetime.fromisoformat(due) - longer
    return max(0.0, late.total_seconds())


def _items(course: Course, stem: str) -> Iterator[tuple[str, Item]]:
    """Yield each student's items; manual points stand before automatic ones, as in nbgrader."""
    for row in course.query(GRADES, stem):
        student, name, out_of, kind, auto, manual, extra, waits, comment = row
        given = manual if manual is not None else auto
        yield (
            student,
            Item(
                name=name,
                out_of=out_of,
                written=kind == "markdown",
                points=None if given is None else given + extra,
                by_hand=manual is not None,
                to_review=bool(waits),
                comment=comment,
            ),
        )


def _status(items: tuple[Item, ...]) -> str:
    """Return a submission's status from its items."""
    if all(item.points is None for item in items):
        return "not graded"
    return "to review" if any(item.to_review for item in items) else "graded"
