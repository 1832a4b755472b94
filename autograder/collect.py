"""`autograder collect`: hand-ins downloaded from Moodle or Canvas, sorted to their students.

A name in a zip is only ever read, never used as a path. Students are found by the platform's number
(with the platform's own sheet, or the number in the gradebook), else by a name that only one has.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import re
import unicodedata
import zipfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path, PurePosixPath

import click

from autograder.course import Course, find_course, write_atomically
from autograder.errors import AutograderError
from autograder.marks import Mark, read_marks
from autograder.sheets import MOODLE, Sheet

# Moodle: "Ada Lovelace_123456_assignsubmission_file_/bptt.ipynb", or all in one name.
FROM_MOODLE = re.compile(r"(?P<name>.+)_(?P<number>\d+)_assignsubmission_file_(?P<file>.*)")
# Canvas: "lovelaceada_LATE_7001_987654_bptt-1.ipynb"; -1 stands for a second hand-in.
FROM_CANVAS = re.compile(
    r"(?P<name>[^_]+)(?P<late>_LATE)?_(?P<number>\d+)_(?P<attachment>\d+)_(?P<file>.+)"
)
AGAIN = re.compile(r"(?:-(\d+)| \((\d+)\))?\.ipynb$")


class BadArchive(AutograderError):  # noqa: N818 (its name says what is wrong)
    """A file is no zip archive that can be read."""

    @property
    def next_step(self) -> str:
        """One line: what the person can do about it."""
        return "download it again ('Download all submissions', in Canvas 'Download Submissions')"


@dataclass(frozen=True)
class HandIn:
    """One notebook in an archive: whose it seems to be, and which attempt."""

    name: str  # the student's name as the platform writes it
    number: str  # the platform's number of the student
    file: str  # what the student called the notebook
    attempt: int
    late: bool
    time: datetime  # as the archive has it, in the platform's time zone
    data: bytes


@dataclass
class Collected:
    """What was sorted to whom, and what could not be."""

    students: dict[str, str] = field(default_factory=dict)  # student: new, same, replaced
    unmatched: list[str] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)  # no notebook, too large, earlier attempts


def read_archive(path: Path, found: Collected) -> Iterator[HandIn]:
    """Yield the notebooks of an archive; what is none is noted as left out. Raises BadArchive."""
    from autograder.rebuild import MAX_BYTES

    try:
        with zipfile.ZipFile(path) as archive:
            for info in archive.infolist():
                name = PurePosixPath(info.filename.replace("\\", "/")).as_posix()
                match = _parse(name)
                if info.is_dir():
                    continue
                if match is None or not match["file"].lower().endswith(".ipynb"):
                    found.left_out.append(f"{name}: not a notebook that somebody handed in")
                elif info.file_size > MAX_BYTES:
                    found.left_out.append(f"{name}: larger than {MAX_BYTES // 2**20} MiB")
                else:
                    with archive.open(info) as file:
                        data = file.read(MAX_BYTES + 1)[:MAX_BYTES]
                    yield HandIn(
                        name=match["name"],
                        number=match["number"],
                        file=match["file"],
                        attempt=_attempt(match["file"]),
                        late=bool(match.groupdict().get("late")),
                        time=datetime(*info.date_time),
                        data=data,
                    )
    except (zipfile.BadZipFile, RuntimeError, NotImplementedError, OSError, ValueError) as error:
        raise BadArchive(f"{path}: cannot be read as a zip archive ({error})") from error


def _parse(path: str) -> re.Match[str] | None:
    """Return whose a file is, from its path in the archive."""
    parts = path.split("/")
    for start in range(len(parts)):
        joined = "/".join(parts[start:])
        if match := FROM_MOODLE.fullmatch(joined):
            return match
    return FROM_CANVAS.fullmatch(parts[-1])


def _attempt(name: str) -> int:
    match = AGAIN.search(name)
    return int(match[1] or match[2] or 0) if match else 0


def plain_name(name: str) -> str:
    """Return a name without accents, spaces, case and order, to compare two spellings of it."""
    text = unicodedata.normalize("NFKD", name).casefold()
    return "".join(c for c in text if c.isalnum())


class Directory:
    """Finds the student behind a platform's number or name."""

    def __init__(self, marks: list[Mark], sheet: Sheet | None) -> None:
        self.by_number = {m.lms_id: m.student for m in marks if m.lms_id}
        self.by_name: dict[str, set[str]] = {}
        for m in marks:
            for name in {f"{m.last_name}{m.first_name}", f"{m.first_name}{m.last_name}"} - {""}:
                self.by_name.setdefault(plain_name(name), set()).add(m.student)
        if sheet:
            known = {k.casefold(): m.student for m in marks for k in (m.student, m.email)}
            self._learn(sheet, known)

    def _learn(self, sheet: Sheet, students: dict[str, str]) -> None:
        """Read from the platform's sheet which number belongs to whom."""
        canvas = [sheet.column([n]) for n in ("SIS Login ID", "SIS User ID")]
        moodle = [sheet.column(MOODLE[key]) for key in ("user", "id", "email")]
        number = sheet.column(["ID"]) if any(i is not None for i in canvas) else 0
        for row in sheet.rows[1:]:
            keys = [sheet.cell(row, i).casefold() for i in (*canvas, *moodle)]
            student = next((students[key] for key in keys if key in students), None)
            found = re.search(r"(\d+)\s*$", sheet.cell(row, number))  # "Participant 123456"
            if student and found:
                self.by_number[found[1]] = student

    def find(self, hand_in: HandIn) -> str | None:
        """Return the student, or None when nobody or more than one may be meant."""
        if hand_in.number in self.by_number:
            return self.by_number[hand_in.number]
        named = self.by_name.get(plain_name(hand_in.name), set())
        return next(iter(named)) if len(named) == 1 else None


