"""Every explorer in a real browser: it comes alive, moves by keyboard and mouse, and is right."""

import base64
import gzip
import json
import re

import pytest
from bs4 import BeautifulSoup

PAGES = {
    "ch03_embeddings.html": "word-search",
    "ch05_bptt.html": "unroll",
    "ch06_gradient_flow.html": "gradient-flow",
    "ch07_gates.html": "gates",
    "ch10_decoding.html": "beam-tree",
}
VIEWS = [(width, scheme) for width in (1280, 390) for scheme in ("light", "dark")]
OVERFLOW = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
TEXT_SIZES = (
    "[...document.querySelectorAll('.explorer svg')].map(svg =>"
    " svg.getBoundingClientRect().width / svg.viewBox.baseVal.width * Math.min("
    " ...[...svg.querySelectorAll('text')].map(t => parseFloat(getComputedStyle(t).fontSize))))"
)
AS_DRAWN = (
    "[...document.querySelectorAll('.explorer rect')]"
    ".every(r => Math.abs(r.getBBox().width - r.getAttribute('width')) < 0.5)"
)
KEYS = {"ArrowLeft": 37, "ArrowUp": 38, "ArrowRight": 39, "ArrowDown": 40, "Tab": 9, "End": 35}


def explorers(soup: BeautifulSoup) -> dict[str, dict]:
    """Return the numbers of a page's explorers by kind."""
    found = soup.select(".explorer")
    return {e["data-explorer"]: json.loads(e.script.string) for e in found}


class Reader:
    """Someone who reads one page with an explorer and moves it as a reader would."""

    def __init__(self, tab, address: str, page: str):
        self.tab = tab
        tab.visit(f"{address}/{page}")
        tab.wait_for("document.querySelector('.explorer-live') !== null")

    @property
    def state(self) -> dict:
        return json.loads(self.tab.evaluate("document.querySelector('.explorer').dataset.state"))

    @property
    def says(self) -> str:
        return self.tab.evaluate("document.querySelector('.explorer output').textContent")

    def inputs(self, selector: str) -> int:
        return self.tab.evaluate(f"document.querySelectorAll('.explorer {selector}').length")

    def focus(self, selector: str, place: int = 0) -> None:
        self.tab.evaluate(f"document.querySelectorAll('.explorer {selector}')[{place}].focus()")

    def press(self, *keys: str) -> None:
        for key in keys:
            for kind in ("rawKeyDown", "keyUp"):
                self.tab.call(
                    "Input.dispatchKeyEvent",
                    type=kind,
                    key=key,
                    code=key,
                    windowsVirtualKeyCode=KEYS[key],
                )

    def middle(self, selector: str, place: int, share: float = 0.5) -> tuple[float, float]:
        """Return a point of an element that has been scrolled into view."""
        return self.tab.evaluate(
            f"(() => {{ const e = document.querySelectorAll('.explorer {selector}')[{place}];"
            " e.scrollIntoView({block: 'center', behavior: 'instant'});"
            " const r = e.getBoundingClientRect();"
            f" return [r.x + r.width * {share}, r.y + r.height / 2]; }})()"
        )

    def click(self, selector: str, place: int = 0, share: float = 0.5) -> None:
        x, y = self.middle(selector, place, share)
        for kind in ("mousePressed", "mouseReleased"):
            self.tab.call(
                "Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1
            )

    def tap(self, selector: str, place: int = 0, share: float = 0.5) -> None:
        x, y = self.middle(selector, place, share)
        self.tab.call("Input.dispatchTouchEvent", type="touchStart", touchPoints=[{"x": x, "y": y}])
        self.tab.call("Input.dispatchTouchEvent", type="touchEnd", touchPoints=[])

    def type(self, text: str, place: int = 0) -> None:
        self.focus("input[type=text]", place)
        self.tab.evaluate("document.activeElement.select()")
        self.tab.call("Input.insertText", text=text)

    def choose(self, place: int, option: int) -> None:
        """Pick an option of a select; its list of options is not part of the page."""
        self.tab.evaluate(
            f"(() => {{ const s = document.querySelectorAll('.explorer select')[{place}];"
            f" s.selectedIndex = {option}; s.dispatchEvent(new Event('change')); }})()"
        )

    def slide(self, place: int, value: int) -> None:
        self.tab.evaluate(
            f"(() => {{ const s = document.querySelectorAll('.explorer [type=range]')[{place}];"
            f" s.value = {value}; s.dispatchEvent(new Event('input')); }})()"
        )


