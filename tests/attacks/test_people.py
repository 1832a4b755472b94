"""What students write is shown to people as text and never runs in their browser."""

import re
from html.parser import HTMLParser

import pytest
from nbconvert.filters.markdown_mistune import markdown2html_mistune

from autograder.rebuild import as_text

HOSTILE = (
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "<svg onload=alert(1)></svg>",
    "<iframe src='//example.org'></iframe>",
    "<!-- --><b onclick=alert(1)>x</b>",
    "[x](javascript:alert(1))",
    "[x](JaVaScRiPt:alert(1))",
    "[x]( javascript&colon;alert(1))",
    "[x](&#106;avascript:alert(1))",
    "[x](java&Tab;script:alert(1))",
    "[x][a]\n\n[a]: javascript:alert(1)",
    "![x](javascript:alert(1))",
    "<javascript:alert(1)>",
    "[x](data:text/html,<script>1</script>)",
    "[x](vbscript:a)",
    "$\\href{java\tscript:alert(1)}{x}$",
    "[x](x 'y\" onclick=alert(1) \"')",
)
HONEST = (
    "Because $a < b$ and $b>c$, so `x < y` & z.",
    "$$\\begin{aligned} a &= b \\\\ c &= d \\end{aligned}$$",
    "See [the paper](https://arxiv.org/abs/1706.03762).",
    "The data: ten numbers. *Important*: none.",
)


class Parser(HTMLParser):
    """Collects what could run."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in ("script", "svg", "iframe", "object", "embed", "style", "form", "base"):
            self.found.append(tag)
        for name, value in attrs:
            scheme = "".join((value or "").split()).lower().partition(":")[0]
            if name.startswith("on") or scheme in ("javascript", "vbscript", "data"):
                self.found.append(f"{name}={value}")


@pytest.mark.parametrize("text", HOSTILE)
def test_nothing_a_student_writes_runs_in_a_markers_browser(text: str) -> None:
    parser = Parser()
    page = markdown2html_mistune(as_text(text))
    parser.feed(page)
    assert parser.found == []
    assert not re.search(r"\s*".join("javascript") + ":", page)


@pytest.mark.parametrize("text", HONEST)
def test_honest_text_stays_as_it_is(text: str) -> None:
    assert as_text(text) == text
