"""Building: what students get, what the gradebook knows, and what a failed build leaves behind."""

import hashlib
import json
import subprocess
import sys
from collections import namedtuple
from collections.abc import Callable
from pathlib import Path

import nbformat
import pytest
from click.testing import Result
from nbgrader.api import Gradebook
from nbgrader.validator import Validator

from autograder import course as course_module
from autograder.build import build_assignment, read_sources, released_text, solved
from autograder.course import Course, read_notebook
from autograder.errors import (
    BadGradebook,
    BuildRefused,
    DiskFull,
    MarkerProblems,
    NbgraderFailed,
)

REPOSITORY = Path(__file__).resolve().parents[2]
Run = Callable[..., Result]


def build(course: Course) -> None:
    for source in read_sources(course, course.stems()):
        build_assignment(course, source)


def edit(course: Course, old: str, new: str) -> None:
    path = course.solution_file("mini")
    text = path.read_text(encoding="utf-8")
    assert text.count(old) == 1
    path.write_text(text.replace(old, new), encoding="utf-8")


def grade(course: Course, student: str = "ada") -> None:
    """Record a submission with a mark and a comment, as grading would."""
    with Gradebook(course.db_url, "unrolled") as gradebook:
        gradebook.add_student(student)
        gradebook.add_submission("mini", student)
        mark = gradebook.find_grade("mean-of-test", "mini", "mini", student)
        mark.auto_score = 40
        manual = gradebook.find_grade("why-mean", "mini", "mini", student)
        manual.manual_score = 12
        gradebook.find_comment("why-mean", "mini", "mini", student).manual_comment = "good"
        gradebook.db.commit()


def fingerprint(folder: Path) -> dict[str, str]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(p.relative_to(folder)): hashlib.md5(p.read_bytes()).hexdigest() for p in files}


def test_exercise_holds_stubs_and_no_answer(course: Course) -> None:
    build(course)
    text = course.exercise_notebook("mini").read_text(encoding="utf-8")
    for secret in ("sum(x) / len(x)", "cumsum", "secret", "outliers", "BEGIN", "np.arange(11)"):
        assert secret not in text, secret
    cells = {c.id: c for c in read_notebook(course.exercise_notebook("mini")).cells}
    assert cells["mean-of"].source.endswith("    raise NotImplementedError")
    assert cells["why-mean"].source == "*Your answer here.*"
    assert cells["mean-of-test"].source.startswith("assert mean_of([1.0, 3.0]) == 2.0")


def test_exercise_is_locked_but_for_the_answers(course: Course) -> None:
    build(course)
    notebook = read_notebook(course.exercise_notebook("mini"))
    editable = [cell.id for cell in notebook.cells if cell.metadata.get("editable", True)]
    assert editable == ["mean-of", "running-sum", "why-mean"]
    assert not any(cell.metadata.get("deletable", True) for cell in notebook.cells)


def test_gradebook_knows_cells_and_points(course: Course) -> None:
    build(course)
    with Gradebook(course.db_url, "unrolled") as gradebook:
        assert gradebook.find_assignment("mini").max_score == 100
        notebook = gradebook.find_notebook("mini", "mini")
        assert {cell.name: cell.max_score for cell in notebook.grade_cells} == {
            "mean-of-test": 40,
            "running-sum-test": 45,
            "why-mean": 15,
        }
        assert len(notebook.source_cells) == 10
        hidden = gradebook.find_source_cell("mean-of-test", "mini", "mini").source
        assert "secret" in hidden, "grading needs the hidden tests"


def test_building_twice_gives_the_same_bytes(course: Course) -> None:
    build(course)
    path = course.exercise_notebook("mini")
    before = path.read_bytes()
    again = build_assignment(course, *read_sources(course, ["mini"]))
    assert not again.changed
    assert path.read_bytes() == before
    assert before.endswith(b"}\n")
    assert not before.endswith(b"\n\n")
    assert b'"outputs": []' in before


def test_exercise_equals_the_release(course: Course) -> None:
    build(course)
    released = course.release_notebook("mini").read_bytes()
    assert course.exercise_notebook("mini").read_bytes() == released


def test_build_leaves_no_temporary_files(course: Course) -> None:
    build(course)
    build(course)
    assert not [path for path in course.root.rglob(".*") if path.name != ".ipynb_checkpoints"]


def validate(notebook: nbformat.NotebookNode, folder: Path) -> dict[str, list[dict[str, str]]]:
    path = folder / "mini.ipynb"
    nbformat.write(notebook, path)
    results: dict[str, list[dict[str, str]]] = Validator().validate(str(path))
    return results


