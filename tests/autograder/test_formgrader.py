"""nbgrader's own tools work on what the grader recorded: formgrader, validate, feedback, export."""

import json
import os
import re
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from autograder.build import build_assignment, read_sources
from autograder.cli import cli
from autograder.course import Course

Get = Callable[[str], str]


@pytest.fixture
def graded(course: Course) -> Course:
    """The miniature course with one graded submission that waits for a person."""
    for source in read_sources(course, ["mini"]):
        build_assignment(course, source)
    notebook = json.loads(course.release_notebook("mini").read_text())
    for cell in notebook["cells"]:
        if cell["metadata"]["nbgrader"]["grade_id"] == "why-mean":
            cell["source"] = "When there are outliers."
        if cell["metadata"]["nbgrader"]["grade_id"] == "mean-of":
            cell["source"] = "def mean_of(x):\n    return sum(x) / len(x)"
    folder = course.folder("submitted", "mini", "ada")
    folder.mkdir(parents=True)
    (folder / "mini.ipynb").write_text(json.dumps(notebook))
    done = CliRunner().invoke(cli, ["--course-dir", str(course.root), "grade", "mini", "--json"])
    assert json.loads(done.stdout)[0]["score"] == 40, done.output
    return course


@pytest.fixture
def formgrader(graded: Course, tmp_path: Path) -> Iterator[Get]:
    """Gets a page of formgrader from a server that runs in the course's folder."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [
        *(sys.executable, "-m", "jupyter", "server", "--no-browser", "--allow-root"),
        *("--ServerApp.token=secret", f"--ServerApp.port={port}", "--ServerApp.ip=127.0.0.1"),
        "--ServerApp.jpserver_extensions={'nbgrader.server_extensions.formgrader': True}",
    ]
    environment = os.environ | {"JUPYTER_CONFIG_DIR": str(tmp_path), "HOME": str(tmp_path)}
    with open(tmp_path / "log", "w") as log:
        server = subprocess.Popen(command, cwd=graded.root, env=environment, stderr=log)

    def get(path: str) -> str:
        request = urllib.request.Request(f"http://127.0.0.1:{port}/{path}")
        request.add_header("Authorization", "token secret")
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.read().decode()

    for _ in range(100):
        try:
            get("api/status")
            break
        except (urllib.error.URLError, ConnectionError):
            time.sleep(0.3)
    yield get
    server.terminate()
    server.wait(20)


def test_formgrader_shows_class_assignment_and_submission(formgrader: Get) -> None:
    assert "mini" in formgrader("formgrader/api/assignments")
    submissions = json.loads(formgrader("formgrader/api/submissions/mini"))
    assert [(s["student"], s["score"], s["needs_manual_grade"]) for s in submissions] == [
        ("ada", 40, True)
    ]
    notebooks = json.loads(formgrader("formgrader/api/submitted_notebooks/mini/mini"))
    page = formgrader(f"formgrader/submissions/{notebooks[0]['id']}")
    assert "When there are outliers." in page
    assert "passed: 40 of 40 points" in page
    assert "NotImplementedError" in page
    assert "0.5" not in re.sub(r"<(style|script).*?</\1>", "", page, flags=re.S)


def test_feedback_and_export_work_from_nbgraders_own_commands(graded: Course) -> None:
    for arguments in (["generate_feedback", "mini"], ["export", "--to", "marks.csv"]):
        command = [sys.executable, "-m", "nbgrader", *arguments]
        done = subprocess.run(command, cwd=graded.root, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr[-2000:]
    page = (graded.folder("feedback", "mini", "ada") / "mini.html").read_text()
    assert "passed: 40 of 40 points" in page and "linspace" not in page
    assert "mini" in (graded.root / "marks.csv").read_text()


def test_feedback_is_sanitised(graded: Course) -> None:
    folder = graded.folder("submitted", "mini", "ada")
    text = (folder / "mini.ipynb").read_text()
    attack = "<script>alert(1)</script><img src=x onerror=alert(2)>"
    (folder / "mini.ipynb").write_text(text.replace("When there are outliers.", attack))
    args = ["--course-dir", str(graded.root), "grade", "mini"]
    assert CliRunner().invoke(cli, args).exit_code == 0
    command = [sys.executable, "-m", "nbgrader", "generate_feedback", "mini", "--force"]
    assert subprocess.run(command, cwd=graded.root, capture_output=True).returncode == 0
    page = (graded.folder("feedback", "mini", "ada") / "mini.html").read_text()
    assert "alert(1)" in page and "<script>alert" not in page and "<img src=x" not in page
