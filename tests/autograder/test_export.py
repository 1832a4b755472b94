"""Marks leave the gradebook as they are, into a table or into a platform's own sheet."""

import csv
import io
import json
import sqlite3
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from click.testing import Result
from nbgrader.api import Gradebook

from autograder.course import Course
from autograder.marks import read_marks

# id, last name, first name, email, platform id, what became of the submission
STUDENTS = (
    ("ada", "Lovelace", "Ada", "ada@example.org", "7001", "full"),
    ("ben", '=HYPERLINK("http://bad","x")', "Ben", "ben@example.org", "7002", "half"),
    ("zoe", "Müller, von", "Zoë", "zoe@example.org", "7003", "late"),
    ("cai", "蔡", 'O\'Brien "C"', "cai@example.org", "7004", "to review"),
    ("eve", "Absent", "Eve", "eve@example.org", "7005", "missing"),
    ("+mal", "Nobody", "", "", "", "half"),
)
DUE = datetime(2026, 1, 1)


@pytest.fixture
def marked(course: Course, autograder: Callable[..., Result]) -> Course:
    """A class with full, partial, late, unmarked and missing work, and hostile names."""
    assert autograder("build", "mini").exit_code == 0
    with Gradebook(course.db_url) as book:
        book.update_or_create_assignment("mini", duedate=DUE)
        for student, last, first, email, lms, what in STUDENTS:
            book.add_student(
                student, last_name=last, first_name=first, email=email, lms_user_id=lms
            )
            if what == "missing":
                continue
            when = DUE + timedelta(hours=30 if what == "late" else -1)
            submission = book.add_submission("mini", student, timestamp=when)
            for grade in submission.notebooks[0].grades:
                grade.auto_score = grade.max_score if "test" in grade.name else None
                if what == "half" and grade.name == "mean-of-test":
                    grade.auto_score = 0.0
                grade.needs_manual_grade = "test" not in grade.name and what == "to review"
                if "test" not in grade.name and what != "to review":
                    grade.manual_score = 7.25
            if what == "late":
                submission.notebooks[0].late_submission_penalty = 20.0
                book.grant_extension("mini", student, hours=6)
        book.db.commit()
    return course


def truth(course: Course) -> dict[str, float]:
    """Each student's points less the penalty, added up in SQL without nbgrader's classes."""
    with sqlite3.connect(course.gradebook) as connection:
        rows = connection.execute(
            "select s.student_id, sum(coalesce(g.manual_score, g.auto_score, 0)),"
            " max(coalesce(n.late_submission_penalty, 0))"
            " from submitted_assignment s join submitted_notebook n on n.assignment_id = s.id"
            " join grade g on g.notebook_id = n.id group by s.student_id"
        ).fetchall()
    return {student: max(0.0, points - penalty) for student, points, penalty in rows}


def table(data: bytes, delimiter: str = ",") -> list[list[str]]:
    text = data.decode("utf-8-sig")
    return list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter))


def test_the_table_has_a_line_for_every_student_and_the_gradebooks_marks(
    marked: Course, autograder: Callable[..., Result]
) -> None:
    assert autograder("export", "mini").exit_code == 0
    head, *rows = table((marked.classroom / "marks" / "mini.csv").read_bytes())
    found = {row[0].lstrip("'"): dict(zip(head, row, strict=True)) for row in rows}
    expected = truth(marked)
    assert set(found) == {student for student, *_ in STUDENTS}
    for student, row in found.items():
        assert row["score"] == (f"{expected[student]:g}" if student in expected else "")
        assert row["out_of"] == "100"
    assert found["zoe"]["late_penalty"] == "20" and found["zoe"]["last_name"] == "Müller, von"
    assert found["cai"]["status"] == "to review" and found["cai"]["last_name"] == "蔡"
    assert found["eve"]["status"] == "missing" and found["ada"]["status"] == "graded"


def test_no_cell_of_the_table_is_a_formula(
    marked: Course, autograder: Callable[..., Result]
) -> None:
    autograder("export", "mini")
    cells = [
        c for row in table((marked.classroom / "marks" / "mini.csv").read_bytes()) for c in row
    ]
    assert not [cell for cell in cells if cell.startswith(("=", "+", "-", "@", "\t"))]
    assert any("HYPERLINK" in cell for cell in cells)


def canvas_sheet(delimiter: str = ",", maximum: str = "100") -> str:
    out = io.StringIO()
    sheet = csv.writer(out, delimiter=delimiter, lineterminator="\r\n")
    head = ["Student", "ID", "SIS User ID", "SIS Login ID", "Section", "Quiz 1 (31)", "mini (32)"]
    sheet.writerow([*head, "Current Score"])
    sheet.writerow(["    Points Possible", "", "", "", "", "10", maximum, "(read only)"])
    for student, last, first, _, lms, _ in STUDENTS[:5]:
        sheet.writerow([f"{last}, {first}", lms, f"u-{lms}", student.upper(), "A", "4", "", "40"])
    sheet.writerow(["Stranger, A", "9", "u-9", "str", "A", "8", "77", "50"])
    sheet.writerow(["Student, Test", "10", "", "a0b1", "A", "", "", ""])
    return out.getvalue()


