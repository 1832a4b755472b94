"""Keep nbgrader from following links, waiting for pipes or stumbling over a bad time stamp.

`nbgrader autograde` copies every other file of a submission and reads its ``timestamp.txt``
before any of its hooks that could stop it, so the two functions that do so are replaced here.
"""

from __future__ import annotations

import os
from datetime import datetime
from pathlib import Path
from typing import Any

from nbgrader.converters import base
from nbgrader.coursedir import CourseDirectory

from autograder.handin import is_ordinary

MAX_STAMP = 1000  # bytes of a time stamp
_find_all_files = base.find_all_files
_get_existing_timestamp = CourseDirectory.get_existing_timestamp


def find_ordinary_files(path: str, exclude: list[str]) -> list[str]:
    """Return the files below a folder that can be copied safely."""
    return [name for name in _find_all_files(path, exclude) if is_ordinary(Path(name))]


def get_existing_timestamp(self: CourseDirectory, dest_path: str) -> datetime | None:
    """Return when a submission was handed in; None when it does not say so in a readable way."""
    path = os.path.join(dest_path, "timestamp.txt")
    if not os.path.lexists(path):
        return None
    try:
        if not is_ordinary(Path(path)) or os.stat(path).st_size > MAX_STAMP:
            raise ValueError("not a file with a time")
        return _get_existing_timestamp(self, dest_path)
    except Exception as error:  # the parser of dates raises many kinds
        log: Any = self.log
        log.warning("%s: no time of submission (%s); look at it by hand", path, error)
        return None


def install() -> None:
    """Put these functions in the place of nbgrader's."""
    base.find_all_files = find_ordinary_files
    CourseDirectory.get_existing_timestamp = get_existing_timestamp
