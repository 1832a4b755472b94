"""A feedback page says what helps, shows no test, and runs nothing of the student's."""

import base64
import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result
from nbgrader.api import Gradebook

from autograder.course import Course, write_atomically
from autograder.grade import log_path
from autograder.record import graded_path

Run = Callable[..., Result]
EVIL = "<script>alert(1)</script><img src=http://evil.example/x onerror=alert(2)>"
PIXEL = base64.b64encode(b"\x89PNG\r\n\x1a\n" + bytes(16)).decode()


@pytest.fixture
def page(course: Course, autograder: Run) -> str:
    """The page of a student whose code prints HTML, whose mean is wrong, with a comment."""
    assert autograder("build", "mini").exit_code == 0
    notebook = json.loads(course.source_notebook("mini").read_text(encoding="utf-8"))
    for cell in notebook["cells"]:
        if cell["metadata"]["nbgrader"]["grade_id"] == "mean-of":
            cell["source"] = f"def mean_of(x):\n    return 0  # {EVIL}"
            cell["outputs"] = [
                {"output_type": "stream", "name": "stdout", "text": f"\x1b[31mred {EVIL}"},
                {
                    "output_type": "display_data",
                    "metadata": {},
                    "data": {"image/png": PIXEL, "text/html": EVIL},
                },
                {
                    "output_type": "display_data",
                    "metadata": {},
                    "data": {"image/png": '"><script>', "text/plain": "no picture"},
                },
            ]
    notebook["metadata"]["autograder"] = {"key": "k", "flags": [f"renamed {EVIL}"]}
    verdicts = {
        "mean-of-test": {"status": "failed", "message": f"mean_of: off by 2 {EVIL}"},
        "running-sum-test": {"status": "passed", "message": ""},
    }
    with Gradebook(course.db_url) as book:
        book.add_student("ada", first_name="Ada", last_name="<b>Lovelace</b>")
        submission = book.add_submission("mini", "ada")
        for grade in submission.notebooks[0].grades:
            if grade.name.endswith("-test"):
                passed = verdicts[grade.name]["status"] == "passed"
                grade.auto_score = grade.max_score if passed else 0.0
            else:
                grade.manual_score = 7.5
        comment = book.find_comment("why-mean", "mini", "mini", "ada")
        comment.manual_comment = "Think of one rich neighbour."
        book.db.commit()
    write_atomically(graded_path(course, "mini", "ada"), json.dumps(notebook))
    line = {"key": "k", "student": "ada", "verdicts": verdicts}
    write_atomically(log_path(course, "mini"), json.dumps(line) + "\n")
    done = autograder("feedback", "mini", "--json")
    assert done.exit_code == 0, done.output
    (path,) = json.loads(done.stdout)
    assert Path(path) == course.folder("feedback", "mini", "ada") / "mini.html"
    return Path(path).read_text(encoding="utf-8")


def test_it_tells_points_verdicts_messages_and_comments(page: str) -> None:
    text = re.sub(r"<[^>]+>", " ", page)
    assert "52.5 of 100 points" in text
    assert re.search(r"✗ mean-of-test:\s+failed", text) and "mean_of: off by 2" in text
    assert re.search(r"✓ running-sum-test:\s+passed", text)
    assert "Think of one rich neighbour." in text and "red" in text


def test_no_line_of_a_test_is_on_the_page(page: str, course: Course) -> None:
    source = course.solution_file("mini").read_text(encoding="utf-8")
    for test in re.findall(r'"id:[\w-]+-test".*?\n(.*?)(?=\n# %%)', source, re.S):
        for line in (line.strip() for line in test.splitlines()):
            assert len(line) < 10 or line not in page


def test_nothing_of_the_students_is_markup(page: str) -> None:
    assert "<script>alert" not in page and "<img src=http" not in page
    assert "<b>Lovelace</b>" not in page and "\x1b" not in page
    assert page.count("data:image/png;base64,") == 1 and '"><script>' not in page


def test_it_opens_without_asking_for_anything(page: str) -> None:
    assert "default-src 'none'" in page
    assert not re.search(r"""<(link|script|iframe)|url\(|@import""", page)
