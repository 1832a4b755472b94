"""The local extension by itself, on books of a few lines: what fails a build, and what runs."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
HEAD = """---
file_format: mystnb
kernelspec: {name: python3, display_name: Python 3}
---
"""


@pytest.fixture
def book(tmp_path) -> Path:
    """Return a copy of the project's site settings with one small chapter."""
    shutil.copytree(ROOT / "book" / "_ext", tmp_path / "book" / "_ext")
    shutil.copytree(ROOT / "book" / "_static", tmp_path / "book" / "_static")
    shutil.copy(ROOT / "_config.yml", tmp_path)
    (tmp_path / "references.bib").write_text("")
    (tmp_path / "unrolled").mkdir()
    (tmp_path / "unrolled" / "thing.py").write_text("one = 1\n")
    (tmp_path / "book" / "_toc.yml").write_text("format: jb-book\nroot: index\n")
    return tmp_path


def build(book: Path, text: str) -> tuple[int, str]:
    """Build a book of one page that reads ``text``; return the exit code and what was printed."""
    (book / "book" / "index.md").write_text(f"{HEAD}\n# Page\n\n{text}\n", "utf8")
    jupyter_book = Path(sys.executable).parent / "jupyter-book"
    done = subprocess.run(
        [jupyter_book, "build", "book/", "-W", "-n", "--keep-going", "-q"],
        cwd=book,
        capture_output=True,
        text=True,
    )
    return done.returncode, done.stdout + done.stderr


def cell(code: str) -> str:
    """Return a code cell."""
    return f"```{{code-cell}} python3\n{code}\n```"


def test_bad_tex_fails_with_file_and_line(book):
    """TeX that KaTeX rejects is reported where it stands, displayed and inline."""
    code, printed = build(book, "Good $x$.\n\n$$\n\\nosuchcommand{x}\n$$\n\nBad $\\frac{1}$.")
    assert code != 0
    assert "index.md:10" in printed and "\\nosuchcommand" in printed
    assert "index.md:14" in printed and "\\frac{1}" in printed


def test_a_failing_cell_fails_the_build_and_shows_the_error(book):
    """A broken chapter is named with its traceback."""
    code, printed = build(book, cell("1 / 0"))
    assert code != 0
    assert "ZeroDivisionError" in printed and "index.md" in printed


def test_a_broken_reference_fails_the_build(book):
    """References are checked."""
    code, printed = build(book, "See {eq}`nowhere`.")
    assert code != 0
    assert "nowhere" in printed


def test_chapters_run_again_only_when_code_or_library_changed(book):
    """Prose leaves results alone; code and the library do not."""
    text = cell("import os; print(1 + 1, os.environ['OMP_NUM_THREADS'])")
    code, printed = build(book, text)
    assert code == 0, printed
    assert "0 unchanged, 1 to run" in printed
    assert "2 1" in (book / "_build" / "html" / "index.html").read_text("utf8")
    assert "1 unchanged, 0 to run" in build(book, f"More prose.\n\n{text}")[1]
    assert "0 unchanged, 1 to run" in build(book, text.replace("1 + 1", "1 + 2"))[1]
    (book / "unrolled" / "thing.py").write_text("one = 2\n")
    assert "0 unchanged, 1 to run" in build(book, text)[1]


def test_formulas_of_several_lines_need_no_environment(book):
    """A break between lines is typeset, and each formula has one number, Sphinx's."""
    lines = (
        "$$\na &= b \\\\\n&= c\n$$ (eq-two)\n\n\\begin{align}\na &= b\n\\end{align}\n\n{eq}`eq-two`"
    )
    code, printed = build(book, lines)
    assert code == 0, printed
    html = (book / "_build" / "html" / "index.html").read_text("utf8")
    assert html.count("katex-display") == 2
    assert html.count('class="eqno"') == 2 and 'class="tag"' not in html


def test_a_changed_style_sheet_reaches_the_site(book):
    """An incremental build copies static files although no page changed."""
    assert build(book, "Text.")[0] == 0
    (book / "book" / "_static" / "unrolled.css").write_text("/* changed */")
    assert build(book, "Text.")[0] == 0
    assert "changed" in (book / "_build" / "html" / "_static" / "unrolled.css").read_text()
