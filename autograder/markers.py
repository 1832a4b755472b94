"""From `solutions/chNN_topic.py` (py:percent) to a `Source`: cell headers, ids and points.

A header is one line, and its tags say what the cell is:

    # %% [markdown]                                                  prose
    # %% tags=["setup"]                                              imports and helpers
    # %% tags=["exercise", "id:rnn-step"]                            one graded function or class
    # %% tags=["test", "id:rnn-step-test", "points:4"]               its tests
    # %% [markdown] tags=["manual", "id:why-clip", "points:3"]       a written answer
    # %%                                                             other code (demo)

`autograder.rules` then checks what nbgrader would not, or would say too late. All problems of a
file are collected into one `MarkerProblems`.
"""

from __future__ import annotations

import ast
import json
import re
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from autograder.errors import MarkerProblems
from autograder.source import GRADED_KINDS, Cell, Problem, Source

_HEADER = re.compile(r"# %%(?P<markdown> \[markdown\])?(?: tags=(?P<tags>\[.*\]))?")
_EXAMPLE = {
    "setup": '# %% tags=["setup"]',
    "exercise": '# %% tags=["exercise", "id:rnn-step"]',
    "test": '# %% tags=["test", "id:rnn-step-test", "points:4"]',
    "manual": '# %% [markdown] tags=["manual", "id:why-clip", "points:3"]',
}


@dataclass
class _Chunk:
    """A cell as it stands in the file."""

    line: int
    header: str
    body: list[str] = field(default_factory=list)


def read_source(path: Path, display: Path | None = None) -> Source:
    """Return the exercise source in ``path``; ``display`` is how problems name the file.

    Raises:
        MarkerProblems: everything that is wrong in the file.
    """
    display = display or path
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        mend = "Save the file as UTF-8"
        raise MarkerProblems([Problem(display, 1, "-", f"not UTF-8 ({error})", mend)]) from error
    return parse_source(text, display)


def parse_source(text: str, path: Path) -> Source:
    """Return the exercise source written in ``text``.

    Raises:
        MarkerProblems: everything that is wrong in it.
    """
    source, problems = inspect_source(text, path)
    if problems:
        raise MarkerProblems(problems)
    return source


def inspect_source(text: str, path: Path) -> tuple[Source, list[Problem]]:
    """Return what can be read of an exercise source, and everything that is wrong in it."""
    from autograder.rules import check_source  # rules need the classes that this module fills

    if not text.strip():
        mend = "Start it with a prose cell (# %% [markdown]) and a setup cell"
        return Source(path, ()), [Problem(path, 1, "-", "the file is empty", mend)]
    preface, chunks = _split(text)
    problems = _check_preface(preface, path)
    counts: Counter[str] = Counter()
    source = Source(path, tuple(_read_cell(chunk, path, counts, problems) for chunk in chunks))
    problems += check_source(source)
    return source, sorted(problems, key=lambda problem: problem.line)


def _split(text: str) -> tuple[str, list[_Chunk]]:
    preface: list[str] = []
    chunks: list[_Chunk] = []
    for number, line in enumerate(text.splitlines(), 1):
        if re.match(r"#\s*%%(?!%)", line):
            chunks.append(_Chunk(number, line.rstrip()))
        else:
            (chunks[-1].body if chunks else preface).append(line)
    return "\n".join(preface), chunks


def _check_preface(preface: str, path: Path) -> list[Problem]:
    """Before the first cell there may be comments and a docstring; neither reaches a notebook."""
    try:
        body = ast.parse(preface).body
    except SyntaxError:
        body = [ast.Pass()]
    if all(isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) for node in body):
        return []
    what = "there is code before the first cell"
    return [Problem(path, 1, "-", what, "Put it below a line with: # %%")]


