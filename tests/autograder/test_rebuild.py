"""Rebuilding: from a submission only the answers are taken, and every irregularity is flagged."""

import copy
import json
from collections.abc import Callable
from typing import Any

import pytest

from autograder.assignment import Assignment, load
from autograder.build import build_assignment, read_sources
from autograder.course import Course
from autograder.rebuild import MAX_EXTRA_CELLS, MAX_SOURCE, rebuild

Notebook = dict[str, Any]
ANSWER = "def mean_of(x):\n    return np.mean(x)"


@pytest.fixture
def assignment(course: Course) -> Assignment:
    for source in read_sources(course, ["mini"]):
        build_assignment(course, source)
    return load("mini", course.source_notebook("mini"), course.release_notebook("mini"))


@pytest.fixture
def notebook(assignment: Assignment, course: Course) -> Notebook:
    """A submission with one answer."""
    made = json.loads(course.release_notebook("mini").read_text())
    at(made, "mean-of")["source"] = ANSWER
    return made


def at(notebook: Any, grade_id: str) -> Any:
    return next(
        c
        for c in notebook["cells"]
        if c["metadata"].get("nbgrader", {}).get("grade_id") == grade_id
    )


def built(assignment: Assignment, notebook: Any) -> tuple[Any, str]:
    data = notebook if isinstance(notebook, bytes) else json.dumps(notebook).encode()
    result = rebuild(assignment, data)
    return result.notebook, "\n".join(result.flags)


def skeleton(notebook: Any) -> list[tuple[str, str, Any]]:
    """Everything about a notebook's released cells but the students' answers."""
    cells = [c for c in notebook["cells"] if "nbgrader" in c["metadata"]]
    return [
        (c["cell_type"], c["metadata"]["nbgrader"]["grade_id"], c["metadata"]["nbgrader"]["points"])
        if c["metadata"]["nbgrader"]["grade"]
        else (c["cell_type"], c["metadata"]["nbgrader"]["grade_id"], None)
        for c in cells
    ]


def test_an_honest_submission_is_taken_as_it_is(assignment: Assignment, notebook: Notebook) -> None:
    made, flags = built(assignment, notebook)
    assert flags == ""
    assert at(made, "mean-of")["source"] == ANSWER
    assert [c["source"] for c in made["cells"]] == ["".join(c["source"]) for c in notebook["cells"]]


def drop_test(n: Notebook) -> None:
    n["cells"].remove(at(n, "mean-of-test"))


def change_test(n: Notebook) -> None:
    at(n, "mean-of-test")["source"] = "pass"


def change_points(n: Notebook) -> None:
    at(n, "mean-of-test")["metadata"]["nbgrader"]["points"] = 1000


def flip_flags(n: Notebook) -> None:
    mark = at(n, "mean-of-test")["metadata"]["nbgrader"]
    mark.update(solution=True, grade=False, locked=False)


def tag_skip(n: Notebook) -> None:
    at(n, "mean-of-test")["metadata"]["tags"] = ["skip-execution", "raises-exception"]


def future_schema(n: Notebook) -> None:
    at(n, "mean-of-test")["metadata"]["nbgrader"]["schema_version"] = 99


def odd_types(n: Notebook) -> None:
    at(n, "mean-of-test")["metadata"]["nbgrader"] = ["not", "a", "dict"]
    n["cells"].append("not a cell")
    n["metadata"] = 3


def reorder(n: Notebook) -> None:
    n["cells"].reverse()


def retype(n: Notebook) -> None:
    at(n, "mean-of")["cell_type"] = "markdown"


def copy_test(n: Notebook) -> None:
    n["cells"].append(copy.deepcopy(at(n, "mean-of-test")))


