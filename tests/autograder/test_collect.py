"""Zips from Moodle and Canvas are sorted to their students, and nothing in a name is trusted."""

import json
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result
from nbgrader.api import Gradebook

from autograder.course import Course

Run = Callable[..., Result]


@pytest.fixture
def enrolled(course: Course, autograder: Run) -> Course:
    """Four students; two of them share a name."""
    assert autograder("build", "mini").exit_code == 0
    with Gradebook(course.db_url) as book:
        book.add_student(
            "ada", first_name="Ada", last_name="Lovelace", email="ada@x.org", lms_user_id="7001"
        )
        book.add_student("zoe", first_name="Zoë", last_name="Müller", email="zoe@x.org")
        book.add_student("sam1", first_name="Sam", last_name="Smith", email="sam1@x.org")
        book.add_student("sam2", first_name="Sam", last_name="Smith", email="sam2@x.org")
    return course


def archive(path: Path, files: dict[str, str]) -> str:
    with zipfile.ZipFile(path, "w") as file:
        for name, text in files.items():
            file.writestr(zipfile.ZipInfo(name, (2026, 3, 4, 5, 6, 8)), text)
    return str(path)


def submitted(course: Course, student: str) -> str:
    return (course.folder("submitted", "mini", student) / "mini.ipynb").read_text()


MOODLE = {
    "Ada Lovelace_31_assignsubmission_file_/mini.ipynb": "ada's",
    "Zoë Müller_32_assignsubmission_file_/mini (1).ipynb": "zoe's",
    "Sam Smith_33_assignsubmission_file_mini.ipynb": "sam1's",
    "Sam Smith_34_assignsubmission_file_mini.ipynb": "sam2's",
    "Ada Lovelace_31_assignsubmission_onlinetext_onlinetext.html": "<p>hello</p>",
}
WORKSHEET = (
    "Identifier,Full name,Email address,Status,Grade,Maximum Grade,Grade can be changed\n"
    "Participant 31,Ada Lovelace,ada@x.org,,,100.00,Yes\n"
    "Participant 32,Zoë Müller,ZOE@x.org,,,100.00,Yes\n"
    "Participant 33,Sam Smith,sam1@x.org,,,100.00,Yes\n"
    "Participant 34,Sam Smith,sam2@x.org,,,100.00,Yes\n"
)


def test_moodles_zip_with_its_worksheet_finds_everybody(
    enrolled: Course, autograder: Run, tmp_path: Path
) -> None:
    sheet = tmp_path / "worksheet.csv"
    sheet.write_text(WORKSHEET, encoding="utf-8")
    zipped = archive(tmp_path / "all.zip", MOODLE)
    done = autograder("collect", "mini", zipped, "--sheet", str(sheet), "--times")
    assert done.exit_code == 0, done.output
    for student in ("ada", "zoe", "sam1", "sam2"):
        assert submitted(enrolled, student) == f"{student}'s"
    stamp = enrolled.folder("submitted", "mini", "ada") / "timestamp.txt"
    assert stamp.read_text() == "2026-03-04 05:06:08 UTC\n"


def test_without_the_worksheet_a_name_that_two_share_is_nobodys(
    enrolled: Course, autograder: Run, tmp_path: Path
) -> None:
    done = autograder("collect", "mini", archive(tmp_path / "all.zip", MOODLE), "--json")
    told = json.loads(done.stdout)
    assert done.exit_code == 1
    assert told["students"] == {"ada": "new", "zoe": "new"}
    assert [line.split(" (")[0] for line in told["unmatched"]] == ["Sam Smith"] * 2
    assert not enrolled.folder("submitted", "mini", "sam1").exists()


def test_canvas_numbers_names_and_second_attempts_are_understood(
    enrolled: Course, autograder: Run, tmp_path: Path
) -> None:
    files = {
        "lovelaceada_7001_555_mini.ipynb": "first",
        "lovelaceada_LATE_7001_556_mini-1.ipynb": "second",
        "mullerzoe_7002_557_mini.ipynb": "zoe's",
        "lovelaceada_7001_558_notes.pdf": "%PDF",
    }
    done = autograder("collect", "mini", archive(tmp_path / "submissions.zip", files))
    assert done.exit_code == 0, done.output
    assert submitted(enrolled, "ada") == "second" and submitted(enrolled, "zoe") == "zoe's"
    assert "notes.pdf" in done.output and "an earlier attempt" in done.output


def test_what_lay_there_before_is_kept(enrolled: Course, autograder: Run, tmp_path: Path) -> None:
    for text in ("old", "new", "new"):
        files = {"lovelaceada_7001_555_mini.ipynb": text}
        done = autograder("collect", "mini", archive(tmp_path / "a.zip", files), "--json")
    assert json.loads(done.stdout)["students"] == {"ada": "same"}
    kept = list((enrolled.classroom / "replaced" / "mini" / "ada").iterdir())
    assert [path.read_text() for path in kept] == ["old"] and submitted(enrolled, "ada") == "new"


def test_a_dry_run_writes_nothing(enrolled: Course, autograder: Run, tmp_path: Path) -> None:
    files = {"lovelaceada_7001_555_mini.ipynb": "x"}
    done = autograder("collect", "mini", archive(tmp_path / "a.zip", files), "--dry-run")
    assert done.exit_code == 0 and "ada\tnew" in done.stdout
    assert not enrolled.folder("submitted", "mini", "ada").exists()


@pytest.mark.parametrize(
    "name",
    [
        "../../../../ada_7001_1_x.ipynb",
        "Ada Lovelace_31_assignsubmission_file_/../../../x.ipynb",
        "/etc/lovelaceada_7001_1_mini.ipynb",
        "..\\..\\lovelaceada_7001_1_mini.ipynb",
    ],
)
def test_a_name_in_the_zip_is_never_a_path(
    enrolled: Course, autograder: Run, tmp_path: Path, name: str
) -> None:
    before = {path for path in tmp_path.rglob("*")}
    zipped = archive(tmp_path / "evil.zip", {name: "x"})
    autograder("collect", "mini", zipped)
    new = {path for path in tmp_path.rglob("*")} - before - {Path(zipped)}
    allowed = enrolled.classroom / "submitted" / "ada"
    assert all(path.is_relative_to(allowed) or allowed.is_relative_to(path) for path in new)


def test_what_is_no_zip_is_said_in_one_line(
    enrolled: Course, autograder: Run, tmp_path: Path
) -> None:
    bad = tmp_path / "bad.zip"
    bad.write_text("no zip", encoding="utf-8")
    done = autograder("collect", "mini", str(bad))
    assert done.exit_code == 2 and "cannot be read as a zip archive" in done.stderr
