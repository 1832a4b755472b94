"""Chapters run and never give an exercise's answer away."""

import ast
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "book" / "_ext"))
from unrolled_site import execute  # noqa: E402

CHAPTERS = sorted((ROOT / "book").glob("ch*.md"))
SOLUTION = re.compile(r"### BEGIN SOLUTION\n(.*?)### END SOLUTION", re.S)
RUN = 3  # lines in a row that two texts share before one counts as a copy of the other


def statements(code: str) -> list[str]:
    """Return the lines of ``code`` without comments, blanks and spacing."""
    stripped = (re.sub(r"\s+", "", line.split("#")[0]) for line in code.splitlines())
    return [line for line in stripped if len(line) > 3]


def copied(answer: str, text: str) -> str | None:
    """Return the first run of ``RUN`` lines of ``answer`` that ``text`` holds too, if any."""
    lines, other = statements(answer), "\n".join(statements(text))
    runs = ("\n".join(lines[i : i + RUN]) for i in range(len(lines) - RUN + 1))
    return next((run for run in runs if run in other), None)


def cells(chapter: Path) -> list[str]:
    """Return the code cells of a chapter."""
    notebook = execute.myst_nb_reader_plugin(str(chapter))
    return [cell.source for cell in notebook.cells if cell.cell_type == "code"]


def readable_code() -> Iterator[tuple[str, str]]:
    """Yield name and code of everything that students can read."""
    for path in CHAPTERS:
        yield path.name, "\n".join(cells(path))
    for path in sorted((ROOT / "exercises").rglob("*.ipynb")):
        notebook = json.loads(path.read_text("utf8"))
        code = ["".join(c["source"]) for c in notebook["cells"] if c["cell_type"] == "code"]
        yield path.name, "\n".join(code)
    for path in sorted((ROOT / "unrolled").rglob("*.py")):
        yield str(path.relative_to(ROOT)), path.read_text("utf8")


def imports(code: str) -> set[str]:
    """Return the top-level packages that ``code`` imports."""
    tree = ast.parse(re.sub(r"(?m)^\s*[%!].*$", "", code))
    names = {a.name for n in ast.walk(tree) if isinstance(n, ast.Import) for a in n.names}
    names |= {n.module or "" for n in ast.walk(tree) if isinstance(n, ast.ImportFrom)}
    return {name.split(".")[0] for name in names}


def test_nothing_that_students_read_imports_a_solution():
    """Chapters, released notebooks and the library stand without ``solutions/``."""
    read = list(readable_code())
    assert {name for name, _ in read} >= {path.name for path in CHAPTERS}
    for name, code in read:
        assert not imports(code) & {"solutions", "autograder"}, name
        assert "solutions/" not in code, name


@pytest.mark.parametrize(
    "source", sorted((ROOT / "solutions").glob("ch*.py")), ids=lambda p: p.stem
)
def test_nothing_that_students_read_copies_a_solution(source):
    """No three lines of an answer stand in a chapter, a released notebook or the library."""
    answers = SOLUTION.findall(source.read_text("utf8"))
    assert answers, f"{source.name} has no solution regions"
    for name, code in readable_code():
        for answer in answers:
            run = copied(answer, code)
            assert run is None, f"{name} gives away an answer of {source.name}:\n{run}"


def test_a_copied_answer_is_recognised():
    """The search sees through spacing and comments, and lets single lines pass."""
    answer = "a = x @ W\nb = np.tanh(a)\nc = b.sum(axis=0)\nreturn c\n"
    copy = "if True:\n    a = x@W  # project\n\n    b = np.tanh( a )\n    c = b.sum(axis=0)\n"
    assert copied(answer, copy)
    assert copied(answer, "a = x @ W\nprint(a)\nb = np.tanh(a)\n") is None


@pytest.mark.parametrize("chapter", CHAPTERS, ids=lambda path: path.stem)
def test_a_chapter_ran_to_its_end_in_the_build(chapter, site):
    """It was executed without an error; how long that takes is measured by ``make bench``."""
    notebook = execute.myst_nb_reader_plugin(str(chapter))
    record = execute.get_cache(execute.cache_path()).match_cache_notebook(notebook)
    assert record.data["execution_seconds"] > 0
    assert (site / f"{chapter.stem}.html").exists()


@pytest.mark.parametrize("chapter", CHAPTERS, ids=lambda path: path.stem)
def test_a_chapter_has_the_shape_that_all_share(chapter):
    """Its head says what the map of the course shows; its cells are short and install nothing."""
    text = chapter.read_text("utf8")
    head = yaml.safe_load(text.split("---\n")[1])
    assert head.get("description") and head.get("time"), "front matter: description and time"
    assert not re.search(r"(?m)^\s*[!%]pip", text)
    long = [cell for cell in cells(chapter) if len(cell.strip().splitlines()) > 25]
    assert not long, f"cells longer than 25 lines, the first:\n{long[0]}"


@pytest.mark.parametrize("chapter", CHAPTERS, ids=lambda path: path.stem)
def test_a_chapter_is_in_the_table_of_contents(chapter):
    """A written chapter is reachable."""
    assert chapter.stem in (ROOT / "book" / "_toc.yml").read_text("utf8")
