"""Section A: what can be wrong with a submission's structure, as functions that make it so."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.attacks.corpus import USUAL, WRONG, Case, code_cell, data_of, notebook

Content = dict[str, Any]
Change = Callable[[Content], Content | bytes | None]
PASSED, NOTHING = frozenset({"passed"}), frozenset({"error", "failed"})
HONEST = {"double-test": PASSED, "apply-test": PASSED, "softmax-test": PASSED}
NONE = {"double-test": NOTHING, "apply-test": NOTHING, "softmax-test": NOTHING}
_cases: list[Case] = []


def structure_cases() -> list[Case]:
    """Return the cases of section A."""
    return list(_cases)


def case(
    number: int,
    name: str,
    flag: str = "",
    expected: dict[str, frozenset[str]] | None = None,
    honest: bool = False,
    marks: str = "",
) -> Callable[[Change], Change]:
    """Register a change of a submission as a case; its double is wrong unless it is honest."""

    def register(change: Change) -> Change:
        content = notebook() if honest else notebook(double=WRONG)
        made = change(content)
        data = made if isinstance(made, bytes) else data_of(content if made is None else made)
        wanted = HONEST if honest and expected is None else USUAL | (expected or {})
        _cases.append(Case(number, name, data, wanted, flag, frozenset(marks.split())))
        return change

    return register


def cell(content: Content, grade_id: str) -> Content:
    """Return the cell with an id."""
    found = (c for c in content["cells"] if _mark(c).get("grade_id") == grade_id)
    return next(found)


def _mark(cell: Content) -> Content:
    return cell["metadata"].get("nbgrader", {})


@case(1, "test cells tagged skip-execution")
def skip(content: Content) -> None:
    for c in content["cells"]:
        if _mark(c).get("grade"):
            c["metadata"]["tags"] = ["skip-execution"]


@case(2, "test cells tagged raises-exception")
def raises(content: Content) -> None:
    for c in content["cells"]:
        c["metadata"]["tags"] = ["raises-exception"]


@case(3, "a test cell marked as a solution")
def flipped(content: Content) -> None:
    _mark(cell(content, "double-test")).update(solution=True, locked=False)
    cell(content, "double-test")["source"] = "pass"


@case(3, "a test cell not graded any more")
def ungraded(content: Content) -> None:
    _mark(cell(content, "double-test")).update(grade=False, locked=False)


@case(3, "the written answer marked as a test")
def written_as_test(content: Content) -> None:
    cell(content, "why").update(cell_type="code", outputs=[], execution_count=None)
    cell(content, "why")["source"] = "pass"


@case(4, "points edited")
def points(content: Content) -> None:
    _mark(cell(content, "softmax-test"))["points"] = 1000


@case(4, "points below zero and not a number")
def bad_points(content: Content) -> None:
    _mark(cell(content, "softmax-test"))["points"] = float("nan")
    _mark(cell(content, "apply-test"))["points"] = -5


@case(5, "a test cell twice", flag="copies of the test cell")
def twice(content: Content) -> None:
    copy = dict(cell(content, "double-test"), source="pass", id="again")
    content["cells"].append(copy)


@case(5, "an answer twice, the last one counts", flag="copies; the last", honest=True)
def answer_twice(content: Content) -> None:
    cell(content, "double")["source"] = WRONG
    content["cells"].append(dict(cell(content, "double"), source="double = lambda x: 2 * x"))


@case(6, "a test cell deleted", flag="deleted")
def deleted(content: Content) -> None:
    content["cells"].remove(cell(content, "double-test"))


@case(6, "a test cell emptied", flag="changed; restored")
def emptied(content: Content) -> None:
    cell(content, "double-test")["source"] = ""


@case(7, "an answer deleted", flag="missing", expected={"double-test": NOTHING})
def answer_deleted(content: Content) -> None:
    content["cells"].remove(cell(content, "double"))


@case(8, "cells in the reverse order", flag="moved")
def reordered(content: Content) -> None:
    content["cells"].reverse()


@case(9, "a cell with a forged mark")
def forged(content: Content) -> None:
    mark = {"grade": True, "solution": False, "locked": True, "task": False, "points": 500}
    mark |= {"grade_id": "bonus", "schema_version": 3, "cell_type": "code"}
    content["cells"].append(code_cell("pass", mark))


@case(10, "a schema from the future")
def schema(content: Content) -> None:
    for c in content["cells"]:
        if "nbgrader" in c["metadata"]:
            _mark(c)["schema_version"] = 99


@case(10, "a notebook format from the future")
def future(content: Content) -> None:
    content["nbformat"] = 7


@case(11, "metadata of the wrong type")
def wrong_type(content: Content) -> None:
    cell(content, "softmax")["metadata"] = ["not", "a", "mapping"]
    content["metadata"] = "none"


@case(11, "ids of the wrong type", flag="missing")
def wrong_id(content: Content) -> None:
    _mark(cell(content, "softmax"))["grade_id"] = {"a": 1}
    content["cells"][0]["metadata"]["nbgrader"] = 5


@case(11, "a source that is a number", expected={"softmax-test": NOTHING})
def wrong_source(content: Content) -> None:
    cell(content, "softmax")["source"] = 5
    content["cells"].append("not a cell")


@case(12, "a truncated file", flag="unreadable", expected=NONE)
def truncated(content: Content) -> bytes:
    return data_of(content)[:-200]


@case(12, "not JSON", flag="unreadable", expected=NONE)
def not_json(content: Content) -> bytes:
    return b"PK\x03\x04 this is a zip"


@case(12, "JSON nested a hundred thousand deep", flag="unreadable", expected=NONE)
def deep(content: Content) -> bytes:
    return b"[" * 10**5


@case(12, "JSON that is no notebook", flag="unreadable", expected=NONE)
def other_json(content: Content) -> bytes:
    return b'"a text"'


@case(13, "an empty file", flag="empty", expected=NONE)
def empty(content: Content) -> bytes:
    return b""


@case(14, "notebook format 3", flag="format 3", honest=True)
def format_three(content: Content) -> Content:
    cells = [dict(c, input=c["source"], language="python") for c in content["cells"]]
    for c in cells:
        if c["cell_type"] == "code":
            del c["source"]
    return {"nbformat": 3, "nbformat_minor": 0, "metadata": {}, "worksheets": [{"cells": cells}]}


@case(14, "no kernelspec and no metadata", honest=True)
def no_kernel(content: Content) -> None:
    content["metadata"] = {}


@case(14, "a kernel that does not exist", honest=True)
def other_kernel(content: Content) -> None:
    content["metadata"]["kernelspec"] = {"name": "../../evil", "display_name": "x"}


@case(16, "a byte order mark", honest=True)
def mark(content: Content) -> bytes:
    return b"\xef\xbb\xbf" + data_of(content)


@case(16, "line ends of another system", honest=True)
def line_ends(content: Content) -> None:
    for c in content["cells"]:
        c["source"] = c["source"].replace("\n", "\r\n")


@case(16, "Latin-1", flag="latin-1", honest=True)
def latin(content: Content) -> bytes:
    content["cells"].append(code_cell("größe = 1"))
    return data_of(content).decode().encode("latin-1")


@case(16, "NUL in an answer", expected={"softmax-test": PASSED | NOTHING})
def nul(content: Content) -> None:
    cell(content, "softmax")["source"] += "\n\0"


@case(16, "UTF-16", flag="utf-16", honest=True)
def utf16(content: Content) -> bytes:
    return data_of(content).decode().encode("utf-16")


@case(19, "modules of one's own in the way of the real ones", marks="ours")
def shadow(content: Content) -> None:
    source = (
        "for name in ('numpy', 'torch', 'sitecustomize', 'unrolled', 'autograder'):\n"
        "    with open(name + '.py', 'w') as file:\n"
        "        file.write('print(\"LEAK: a local module was imported\")')\n"
        "import sys; sys.path.insert(0, '.')"
    )
    content["cells"].insert(0, code_cell(source))


@case(12, "a file of 30 MB", flag="larger than", expected=NONE, marks="slow")
def big(content: Content) -> None:
    content["metadata"]["padding"] = "x" * 30 * 2**20


@case(12, "ten thousand cells", flag="the first", marks="slow")
def many(content: Content) -> None:
    content["cells"] += [code_cell("pass") for _ in range(10**4)]


@case(12, "ten million empty lists", flag="lists and mappings", expected=NONE, marks="slow")
def lists(content: Content) -> bytes:
    return b'{"cells": [' + b"[]," * (6 * 10**6) + b"[]]}"


@case(12, "numbers too long to be read", flag="unreadable", expected=NONE)
def digits(content: Content) -> bytes:
    return b'{"cells": [], "nbformat": ' + b"1" * 10**6 + b"}"


@case(16, "half a character in an answer and in a name", honest=True)
def half(content: Content) -> bytes:
    content["cells"].append(code_cell("HALF = 'CHARACTER'", {"grade_id": "CHARACTER"}))
    return data_of(content).replace(b"CHARACTER", b"\\ud800")