@pytest.mark.parametrize("delimiter", [",", ";"])
def test_a_canvas_sheet_comes_back_with_only_the_assignments_marks_changed(
    marked: Course, autograder: Callable[..., Result], tmp_path: Path, delimiter: str
) -> None:
    path, out = tmp_path / "grades.csv", tmp_path / "filled.csv"
    path.write_bytes(b"\xef\xbb\xbf" + canvas_sheet(delimiter).encode())
    done = autograder("export", "mini", "--to", "canvas", "--sheet", str(path), "--out", str(out))
    assert done.exit_code == 1, done.output  # some could not be matched
    assert out.read_bytes().startswith(b"\xef\xbb\xbf") and b"\r\n" in out.read_bytes()
    before, after = table(path.read_bytes(), delimiter), table(out.read_bytes(), delimiter)
    expected = truth(marked)
    for old, new in zip(before, after, strict=True):
        assert old[:6] == new[:6] and old[7:] == new[7:]
        student = old[3].lower()
        if student in expected:
            number = f"{expected[student]:.2f}"
            assert new[6] == (number.replace(".", ",") if delimiter == ";" else number)
        else:
            assert new[6] == old[6]
    assert "1 have a mark and no row in the sheet: +mal" in done.output
    assert "Stranger, A" in done.output and "Student, Test" not in done.output


def test_a_sheet_with_another_maximum_is_refused(
    marked: Course, autograder: Callable[..., Result], tmp_path: Path
) -> None:
    path = tmp_path / "grades.csv"
    path.write_text(canvas_sheet(maximum="10"), encoding="utf-8")
    done = autograder("export", "mini", "--to", "canvas", "--sheet", str(path))
    assert done.exit_code == 2
    assert "mini (32) has 10 points, the assignment 100" in done.output


def test_a_missing_canvas_column_is_named_with_those_that_exist(
    marked: Course, autograder: Callable[..., Result], tmp_path: Path
) -> None:
    path = tmp_path / "grades.csv"
    path.write_text(canvas_sheet().replace("mini (32)", "Homework 1 (32)"), encoding="utf-8")
    done = autograder("export", "mini", "--to", "canvas", "--sheet", str(path))
    assert done.exit_code == 2 and "Quiz 1, Homework 1" in done.output
    arguments = ("--sheet", str(path), "--column", "Homework 1")
    assert autograder("export", "mini", "--to", "canvas", *arguments).exit_code == 1


MOODLE_GERMAN = (
    "Identifikator;Vollständiger Name;E-Mail-Adresse;Status;Bewertung;Bestwertung;"
    "Bewertung kann geändert werden;Zuletzt geändert (Bewertung);Feedback als Kommentar\n"
    '"Teilnehmer/in 11";Ada Lovelace;ada@example.org;Abgegeben;;100,00;Ja;-;\n'
    '"Teilnehmer/in 12";"Zoë Müller, von";ZOE@example.org;Abgegeben;12,50;100,00;Nein;-;gut\n'
    '"Teilnehmer/in 13";Eve Absent;eve@example.org;Keine Abgabe;;100,00;Ja;-;\n'
)


def test_a_german_moodle_sheet_keeps_its_language_and_its_decimal_comma(
    marked: Course, autograder: Callable[..., Result], tmp_path: Path
) -> None:
    path, out = tmp_path / "worksheet.csv", tmp_path / "filled.csv"
    path.write_text(MOODLE_GERMAN, encoding="utf-8")
    arguments = ("--to", "moodle", "--sheet", str(path), "--out", str(out), "--json")
    done = autograder("export", "mini", *arguments)
    matched = json.loads(done.stdout)
    before, after = table(path.read_bytes(), ";"), table(out.read_bytes(), ";")
    assert after[0] == before[0]
    assert after[1][4] == f"{truth(marked)['ada']:.2f}".replace(".", ",")
    assert after[2] == before[2] and matched["locked"] == ["zoe"]  # may not be changed there
    assert after[3] == before[3]  # nothing handed in: left empty
    assert set(matched["no_row"]) == {"ben", "cai", "+mal"} and matched["entered"] == 1


def test_what_is_no_moodle_sheet_is_refused_with_the_way_to_get_one(
    marked: Course, autograder: Callable[..., Result], tmp_path: Path
) -> None:
    path = tmp_path / "notes.csv"
    path.write_text("name,remark\nada,fine\n", encoding="utf-8")
    done = autograder("export", "mini", "--to", "moodle", "--sheet", str(path))
    assert done.exit_code == 2 and "Offline grading worksheet" in done.output
    assert autograder("export", "mini", "--to", "moodle").exit_code == 2


def test_two_rows_for_one_student_get_one_mark(
    marked: Course, autograder: Callable[..., Result], tmp_path: Path
) -> None:
    path, out = tmp_path / "grades.csv", tmp_path / "filled.csv"
    twice = canvas_sheet() + "Lovelace again,7001,u-7001,ADA,B,,,\r\n"
    path.write_text(twice, encoding="utf-8", newline="")
    done = autograder("export", "mini", "--to", "canvas", "--sheet", str(path), "--out", str(out))
    assert "Lovelace again" in done.output
    assert table(out.read_bytes())[-1][6] == ""


def test_marks_are_nbgraders_own_sums(marked: Course) -> None:
    with Gradebook(marked.db_url) as book:
        theirs = {s.student_id: s for s in book.assignment_submissions("mini")}
        for mark in read_marks(marked, "mini"):
            if mark.student in theirs:
                submission = theirs[mark.student]
                assert mark.points == submission.score
                assert mark.penalty == submission.late_submission_penalty
                assert mark.out_of == submission.max_score
                assert mark.late_seconds == submission.total_seconds_late
            else:
                assert (mark.points, mark.status) == (None, "missing")
