"""The repository is an nbgrader course: nbgrader's own commands work in its root."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result
from nbgrader.apps.api import NbGraderAPI

from autograder.course import Course
from autograder.source import CODE_STUB, TEXT_STUB

Run = Callable[..., Result]


def nbgrader(course: Course, *args: str) -> subprocess.CompletedProcess[str]:
    home = course.root.parent / "home"
    environment = {**os.environ, "HOME": str(home), "JUPYTER_DATA_DIR": str(home / "jupyter")}
    return subprocess.run(
        [sys.executable, "-m", "nbgrader", *args],
        cwd=course.root,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


def test_folders_and_gradebook_lie_in_the_classroom(course: Course) -> None:
    directory = course.config().CourseDirectory
    assert directory.root == str(course.root)
    assert directory.course_id == "unrolled"
    assert directory.db_url == f"sqlite:///{course.classroom / 'gradebook.db'}"
    steps = ("source", "release", "submitted", "autograded", "feedback", "solution")
    assert {directory[f"{step}_directory"] for step in steps} == {f"classroom/{s}" for s in steps}


def test_stubs_are_those_that_the_markers_promise(course: Course) -> None:
    config = course.config()
    assert config.ClearSolutions.code_stub == {"python": CODE_STUB}
    assert config.ClearSolutions.text_stub == TEXT_STUB


def test_loading_the_config_makes_nothing(course: Course) -> None:
    before = sorted(course.root.rglob("*"))
    course.config()
    assert sorted(p for p in course.root.rglob("*") if p.name != "__pycache__") == before


def test_exchange_of_the_hub_is_used_when_there_is_one(
    course: Course, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NBGRADER_EXCHANGE", str(tmp_path / "nowhere"))
    assert course.config().Exchange.root == str(course.classroom / "exchange")
    monkeypatch.setenv("NBGRADER_EXCHANGE", str(tmp_path))
    assert course.config().Exchange.root == str(tmp_path)


def test_plain_nbgrader_generates_the_same_release(course: Course, autograder: Run) -> None:
    assert autograder("build").exit_code == 0
    ours = course.exercise_notebook("mini").read_text(encoding="utf-8")
    done = nbgrader(course, "generate_assignment", "mini", "--force")
    assert done.returncode == 0, done.stderr
    assert course.release_notebook("mini").read_text(encoding="utf-8") == ours


def test_plain_nbgrader_validates_and_lists(course: Course, autograder: Run) -> None:
    autograder("build")
    done = nbgrader(course, "validate", "exercises/mini/mini.ipynb")
    assert "NotImplementedError" in done.stdout
    assert "VALIDATION FAILED ON 3 CELL(S)" in done.stdout
    assert "HAVE CHANGED" not in done.stdout
    released = nbgrader(course, "release_assignment", "mini")
    assert released.returncode == 0, released.stderr
    listed = nbgrader(course, "list")
    assert listed.returncode == 0, listed.stderr
    assert "mini" in listed.stdout + listed.stderr


def test_formgrader_sees_the_assignment(course: Course, autograder: Run) -> None:
    autograder("build")
    api = NbGraderAPI(config=course.config())
    assignments = api.get_assignments()
    assert [each["name"] for each in assignments] == ["mini"]
    assert assignments[0]["max_score"] == 100
    assert assignments[0]["status"] == "draft"


def test_solution_for_students_is_generated_without_mark_scheme(
    course: Course, autograder: Run
) -> None:
    autograder("build")
    done = nbgrader(course, "generate_solution", "mini")
    assert done.returncode == 0, done.stderr
    text = (course.classroom / "solution" / "mini" / "mini.ipynb").read_text()
    assert "cumsum" in text
    assert "outliers" not in text