@pytest.mark.parametrize(
    ("edit", "flag"),
    [
        (drop_test, "the test cell was deleted; put back"),
        (change_test, "the test cell was changed; restored"),
        (change_points, ""),
        (flip_flags, ""),
        (tag_skip, ""),
        (future_schema, ""),
        (odd_types, "the test cell was deleted; put back"),
        (reorder, "cells were moved"),
        (retype, "type was changed; restored"),
        (copy_test, "2 copies of the test cell; one kept"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_tests_points_and_order_come_from_the_release(
    assignment: Assignment, notebook: Notebook, edit: Callable[[Notebook], None], flag: str
) -> None:
    expected = skeleton(built(assignment, notebook)[0])
    edit(notebook)
    made, flags = built(assignment, notebook)
    assert skeleton(made) == expected
    assert at(made, "mean-of-test")["source"] == assignment.tests[0].released
    assert at(made, "mean-of")["source"] == ANSWER
    assert "tags" not in at(made, "mean-of-test")["metadata"]
    assert flag in flags


def test_of_copies_the_last_changed_one_counts(assignment: Assignment, notebook: Notebook) -> None:
    second, stub = copy.deepcopy(at(notebook, "mean-of")), copy.deepcopy(at(notebook, "mean-of"))
    second["source"] = "# second"
    stub["source"] = next(i.released for i in assignment.items if i.grade_id == "mean-of")
    notebook["cells"] += [second, stub]
    made, flags = built(assignment, notebook)
    assert at(made, "mean-of")["source"] == "# second"
    assert "3 copies" in flags


def test_a_missing_answer_is_empty_and_the_others_stay(
    assignment: Assignment, notebook: Notebook
) -> None:
    notebook["cells"].remove(at(notebook, "running-sum"))
    made, flags = built(assignment, notebook)
    assert at(made, "running-sum")["source"] == ""
    assert at(made, "mean-of")["source"] == ANSWER
    assert "running-sum: the answer's cell is missing" in flags


def test_own_cells_keep_their_place_and_lose_their_metadata(
    assignment: Assignment, notebook: Notebook
) -> None:
    forged = {"grade_id": "forged", "grade": True, "points": 50, "schema_version": 3}
    own = {"cell_type": "code", "source": "x = 1", "metadata": {"nbgrader": forged, "tags": ["t"]}}
    notebook["cells"].insert(notebook["cells"].index(at(notebook, "mean-of")) + 1, own)
    made, _ = built(assignment, notebook)
    cell = made["cells"][made["cells"].index(at(made, "mean-of")) + 1]
    assert (cell["source"], cell["metadata"]) == ("x = 1", {})


def test_a_flood_of_own_cells_is_cut(assignment: Assignment, notebook: Notebook) -> None:
    cell = {"cell_type": "code", "source": "1", "metadata": {}}
    notebook["cells"] += [cell] * (MAX_EXTRA_CELLS + 5)
    made, flags = built(assignment, notebook)
    assert len(made["cells"]) == len(assignment.items) + MAX_EXTRA_CELLS
    assert "cells of their own" in flags


@pytest.mark.parametrize(
    "data",
    [b"", b"  \n", b'{"cells": [', b"[]", b'"text"', b"\x80\x04pickle", b"[" * 100_000, b"{}"],
    ids=["empty", "blank", "truncated", "a list", "text", "pickle", "nested", "no cells"],
)
def test_an_unreadable_file_is_a_blank_submission_with_a_flag(
    assignment: Assignment, data: bytes
) -> None:
    made, flags = built(assignment, data)
    assert "unreadable: " in flags
    assert len(made["cells"]) == len(assignment.items)


@pytest.mark.parametrize(
    ("encode", "flag"),
    [
        (lambda text: b"\xef\xbb\xbf" + text.encode(), ""),
        (lambda text: text.replace("\\n", "\\r\\n").encode(), ""),
        (lambda text: text.encode("utf-16"), "decoded as utf-16"),
        (lambda text: text.replace("np.mean", "\u0000np.mean").encode(), ""),
    ],
    ids=["byte-order mark", "CRLF", "UTF-16", "NUL"],
)
def test_odd_encodings_are_read(
    assignment: Assignment, notebook: Notebook, encode: Callable[[str], bytes], flag: str
) -> None:
    _, flags = built(assignment, encode(json.dumps(notebook)))
    assert flag in flags and "unreadable" not in flags


def test_an_endless_cell_is_cut_and_flagged(assignment: Assignment, notebook: Notebook) -> None:
    at(notebook, "mean-of")["source"] = "#" * (MAX_SOURCE + 1)
    made, flags = built(assignment, notebook)
    assert len(at(made, "mean-of")["source"]) == MAX_SOURCE
    assert "was cut" in flags


def test_notebook_format_3_is_upgraded(assignment: Assignment, notebook: Notebook) -> None:
    cells = [
        {**c, "input": "".join(c["source"])} if c["cell_type"] == "code" else c
        for c in notebook["cells"]
    ]
    for cell in cells:
        if cell["cell_type"] == "code":
            del cell["source"]
    made, flags = built(assignment, {"nbformat": 3, "worksheets": [{"cells": cells}]})
    assert at(made, "mean-of")["source"] == ANSWER
    assert "format 3" in flags