def test_solved_exercise_validates_and_blank_one_says_not_implemented(
    course: Course, tmp_path: Path
) -> None:
    build(course)
    source = read_sources(course, ["mini"])[0]
    released = read_notebook(course.exercise_notebook("mini"))
    assert validate(solved(released, source), tmp_path) == {}
    failed = validate(released, tmp_path)
    assert list(failed) == ["failed"], "the checksums of the locked cells are right"
    errors = [cell["raw_error"] for cell in failed["failed"]]
    assert len(errors) == 3, "two tests and the written answer"
    assert sum("NotImplementedError" in error for error in errors) == 2
    assert sum("did not provide a response" in error for error in errors) == 1


def test_changed_locked_cell_is_noticed_by_validate(course: Course, tmp_path: Path) -> None:
    build(course)
    notebook = read_notebook(course.exercise_notebook("mini"))
    notebook.cells[4].source = "pass"
    assert list(validate(notebook, tmp_path)) == ["changed"]


def test_data_files_beside_the_exercise_reach_source_and_release(course: Course) -> None:
    folder = course.exercises / "mini"
    (folder / "data").mkdir(parents=True)
    (folder / "data" / "names.csv").write_text("a,b\n")
    (folder / "mini-backup.ipynb").write_text("{}")
    (folder / ".secret").write_text("x")
    build(course)
    for step in ("source", "release"):
        made = sorted(fingerprint(course.folder(step, "mini")))
        assert made == ["data/names.csv", "mini.ipynb"], step
    (folder / "data" / "names.csv").unlink()
    build(course)
    assert sorted(fingerprint(course.folder("release", "mini"))) == ["mini.ipynb"]


def test_rebuild_keeps_marks_and_takes_changed_texts(course: Course) -> None:
    build(course)
    grade(course)
    edit(course, "# ## The mean", "# ## The arithmetic mean")
    edit(course, "return sum(x) / len(x)", "return np.mean(x)")
    build(course)
    with Gradebook(course.db_url, "unrolled") as gradebook:
        submission = gradebook.find_submission("mini", "ada")
        assert submission.score == 52
        comment = gradebook.find_comment("why-mean", "mini", "mini", "ada")
        assert comment.manual_comment == "good"
        prose = gradebook.find_source_cell("prose-2", "mini", "mini").source
        assert prose == "## The arithmetic mean"


def test_new_cell_is_refused_once_submissions_exist_and_nothing_changes(course: Course) -> None:
    build(course)
    grade(course)
    folders = [course.folder("source", "mini"), course.folder("release", "mini"), course.exercises]
    before = [fingerprint(folder) for folder in folders]
    edit(course, "# %%\nprint", "# %%\n1 + 1\n\n# %%\nprint")
    with pytest.raises(BuildRefused) as caught:
        build(course)
    assert "adds demo-2" in caught.value.what
    assert "submissions are recorded" in caught.value.what
    assert "nbgrader db assignment remove mini" in caught.value.next_step
    assert [fingerprint(folder) for folder in folders] == before
    with Gradebook(course.db_url, "unrolled") as gradebook:
        assert gradebook.find_submission("mini", "ada").score == 52


def test_new_cell_is_taken_while_there_are_no_submissions(course: Course) -> None:
    build(course)
    edit(course, "# %%\nprint", "# %%\n1 + 1\n\n# %%\nprint")
    build(course)
    with Gradebook(course.db_url, "unrolled") as gradebook:
        assert len(gradebook.find_notebook("mini", "mini").source_cells) == 11


def test_wrong_markers_stop_before_anything_is_written(course: Course) -> None:
    edit(course, "points:40", "points:41")
    with pytest.raises(MarkerProblems, match="101, not 100"):
        build(course)
    assert not course.classroom.exists()
    assert not course.exercises.exists()


def test_problems_of_all_files_are_reported_together(course: Course, autograder: Run) -> None:
    edit(course, "points:40", "points:41")
    (course.solutions / "other.py").write_text("")
    result = autograder("build")
    assert result.exit_code == 2
    assert "2 problems in mini.py, other.py" in result.stderr
    assert result.stdout == ""


def test_failure_inside_nbgrader_is_one_line(
    course: Course, monkeypatch: pytest.MonkeyPatch
) -> None:
    from nbgrader.preprocessors import ClearHiddenTests

    build(course)
    before = fingerprint(course.folder("release", "mini"))

    def broken(*args: object) -> None:
        raise RuntimeError("the disk is on strike")

    monkeypatch.setattr(ClearHiddenTests, "preprocess_cell", broken)
    with pytest.raises(NbgraderFailed, match="the disk is on strike") as caught:
        build(course)
    assert "\n" not in str(caught.value)
    assert fingerprint(course.folder("release", "mini")) == before


