"""The course on disk: its root, its folders, its gradebook, and checks that say what is missing."""

from __future__ import annotations

import os
import shutil
import sqlite3
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from autograder.errors import (
    BadConfig,
    BadGradebook,
    CannotWrite,
    DiskFull,
    NoCourse,
    NoGradebook,
    NotBuilt,
    UnknownAssignment,
    UnreadableNotebook,
    WrongPython,
)

if TYPE_CHECKING:
    from nbformat import NotebookNode
    from traitlets.config import Config

CONFIG_NAME = "nbgrader_config.py"
OLDEST_PYTHON = (3, 11)


@dataclass(frozen=True)
class Course:
    """The folders of a course; everything nbgrader works in lies under ``classroom``."""

    root: Path

    @property
    def solutions(self) -> Path:
        return self.root / "solutions"

    @property
    def exercises(self) -> Path:
        return self.root / "exercises"

    @property
    def classroom(self) -> Path:
        return self.root / "classroom"

    @property
    def gradebook(self) -> Path:
        return self.classroom / "gradebook.db"

    @property
    def db_url(self) -> str:
        return f"sqlite:///{self.gradebook}"

    def folder(self, step: str, stem: str, student: str = "") -> Path:
        """Return nbgrader's folder for a step: source, release, submitted, autograded, feedback."""
        return self.classroom / step / student / stem

    def solution_file(self, stem: str) -> Path:
        return self.solutions / f"{stem}.py"

    def source_notebook(self, stem: str) -> Path:
        return self.folder("source", stem) / f"{stem}.ipynb"

    def release_notebook(self, stem: str) -> Path:
        return self.folder("release", stem) / f"{stem}.ipynb"

    def exercise_notebook(self, stem: str) -> Path:
        return self.exercises / stem / f"{stem}.ipynb"

    def shown(self, path: Path) -> Path:
        """Return ``path`` as seen from the root, for messages."""
        return path.relative_to(self.root) if path.is_relative_to(self.root) else path

    def stems(self) -> tuple[str, ...]:
        """Return every assignment that has a source, sorted."""
        files = self.solutions.glob("*.py")
        return tuple(sorted(path.stem for path in files if not path.stem.startswith("_")))

    def config(self) -> Config:
        """Return `nbgrader_config.py` as nbgrader reads it, with this course as the root.

        Raises:
            BadConfig: the file cannot be loaded.
        """
        return load_config(self.root / CONFIG_NAME, self)

    def require_assignment(self, stem: str) -> Path:
        """Return the source file of ``stem``. Raises UnknownAssignment."""
        if stem not in self.stems():
            raise UnknownAssignment(stem, self.stems())
        return self.solution_file(stem)

    def require_gradebook(self) -> Path:
        """Return the path of the gradebook. Raises NoGradebook, BadGradebook."""
        if not self.gradebook.is_file():
            raise NoGradebook(self.shown(self.gradebook))
        self.query("select count(*) from assignment")
        return self.gradebook

    def require_built(self, stem: str) -> Path:
        """Return the source notebook of an assignment that is in the gradebook.

        Raises:
            UnknownAssignment, NoGradebook, BadGradebook.
            NotBuilt: the source exists, but `autograder build` did not run.
        """
        self.require_assignment(stem)
        self.require_gradebook()
        if not self.query("select 1 from assignment where name = ?", stem):
            raise NotBuilt(stem, self.shown(self.gradebook))
        for notebook in (self.source_notebook(stem), self.release_notebook(stem)):
            if not notebook.is_file():
                raise NotBuilt(stem, self.shown(notebook.parent))
        return self.source_notebook(stem)

    def query(self, sql: str, *values: str) -> list[tuple[Any, ...]]:
        """Return what the gradebook answers, read only. Raises BadGradebook."""
        try:
            connection = sqlite3.connect(f"{self.gradebook.as_uri()}?mode=ro", uri=True)
            try:
                return connection.execute(sql, values).fetchall()
            finally:
                connection.close()
        except sqlite3.DatabaseError as error:
            raise BadGradebook(self.shown(self.gradebook), str(error)) from error


def find_course(start: Path | None = None) -> Course:
    """Return the course that ``start`` (default: the working folder) lies in. Raises NoCourse."""
    start = (start or Path.cwd()).resolve()
    for folder in (start, *start.parents):
        if (folder / CONFIG_NAME).is_file():
            return Course(folder)
    raise NoCourse(start)


def load_config(path: Path, course: Course) -> Config:
    """Return the nbgrader configuration in ``path``, its root and gradebook those of ``course``."""
    from traitlets.config.loader import PyFileConfigLoader

    try:
        config = PyFileConfigLoader(path.name, path=str(path.parent)).load_config()
    except Exception as error:
        raise BadConfig(path, f"{type(error).__name__}: {error}") from error
    config.CourseDirectory.root = str(course.root)
    config.CourseDirectory.db_url = course.db_url
    return config


def read_notebook(path: Path, shown: Path | None = None) -> NotebookNode:
    """Return a notebook of ours, valid, as nbformat 4. Raises UnreadableNotebook."""
    import nbformat

    try:
        notebook = nbformat.read(path, as_version=4)
        nbformat.validate(notebook)
    except FileNotFoundError as error:
        raise UnreadableNotebook(shown or path, "there is no such file") from error
    except Exception as error:
        first = (str(error).splitlines() or [type(error).__name__])[0]
        raise UnreadableNotebook(shown or path, first) from error
    return notebook


def require_disk(path: Path, needed: int) -> None:
    """Check that ``needed`` bytes are free where ``path`` is or will be. Raises DiskFull."""
    folder = next(p for p in (path.absolute(), *path.absolute().parents) if p.exists())
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise DiskFull(path, needed, free)


def require_python(version: tuple[int, ...] = sys.version_info[:3]) -> None:
    """Check that this Python is new enough. Raises WrongPython."""
    if version < OLDEST_PYTHON:
        raise WrongPython(".".join(map(str, version)), ".".join(map(str, OLDEST_PYTHON)))


def write_atomically(path: Path, content: str | bytes, mode: int = 0o644) -> bool:
    """Write ``content`` to ``path`` whole or not at all; return whether that changed the file.

    Raises:
        CannotWrite: the disk is full, or the folder may not be written.
    """
    data = content.encode("utf-8") if isinstance(content, str) else content
    temporary = None
    try:
        if path.is_file() and path.read_bytes() == data:
            return False
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
        os.chmod(temporary, mode)  # mkstemp makes 0600; most of these files are shared
        os.replace(temporary, path)
    except OSError as error:
        if temporary:
            Path(temporary).unlink(missing_ok=True)
        raise CannotWrite(path, error.strerror or str(error)) from error
    return True


@contextmanager
def restored_on_failure(*folders: Path) -> Iterator[None]:
    """Begin with the folders away; put them back if what follows fails."""
    before = {folder: folder.with_name(f".{folder.name}.before") for folder in folders}
    for folder, old in before.items():
        if folder.exists():
            shutil.rmtree(old, ignore_errors=True)
            folder.rename(old)
    try:
        yield
    except BaseException:
        for folder, old in before.items():
            shutil.rmtree(folder, ignore_errors=True)
            if old.exists():
                old.rename(folder)
        raise
    for old in before.values():
        shutil.rmtree(old, ignore_errors=True)
