"""The report tells a class's story without names; `explain` tells one student's."""

import json
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from click.testing import Result
from nbformat.v4 import new_notebook
from nbgrader.api import Gradebook

from autograder.course import Course, write_atomically
from autograder.grade import log_path
from autograder.record import graded_path
from autograder.report import histogram
from autograder.story import gather

CLASS = 12
EVIL = "<script>alert('x')</script> & more"


def passes(number: int, item: str) -> bool:
    """The strong half passes the first test, the second is passed by every third, by chance."""
    return number >= CLASS // 2 if item == "mean-of-test" else number % 3 == 0


@pytest.fixture
def told(course: Course, autograder: Callable[..., Result]) -> Course:
    """A graded class of twelve, with the log and the notes that grading leaves."""
    assert autograder("build", "mini").exit_code == 0
    lines = []
    with Gradebook(course.db_url) as book:
        for number in range(CLASS):
            student, key = f"pupil-{number:02}", f"{number:064x}"
            book.add_student(student)
            verdicts: dict[str, Any] = {}
            for grade in book.add_submission("mini", student).notebooks[0].grades:
                if not grade.name.endswith("-test"):
                    grade.manual_score = 1.25 * number
                    continue
                good = passes(number, grade.name)
                grade.auto_score = grade.max_score if good else 0.0
                verdicts[grade.name] = {
                    "status": "passed" if good else "failed",
                    "message": "" if good else f"{grade.name}: {EVIL}\nand a second line",
                    "seconds": 0.5 + number,
                }
            note = {"key": key, "flags": ["renamed"] if number == 3 else [], "submission": "ab"}
            graded = {**new_notebook(), "metadata": {"autograder": note}}
            write_atomically(graded_path(course, "mini", student), json.dumps(graded))
            lines.append({"key": key, "student": student, "verdicts": verdicts, "seconds": 2.0})
        book.db.commit()
    text = "".join(json.dumps(line) + "\n" for line in [*lines, lines[5]])
    write_atomically(log_path(course, "mini"), text + '{"key": "cut o')
    return course


def test_the_distribution_counts_every_student_once() -> None:
    assert histogram([0.0, 0.05, 0.1, 0.55, 0.999, 1.0]) == [2, 1, 0, 0, 0, 1, 0, 0, 0, 2]
    assert sum(histogram([i / 100 for i in range(101)])) == 101


def test_difficulty_and_discrimination_are_those_of_the_textbook(told: Course) -> None:
    story = gather(told, "mini")
    items = {item.name: item for item in story.items}
    points = np.array(
        [
            [next(i.points for i in s.mark.items if i.name == n) for n in items]
            for s in story.students
        ]
    )
    for column, item in enumerate(items.values()):
        rest = points.sum(1) - points[:, column]
        expected = np.corrcoef(points[:, column], rest)[0, 1]
        assert item.discrimination == pytest.approx(expected)
        assert item.share == pytest.approx(points[:, column].mean() / item.out_of)
    first = items["mean-of-test"]
    assert first.quarters[0] == 0 and first.quarters[-1] == 1 and first.full == CLASS // 2
    assert max(first.seconds) == CLASS - 0.5


def test_reasons_are_counted_by_their_first_line(told: Course) -> None:
    item = next(i for i in gather(told, "mini").items if i.name == "mean-of-test")
    assert item.reasons == {f"mean-of-test: {EVIL}": CLASS // 2}


def test_the_page_hides_names_unless_asked(told: Course, autograder: Callable[..., Result]) -> None:
    path = told.classroom / "reports" / "mini.html"
    assert autograder("report", "mini").exit_code == 0
    assert "pupil-" not in path.read_text(encoding="utf-8")
    assert autograder("report", "mini", "--names").exit_code == 0
    page = path.read_text(encoding="utf-8")
    assert all(f"pupil-{number:02}" in page for number in range(CLASS))


def test_the_page_runs_no_message_and_asks_for_nothing(
    told: Course, autograder: Callable[..., Result]
) -> None:
    autograder("report", "mini")
    page = (told.classroom / "reports" / "mini.html").read_text(encoding="utf-8")
    assert "<script>alert" not in page and "&lt;script&gt;alert" in page
    assert not re.search(r"""(src|href)\s*=|url\(|@import|https?:""", page)


def test_numbers_of_the_report_come_as_json_too(
    told: Course, autograder: Callable[..., Result]
) -> None:
    numbers = json.loads(autograder("report", "mini", "--json").stdout)
    assert numbers["submissions"] == CLASS and numbers["flagged"] == 1
    assert numbers["compute_seconds"] == 2.0 * CLASS


def test_explain_tells_what_happened_to_each_item(
    told: Course, autograder: Callable[..., Result]
) -> None:
    told_as = autograder("explain", "pupil-03", "mini").stdout
    assert "✗ mean-of-test: 0 of 40" in told_as and "✓ running-sum-test: 45 of 45" in told_as
    assert "and a second line" in told_as and "flag: renamed" in told_as
    data = json.loads(autograder("explain", "pupil-05", "mini", "--json").stdout)
    assert data["gradings"] == 2 and data["points"] == pytest.approx(1.25 * 5)
    assert {item["item"] for item in data["items"]} == {
        "mean-of-test",
        "running-sum-test",
        "why-mean",
    }


def test_explaining_nobody_names_who_is_meant(
    told: Course, autograder: Callable[..., Result]
) -> None:
    done = autograder("explain", "pupil-3", "mini")
    assert done.exit_code == 2 and "pupil-03" in done.stderr
