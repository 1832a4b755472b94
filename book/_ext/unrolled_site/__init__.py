"""The book's one local Sphinx extension: everything that plain MyST and Jupyter Book do not do.

- `execute`: chapters run in parallel, one thread each, before Sphinx reads them;
- `maths`: equations are typeset by KaTeX while the site is built;
- `numbering`: chapter 5 is called 5 although chapters before it are not written yet;
- `course_map`: the index lists the chapters of the table of contents;
- `output`: notebooks to download, nothing loaded that no page needs.
"""

from sphinx.application import Sphinx

from . import course_map, execute, maths, numbering, output


def setup(app: Sphinx) -> dict:
    """Register the parts with Sphinx."""
    for part in (execute, maths, numbering, course_map, output):
        part.setup(app)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
