"""Marks as they stand in the gradebook, for every student, handed in or not."""

from __future__ import annotations

from dataclasses import dataclass

from autograder.course import Course


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
    late_seconds: float
    status: str  # graded, to review (written answers wait for a person), missing, not graded

    @property
    def name(self) -> str:
        """Return the student's name as far as the gradebook knows it, else the id."""
        return " ".join(part for part in (self.first_name, self.last_name) if part) or self.student


def read_marks(course: Course, stem: str) -> list[Mark]:
    """Return the marks of an assignment, sorted by student; nothing is changed."""
    from nbgrader.api import Gradebook

    with Gradebook(course.db_url) as gradebook:
        out_of = float(gradebook.find_assignment(stem).max_score)
        submissions = {s.student_id: s for s in gradebook.assignment_submissions(stem)}
        marks = []
        for student in gradebook.students:
            submission = submissions.get(student.id)
            points, penalty, late, status = None, 0.0, 0.0, "missing"
            if submission is not None:
                late = float(submission.total_seconds_late)
                grades = [grade for notebook in submission.notebooks for grade in notebook.grades]
                status = _status(grades)
                if status != "not graded":
                    points, penalty = (
                        float(submission.score),
                        float(submission.late_submission_penalty),
                    )
            elif course.folder("submitted", stem, student.id).is_dir():
                status = "not graded"
            score = None if points is None else max(0.0, points - penalty)
            marks.append(
                Mark(
                    student.id,
                    last_name=student.last_name or "",
                    first_name=student.first_name or "",
                    email=student.email or "",
                    lms_id=student.lms_user_id or "",
                    points=points,
                    penalty=penalty,
                    score=score,
                    out_of=out_of,
                    late_seconds=late,
                    status=status,
                )
            )
    return sorted(marks, key=lambda mark: mark.student)


def _status(grades: list) -> str:
    """Return a submission's status from its items' grades."""
    if grades and all(g.auto_score is None and g.manual_score is None for g in grades):
        return "not graded"
    return "to review" if any(g.needs_manual_grade for g in grades) else "graded"
