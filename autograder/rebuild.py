"""Rebuild the notebook to be graded from the released one; take from the submission only answers.

Nothing in a submission's metadata, order, names or format can change a test or a point. Each
irregularity has a rule and a flag on the report, and none stops the class.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, replace
from typing import Any

import nbformat
from nbformat.v4 import new_notebook

from autograder.assignment import Assignment, Item

MAX_BYTES = 20 * 2**20  # of a submitted file
MAX_EXTRA_CELLS = 300
MAX_SOURCE = 2_000_000  # characters of one cell
MAX_NESTED = 10**6  # lists and mappings in a file; each takes 60 bytes of memory, if empty


@dataclass(frozen=True)
class Rebuilt:
    """The notebook to grade, and what was irregular about the submission."""

    notebook: nbformat.NotebookNode
    flags: tuple[str, ...]


@dataclass(frozen=True)
class Submitted:
    """A cell as the student handed it in; ``grade_id`` is None for cells of their own."""

    grade_id: str | None
    cell_type: str
    source: str


def rebuild(assignment: Assignment, data: bytes) -> Rebuilt:
    """Return the notebook to grade, made from the release and the submission's answers."""
    flags: list[str] = []
    cells = read_cells(data, {item.grade_id for item in assignment.items}, flags)
    answers = _answers(assignment, cells, flags)
    extras = _extras(cells, flags)
    _flag_locked(assignment, cells, flags)
    notebook = new_notebook(metadata={"kernelspec": _KERNEL, "language_info": {"name": "python"}})
    notebook.cells = list(_own_cells(extras.get(None, []), "start"))
    for item in assignment.items:
        notebook.cells.append(_cell(item, answers.get(item.grade_id)))
        notebook.cells += _own_cells(extras.get(item.grade_id, []), item.grade_id)
    return Rebuilt(notebook, tuple(flags))


_KERNEL = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}


def read_cells(data: bytes, known: set[str], flags: list[str]) -> list[Submitted]:
    """Return the cells of a submitted file, however it is damaged; [] when nothing can be read."""
    if len(data) > MAX_BYTES:
        flags.append(f"unreadable: the file is larger than {MAX_BYTES // 2**20} MB")
        return []
    if data.count(b"{") + data.count(b"[") > MAX_NESTED:
        flags.append(f"unreadable: more than {MAX_NESTED} lists and mappings in the file")
        return []
    if not data.strip():
        flags.append("unreadable: the file is empty")
        return []
    try:
        content = json.loads(_decode(data, flags), strict=False)
        if not isinstance(content, dict):
            raise ValueError("not a notebook")
        raw = _raw_cells(content, flags)
    except (ValueError, RecursionError) as error:
        flags.append(f"unreadable: not a notebook ({str(error)[:80]})")
        return []
    cells = [_submitted(cell, known) for cell in raw if isinstance(cell, dict)]
    if any(len(cell.source) > MAX_SOURCE for cell in cells):
        flags.append(f"a cell of more than {MAX_SOURCE} characters was cut")
        cells = [replace(cell, source=cell.source[:MAX_SOURCE]) for cell in cells]
    return cells


def _decode(data: bytes, flags: list[str]) -> str:
    for encoding in ("utf-8", "utf-8-sig"):
        try:
            text = data.decode(encoding)
        except UnicodeDecodeError:
            continue
        return text.removeprefix("\ufeff")
    encoding = "utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "latin-1"
    flags.append(f"decoded as {encoding}, not as UTF-8")
    return data.decode(encoding)


def _raw_cells(content: dict[str, Any], flags: list[str]) -> list[Any]:
    """Return the list of cells of a notebook of any major format."""
    if isinstance(content.get("cells"), list):
        return content["cells"]
    sheets = content.get("worksheets")
    if isinstance(sheets, list):  # format 3: code cells keep their source in "input"
        flags.append("upgraded from notebook format 3")
        cells = [c for sheet in sheets if isinstance(sheet, dict) for c in sheet.get("cells", [])]
        return [c | {"source": c.get("source", c.get("input", ""))} for c in cells]
    raise ValueError("it has no cells")


def _submitted(cell: dict[str, Any], known: set[str]) -> Submitted:
    source = cell.get("source", "")
    if isinstance(source, list):
        source = "".join(part for part in source if isinstance(part, str))
    if not isinstance(source, str):
        source = ""
    metadata = cell.get("metadata")
    mark = metadata.get("nbgrader") if isinstance(metadata, dict) else None
    grade_id = mark.get("grade_id") if isinstance(mark, dict) else None
    if not isinstance(grade_id, str) or grade_id not in known:
        grade_id = None
    clean = source.replace("\r\n", "\n").replace("\x00", "")
    return Submitted(grade_id, str(cell.get("cell_type")), _printable(clean))


