"""The demonstration class: every mark as written beside its submission, under both graders.

Stock nbgrader 0.9.6 grades the cheats too, to show what they would have gained.
"""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner
from nbgrader.api import Gradebook

from autograder.cli import cli
from autograder.course import Course
from autograder.demo import CHEATS, CLASS, STEM
from benchmarks._classroom import make_course, make_stock_course

LIMITS = (
    '\nc.Autograder.limits = {"*": {"test_seconds": 8, "cell_seconds": 8, "again_seconds": 2}}\n'
)
MARKS = {submission.student: submission.marks for submission in CLASS}


def marks_in(course: Course) -> dict[str, float]:
    with Gradebook(course.db_url) as gradebook:
        return {s.student.id: s.score for s in gradebook.assignment_submissions(STEM)}


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Course, str]]:
    """A course whose demonstration class was graded by `autograder demo`, and what that printed."""
    course = make_course(tmp_path_factory.mktemp("demo") / "course", [])
    with (course.root / "nbgrader_config.py").open("a") as file:
        file.write(LIMITS)
    done = CliRunner().invoke(cli, ["--course-dir", str(course.root), "demo"])
    assert done.exit_code == 0, done.output
    yield course, done.stdout


def test_every_mark_is_the_expected_one(demo: tuple[Course, str]) -> None:
    assert marks_in(demo[0]) == MARKS


def test_the_class_is_as_varied_as_it_says() -> None:
    assert len(CLASS) >= 17 and len(CHEATS) == 5
    assert all(submission.story for submission in CLASS)


def test_marks_feedback_and_report_are_where_the_command_says(demo: tuple[Course, str]) -> None:
    course, printed = demo
    places = dict(line.split() for line in printed.splitlines()[-3:])
    assert set(places) == {"marks", "feedback", "report"}
    table = (course.root / places["marks"]).read_text()
    assert all(student in table for student in MARKS)
    pages = sorted((course.root / places["feedback"]).glob(f"*/{STEM}/{STEM}.html"))
    assert [page.parent.parent.name for page in pages] == sorted(MARKS)
    report = (course.root / places["report"]).read_text()
    assert all(student in report for student in MARKS) and "http" not in report


def test_no_feedback_page_shows_a_hidden_test(demo: tuple[Course, str]) -> None:
    course, _ = demo
    source = json.loads(course.source_notebook(STEM).read_text())
    hidden = set()
    for cell in source["cells"]:
        text = "".join(cell["source"])
        if "### BEGIN HIDDEN TESTS" in text:
            part = text.split("### BEGIN HIDDEN TESTS")[1].split("### END HIDDEN TESTS")[0]
            hidden |= {line.strip() for line in part.splitlines() if "default_rng(" in line}
    assert hidden
    for folder in ("feedback", "autograded"):
        for page in (course.classroom / folder).rglob("ch05_bptt.*"):
            text = page.read_text()
            assert not any(line in text for line in hidden), page


def test_a_second_run_changes_nothing_and_grades_nothing(demo: tuple[Course, str]) -> None:
    course, _ = demo
    done = CliRunner().invoke(cli, ["--course-dir", str(course.root), "grade", STEM, "--json"])
    assert done.exit_code == 0
    rows = json.loads(done.stdout)
    assert {row["status"] for row in rows} == {"unchanged"}
    assert {row["student"]: row["score"] for row in rows} == MARKS


def test_a_manual_mark_survives_grading_again(demo: tuple[Course, str]) -> None:
    course, _ = demo
    with Gradebook(course.db_url) as gradebook:
        grade = gradebook.find_grade("what-truncation-forgets", STEM, STEM, "demo-ada")
        assert grade.needs_manual_grade
        grade.manual_score = 4
        gradebook.db.commit()
    args = ["--course-dir", str(course.root), "grade", STEM, "--student", "demo-ada", "--force"]
    assert CliRunner().invoke(cli, args).exit_code == 0
    assert marks_in(course)["demo-ada"] == 94
    with Gradebook(course.db_url) as gradebook:
        gradebook.find_grade("what-truncation-forgets", STEM, STEM, "demo-ada").manual_score = None
        gradebook.db.commit()


def test_plain_nbgrader_gives_the_same_marks(demo: tuple[Course, str], tmp_path: Path) -> None:
    course = make_course(tmp_path / "plain", [])
    with (course.root / "nbgrader_config.py").open("a") as file:
        file.write(LIMITS)
    from autograder.demo import write_class

    write_class(course)
    done = run_nbgrader(course, "autograde", STEM)
    assert done.returncode == 0, done.stderr[-2000:]
    assert marks_in(course) == MARKS


def test_stock_nbgrader_gives_every_cheat_points(tmp_path: Path) -> None:
    ours = make_course(tmp_path / "ours", [])
    from autograder.demo import write_class

    write_class(ours, CHEATS)
    stock = make_stock_course(tmp_path / "stock", ours)
    done = run_nbgrader(stock, "autograde", STEM)
    assert done.returncode == 0, done.stderr[-2000:]
    gained = marks_in(stock)
    assert set(gained) == {cheat.student for cheat in CHEATS}
    assert all(points > 0 for points in gained.values()), gained


def run_nbgrader(course: Course, *args: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "nbgrader", *args]
    return subprocess.run(command, cwd=course.root, capture_output=True, text=True, timeout=600)
