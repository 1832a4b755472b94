"""Late work: how much of a mark it costs, by a policy that `nbgrader_config.py` sets.

    c.Autograder.late = {
        "*": {"percent": 10, "per": "day", "grace_minutes": 15, "at_most": 50, "slip_days": 3},
        "ch05_bptt": {"percent": 2, "per": "hour"},
    }

"*" stands for every assignment. A student's slip days are spent on late work in the order of the
due dates, by themselves. Extensions: `autograder late ch05_bptt --extend ada 48`.
"""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

import click

from autograder.course import Course, find_course
from autograder.errors import AutograderError, BadConfig
from autograder.marks import Mark, read_marks, seconds_late

UNIT = {"hour": 3600.0, "day": 86400.0}
DATES = """
select a.name, a.duedate, s.timestamp, s.extension from submitted_assignment s
join assignment a on a.id = s.assignment_id
where s.student_id = ? and a.duedate is not null order by a.duedate, a.name
"""


@dataclass(frozen=True)
class LatePolicy:
    """What late work costs."""

    percent: float = 0.0  # for each unit begun
    per: str = "day"  # or hour
    of: str = "score"  # of the points earned, or of the "maximum"
    grace_minutes: float = 0.0  # late by no more than this is not late
    at_most: float = 100.0  # per cent
    slip_days: int = 0  # a student's own, for all assignments together

    def penalty(self, score: float, out_of: float, seconds: float) -> float:
        """Return the points that being ``seconds`` late costs, never more than ``score``."""
        if seconds <= 60 * self.grace_minutes:
            return 0.0
        percent = min(self.at_most, self.percent * math.ceil(seconds / UNIT[self.per]))
        return min(score, percent / 100 * (score if self.of == "score" else out_of))

    def slipped(self, seconds: float, left: int) -> int:
        """Return how many of the ``left`` slip days a submission this late takes."""
        if seconds <= 60 * self.grace_minutes:
            return 0
        return min(left, math.ceil(seconds / UNIT["day"]))


class NobodyToExtend(AutograderError):  # noqa: N818 (its name says what is wrong)
    """An extension is for a student whom the gradebook does not know."""

    @property
    def next_step(self) -> str:
        """One line: what the person can do about it."""
        return "check the spelling with: nbgrader db student list"


class Policies:
    """The late policies of a course, read once.

    Raises:
        BadConfig: one of them names a setting or a unit that does not exist.
    """

    def __init__(self, course: Course) -> None:
        self.course = course
        self.wanted = dict(course.config().Autograder.get("late", {}))
        for stem in self.wanted:
            self.of(stem)

    def of(self, stem: str) -> LatePolicy | None:
        """Return the policy of an assignment, or None where the course has none."""
        if not self.wanted:
            return None
        changes = {**self.wanted.get("*", {}), **self.wanted.get(stem, {})}
        known = {field.name for field in fields(LatePolicy)}
        path = self.course.root / "nbgrader_config.py"
        if unknown := sorted(set(changes) - known):
            reason = f"late: nothing is called {unknown[0]}; there are {', '.join(sorted(known))}"
            raise BadConfig(path, reason)
        policy = replace(LatePolicy(), **changes)
        if policy.per not in UNIT or policy.of not in ("score", "maximum"):
            raise BadConfig(path, 'late: per is "hour" or "day", of is "score" or "maximum"')
        return policy

    def slip_days(self, stem: str, student: str, seconds: float) -> int:
        """Return how many slip days a student spends on an assignment ``seconds`` late.

        Earlier due dates come first: a day that is spent there is not there to be spent here.
        """
        policy, spent = self.of(stem), 0
        if policy is None or not policy.slip_days:
            return 0
        for name, due, stamp, extension in self.course.query(DATES, student):
            if name == stem:
                break
            if earlier := self.of(name):
                late = seconds_late(stamp, due, extension)
                spent += earlier.slipped(late, max(0, earlier.slip_days - spent))
        return policy.slipped(seconds, max(0, policy.slip_days - spent))

    def penalty(
        self, stem: str, student: str, score: float, out_of: float, seconds: float
    ) -> float | None:
        """Return what a submission loses for being late; None where there is no policy."""
        policy = self.of(stem)
        if policy is None:
            return None
        free = self.slip_days(stem, student, seconds)
        return policy.penalty(score, out_of, seconds - free * UNIT["day"])


