"""Limits of an assignment: defaults, changed by the course's configuration."""

import pytest

from autograder.course import Course
from autograder.errors import BadConfig
from autograder.limits import Limits, limits_for


def configure(course: Course, line: str) -> None:
    with (course.root / "nbgrader_config.py").open("a") as file:
        file.write(f"\n{line}\n")


def test_without_a_word_the_defaults_hold(course: Course) -> None:
    assert limits_for(course, "mini") == Limits()


def test_an_assignments_own_limit_wins_over_the_star(course: Course) -> None:
    configure(
        course,
        'c.Autograder.limits = {"*": {"test_seconds": 7, "restarts": 0}, '
        '"mini": {"test_seconds": 9}}',
    )
    assert limits_for(course, "mini") == Limits(test_seconds=9, restarts=0)
    assert limits_for(course, "other") == Limits(test_seconds=7, restarts=0)


def test_an_unknown_limit_is_named(course: Course) -> None:
    configure(course, 'c.Autograder.limits = {"mini": {"tset_seconds": 7}}')
    with pytest.raises(BadConfig, match="no limit is called tset_seconds"):
        limits_for(course, "mini")
