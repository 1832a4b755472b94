"""A new exercise passes at once what every exercise of the course must pass."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result
from nbclient import NotebookClient

from autograder.course import Course
from autograder.lint import lint
from autograder.markers import read_source
from tests.autograder.conftest import REPOSITORY

Run = Callable[..., Result]
STEM = "ch16_state_space"
FILES = [f"solutions/{STEM}.py", f"tests/exercises/{STEM}.py", f"book/{STEM}.md"]


@pytest.fixture
def fresh(course: Course, autograder: Run) -> Course:
    """The temporary course with a new exercise instead of the miniature one."""
    course.solution_file("mini").unlink()
    result = autograder("new", STEM, "--title", "State space models")
    assert result.exit_code == 0, result.stderr
    assert result.stdout.split() == FILES
    return course


def run_tests(course: Course, *arguments: str) -> None:
    """Run some of this repository's tests on the course that they were copied into."""
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *arguments],
        cwd=course.root,
        env={**os.environ, "PYTEST_ADDOPTS": "", "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_new_exercise_builds_with_100_points(fresh: Course, autograder: Run) -> None:
    assert read_source(fresh.solution_file(STEM)).points == 100
    result = autograder("build", STEM)
    assert result.exit_code == 0, result.stderr
    assert fresh.exercise_notebook(STEM).is_file()
    assert autograder("build", "--check").exit_code == 0


def test_lint_finds_nothing_in_a_new_exercise_and_its_bank(fresh: Course) -> None:
    assert lint(fresh, STEM, bank=True) == []


def test_new_bank_passes_the_tests_of_all_banks(fresh: Course) -> None:
    for name in ("bank_harness.py", "test_banks.py"):
        shutil.copy(REPOSITORY / "tests" / "exercises" / name, fresh.root / "tests" / "exercises")
    run_tests(fresh, "tests/exercises/test_banks.py")


def test_new_chapter_passes_the_tests_of_all_chapters(fresh: Course, autograder: Run) -> None:
    assert autograder("build", STEM).exit_code == 0
    for path in ("book/_ext/unrolled_site", "tests/chapters"):
        shutil.copytree(REPOSITORY / path, fresh.root / path)
    (fresh.root / "book" / "_toc.yml").write_text(f"chapters:\n- file: {STEM}\n")
    run_tests(fresh, "tests/chapters", "-k", "shape or copies or imports or contents")


def test_new_chapter_runs_to_its_end_and_says_what_its_figure_shows(fresh: Course) -> None:
    import jupytext

    path = fresh.root / "book" / f"{STEM}.md"
    text = path.read_text(encoding="utf-8")
    assert "# State space models" in text
    assert "alt: " in text and f"exercises/{STEM}/{STEM}.ipynb" in text
    ran = NotebookClient(jupytext.read(path, fmt="md:myst"), kernel_name="python3").execute()
    outputs = [output for cell in ran.cells for output in cell.get("outputs", [])]
    assert any("image/svg+xml" in output.get("data", {}) for output in outputs)
    assert not [o for o in outputs if o.output_type in ("error", "stream")]


@pytest.mark.parametrize("path", [*FILES, f"exercises/{STEM}/{STEM}.ipynb"])
def test_nothing_that_exists_is_overwritten(path: str, course: Course, autograder: Run) -> None:
    mine = course.root / path
    mine.parent.mkdir(parents=True, exist_ok=True)
    mine.write_text("mine")
    result = autograder("new", STEM)
    assert result.exit_code == 2
    assert "exists already, and nothing was written" in result.stderr
    written = {file for file in FILES if (course.root / file).exists()}
    assert written <= {path} and mine.read_text() == "mine"


@pytest.mark.parametrize("name", ["state_space", "ch1_x", "ch16", "ch16_State", "ch16_a b", "../x"])
def test_name_that_is_no_stem_is_refused(name: str, course: Course, autograder: Run) -> None:
    before = sorted(course.root.rglob("*"))
    result = autograder("new", name)
    assert result.exit_code == 2
    assert "chNN_topic" in result.stderr
    assert sorted(course.root.rglob("*")) == before


def test_the_lines_to_add_are_said(course: Course, autograder: Run) -> None:
    said = autograder("new", STEM).stderr
    assert f"- file: {STEM}" in said
    assert f"| [16 State space](book/{STEM}.md) |" in said
    assert f"autograder build {STEM}" in said
    made = json.loads(autograder("new", "ch17_more", "--json").stdout)
    assert made["files"] == [path.replace(STEM, "ch17_more") for path in FILES]


def test_templates_are_part_of_the_package() -> None:
    folder = Path(REPOSITORY, "autograder", "templates")
    assert {path.name for path in folder.glob("new_*")} == {
        "new_bank.py.j2",
        "new_chapter.md.j2",
        "new_solution.py.j2",
    }