@pytest.fixture
def read(browser, address):
    """Return a function that opens a page in a tab; all tabs are closed afterwards."""
    tabs = []

    def open_page(page: str, width: int = 1280, scheme: str = "light") -> Reader:
        tabs.append(browser.open(width, scheme))
        return Reader(tabs[-1], address, page)

    yield open_page
    for tab in tabs:
        tab.close()


def test_the_pages_with_explorers_are_known(pages):
    """None is missing below, and each carries a picture with a text alternative."""
    found = {name: list(kinds) for name, soup in pages.items() if (kinds := explorers(soup))}
    assert {name: [kind] for name, kind in PAGES.items()}.items() <= found.items()
    for name in found:
        for picture in pages[name].select(".explorer > img"):
            assert len(picture["alt"]) > 40, name
            svg = base64.b64decode(picture["src"].split(",")[1])
            assert svg.lstrip().startswith(b"<?xml") and b"<path" in svg, name


@pytest.mark.parametrize(("width", "scheme"), VIEWS, ids=lambda value: str(value))
def test_explorers_come_alive_in_every_view(read, width, scheme):
    """Drawn, without an error, inside the window, with text that can be read."""
    for page in PAGES:
        reader = read(page, width, scheme)
        tab = reader.tab
        assert tab.evaluate("document.querySelector('.explorer:not(.explorer-live)')") is None
        assert not tab.errors, page
        assert tab.evaluate(OVERFLOW) <= 0, page
        assert min(tab.evaluate(TEXT_SIZES)) >= 12, page
        assert tab.evaluate("document.querySelector('.explorer > img').offsetParent") is None
        assert tab.evaluate(AS_DRAWN), f"{page}: a style sheet changes the size of a rectangle"
        assert reader.says and reader.state, page


@pytest.mark.parametrize("page", PAGES)
def test_every_control_moves_by_keyboard_and_mouse(read, page):
    """The state that the explorer reports follows each slider, list and field."""
    reader = read(page)
    for place in range(reader.inputs("input[type=range]")):
        for move in (
            lambda at: (reader.focus("input[type=range]", at), reader.press("ArrowLeft")),
            lambda at: reader.click("input[type=range]", at, 0.3),
        ):
            reader.focus("input[type=range]", place)
            reader.press("End")
            before = reader.state, reader.says
            move(place)
            assert (reader.state, reader.says) != before, f"{page}: slider {place}"
    for place in range(reader.inputs("select")):
        before = reader.state
        reader.focus("select", place)
        first = reader.tab.evaluate("document.activeElement.selectedIndex") == 0
        reader.press("ArrowDown" if first else "ArrowUp")
        assert reader.state != before, f"{page}: list {place}"
    for place in range(reader.inputs("input[type=text]")):
        before = reader.state
        reader.type("the", place)
        assert reader.state != before, f"{page}: field {place}"
    assert not reader.tab.errors


@pytest.mark.parametrize("page", PAGES)
def test_a_finger_moves_a_control(read, page):
    """Touch works on a phone's width."""
    reader = read(page, 390)
    reader.tab.call("Emulation.setTouchEmulationEnabled", enabled=True)
    if reader.inputs("input[type=range]"):
        before = reader.state
        reader.tap("input[type=range]", 0, 0.1)
        reader.tap("input[type=range]", 0, 0.9)
        assert reader.state != before
    else:  # fields only: a tap puts the cursor there
        reader.tap("input[type=text]", 1)
        assert reader.tab.evaluate("document.activeElement.value") == reader.state["a"]


@pytest.mark.parametrize("page", PAGES)
def test_without_a_script_the_picture_is_shown(browser, address, page):
    """A reader who runs no script sees the picture and no empty frame."""
    tab = browser.open(1280, "light")
    tab.call("Emulation.setScriptExecutionDisabled", value=True)
    tab.load(f"{address}/{page}")
    root = tab.call("DOM.getDocument")["root"]["nodeId"]
    image = tab.call("DOM.querySelector", nodeId=root, selector=".explorer > img")["nodeId"]
    box = tab.call("DOM.getBoxModel", nodeId=image)["model"]
    assert box["width"] > 300 and box["height"] > 100
    stage = tab.call("DOM.querySelector", nodeId=root, selector=".explorer-stage")["nodeId"]
    assert stage == 0
    tab.close()


