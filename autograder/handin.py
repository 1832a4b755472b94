"""Find and read what a student handed in, whatever the file is called and whatever it is."""

from __future__ import annotations

import errno
import os
import re
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

from autograder.assignment import Assignment
from autograder.rebuild import MAX_BYTES, read_cells

MAX_OTHERS = 10  # notebooks of another name that are looked into, the newest
MAX_STAMP = 100  # characters of a timestamp.txt
# What nbgrader writes: a date, a time, and perhaps a time zone by name or distance. Its parser also
# takes "12" for the twelfth of this month, and a path for a file with a time zone.
STAMP = re.compile(
    r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d(:\d\d(\.\d+)?)?( ?[A-Za-z0-9_+:-]+(/[A-Za-z0-9_+-]+)*)?"
)


def read_submission(folder: Path, assignment: Assignment) -> tuple[bytes, str]:
    """Return the bytes of a student's notebook, and a note when it was not where it should be."""
    path, note = submitted_file(folder, assignment)
    return (b"", note) if path is None else (read_file(path), note)


def submitted_file(folder: Path, assignment: Assignment) -> tuple[Path | None, str]:
    """Return the notebook a student meant, and a note when it does not have the right name.

    Only ordinary files count: no link, pipe or device.
    """
    wanted = folder / f"{assignment.stem}.ipynb"
    if is_ordinary(wanted):
        return wanted, ""
    if os.path.lexists(wanted):
        return None, f"{wanted.name} is not an ordinary file; refused"
    others = sorted(path for path in folder.glob("*.ipynb*") if is_ordinary(path))
    if not others:
        return None, "no notebook was handed in"
    others = sorted(others, key=lambda path: path.stat().st_mtime)[-MAX_OTHERS:]
    known = {item.grade_id for item in assignment.items}
    best = max(others, key=lambda path: (_known_ids(path, known), path.stat().st_mtime))
    return best, f"taken from {best.name!r}; confirm that it is the right file"


def is_ordinary(path: Path) -> bool:
    """Return whether a path is a file and not a link, pipe, device or folder."""
    try:
        return stat.S_ISREG(path.lstat().st_mode)
    except OSError:
        return False


def read_file(path: Path) -> bytes:
    """Return a file's bytes, at most one more than a submission may have; never a link's."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    with open(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(errno.EINVAL, "not an ordinary file", str(path))
        return file.read(MAX_BYTES + 1)


def read_timestamp(folder: Path, flags: list[str]) -> datetime | None:
    """Return when a submission was handed in (UTC); what does not say so is flagged and ignored."""
    path = folder / "timestamp.txt"
    if not os.path.lexists(path):
        return None
    if not is_ordinary(path):
        flags.append("timestamp.txt is not an ordinary file; ignored")
        return None
    time = _parsed(path)
    if time is None:
        flags.append("timestamp.txt is not a time; ignored, so check whether it was late")
    elif time > datetime.now(UTC).replace(tzinfo=None) + timedelta(days=1):
        flags.append(f"timestamp.txt says {time:%Y-%m-%d}, which is still to come; check it")
    return time


def _parsed(path: Path) -> datetime | None:
    from nbgrader.utils import parse_utc

    try:
        with path.open("rb") as file:
            text = file.read(4 * MAX_STAMP).decode("utf-8", "replace").strip()
        if len(text) > MAX_STAMP or not STAMP.fullmatch(text):
            return None
        return parse_utc(text)
    except Exception:  # the parser of dates raises many kinds
        return None


def _known_ids(path: Path, known: set[str]) -> int:
    cells = read_cells(read_file(path), known, [])
    return len({cell.grade_id for cell in cells if cell.grade_id})