def _read_cell(chunk: _Chunk, path: Path, counts: Counter[str], problems: list[Problem]) -> Cell:
    """Return the cell of a chunk; what its header lacks goes to ``problems``."""
    match = _HEADER.fullmatch(chunk.header)
    markdown = "[markdown]" in chunk.header
    source = _cell_text(chunk, markdown)
    tags, complaints = _read_tags(match["tags"] if match else None)
    if not match:
        complaints = [
            (f"the header is not understood: {chunk.header}", f"Write it like {_EXAMPLE['test']}")
        ]
    kind, grade_id, points, more = _read_options(tags, markdown)
    if not grade_id and kind in ("prose", "setup", "demo"):
        counts[kind] += 1
        first_setup = kind == "setup" and counts[kind] == 1
        grade_id = kind if first_setup else f"{kind}-{counts[kind]}"
    cell = Cell(kind, grade_id, source, chunk.line, points)
    problems += [Problem(path, chunk.line, cell.label, *each) for each in complaints + more]
    return cell


def _cell_text(chunk: _Chunk, markdown: bool) -> str:
    """Return the cell's text as jupytext reads it."""
    import jupytext

    header = "# %% [markdown]" if markdown else "# %%"
    text = "\n".join([header, *chunk.body]).rstrip() + "\n"
    cells = jupytext.reads(text, fmt="py:percent").cells
    # An indented "# %%" makes jupytext start another cell; kept as text, Python takes it as comment
    return cells[0].source if len(cells) == 1 else "\n".join(chunk.body).strip("\n")


Complaint = tuple[str, str]


def _read_tags(text: str | None) -> tuple[list[str], list[Complaint]]:
    if text is None:
        return [], []
    try:
        tags = json.loads(text)
    except json.JSONDecodeError:
        tags = None
    if not isinstance(tags, list) or not all(isinstance(tag, str) for tag in tags):
        mend = f"Use double quotes and commas: {_EXAMPLE['test']}"
        return [], [(f"the tags are not a list of strings: {text}", mend)]
    return tags, []


def _read_options(tags: list[str], markdown: bool) -> tuple[str, str, int | None, list[Complaint]]:
    """Return kind, id, points and complaints of a cell with these tags."""
    complaints: list[Complaint] = []
    kinds = [tag for tag in tags if tag in _EXAMPLE]
    kind = kinds[0] if kinds else ("prose" if markdown else "demo")
    for tag in tags:
        if tag not in _EXAMPLE and not tag.startswith(("id:", "points:")):
            known = ", ".join([*_EXAMPLE, "id:NAME", "points:N"])
            complaints.append((f'unknown tag "{tag}"', f"Known tags are {known}"))
    if len(kinds) > 1:
        complaints.append((f"tagged {' and '.join(kinds)}", "Give a cell one kind"))
    if kinds and markdown != (kind == "manual"):
        needed = "code cell" if markdown else "markdown cell"
        complaints.append((f"{kind} cells are {needed}s", f"Write {_EXAMPLE[kind]}"))
    grade_id = _read_id(tags, kind, complaints)
    return kind, grade_id, _read_points(tags, kind, complaints), complaints


def _read_id(tags: list[str], kind: str, complaints: list[Complaint]) -> str:
    ids = [tag.removeprefix("id:") for tag in tags if tag.startswith("id:")]
    if kind not in ("exercise", *GRADED_KINDS):
        if ids:
            complaints.append((f"{kind} cells take no id", "Remove the id: tag"))
        return ""
    if len(ids) != 1:
        complaints.append((f"{kind} cells need one id", f"Write {_EXAMPLE[kind]}"))
        return ids[0] if ids else ""
    if not re.fullmatch(r"[A-Za-z0-9_-]{1,64}", ids[0]):
        mend = "Use 1 to 64 letters, digits, hyphens and underscores, as nbgrader asks"
        complaints.append((f'the id "{ids[0]}" is not allowed', mend))
    return ids[0]


def _read_points(tags: list[str], kind: str, complaints: list[Complaint]) -> int | None:
    points = [tag.removeprefix("points:") for tag in tags if tag.startswith("points:")]
    if kind not in GRADED_KINDS:
        if points:
            mend = "Give the points to its test cells" if kind == "exercise" else "Remove the tag"
            complaints.append((f"{kind} cells take no points", mend))
        return None
    if len(points) != 1:
        complaints.append((f"{kind} cells need points, once", f"Write {_EXAMPLE[kind]}"))
        return None
    if not re.fullmatch(r"[0-9]+", points[0]):
        mend = "Points are whole numbers, 0 for an optional part"
        complaints.append((f'"points:{points[0]}" does not count points', mend))
        return None
    return int(points[0])
