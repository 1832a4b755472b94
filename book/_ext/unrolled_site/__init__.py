"""The book's one local Sphinx extension: everything that plain MyST and Jupyter Book do not do.

- `execute`: chapters run in parallel, one thread each, before Sphinx reads them;
- `maths`: equations are typeset by KaTeX while the site is built;
- `numbering`: chapter 5 is called 5 although chapters before it are not written yet;
- `course_map`: the index lists the chapters of the table of contents;
- `output`: notebooks to download, nothing loaded that no page needs.
"""

import hashlib
from pathlib import Path

from sphinx.application import Sphinx

from . import course_map, execute, maths, numbering, output

HERE = Path(__file__).parent


def note_version(app: Sphinx, config) -> None:
    """Set a value by which Sphinx sees that this extension or a static file changed.

    Without it an incremental build keeps old pages and does not copy a changed style sheet.
    """
    digest = hashlib.sha256()
    for path in sorted([*HERE.rglob("*.*"), *Path(app.srcdir, "_static").rglob("*.*")]):
        if path.is_file() and "__pycache__" not in path.parts:
            digest.update(path.read_bytes())
    config.site_version = digest.hexdigest()


def setup(app: Sphinx) -> dict:
    """Register the parts with Sphinx."""
    app.add_config_value("site_version", "", "html")
    app.connect("config-inited", note_version)
    for part in (execute, maths, numbering, course_map, output):
        part.setup(app)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
