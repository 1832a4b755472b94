"""Number chapters by their file name, so that ch05 is chapter 5 whichever chapters exist."""

import re

from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment

STEM = re.compile(r"ch(\d+)_")


def renumber(app: Sphinx, env: BuildEnvironment) -> list[str]:
    """Put the file name's number in front of section, figure and equation numbers."""
    for page in env.toc_secnumbers:
        match = STEM.match(page)
        if not match:
            continue
        chapter = int(match.group(1))
        sections = env.toc_secnumbers[page]
        for anchor, number in sections.items():
            if number:
                sections[anchor] = (chapter, *number[1:])
        for numbers in env.toc_fignumbers.get(page, {}).values():
            for anchor, number in numbers.items():
                numbers[anchor] = (chapter, *number[1:])
        _renumber_contents(env, page, chapter)
    return []


def _renumber_contents(env: BuildEnvironment, page: str, chapter: int) -> None:
    """Renumber the page's title and its entries in tables of contents."""
    title = env.titles[page]
    if title.get("secnumber"):
        title["secnumber"] = (chapter, *title["secnumber"][1:])
    for entry in env.tocs[page].findall(addnodes.compact_paragraph):
        if entry[0].get("secnumber"):
            entry[0]["secnumber"] = [chapter, *entry[0]["secnumber"][1:]]


def setup(app: Sphinx) -> None:
    """Run after Sphinx has counted (its own handler has priority 500)."""
    app.connect("env-get-updated", renumber, priority=900)