def test_the_tree_names_the_sentence_that_the_chapter_found(read, pages):
    """For every decoder, width and exponent the same node wins in Python and in JavaScript."""
    numbers = explorers(pages["ch10_decoding.html"])["beam-tree"]
    reader = read("ch10_decoding.html")
    for model, widths in enumerate(numbers["winners"]):
        reader.choose(0, model)
        for k, winners in enumerate(widths):
            reader.slide(0, k)
            for place in range(0, len(winners), 3):
                reader.slide(1, place)
                assert reader.state["winner"] == winners[place], (model, k, place)
    assert len({w for widths in numbers["winners"] for row in widths for w in row}) > 3


def test_arrow_keys_walk_the_tree(read):
    """One node is in the order of tabs; from it the arrows go to child, sibling and parent."""
    reader = read("ch10_decoding.html")
    assert reader.inputs('[role=treeitem][tabindex="0"]') == 1
    reader.focus('[role=treeitem][tabindex="0"]')
    reader.press("ArrowRight")
    first = reader.state
    assert first["word"] == "he" and first["kind"] == "kept"
    assert f"{-first['score']:.2f}" in reader.says and "kept" in reader.says
    reader.press("ArrowDown")
    assert reader.state["word"] == "I"
    reader.press("ArrowUp", "ArrowRight", "ArrowLeft")
    assert reader.state == first
    reader.press("End")
    assert reader.state["kind"] == "finished" and reader.state["word"] == "end"
    assert reader.inputs('[role=treeitem][tabindex="0"]') == 1
    reader.slide(2, 1)  # back to the first step: what is not yet there cannot be chosen
    assert "word" not in reader.state and "nothing is finished" in reader.says
    reader.click(".node .hit", 1)
    assert reader.state["word"]


def test_the_lstm_in_the_page_agrees_with_the_chapter(read, pages):
    """Every memory and probability along the default sentence, to 1e-3."""
    numbers = explorers(pages["ch07_gates.html"])["gates"]
    reader = read("ch07_gates.html")
    expected = numbers["expected"]
    assert reader.state["words"] == numbers["sentence"].split()
    for t, (memory, plural) in enumerate(zip(expected["memory"], expected["plural"], strict=True)):
        reader.slide(0, t)
        assert reader.state["memory"] == pytest.approx(memory, abs=1e-3)
        assert reader.state["plural"] == pytest.approx(plural, abs=1e-3)


def test_a_typed_sentence_is_read(read):
    """The verdict follows the subject; unknown words are named and left out, too many cut."""
    reader = read("ch07_gates.html")
    verdicts = {}
    for noun in ("student", "students"):
        reader.type(f"The {noun} near the Zebra")
        verdicts[noun] = reader.state["plural"]
        assert reader.state["skipped"] == ["zebra"] and "zebra" in reader.says
    assert verdicts["student"] < 0.5 < verdicts["students"]
    reader.type("the doctor . " * 40)
    assert len(reader.state["words"]) == 40
    reader.type("<b>")
    assert reader.state["words"] == [] and not reader.tab.errors


def test_the_search_finds_what_the_chapter_found(read, pages):
    """Neighbours and answers, with cosines, as torch computed them from the same vectors."""
    numbers = explorers(pages["ch03_embeddings.html"])["word-search"]
    reader = read("ch03_embeddings.html")
    for kind, wanted in numbers["expected"].items():
        found = reader.state[kind]
        assert [item["word"] for item in found] == [word for word, _ in wanted]
        cosines = [item["cosine"] for item in found]
        assert cosines == pytest.approx([cosine for _, cosine in wanted], abs=1e-3)
    reader.type("paris")
    assert reader.state["near"] and "king" not in [n["word"] for n in reader.state["near"]]
    reader.type("xyzzy")
    assert reader.state["near"] == [] and "xyzzy" in reader.says


def test_going_back_adds_up_to_the_gradient(read, pages):
    """After the last move the sum is autograd's gradient, for every number of steps."""
    numbers = explorers(pages["ch05_bptt.html"])["unroll"]
    reader = read("ch05_bptt.html")
    for n, wanted in enumerate(numbers["expected"], start=1):
        reader.slide(0, n - 1)
        reader.slide(1, 4 * n)
        assert reader.state["kind"] == "term" and reader.state["t"] == 1
        for row, found in zip(wanted, reader.state["sum"], strict=True):
            assert found == pytest.approx(row, abs=1e-3)
    reader.slide(1, 1)
    assert reader.state["kind"] == "state" and reader.state["h"] == numbers["h"][1]


def test_the_script_is_small(site):
    """All explorers together stay below 8 KB on the wire."""
    script = (site / "_static" / "explorers.js").read_bytes()
    assert len(gzip.compress(script, 9)) <= 8 * 1024
    assert not re.search(rb"https?://(?!www\.w3\.org/2000/svg)", script)