def test_full_disk_stops_before_anything_is_written(
    course: Course, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(course_module.shutil, "disk_usage", lambda path: usage(1, 1, 2**20))
    with pytest.raises(DiskFull, match=r"1\.0 MiB free on this disk, 32\.0 MiB needed"):
        build(course)
    assert not course.classroom.exists()


def test_broken_gradebook_is_reported_and_kept(course: Course) -> None:
    course.classroom.mkdir()
    course.gradebook.write_bytes(b"not a database, but somebody's marks")
    with pytest.raises(BadGradebook, match="gradebook cannot be read"):
        build(course)
    assert course.gradebook.read_bytes() == b"not a database, but somebody's marks"


def test_check_is_silent_about_a_fresh_build(course: Course, autograder: Run) -> None:
    assert autograder("build").exit_code == 0
    result = autograder("build", "--check")
    assert result.exit_code == 0, result.output
    assert "exercises/ is what solutions/ makes" in result.stdout
    assert result.stderr == ""


def test_check_shows_the_difference_and_the_next_step(course: Course, autograder: Run) -> None:
    autograder("build")
    edit(course, 'is 2"\n', 'is two"\n')
    result = autograder("build", "--check")
    assert result.exit_code == 1
    lines = result.stdout.splitlines()
    assert '-assert mean_of([1.0, 3.0]) == 2.0, "mean_of: the mean of 1 and 3 is 2"' in lines
    assert '+assert mean_of([1.0, 3.0]) == 2.0, "mean_of: the mean of 1 and 3 is two"' in lines
    assert "mini" in result.stderr
    assert "make exercises" in result.stderr
    assert len(result.stdout.splitlines()) < 20


def test_check_notices_changed_metadata(course: Course, autograder: Run) -> None:
    autograder("build")
    path = course.exercise_notebook("mini")
    path.write_text(path.read_text().replace('"editable": false', '"editable": true', 1))
    result = autograder("build", "--check")
    assert result.exit_code == 1
    assert '-    "editable": true' in result.stdout


def test_check_changes_nothing(course: Course, autograder: Run) -> None:
    autograder("build")
    before = fingerprint(course.root)
    edit(course, "# ## The mean", "# ## Mean")
    autograder("build", "--check", "mini")
    after = fingerprint(course.root)
    before.pop("solutions/mini.py")
    after.pop("solutions/mini.py")
    assert after == before


def test_check_needs_no_gradebook_and_makes_none(course: Course, autograder: Run) -> None:
    result = autograder("build", "--check")
    assert result.exit_code == 1
    assert "exercises/mini/mini.ipynb is missing" in result.stdout
    assert not course.classroom.exists()


def test_check_reports_an_unreadable_exercise(course: Course, autograder: Run) -> None:
    course.exercise_notebook("mini").parent.mkdir(parents=True)
    course.exercise_notebook("mini").write_text("{")
    result = autograder("build", "--check")
    assert result.exit_code == 1
    assert "exercises/mini/mini.ipynb: not a readable notebook" in result.stdout


def test_check_reports_an_exercise_without_a_source(course: Course, autograder: Run) -> None:
    autograder("build")
    stray = course.exercise_notebook("ch99_gone")
    stray.parent.mkdir()
    stray.write_text("{}")
    result = autograder("build", "--check")
    assert result.exit_code == 1
    assert "exercises/ch99_gone has no solutions/ch99_gone.py" in result.stdout


def test_long_differences_are_cut(course: Course, autograder: Run) -> None:
    autograder("build")
    lines = "\n".join(f"print({n})" for n in range(200))
    edit(course, "print(running_sum([4, 5]))", lines)
    result = autograder("build", "--check")
    assert "more lines" in result.stdout
    assert len(result.stdout.splitlines()) <= 45


def test_json_says_what_was_built(course: Course, autograder: Run) -> None:
    result = autograder("build", "--json")
    assert json.loads(result.stdout)["assignments"] == [
        {
            "assignment": "mini",
            "cells": 10,
            "exercises": 2,
            "points": 100,
            "exercise": "exercises/mini/mini.ipynb",
            "changed": True,
        }
    ]
    checked = json.loads(autograder("build", "--check", "--json").stdout)
    assert checked["assignments"] == [{"assignment": "mini", "same": True, "difference": ""}]


def test_released_text_does_not_depend_on_the_place(course: Course) -> None:
    source = read_sources(course, ["mini"])[0]
    assert released_text(course, source) == released_text(course, source)


def test_building_loads_neither_torch_nor_matplotlib(course: Course) -> None:
    code = (
        "import sys; from pathlib import Path; from autograder.build import *\n"
        f"course = Course(Path({str(course.root)!r}))\n"
        "build_assignment(course, *read_sources(course, ['mini']))\n"
        "print([name for name in ('torch', 'matplotlib') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
    assert done.stderr == ""


def test_committed_exercises_are_what_the_sources_make() -> None:
    course = Course(REPOSITORY)
    sources = read_sources(course, course.stems())
    assert "ch05_bptt" in [source.stem for source in sources]
    for source in sources:
        made = released_text(course, source)
        committed = course.exercise_notebook(source.stem).read_text(encoding="utf-8")
        assert committed == made, f"{source.stem}: run make exercises"
