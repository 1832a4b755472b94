"""Recording: one writer, nothing lost, doubled or changed whenever a grader is killed."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from nbgrader.api import Gradebook

from autograder.build import build_assignment, read_sources
from autograder.cli import cli
from autograder.course import Course
from autograder.record import BusyError, only_grader, read_timestamp

KILLS = 20
ANSWERS = {
    "right": "def mean_of(x):\n    return sum(x) / len(x)",
    "wrong": "def mean_of(x):\n    return sum(x)",
    "stub": 'def mean_of(x):\n    """Return the mean of ``x``."""\n    raise NotImplementedError',
}


@pytest.fixture
def handed_in(course: Course) -> Course:
    """The miniature course with eight submissions: right, wrong and blank ones."""
    for source in read_sources(course, ["mini"]):
        build_assignment(course, source)
    for number in range(8):
        hand_in(course, f"s{number}", list(ANSWERS.values())[number % 3] + f"\n# {number}")
    return course


def hand_in(course: Course, student: str, answer: str, **files: str) -> None:
    notebook = json.loads(course.release_notebook("mini").read_text())
    for cell in notebook["cells"]:
        if cell["metadata"]["nbgrader"]["grade_id"] == "mean-of":
            cell["source"] = answer
        if cell["metadata"]["nbgrader"]["grade_id"] == "why-mean":
            cell["source"] = "Because of outliers."
    folder = course.folder("submitted", "mini", student)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "mini.ipynb").write_text(json.dumps(notebook))
    for name, text in files.items():
        (folder / name.replace("_", ".")).write_text(text)


def grade(course: Course, *args: str) -> Any:
    run = CliRunner().invoke(
        cli, ["--course-dir", str(course.root), "grade", "mini", "--json", *args]
    )
    assert run.exit_code == 0, run.output
    return json.loads(run.stdout)


def contents(course: Course) -> list[tuple[Any, ...]]:
    """Everything about marks in the gradebook."""
    with Gradebook(course.db_url) as gradebook:
        rows: list[tuple[Any, ...]] = []
        for submission in gradebook.assignment_submissions("mini"):
            for notebook in submission.notebooks:
                rows += [
                    (submission.student.id, g.name, g.auto_score, g.manual_score)
                    for g in notebook.grades
                ]
                rows += [
                    (submission.student.id, c.name, c.auto_comment, c.manual_comment)
                    for c in notebook.comments
                ]
    return sorted(rows, key=str)


def mark_by_hand(course: Course, student: str) -> None:
    with Gradebook(course.db_url) as gradebook:
        gradebook.find_grade("why-mean", "mini", "mini", student).manual_score = 11
        comment = gradebook.find_comment("why-mean", "mini", "mini", student)
        comment.manual_comment = "well said"
        gradebook.db.commit()


def start(course: Course) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "autograder.cli", "--course-dir", str(course.root)]
    return subprocess.Popen(
        [*command, "grade", "mini", "--force"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def test_killing_the_grader_at_any_moment_loses_doubles_and_changes_nothing(
    handed_in: Course,
) -> None:
    grade(handed_in)
    mark_by_hand(handed_in, "s0")
    undisturbed = contents(handed_in)
    hand_in(handed_in, "s9", ANSWERS["right"])
    chance = random.Random(5)
    for _ in range(KILLS):
        grader = start(handed_in)
        time.sleep(chance.uniform(0.3, 6.0))
        os.kill(grader.pid, signal.SIGKILL)
        grader.wait()
    rows = grade(handed_in)
    assert {row["student"] for row in rows} == {f"s{n}" for n in (*range(8), 9)}
    after = contents(handed_in)
    assert [row for row in after if row[0] != "s9"] == undisturbed
    assert ("s9", "mean-of-test", 40.0, None) in after
    assert ("s0", "why-mean", None, 11.0) in after
    assert ("s0", "why-mean", None, "well said") in after


def test_no_process_outlives_a_killed_grader(handed_in: Course) -> None:
    grader = start(handed_in)
    time.sleep(4)
    os.kill(grader.pid, signal.SIGKILL)
    grader.wait()
    for _ in range(50):
        left = [p for p in processes() if str(handed_in.root) in p or "autograder.zygote" in p]
        if not left:
            return
        time.sleep(0.2)
    mine = [line for line in left if str(handed_in.root) in line]
    assert not mine, mine


def processes() -> list[str]:
    lines = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            lines.append(path.read_bytes().replace(b"\0", b" ").decode(errors="replace"))
        except OSError:
            continue
    return lines


def test_a_second_grader_is_refused_with_a_clear_line(handed_in: Course) -> None:
    with only_grader(handed_in):
        run = CliRunner().invoke(cli, ["--course-dir", str(handed_in.root), "grade", "mini"])
    assert run.exit_code == 2
    assert "is being graded by process" in run.stderr
    with only_grader(handed_in), pytest.raises(BusyError), only_grader(handed_in):
        pass


def test_a_changed_submission_is_graded_again_and_others_are_not(handed_in: Course) -> None:
    grade(handed_in)
    hand_in(handed_in, "s1", ANSWERS["right"])
    rows = {row["student"]: row for row in grade(handed_in)}
    assert rows["s1"]["status"] == "graded" and rows["s1"]["score"] == 40
    assert {row["status"] for name, row in rows.items() if name != "s1"} == {"unchanged"}


def test_a_dry_run_says_who_and_writes_nothing(handed_in: Course) -> None:
    assert grade(handed_in, "--dry-run") == [f"s{n}" for n in range(8)]
    assert contents(handed_in) == []


def test_one_student_can_be_graded_alone(handed_in: Course) -> None:
    assert [row["student"] for row in grade(handed_in, "--student", "s3")] == ["s3"]


@pytest.mark.parametrize(
    "text", ["", "yesterday", "2026-13-45", "\x00\xff", "9" * 10_000], ids=repr
)
def test_a_timestamp_that_is_no_time_is_flagged(tmp_path: Path, text: str) -> None:
    (tmp_path / "timestamp.txt").write_text(text[:200])
    flags: list[str] = []
    assert read_timestamp(tmp_path, flags) is None
    assert flags == ["timestamp.txt is not a time; ignored"]


def test_a_timestamp_that_is_no_file_is_flagged(tmp_path: Path) -> None:
    (tmp_path / "timestamp.txt").symlink_to("/etc/hostname")
    flags: list[str] = []
    assert read_timestamp(tmp_path, flags) is None
    assert flags == ["timestamp.txt is not an ordinary file; ignored"]


def test_late_work_loses_what_the_late_policy_takes(handed_in: Course) -> None:
    (handed_in.root / "late.py").write_text(
        "from nbgrader.plugins import BasePlugin\n"
        "class Half(BasePlugin):\n"
        "    def late_submission_penalty(self, student_id, score, total_seconds_late):\n"
        "        return score / 2\n"
    )
    with (handed_in.root / "nbgrader_config.py").open("a") as file:
        file.write(f"\nsys.path.insert(0, {str(handed_in.root)!r})\n")
        file.write('c.AssignLatePenalties.plugin_class = "late.Half"\n')
    with Gradebook(handed_in.db_url) as gradebook:
        gradebook.update_or_create_assignment("mini", duedate="2026-01-01 00:00:00 UTC")
    hand_in(handed_in, "s0", ANSWERS["right"], timestamp_txt="2026-01-02 00:00:00 UTC")
    grade(handed_in, "--student", "s0")
    with Gradebook(handed_in.db_url) as gradebook:
        submission = gradebook.find_submission("mini", "s0")
        assert (submission.score, submission.late_submission_penalty) == (40, 20)
