"""Typeset every formula with KaTeX while the site is built: no script on the page, no CDN.

The output holds HTML to see and MathML to listen to. TeX that KaTeX rejects is a warning with
file and line, which `-W` turns into a failed build.
"""

import json
import re
import shutil
from functools import lru_cache
from pathlib import Path

import quickjs
from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util import logging
from sphinx.util.math import get_node_equation_number

logger = logging.getLogger(__name__)
WORD_JOINER = "&#8288;"
KATEX = Path(__file__).parent / "katex"
FALLBACK_FONTS = re.compile(r',url\(fonts/[\w-]+\.(?:woff|ttf)\) format\("\w+"\)')
NUMBERED = re.compile(r"\\(begin|end)\{(align|gather|equation|alignat)\}")


@lru_cache(1)
def _engine() -> tuple:
    """Return a JavaScript context with KaTeX in it, and its render function."""
    context = quickjs.Context()
    context.eval((KATEX / "katex.min.js").read_text("utf8"))
    # JSON, because the binding cannot hand over QuickJS's lazily joined strings
    context.eval(
        "function render(tex, display) { return JSON.stringify(katex.renderToString(tex,"
        " {displayMode: display, throwOnError: true, strict: 'error'})) }"
    )
    return context, context.get("render")


@lru_cache(None)
def render(tex: str, display: bool) -> str:
    """Return ``tex`` as HTML with MathML; raises ValueError if it is not good TeX."""
    try:
        return json.loads(_engine()[1](tex, display))
    except quickjs.JSException as error:
        message = str(error).splitlines()[0].removeprefix("ParseError: ")
        raise ValueError(f"{message.replace(chr(0x332), '')} in: {tex}") from None


def display_tex(source: str) -> str:
    r"""Return the TeX of a displayed formula as KaTeX wants it.

    Sphinx sets the number, so numbered environments lose theirs; ``\\`` between lines needs
    an environment around it.
    """
    tex = NUMBERED.sub(r"\\\1{\2*}", source.strip())
    return rf"\begin{{aligned}}{tex}\end{{aligned}}" if _has_bare_break(tex) else tex


def _has_bare_break(tex: str) -> bool:
    r"""Return whether a ``\\`` or ``&`` stands outside every environment."""
    depth = 0
    for token in re.findall(r"\\begin\{|\\end\{|\\\\|\\&|&", tex):
        depth += {"\\begin{": 1, "\\end{": -1}.get(token, 0)
        if depth == 0 and token in ("\\\\", "&"):
            return True
    return False


def _html(node: nodes.Element, tex: str, display: bool) -> str:
    try:
        return render(tex, display)
    except ValueError as error:
        place = node
        while place.line is None and place.parent is not None:
            place = place.parent
        logger.warning("%s", error, location=place, type="katex")
        return f"<code>{nodes.unescape(tex)}</code>"


def visit_inline(self, node: nodes.math) -> None:
    """Write an inline formula."""
    html = _html(node, node.astext().strip(), display=False)
    span = f'<span class="math notranslate nohighlight">{html}</span>'
    self.body.append(_neighbour(node, -1) + span + _neighbour(node, 1))
    raise nodes.SkipNode


def _neighbour(node: nodes.math, step: int) -> str:
    """Return a word joiner where a line must not break beside the formula, as before a comma."""
    place = node.parent.index(node) + step
    text = node.parent[place].astext() if 0 <= place < len(node.parent) else ""
    edge, marks = (text[:1], ",.;:!?)]") if step > 0 else (text[-1:], "([")
    return WORD_JOINER if edge and edge in marks else ""


def visit_block(self, node: nodes.math_block) -> None:
    """Write a displayed formula and its number."""
    self.body.append(self.starttag(node, "div", CLASS="math notranslate nohighlight"))
    self.body.append(_html(node, display_tex(node.astext()), display=True))
    if node.get("number"):
        self.body.append(f'<span class="eqno">({get_node_equation_number(self, node)})')
        self.add_permalink_ref(node, "Link to this equation")
        self.body.append("</span>")
    self.body.append("</div>\n")
    raise nodes.SkipNode


def copy_assets(app: Sphinx, error: Exception | None) -> None:
    """Put KaTeX's style sheet and fonts beside the other static files."""
    if error or app.builder.format != "html":
        return
    target = Path(app.outdir) / "_static" / "katex"
    shutil.copytree(KATEX / "fonts", target / "fonts", dirs_exist_ok=True)
    shutil.copy(KATEX / "LICENSE", target)
    css = FALLBACK_FONTS.sub("", (KATEX / "katex.min.css").read_text("utf8"))
    (target / "katex.min.css").write_text(css, "utf8")


def setup(app: Sphinx) -> None:
    """Register the renderer; `_config.yml` chooses it by `html_math_renderer: katex`."""
    app.add_html_math_renderer("katex", (visit_inline, None), (visit_block, None))
    app.add_css_file("katex/katex.min.css")
    app.connect("build-finished", copy_assets)
