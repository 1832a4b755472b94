"""What can go wrong on the instructor's side, one class per way of failing.

Each error keeps what it was made from as ``args`` (so it can be pickled and sent between
processes), says what failed and where, and names the next step.
"""

# ruff: noqa: N818 (every class in this file is an error; its name says which)

from __future__ import annotations

import difflib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from autograder.source import Problem

MIB = 1024**2


class AutograderError(Exception):
    """Base of every error that ends a command with exit code 2."""

    @property
    def what(self) -> str:
        """One line: what failed, and where."""
        return str(self.args[0])

    @property
    def next_step(self) -> str:
        """One line: what the person can do about it."""
        return "run the command again with --debug to see where it happened"

    def __str__(self) -> str:
        return f"{self.what}. Next: {self.next_step}."


class NoCourse(AutograderError):
    def __init__(self, start: Path) -> None:
        super().__init__(start)

    @property
    def what(self) -> str:
        return f"{self.args[0]}: neither this folder nor one above it is a course"

    @property
    def next_step(self) -> str:
        return "run in the folder that holds nbgrader_config.py, or give it with --course-dir"


class BadConfig(AutograderError):
    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(path, reason)

    @property
    def what(self) -> str:
        return f"{self.args[0]}: cannot be loaded ({self.args[1]})"

    @property
    def next_step(self) -> str:
        return "mend that file"


class UnknownAssignment(AutograderError):
    def __init__(self, stem: str, known: Sequence[str]) -> None:
        super().__init__(stem, tuple(known))

    @property
    def what(self) -> str:
        return f"{self.args[0]}: there is no such assignment (no solutions/{self.args[0]}.py)"

    @property
    def next_step(self) -> str:
        stem, known = self.args
        close = difflib.get_close_matches(stem, known, n=1, cutoff=0.3)
        if close:
            return f"did you mean {close[0]}? There are: {', '.join(known)}"
        if known:
            return f"choose one of: {', '.join(known)}"
        return f"write solutions/{stem}.py"


class NotBuilt(AutograderError):
    def __init__(self, stem: str, missing: Path) -> None:
        super().__init__(stem, missing)

    @property
    def what(self) -> str:
        return f"{self.args[0]}: the assignment is not built yet ({self.args[1]} lacks it)"

    @property
    def next_step(self) -> str:
        return f"run: autograder build {self.args[0]}"


class NoGradebook(AutograderError):
    def __init__(self, path: Path) -> None:
        super().__init__(path)

    @property
    def what(self) -> str:
        return f"{self.args[0]}: there is no gradebook yet"

    @property
    def next_step(self) -> str:
        return "run: autograder build (it makes the gradebook), or put the old gradebook back"


class BadGradebook(AutograderError):
    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(path, reason)

    @property
    def what(self) -> str:
        return f"{self.args[0]}: the gradebook cannot be read ({self.args[1]})"

    @property
    def next_step(self) -> str:
        return "put a backup back, or move the file away and run: autograder build"


class UnreadableNotebook(AutograderError):
    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(path, reason)

    @property
    def what(self) -> str:
        return f"{self.args[0]}: not a readable notebook ({self.args[1]})"

    @property
    def next_step(self) -> str:
        return "restore the file, or build it again with: make exercises"


class WrongPython(AutograderError):
    def __init__(self, found: str, needed: str) -> None:
        super().__init__(found, needed)

    @property
    def what(self) -> str:
        return f"Python {self.args[0]} is too old; {self.args[1]} or newer is needed"

    @property
    def next_step(self) -> str:
        return f"make a new environment with Python {self.args[1]}, for instance: make clean all"


class DiskFull(AutograderError):
    def __init__(self, path: Path, needed: int, free: int) -> None:
        super().__init__(path, needed, free)

    @property
    def what(self) -> str:
        path, needed, free = self.args
        return f"{path}: {free / MIB:.1f} MiB free on this disk, {needed / MIB:.1f} MiB needed"

    @property
    def next_step(self) -> str:
        return "free some space and run the command again; nothing was written"


class CannotWrite(AutograderError):
    def __init__(self, path: Path | str, reason: str) -> None:
        super().__init__(path, reason)

    @property
    def what(self) -> str:
        return f"{self.args[0]}: {self.args[1]}"

    @property
    def next_step(self) -> str:
        return "check the disk and the permissions of that folder, then run the command again"


class MarkerProblems(AutograderError):
    """Everything that is wrong in one or more exercise sources."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__(tuple(problems))

    @property
    def problems(self) -> tuple[Problem, ...]:
        return self.args[0]

    @property
    def what(self) -> str:
        files = sorted({problem.path.name for problem in self.problems})
        count = len(self.problems)
        head = f"{count} problem{'s' if count > 1 else ''} in {', '.join(files)}"
        return "\n".join([head, *(f"  {problem}" for problem in self.problems)])

    @property
    def next_step(self) -> str:
        return "mend the cells named above; nothing was built"

    def __str__(self) -> str:
        return f"{self.what}\nNext: {self.next_step}."


class BuildRefused(AutograderError):
    """nbgrader keeps an assignment whose cells changed while submissions are recorded."""

    def __init__(self, stem: str, added: Sequence[str], removed: Sequence[str]) -> None:
        super().__init__(stem, tuple(added), tuple(removed))

    @property
    def what(self) -> str:
        stem, added, removed = self.args
        parts = [f"adds {', '.join(added)}"] if added else []
        parts += [f"removes {', '.join(removed)}"] if removed else []
        return (
            f"{stem}: nbgrader refuses to rebuild it, because submissions are recorded "
            f"and the new source {' and '.join(parts) or 'changes the cells'}"
        )

    @property
    def next_step(self) -> str:
        return (
            "keep the set of cells as it was (texts, tests and points may change), or give the "
            f"new version a stem of its own; `nbgrader db assignment remove {self.args[0]} "
            "--force` forgets the assignment with all its marks"
        )


class NbgraderFailed(AutograderError):
    def __init__(self, stem: str, reason: str) -> None:
        super().__init__(stem, reason)

    @property
    def what(self) -> str:
        return f"{self.args[0]}: nbgrader could not generate the assignment ({self.args[1]})"

    @property
    def next_step(self) -> str:
        return f"see all of nbgrader's messages with: nbgrader generate_assignment {self.args[0]}"
