"""The directive ``{course-map}``: one row a chapter, made from the table of contents.

What a row says comes from the chapter's front matter (``description``, ``time``); the exercise
is linked when ``exercises/<stem>/<stem>.ipynb`` exists.
"""

import re
from pathlib import Path

import yaml
from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

CHAPTER = re.compile(r"ch(\d+)_\w+")
HEADINGS = ("Chapter", "What you will be able to do", "Time", "Exercise")


def front_matter(path: Path) -> dict:
    """Return the YAML between the first two ``---`` lines, or nothing."""
    parts = path.read_text("utf8").split("---\n", 2)
    return yaml.safe_load(parts[1]) or {} if len(parts) == 3 and not parts[0] else {}


def row(*cells: nodes.Node) -> nodes.row:
    """Return a table row of the given cells."""
    return nodes.row("", *(nodes.entry("", nodes.paragraph("", "", cell)) for cell in cells))


class CourseMap(SphinxDirective):
    """List the chapters, a table for each part."""

    def run(self) -> list[nodes.Node]:
        """Return the tables, each below its part's name."""
        toc = Path(self.env.srcdir) / "_toc.yml"
        self.env.note_dependency(str(toc))
        tables = []
        for part in yaml.safe_load(toc.read_text("utf8"))["parts"]:
            stems = [c["file"] for c in part["chapters"] if CHAPTER.fullmatch(c["file"])]
            if stems:
                tables.append(nodes.rubric("", part["caption"], classes=["part"]))
                tables.append(self.table(stems))
        return tables

    def table(self, stems: list[str]) -> nodes.table:
        """Return the table of one part."""
        group = nodes.tgroup("", cols=len(HEADINGS))
        group += [nodes.colspec(colwidth=width) for width in (30, 46, 10, 14)]
        group += nodes.thead("", row(*(nodes.Text(text) for text in HEADINGS)))
        group += nodes.tbody("", *(self.chapter(stem) for stem in stems))
        return nodes.table("", group, classes=["course-map", "colwidths-given"])

    def chapter(self, stem: str) -> nodes.row:
        """Return the row of one chapter."""
        path = Path(self.env.srcdir) / f"{stem}.md"
        self.env.note_dependency(str(path))
        about = front_matter(path)
        number = int(CHAPTER.fullmatch(stem).group(1))
        link = addnodes.pending_xref(
            "", nodes.inline(), refdomain="std", reftype="doc", reftarget=f"/{stem}",
            refdoc=self.env.docname, refexplicit=False, refwarn=True,
        )  # fmt: skip
        name = nodes.inline("", "", nodes.Text(f"{number} · "), link)
        texts = (nodes.Text(str(about.get(key, ""))) for key in ("description", "time"))
        return row(name, *texts, self.exercise(stem))

    def exercise(self, stem: str) -> nodes.Node:
        """Return a link that downloads the chapter's exercise."""
        target = f"../exercises/{stem}/{stem}.ipynb"
        if not (Path(self.env.srcdir) / target).exists():
            return nodes.Text("–")
        label = nodes.inline("", "notebook", classes=["xref", "download"])
        return addnodes.download_reference("", "", label, reftarget=target, refdoc=self.env.docname)


def setup(app: Sphinx) -> None:
    """Register the directive."""
    app.add_directive("course-map", CourseMap)
