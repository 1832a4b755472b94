"""A class with hostile folders among honest ones, through plain `nbgrader autograde` and ours.

Here are the cases that are about files rather than cells: names, links, pipes, time stamps.
"""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from autograder.build import build_assignment, read_sources
from autograder.course import Course
from autograder.record import standing
from tests.sandbox.ordinary_user import USER

REPOSITORY = Path(__file__).resolve().parents[2]
SECRET = "SECRET-OF-THE-GRADER"
ORDINARY = REPOSITORY / "tests" / "sandbox" / "ordinary_user.py"
COMMANDS = {
    "nbgrader autograde": ("-m", "nbgrader", "autograde", "mini", "--create"),
    "autograder grade": ("-m", "autograder.cli", "grade", "mini"),
}
SECONDS = 240  # for the whole class; a pipe that is read would hang for ever


def honest(release: str) -> str:
    """Return a submission with everything solved."""
    answers = {
        "double": "def double(x):\n    return 2 * x",
        "apply": "def apply(f, x):\n    return f(f(x))",
        "softmax": "def softmax(x):\n    e = np.exp(x - x.max(-1, keepdims=True))\n"
        "    return e / e.sum(-1, keepdims=True)",
        "why": "Because. <script>alert('LEAK')</script> [x](javascript:alert('LEAK'))",
    }
    content = json.loads(release)
    for cell in content["cells"]:
        mark = cell["metadata"]["nbgrader"]["grade_id"]
        cell["source"] = answers.get(mark, cell["source"])
    return json.dumps(content)


Prepare = Callable[[Path, str, Path], None]
FOLDERS: dict[str, tuple[float, str, Prepare]] = {}


def student(name: str, score: float, flag: str = "") -> Callable[[Prepare], Prepare]:
    """Register what a student hands in, with the score it must get and what the report says."""

    def register(prepare: Prepare) -> Prepare:
        FOLDERS[name] = (score, flag, prepare)
        return prepare

    return register


@student("a-honest", 95)
def plain(folder: Path, text: str, secret: Path) -> None:
    (folder / "mini.ipynb").write_text(text)


@student("b-misnamed", 95, "confirm that it is the right file")
def misnamed(folder: Path, text: str, secret: Path) -> None:
    (folder / "mini (1).ipynb").write_text(text)
    (folder / "notes.ipynb").write_text('{"cells": []}')


@student("b-misnamed-to-confuse", 95, "confirm that it is the right file")
def confusing_name(folder: Path, text: str, secret: Path) -> None:
    (folder / "mini [red] [link=x] \x1b[2J\u202e <b>.ipynb").write_text(text)


@student("b-many-other-notebooks", 95, "confirm that it is the right file")
def many_names(folder: Path, text: str, secret: Path) -> None:
    for number in range(200):
        (folder / f"old {number}.ipynb").write_text("{}")
        os.utime(folder / f"old {number}.ipynb", (number, number))
    (folder / "final FINAL.ipynb").write_text(text)


@student("c-bad-timestamp", 95, "timestamp.txt is not a time")
def bad_timestamp(folder: Path, text: str, secret: Path) -> None:
    plain(folder, text, secret)
    (folder / "timestamp.txt").write_text("the day before yesterday")


@student("c-timestamp-still-to-come", 95, "which is still to come")
def future_timestamp(folder: Path, text: str, secret: Path) -> None:
    plain(folder, text, secret)
    (folder / "timestamp.txt").write_text("9999-12-31 23:59:59 UTC")


@student("d-binary-timestamp", 95, "timestamp.txt is not a time")
def binary_timestamp(folder: Path, text: str, secret: Path) -> None:
    plain(folder, text, secret)
    (folder / "timestamp.txt").write_bytes(b"\xff\xfe\x00" * 1000)


@student("e-timestamp-is-a-pipe", 95, "timestamp.txt is not an ordinary file")
def pipe_timestamp(folder: Path, text: str, secret: Path) -> None:
    plain(folder, text, secret)
    os.mkfifo(folder / "timestamp.txt")


@student("f-link-to-a-secret", 0, "is not an ordinary file; refused")
def link(folder: Path, text: str, secret: Path) -> None:
    (folder / "mini.ipynb").symlink_to(secret)


@student("g-links-beside", 95)
def links(folder: Path, text: str, secret: Path) -> None:
    plain(folder, text, secret)
    (folder / "data.txt").symlink_to(secret)
    (folder / "folder").symlink_to(secret.parent)
    (folder / "loop").symlink_to(folder)


@student("h-pipe", 0, "is not an ordinary file; refused")
def pipe(folder: Path, text: str, secret: Path) -> None:
    os.mkfifo(folder / "mini.ipynb")


