"""`autograder export`: marks for a spreadsheet, Canvas, Moodle or Gradescope."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import asdict
from pathlib import Path

import click

from autograder.course import Course, find_course, write_atomically
from autograder.errors import AutograderError
from autograder.marks import Mark, read_marks
from autograder.sheets import Filled, Sheet, fill_canvas, fill_moodle

COLUMNS = (
    "student",
    "last_name",
    "first_name",
    "email",
    "assignment",
    "points",
    "late_penalty",
    "score",
    "out_of",
    "status",
)
# A spreadsheet takes a cell that begins like this for a formula, and runs it.
FORMULA = ("=", "+", "-", "@", "\t", "\r")


class NoSheetGiven(AutograderError):  # noqa: N818 (its name says what is wrong)
    """The platform's own sheet is needed and was not given."""

    @property
    def next_step(self) -> str:
        """One line: what the person can do about it."""
        return "download the sheet from the platform and name it with --sheet"


def plain(text: str) -> str:
    """Return text that no spreadsheet takes for a formula."""
    return f"'{text}" if text.startswith(FORMULA) else text


def as_csv(marks: dict[str, list[Mark]]) -> bytes:
    """Return the marks of some assignments as a table with one line for each, as UTF-8 with a mark.

    (The byte order mark lets spreadsheets read names such as Zoë's.)
    """
    out = io.StringIO()
    table = csv.writer(out, lineterminator="\r\n")
    table.writerow(COLUMNS)
    for stem, group in marks.items():
        for m in group:
            who = [plain(t) for t in (m.student, m.last_name, m.first_name, m.email)]
            values = (m.points, m.penalty, m.score, m.out_of)
            numbers = ["" if v is None else f"{v:g}" for v in values]
            table.writerow([*who, stem, *numbers, m.status])
    return out.getvalue().encode("utf-8-sig")


def write_marks(course: Course, stem: str) -> Path:
    """Write one assignment's table where the command writes it and return the file's path."""
    path = course.classroom / "marks" / f"{stem}.csv"
    write_atomically(path, as_csv({stem: read_marks(course, stem)}), mode=0o600)
    return path


def export(
    course: Course, stems: tuple[str, ...], to: str, sheet: Path | None, column: str | None
) -> tuple[bytes, Filled | None]:
    """Return the exported file's bytes and, for a platform's sheet, what was matched.

    Raises:
        NoSheetGiven, SheetProblem, and what `Course.require_built` raises.
    """
    marks = {stem: read_marks(course, stem) for stem in stems}
    if to == "csv":
        return as_csv(marks), None
    if sheet is None:
        raise NoSheetGiven(f"{to} needs the sheet that it exports itself")
    filled_sheet, (stem, group) = Sheet(sheet), next(iter(marks.items()))
    if to == "canvas":
        filled = fill_canvas(filled_sheet, group, stem, column)
    else:
        filled = fill_moodle(filled_sheet, group)
    return filled_sheet.text(), filled


def _say(filled: Filled) -> None:
    """Say on stderr who was not matched."""
    for students, what in (
        (filled.no_row, "have a mark and no row in the sheet"),
        (filled.no_student, "stand in the sheet and not in the gradebook; left as they were"),
        (filled.locked, "have a mark that the platform does not let you change"),
    ):
        if students:
            click.echo(f"{len(students)} {what}: {', '.join(students)}", err=True)


@click.command("export")
@click.argument("stems", metavar="ASSIGNMENT...", nargs=-1, required=True)
@click.option(
    "--to", type=click.Choice(["csv", "canvas", "moodle"]), default="csv", show_default=True
)
@click.option(
    "--sheet",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="The sheet that Canvas or Moodle exported, which is filled in.",
)
@click.option("--column", help="The assignment's name in the Canvas sheet, if it is another one.")
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="Where to write.")
@click.option("--json", "as_json", is_flag=True, help="Print what was matched as JSON.")
@click.pass_context
def export_command(
    ctx: click.Context,
    stems: tuple[str, ...],
    to: str,
    sheet: Path | None,
    column: str | None,
    out: Path | None,
    as_json: bool,
) -> None:
    """Write marks for a spreadsheet, or into a sheet that Canvas or Moodle exported.

    In a platform's sheet only the assignment's marks change. Exit code 1: somebody could not be
    matched, and is listed.

    \b
    Examples:
        autograder export ch05_bptt
        autograder export ch05_bptt --to canvas --sheet grades.csv
        autograder export ch05_bptt --to moodle --sheet Grades-course-bptt.csv
    """
    if to != "csv" and len(stems) > 1:
        raise click.UsageError(f"--to {to} fills in one assignment at a time")
    from autograder.late import refresh

    course = find_course(ctx.obj)
    for stem in stems:
        course.require_built(stem)
        for change in refresh(course, stem):
            click.echo(f"{stem}, {change.student}: late penalty is now {change.after:g}", err=True)
    data, filled = export(course, stems, to, sheet, column)
    name = stems[0] if len(stems) == 1 else "marks"
    ending = ".csv" if to == "csv" else f"-{to}.csv"
    path = out or course.classroom / "marks" / f"{name}{ending}"
    write_atomically(path, data, mode=0o600)  # marks are nobody else's business
    if as_json:
        click.echo(json.dumps({"file": str(path), **(asdict(filled) if filled else {})}))
    else:
        click.echo(course.shown(path))
    if filled:
        _say(filled)
        ctx.exit(1 if filled.no_row or filled.no_student or filled.locked else 0)
