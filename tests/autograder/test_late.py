"""Late work costs what the policy says, in every route, also after marking by hand."""

import json
from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
from click.testing import Result
from nbgrader.api import Gradebook

from autograder.course import Course
from autograder.errors import BadConfig
from autograder.late import LatePolicy, Policies
from autograder.marks import read_marks

Run = Callable[..., Result]
HOUR, DAY = 3600.0, 86400.0
DUE = datetime(2026, 1, 1)


@pytest.mark.parametrize(
    ("policy", "seconds", "expected"),
    [
        (LatePolicy(percent=10), 1, 8),  # a day begun counts as a day
        (LatePolicy(percent=10), DAY, 8),
        (LatePolicy(percent=10), DAY + 1, 16),
        (LatePolicy(percent=10, grace_minutes=15), 900, 0),
        (LatePolicy(percent=10, grace_minutes=15), 901, 8),
        (LatePolicy(percent=2, per="hour"), 3 * HOUR, 4.8),
        (LatePolicy(percent=10, at_most=30), 10 * DAY, 24),
        (LatePolicy(percent=10, of="maximum"), DAY, 10),
        (LatePolicy(percent=60, of="maximum"), 2 * DAY, 80),  # never below zero points
        (LatePolicy(percent=10), 0, 0),
    ],
)
def test_a_policy_takes_what_it_says(policy: LatePolicy, seconds: float, expected: float) -> None:
    assert policy.penalty(score=80, out_of=100, seconds=seconds) == pytest.approx(expected)


@pytest.fixture
def late(course: Course, autograder: Run) -> Course:
    """Three students with 85 points, on time, a day and two days late; 10 per cent a day."""
    configure(course, {"*": {"percent": 10, "grace_minutes": 15}})
    assert autograder("build", "mini").exit_code == 0
    with Gradebook(course.db_url) as book:
        book.update_or_create_assignment("mini", duedate=DUE)
        for student, hours in (("ada", -1.0), ("ben", 20.0), ("cy", 44.0)):
            book.add_student(student)
            when = DUE + timedelta(hours=hours)
            for grade in book.add_submission("mini", student, timestamp=when).notebooks[0].grades:
                grade.auto_score = grade.max_score if grade.name.endswith("-test") else None
                grade.needs_manual_grade = grade.auto_score is None
        book.db.commit()
    return course


def configure(course: Course, policy: dict) -> None:
    with (course.root / "nbgrader_config.py").open("a") as file:
        file.write(f"\nc.Autograder.late = {policy!r}\n")


def penalties(course: Course) -> dict[str, float]:
    return {mark.student: mark.penalty for mark in read_marks(course, "mini")}


def test_penalties_follow_marking_by_hand(late: Course, autograder: Run) -> None:
    first = json.loads(autograder("late", "mini", "--json").stdout)
    assert {c["student"]: c["after"] for c in first} == {"ben": 8.5, "cy": 17.0}
    with Gradebook(late.db_url) as book:
        grade = book.find_grade("why-mean", "mini", "mini", "ben")
        grade.manual_score, grade.needs_manual_grade = 10.0, False
        book.db.commit()
    told = autograder("late", "mini", "--dry-run").stdout
    assert "ben\t8.5 -> 9.5" in told and penalties(late)["ben"] == 8.5
    assert "late penalty is now 9.5" in autograder("export", "mini").stderr
    assert penalties(late) == {"ada": 0, "ben": 9.5, "cy": 17.0}
    assert json.loads(autograder("late", "mini", "--json").stdout) == []


def test_an_extension_is_taken_into_account(late: Course, autograder: Run) -> None:
    assert autograder("late", "mini", "--extend", "cy", "24").exit_code == 0
    assert penalties(late)["cy"] == 8.5
    assert autograder("late", "mini", "--extend", "nobody", "24").exit_code == 2


def test_slip_days_are_spent_in_the_order_of_the_due_dates(late: Course, autograder: Run) -> None:
    configure(late, {"*": {"percent": 10, "slip_days": 3}})
    with Gradebook(late.db_url) as book:
        book.add_assignment("earlier", duedate=DUE - timedelta(days=7))
        when = DUE - timedelta(days=7) + timedelta(hours=30)
        book.add_submission("earlier", "cy", timestamp=when)
        book.db.commit()
    policies = Policies(late)
    assert policies.slip_days("earlier", "cy", 30 * HOUR) == 2
    assert policies.slip_days("mini", "cy", 44 * HOUR) == 1
    assert policies.slip_days("mini", "ben", 20 * HOUR) == 1
    autograder("late", "mini")
    assert penalties(late) == {"ada": 0, "ben": 0, "cy": 8.5}  # one of its two days is free


def test_an_unknown_setting_is_named(late: Course, autograder: Run) -> None:
    configure(late, {"mini": {"per_cent": 10}})
    with pytest.raises(BadConfig, match="per_cent"):
        Policies(late)
    done = autograder("late", "mini")
    assert done.exit_code == 2 and "grace_minutes" in done.stderr


def test_without_a_policy_nothing_is_touched(course: Course, autograder: Run) -> None:
    autograder("build", "mini")
    done = autograder("late", "mini")
    assert done.exit_code == 0 and "late work is free" in done.stderr