@student("i-pipe-beside", 95)
def pipe_beside(folder: Path, text: str, secret: Path) -> None:
    plain(folder, text, secret)
    os.mkfifo(folder / "data.csv")


@student("j-a-folder", 0, "is not an ordinary file; refused")
def folder_as_notebook(folder: Path, text: str, secret: Path) -> None:
    (folder / "mini.ipynb").mkdir()


@student("k-local-modules", 95)
def local_modules(folder: Path, text: str, secret: Path) -> None:
    plain(folder, text, secret)
    for name in ("numpy.py", "sitecustomize.py", "autograder.py", "nbgrader_config.py", "x.pth"):
        (folder / name).write_text("import os; print('LEAK: a local module was imported')\n")
    (folder / "torch").mkdir()
    (folder / "torch" / "__init__.py").write_text("raise SystemExit('LEAK')\n")


@student("l-empty-folder", 0, "no notebook was handed in")
def empty_folder(folder: Path, text: str, secret: Path) -> None:
    (folder / "readme.txt").write_text("I forgot.")


@student("m-empty-file", 0, "the file is empty")
def empty_file(folder: Path, text: str, secret: Path) -> None:
    (folder / "mini.ipynb").write_text("")


@student("n-future", 95)
def future(folder: Path, text: str, secret: Path) -> None:
    (folder / "mini.ipynb").write_text(text.replace('"schema_version": 3', '"schema_version": 9'))


@student("o-leaves", 25, "the student's process died")
def leaves(folder: Path, text: str, secret: Path) -> None:
    text = text.replace("return 2 * x", "import os; os._exit(0)")
    (folder / "mini.ipynb").write_text(text.replace("f(f(x))", "0"))


@student("z-honest", 95)
def last(folder: Path, text: str, secret: Path) -> None:
    plain(folder, text, secret)


@pytest.fixture(params=["nbgrader autograde", "autograder grade", "autograder grade, not as root"])
def graded(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Course, str]:
    """Return the course after a run of the command over the whole class, and what it said."""
    root = tmp_path / "course"
    (root / "solutions").mkdir(parents=True)
    shutil.copy(REPOSITORY / "nbgrader_config.py", root)
    shutil.copy(Path(__file__).with_name("mini.txt"), root / "solutions" / "mini.py")
    course = Course(root)
    for source in read_sources(course, ["mini"]):
        build_assignment(course, source)
    text = honest(course.release_notebook("mini").read_text())
    secret = tmp_path / "secret" / "mini.ipynb"
    secret.parent.mkdir()
    secret.write_text(text.replace("Because.", SECRET))
    for name, (_, _, prepare) in FOLDERS.items():
        folder = course.folder("submitted", "mini", name)
        folder.mkdir(parents=True)
        prepare(folder, text, secret)
    program, _, user = request.param.partition(", ")
    command = [sys.executable, *COMMANDS[program]]
    if user:
        if os.geteuid() != 0:
            pytest.skip("this is an ordinary user already")
        for path in (tmp_path, *tmp_path.rglob("*")):
            os.chown(path, USER, USER, follow_symlinks=False)
        command[1:1] = [str(ORDINARY), str(tmp_path)]
    done = subprocess.run(
        command, cwd=root, capture_output=True, text=True, timeout=SECONDS, stdin=subprocess.DEVNULL
    )
    return course, done.stdout + done.stderr


def scores(course: Course) -> dict[str, float]:
    """Return what the gradebook says of each student."""
    with sqlite3.connect(course.gradebook) as base:
        rows = base.execute(
            "select s.student_id, sum(coalesce(g.auto_score, 0)) from submitted_assignment s"
            " join submitted_notebook n on n.assignment_id = s.id"
            " join grade g on g.notebook_id = n.id group by s.student_id"
        )
        return dict(rows.fetchall())


def test_hostile_folders_change_nobody_elses_marks(graded: tuple[Course, str]) -> None:
    course, said = graded
    wanted = {name: score for name, (score, _, _) in FOLDERS.items()}
    if "AutogradeApp" in said:
        del wanted["l-empty-folder"]  # nbgrader takes a folder without a notebook for no submission
    assert scores(course) == wanted, said[-3000:]
    for name in wanted:
        flag, flags = FOLDERS[name][1], " | ".join(standing(course, "mini", name)["flags"])
        assert flag in flags and bool(flag) == bool(flags), (name, flags)
    assert "LEAK" not in said and "\x1b[2J" not in said and "\u202e" not in said
    autograded = course.classroom / "autograded"
    texts = [p.read_bytes() for p in autograded.rglob("*") if p.is_file() and not p.is_symlink()]
    assert not any(SECRET.encode() in text for text in texts)
    assert not [p for p in autograded.rglob("*") if p.is_symlink() or p.is_fifo()]