def collect(
    course: Course, stem: str, archives: list[Path], sheet: Path | None, times: bool, dry: bool
) -> Collected:
    """Sort the notebooks of some archives into nbgrader's folder of submissions.

    A student's last attempt counts. What lay there before and differs is kept in
    ``classroom/replaced``.
    """
    found = Collected()
    directory = Directory(read_marks(course, stem), Sheet(sheet) if sheet else None)
    best: dict[str, HandIn] = {}
    for hand_in in (h for path in archives for h in read_archive(path, found)):
        student = directory.find(hand_in)
        if student is None:
            found.unmatched.append(f"{hand_in.name} ({hand_in.number}): {hand_in.file}")
            continue
        other = best.get(student)
        if other and (other.attempt, other.time) > (hand_in.attempt, hand_in.time):
            hand_in, other = other, hand_in
        if other:
            found.left_out.append(f"{student}: {other.file}, an earlier attempt or another file")
        best[student] = hand_in
    for student, hand_in in sorted(best.items()):
        found.students[student] = _put(course, stem, student, hand_in, times, dry)
    return found


def _put(course: Course, stem: str, student: str, new: HandIn, times: bool, dry: bool) -> str:
    """Write one student's notebook and return whether it is new, the same or replaced."""
    folder = course.folder("submitted", stem, student)
    place = folder / f"{stem}.ipynb"
    before = place.read_bytes() if place.is_file() else None
    if not dry:
        if before is not None and before != new.data:
            digest = hashlib.sha256(before).hexdigest()[:12]
            kept = course.classroom / "replaced" / stem / student
            write_atomically(kept / f"{digest}.ipynb", before)
        write_atomically(place, new.data)
        if times:
            write_atomically(folder / "timestamp.txt", f"{new.time:%Y-%m-%d %H:%M:%S} UTC\n")
    return "new" if before is None else "same" if before == new.data else "replaced"


def as_csv(found: Collected) -> str:
    """Return what was collected as a small table."""
    out = io.StringIO()
    csv.writer(out, delimiter="\t", lineterminator="\n").writerows(found.students.items())
    return out.getvalue()


@click.command("collect")
@click.argument("stem", metavar="ASSIGNMENT")
@click.argument(
    "archives",
    metavar="ZIP...",
    nargs=-1,
    required=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
)
@click.option(
    "--sheet",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="The platform's own sheet, which says whose number is whose.",
)
@click.option("--times", is_flag=True, help="Take the files' times as those of the hand-in (UTC).")
@click.option("--dry-run", is_flag=True, help="Only say what would be done.")
@click.option("--json", "as_json", is_flag=True, help="Print what was sorted as JSON.")
@click.pass_context
def collect_command(
    ctx: click.Context,
    stem: str,
    archives: tuple[Path, ...],
    sheet: Path | None,
    times: bool,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Sort hand-ins that were downloaded from Moodle or Canvas to their students.

    Exit code 1: something belongs to nobody that the gradebook knows, and is listed.

    \b
    Examples:
        autograder collect ch05_bptt bptt-submissions.zip --sheet worksheet.csv
        autograder collect ch05_bptt submissions.zip
    """
    course = find_course(ctx.obj)
    course.require_built(stem)
    found = collect(course, stem, list(archives), sheet, times, dry_run)
    click.echo(json.dumps(asdict(found)) if as_json else as_csv(found), nl=as_json)
    for what, lines in (("belongs to nobody known", found.unmatched), ("left out", found.left_out)):
        for line in lines:
            click.echo(f"{what}: {line}", err=True)
    ctx.exit(1 if found.unmatched else 0)
