"""nbval runs both views of every exercise, as a teacher and as a student who opens it would.

The source notebook (answers and hidden tests in it): every cell succeeds. The released notebook:
a cell succeeds, or it stops at an unwritten answer (NotImplementedError), or it misses a name that
such a stopped cell would have bound (a consequence). Nothing else may fail.
"""

import ast
import os
import re
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import nbformat
import pytest

from autograder.build import read_sources
from autograder.course import Course, read_notebook

COURSE = Course(Path(__file__).resolve().parents[2])
STEMS = COURSE.stems()


def run_nbval(path: Path) -> dict[int, str]:
    """Run a notebook through nbval; return the report of each code cell, empty where it passed.

    Outputs are not compared: none are stored in git.
    """
    report = path.with_suffix(".xml")
    options = ["--nbval-lax", "--nbval-cell-timeout=60", f"--junitxml={report}", "-p", "no:xdist"]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *options, "-p", "no:cacheprovider", path.name],
        cwd=path.parent,
        env={**os.environ, "PYTEST_ADDOPTS": "", "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert report.is_file(), done.stdout + done.stderr
    cells = ElementTree.parse(report).iter("testcase")
    return {_number(cell): "".join(_failures(cell)) for cell in cells}


def _number(case: ElementTree.Element) -> int:
    match = re.search(r"Cell (\d+)", case.attrib["name"])
    assert match, case.attrib
    return int(match[1])


def _failures(case: ElementTree.Element) -> list[str]:
    return [
        child.text or child.attrib.get("message", "") for child in case if child.tag != "skipped"
    ]


def _bound(code: str) -> set[str]:
    nodes = [node for node in ast.walk(ast.parse(code)) if isinstance(node, ast.Name)]
    return {node.id for node in nodes if isinstance(node.ctx, ast.Store)}


def _raised(report: str) -> tuple[str, str]:
    """Return type and message of the error that ended the cell: the last one of the traceback."""
    plain = re.sub(r"(#x1B|\x1b)\[[0-9;]*m", "", report)  # colours
    errors = re.findall(
        r"^(\w+(?:Error|Exception|Exit|Interrupt))(?:: (.*))?$", plain, re.MULTILINE
    )
    return errors[-1] if errors else ("", plain)


def unexpected(notebook: nbformat.NotebookNode, reports: dict[int, str]) -> list[str]:
    """Return the failures of a released notebook that an unwritten answer does not explain."""
    found: list[str] = []
    missing: set[str] = set()
    for number, cell in enumerate(cell for cell in notebook.cells if cell.cell_type == "code"):
        if not reports[number]:
            continue
        kind, message = _raised(reports[number])
        name = re.fullmatch(r"name '(\w+)' is not defined", message)
        if kind == "NotImplementedError" or (kind == "NameError" and name and name[1] in missing):
            missing |= _bound(cell.source)
        else:
            found.append(f"{cell.id}: {kind}: {message}")
    return found


@pytest.mark.parametrize("stem", STEMS)
def test_every_cell_of_the_solution_notebook_succeeds(stem: str, tmp_path: Path) -> None:
    notebook = read_sources(COURSE, [stem])[0].notebook()
    path = tmp_path / f"{stem}.ipynb"
    nbformat.write(notebook, path)
    reports = run_nbval(path)
    assert len(reports) == sum(cell.cell_type == "code" for cell in notebook.cells)
    assert not {number: report for number, report in reports.items() if report}


@pytest.mark.parametrize("stem", STEMS)
def test_released_notebook_fails_only_where_answers_are_missing(stem: str, tmp_path: Path) -> None:
    notebook = read_notebook(COURSE.exercise_notebook(stem))
    path = tmp_path / f"{stem}.ipynb"
    nbformat.write(notebook, path)
    reports = run_nbval(path)
    assert len(reports) == sum(cell.cell_type == "code" for cell in notebook.cells)
    assert unexpected(notebook, reports) == []
    stopped = [text for text in reports.values() if _raised(text)[0] == "NotImplementedError"]
    assert len(stopped) >= len(read_sources(COURSE, [stem])[0].of_kind("exercise"))


def test_failure_that_no_missing_answer_explains_is_reported(tmp_path: Path) -> None:
    """The rule above can fail: a typo, a wrong name and a plain error are all seen."""
    code = [
        "def f():\n    raise NotImplementedError",
        "y = f()",
        "print(y)",
        "print(z)",
        "1 / 0",
        "# raise NotImplementedError\n[][1]",
    ]
    cells = [nbformat.v4.new_code_cell(source, id=f"c{n}") for n, source in enumerate(code)]
    spec = {"name": "python3", "display_name": "Python 3", "language": "python"}
    notebook = nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": spec})
    path = tmp_path / "typo.ipynb"
    nbformat.write(notebook, path)
    reports = run_nbval(path)
    assert [bool(reports[number]) for number in range(6)] == [False, True, True, True, True, True]
    assert [each.split(":")[0] for each in unexpected(notebook, reports)] == ["c3", "c4", "c5"]
