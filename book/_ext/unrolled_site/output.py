"""What is written besides pages, and what is taken out again because no page needs it."""

import re
from pathlib import Path

import nbformat
from sphinx.application import Sphinx

# 1.5 MB of icons as a script; the theme's web font draws the same ones
ICON_SCRIPT = re.compile(r"[ \t]*<script[^>]*scripts/fontawesome\.js[^>]*></script>\n?")
UNNEEDED = ("scripts/fontawesome.js*", "scripts/*.map", "vendor/**/*.ttf", "styles/*.map")


def offer_notebook(app: Sphinx, page: str, template: str, context: dict, doctree) -> None:
    """Write the page as a notebook without outputs and name it to the download button."""
    if doctree is None or "kernelspec" not in app.env.metadata.get(page, {}):
        return
    executed = Path(app.outdir).parent / "jupyter_execute" / f"{page}.ipynb"
    notebook = nbformat.read(executed, as_version=4)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    target = Path(app.outdir) / "_sources" / f"{page}.ipynb"
    target.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(notebook, target)
    context["ipynb_source"] = f"{page}.ipynb"


def trim(app: Sphinx, error: Exception | None) -> None:
    """Remove source maps, a duplicate icon set and font formats that browsers no longer ask for."""
    if error or app.builder.format != "html":
        return
    static = Path(app.outdir) / "_static"
    for pattern in UNNEEDED:
        for path in static.glob(pattern):
            path.unlink()
    for path in Path(app.outdir).glob("*.html"):
        html = path.read_text("utf8")
        lighter = ICON_SCRIPT.sub("", html)
        if lighter != html:
            path.write_text(lighter, "utf8")


def setup(app: Sphinx) -> None:
    """Offer the notebook before the theme (priority 500) draws its buttons."""
    app.connect("html-page-context", offer_notebook, priority=300)
    app.connect("build-finished", trim, priority=900)