@dataclass(frozen=True)
class Change:
    """A penalty that is not what it should be."""

    student: str
    before: float
    after: float
    late_seconds: float
    slip_days: int


def due_changes(course: Course, stem: str) -> list[Change]:
    """Return the penalties that differ from the policy, after marking by hand, say."""
    policies = Policies(course)
    if policies.of(stem) is None:
        return []
    return [c for mark in read_marks(course, stem) if (c := _change(policies, stem, mark))]


def _change(policies: Policies, stem: str, mark: Mark) -> Change | None:
    if mark.points is None:
        return None
    late = mark.late_seconds
    after = policies.penalty(stem, mark.student, mark.points, mark.out_of, late)
    if after is None or abs(after - mark.penalty) < 1e-9:
        return None
    days = policies.slip_days(stem, mark.student, late)
    return Change(mark.student, mark.penalty, after, late, days)


def refresh(course: Course, stem: str) -> list[Change]:
    """Put the penalties right in the gradebook and return what changed.

    Raises:
        BusyError: a grader is at work on the gradebook.
    """
    changes = due_changes(course, stem)
    if changes:
        from nbgrader.api import Gradebook

        from autograder.record import only_grader

        with only_grader(course), Gradebook(course.db_url) as gradebook:
            for change in changes:
                submission = gradebook.find_submission(stem, change.student)
                for notebook in submission.notebooks:
                    notebook.late_submission_penalty = change.after
            gradebook.db.commit()
    return changes


def extend(course: Course, stem: str, student: str, hours: float) -> None:
    """Give a student more time. Raises NobodyToExtend."""
    from nbgrader.api import Gradebook, MissingEntry

    with Gradebook(course.db_url) as gradebook:
        try:
            gradebook.find_student(student)
        except MissingEntry:
            raise NobodyToExtend(f"{student}: not in the gradebook") from None
        gradebook.grant_extension(stem, student, minutes=round(60 * hours))
        gradebook.db.commit()


@click.command("late")
@click.argument("stem", metavar="ASSIGNMENT")
@click.option(
    "--extend",
    "extensions",
    nargs=2,
    multiple=True,
    type=(str, float),
    metavar="STUDENT HOURS",
    help="Give a student until so many hours after the due date; may be repeated.",
)
@click.option("--dry-run", is_flag=True, help="Only say what would change.")
@click.option("--json", "as_json", is_flag=True, help="Print the changes as JSON.")
@click.pass_context
def late_command(
    ctx: click.Context,
    stem: str,
    extensions: tuple[tuple[str, float], ...],
    dry_run: bool,
    as_json: bool,
) -> None:
    """Put the penalties for late work right, after marking by hand or an extension.

    `autograder export` does so by itself. The policy stands in nbgrader_config.py.

    \b
    Examples:
        autograder late ch05_bptt
        autograder late ch05_bptt --extend ada 48
    """
    course = find_course(ctx.obj)
    course.require_built(stem)
    if Policies(course).of(stem) is None:
        click.echo("no c.Autograder.late in nbgrader_config.py: late work is free", err=True)
    for student, hours in extensions if not dry_run else ():
        extend(course, stem, student, hours)
    changes = due_changes(course, stem) if dry_run else refresh(course, stem)
    if as_json:
        click.echo(json.dumps([asdict(change) for change in changes]))
        return
    for change in changes:
        click.echo(_line(change))
    click.echo(f"{len(changes)} penalties {'would change' if dry_run else 'changed'}", err=True)


def _line(change: Change) -> str:
    days: Any = f", {change.slip_days} slip days spent" if change.slip_days else ""
    hours = change.late_seconds / 3600
    return f"{change.student}\t{change.before:g} -> {change.after:g}\t{hours:.1f} h late{days}"
