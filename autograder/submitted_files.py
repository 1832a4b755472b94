"""Keep nbgrader from following links, waiting for pipes or stumbling over a bad time stamp.

`nbgrader autograde` copies every other file of a submission and reads its ``timestamp.txt``
before any of its hooks that could stop it, so the two functions that do so are replaced here.
"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from nbgrader.converters import base
from nbgrader.coursedir import CourseDirectory

from autograder.handin import is_ordinary, read_timestamp

_find_all_files = base.find_all_files


def find_ordinary_files(path: str, exclude: list[str]) -> list[str]:
    """Return the files below a folder that can be copied safely."""
    return [name for name in _find_all_files(path, exclude) if is_ordinary(Path(name))]


def get_existing_timestamp(self: CourseDirectory, dest_path: str) -> datetime | None:
    """Return when a submission was handed in; None when it does not say so in a readable way.

    What is odd about it becomes a flag on the report in `preprocessors.Examine`.
    """
    flags: list[str] = []
    time = read_timestamp(Path(dest_path), flags)
    for flag in flags:
        self.log.warning("%s: %s", dest_path, flag)
    return time


def install() -> None:
    """Put these functions in the place of nbgrader's."""
    base.find_all_files = find_ordinary_files
    CourseDirectory.get_existing_timestamp = get_existing_timestamp
