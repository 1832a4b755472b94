"""Recording: one writer, nothing lost, doubled or changed whenever a grader is killed."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from concurrent.futures import Executor, Future
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from nbgrader.api import Gradebook

from autograder import pool
from autograder.build import build_assignment, read_sources
from autograder.cli import cli
from autograder.course import Course
from autograder.handin import read_timestamp
from autograder.record import BusyError, only_grader

KILLS = 20
ANSWERS = {
    "right": "def mean_of(x):\n    return sum(x) / len(x)",
    "wrong": "def mean_of(x):\n    return sum(x)",
    "stub": 'def mean_of(x):\n    """Return the mean of ``x``."""\n    raise NotImplementedError',
}


@pytest.fixture(autouse=True)
def pool_of_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """Grade in this process, whose warm process all tests here share; test_pool tests the pool."""

    class Here(Executor):
        def submit(self, function: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
            future: Future[Any] = Future()
            future.set_result(function(*args, **kwargs))
            return future

    monkeypatch.setattr(pool, "local_pool", lambda workers, warm=(): nullcontext(Here()))


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
    grade(handed_in)
    assert grade(handed_in, "--dry-run") == []
    assert grade(handed_in, "--dry-run", "--force", "--student", "s3") == ["s3"]


def names(rows: list[dict[str, Any]]) -> list[str]:
    return sorted(row["student"] for row in rows)


def test_changed_means_new_or_another_file_name_or_time(handed_in: Course) -> None:
    assert names(grade(handed_in, "--changed")) == [f"s{n}" for n in range(8)]
    assert grade(handed_in, "--changed") == []
    hand_in(handed_in, "s1", ANSWERS["right"])
    hand_in(handed_in, "s2", ANSWERS["stub"] + "\n# 2", timestamp_txt="2026-01-02 00:00:00 UTC")
    hand_in(handed_in, "new", ANSWERS["wrong"])
    folder = handed_in.folder("submitted", "mini", "s4")
    (folder / "mini.ipynb").rename(folder / "mini (1).ipynb")
    assert grade(handed_in, "--changed", "--dry-run") == ["new", "s1", "s2", "s4"]
    rows = {row["student"]: row for row in grade(handed_in, "--changed", "--student", "s1")}
    assert rows["s1"]["score"] == 40
    rows = {row["student"]: row for row in grade(handed_in, "--changed")}
    assert sorted(rows) == ["new", "s2", "s4"]
    assert "confirm that it is the right file" in " ".join(rows["s4"]["flags"])
    assert grade(handed_in, "--changed") == []


def test_changed_means_another_assignment_or_environment(handed_in: Course) -> None:
    chosen = ("--changed", "--student", "s0", "--student", "s1")
    grade(handed_in, "--student", "s0", "--student", "s1")
    with (handed_in.root / "nbgrader_config.py").open("a") as file:
        file.write('\nc.Autograder.limits = {"mini": {"test_seconds": 29}}\n')
    assert names(grade(handed_in, *chosen)) == ["s0", "s1"]
    path = handed_in.solutions / "mini.py"
    path.write_text(path.read_text().replace("the mean of 1 and 3 is 2", "1 and 3 have mean 2"))
    for source in read_sources(handed_in, ["mini"]):
        build_assignment(handed_in, source)
    assert names(grade(handed_in, *chosen)) == ["s0", "s1"]
    assert grade(handed_in, *chosen) == []


def test_nothing_changed_is_said_and_is_no_failure(handed_in: Course) -> None:
    command = ["--course-dir", str(handed_in.root), "grade", "mini", "--student", "s2"]
    assert CliRunner().invoke(cli, command).exit_code == 0
    run = CliRunner().invoke(cli, [*command, "--changed"])
    assert run.exit_code == 0 and "nothing changed" in run.stderr


def test_the_same_file_in_the_right_and_a_wrong_place_is_flagged_only_there(
    handed_in: Course,
) -> None:
    for student in ("s1", "s4"):
        hand_in(handed_in, student, ANSWERS["right"])
    folder = handed_in.folder("submitted", "mini", "s4")
    (folder / "mini.ipynb").rename(folder / "copy.ipynb")
    for students in (("s4", "s1"), ("s1", "s4")):
        chosen = [word for student in students for word in ("--student", student)]
        flags = {row["student"]: row["flags"] for row in grade(handed_in, "--force", *chosen)}
        assert flags["s1"] == []
        assert flags["s4"] == ["taken from 'copy.ipynb'; confirm that it is the right file"]


def test_one_student_can_be_graded_alone(handed_in: Course) -> None:
    assert [row["student"] for row in grade(handed_in, "--student", "s3")] == ["s3"]


@pytest.mark.parametrize(
    "text",
    [
        *("", "yesterday", "2026-13-45", "\x00\xff", "9" * 10_000, "12", "2026-01-01"),
        *("2026-01-01 00:00:00 /etc/localtime", "2026-01-01 00:00:00 ../../etc/localtime"),
    ],
    ids=lambda text: repr(text[:40]),
)
def test_a_timestamp_that_is_no_time_is_flagged(tmp_path: Path, text: str) -> None:
    (tmp_path / "timestamp.txt").write_text(text)
    flags: list[str] = []
    assert read_timestamp(tmp_path, flags) is None
    assert flags == ["timestamp.txt is not a time; ignored, so check whether it was late"]


@pytest.mark.parametrize(
    "text",
    [
        *("2026-01-02 03:04:05.678901 UTC", "2026-01-02 03:04:05", "2026-01-02T03:04:05Z\n"),
        *("2026-01-02 04:04:05 Europe/Rome", "2026-01-02 03:04 +0000", "2026-01-02 05:04:05+02:00"),
    ],
)
def test_a_timestamp_is_read_as_nbgrader_writes_it(tmp_path: Path, text: str) -> None:
    (tmp_path / "timestamp.txt").write_text(text)
    flags: list[str] = []
    time = read_timestamp(tmp_path, flags)
    assert (f"{time:%Y-%m-%d %H:%M}", flags) == ("2026-01-02 03:04", [])


def test_a_time_to_come_is_flagged(tmp_path: Path) -> None:
    (tmp_path / "timestamp.txt").write_text("9999-01-01 00:00:00 UTC")
    flags: list[str] = []
    assert read_timestamp(tmp_path, flags) is not None
    assert flags == ["timestamp.txt says 9999-01-01, which is still to come; check it"]


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