def _printable(text: str) -> str:
    """Return the text without lone surrogates, which no file or database takes."""
    return text.encode("utf-8", "replace").decode("utf-8")


def _answers(
    assignment: Assignment, cells: list[Submitted], flags: list[str]
) -> dict[str, str | None]:
    """Return each answer by id. Of copies, the last that was changed counts, as in a notebook."""
    answers: dict[str, str | None] = {}
    for item in assignment.items:
        if not item.by_student:
            continue
        copies = [cell for cell in cells if cell.grade_id == item.grade_id]
        if not copies:
            if cells:
                flags.append(f"{item.grade_id}: the answer's cell is missing")
            answers[item.grade_id] = None
            continue
        if len(copies) > 1:
            flags.append(f"{item.grade_id}: {len(copies)} copies; the last changed one counts")
        if any(cell.cell_type != item.cell_type for cell in copies):
            flags.append(f"{item.grade_id}: the cell's type was changed; restored")
        changed = [cell for cell in copies if cell.source.strip() != item.released.strip()]
        answers[item.grade_id] = (changed or copies)[-1].source
    return answers


def _extras(cells: list[Submitted], flags: list[str]) -> dict[str | None, list[Submitted]]:
    """Return the student's own cells by the id of the released cell that they follow."""
    extras: dict[str | None, list[Submitted]] = {}
    place: str | None = None
    count = 0
    for cell in cells:
        if cell.grade_id is not None:
            place = cell.grade_id
        elif cell.source.strip() and cell.cell_type in ("code", "markdown"):
            count += 1
            if count <= MAX_EXTRA_CELLS:
                extras.setdefault(place, []).append(cell)
    if count > MAX_EXTRA_CELLS:
        flags.append(f"{count} cells of their own; the first {MAX_EXTRA_CELLS} were run")
    return extras


def _flag_locked(assignment: Assignment, cells: list[Submitted], flags: list[str]) -> None:
    """Say which locked cells were changed, deleted, copied or moved; all are restored."""
    if not cells:
        return
    for item in assignment.items:
        copies = [cell.source.strip() for cell in cells if cell.grade_id == item.grade_id]
        if item.role == "test" and not copies:
            flags.append(f"{item.grade_id}: the test cell was deleted; put back")
        elif item.role in ("test", "setup") and any(c != item.released.strip() for c in copies):
            flags.append(f"{item.grade_id}: the {item.role} cell was changed; restored")
        if item.role == "test" and len(copies) > 1:
            flags.append(f"{item.grade_id}: {len(copies)} copies of the test cell; one kept")
    order = [item.grade_id for item in assignment.items]
    seen = list(dict.fromkeys(c.grade_id for c in cells if c.grade_id is not None))
    if seen != [grade_id for grade_id in order if grade_id in set(seen)]:
        flags.append("cells were moved; run in the released order")


def _cell(item: Item, answer: str | None) -> nbformat.NotebookNode:
    """Return a released cell, with the student's answer where it is theirs to write."""
    source = item.released
    if item.by_student:
        missing = "" if item.role == "exercise" else item.released
        source = missing if answer is None else answer
        source = as_text(source) if item.role == "manual" else source
    metadata = {"nbgrader": dict(item.metadata)}
    return new_cell(item.cell_type, source, item.grade_id[:64], metadata)


def new_cell(
    cell_type: str, source: str, cell_id: str = "cell", metadata: dict[str, Any] | None = None
) -> nbformat.NotebookNode:
    """Return a cell, without the validation that nbformat's own function spends its time on."""
    fields = {"cell_type": cell_type, "id": cell_id, "metadata": metadata or {}, "source": source}
    code: dict[str, Any] = {"execution_count": None, "outputs": []}
    return nbformat.from_dict(fields | (code if cell_type == "code" else {}))


# Addresses that run what they say; a browser ignores white space inside their names.
_RUNS = "|".join(r"\s*".join(name) for name in ("javascript", "vbscript", "data"))


def as_text(markdown: str) -> str:
    """Return Markdown in which no HTML tag can open and no link runs code: pages only show it."""
    markdown = re.sub(r"&(?=#?\w+;)", "& ", markdown)
    markdown = re.sub(rf"({_RUNS})\s*:(?=\S)", r"\1 :", markdown, flags=re.I)
    return re.sub(r"<(?=[A-Za-z/!?])", "< ", markdown)


def _own_cells(cells: list[Submitted], place: str) -> list[nbformat.NotebookNode]:
    made = []
    for number, cell in enumerate(cells, start=1):
        source = cell.source if cell.cell_type == "code" else as_text(cell.source)
        made.append(new_cell(cell.cell_type, source, f"own-{number}-{place}"[:64]))
    return made
