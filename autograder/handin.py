"""Find and read what a student handed in, whatever the file is called and whatever it is."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from autograder.assignment import Assignment
from autograder.rebuild import MAX_BYTES, read_cells


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
    """Return a file's bytes, at most one more than a submission may have."""
    with path.open("rb") as file:
        return file.read(MAX_BYTES + 1)


def _known_ids(path: Path, known: set[str]) -> int:
    cells = read_cells(read_file(path), known, [])
    return len({cell.grade_id for cell in cells if cell.grade_id})
