"""What every built page promises, read from its HTML."""

import re
from urllib.parse import unquote, urlsplit

import nbformat

LOADED = {"script": "src", "img": "src", "source": "src", "iframe": "src", "video": "src"}
BOOK = ("index", "setup", "notation", "ch05_bptt", "glossary", "references", "instructors")


def is_elsewhere(address: str) -> bool:
    """Return whether an address leads to another host."""
    return bool(urlsplit(address).netloc) or address.startswith("//")


def test_every_page_of_the_book_is_there(pages):
    """The pages that the table of contents promises are built."""
    assert {f"{page}.html" for page in BOOK} <= set(pages)


def test_no_page_loads_anything_from_another_host(pages):
    """Scripts, styles, pictures and frames come from the site itself."""
    for name, page in pages.items():
        loaded = [tag[a] for kind, a in LOADED.items() for tag in page.find_all(kind) if tag.get(a)]
        loaded += [tag["href"] for tag in page.find_all("link") if tag.get("href")]
        assert loaded, f"{name} loads nothing: the test would prove nothing"
        assert not [a for a in loaded if is_elsewhere(a)], name
        inline = " ".join(tag.text for tag in page.find_all(["style", "script"]))
        assert not re.search(r"@import|\burl\(\s*['\"]?https?:|import\(['\"]https?:", inline), name


def test_no_style_sheet_loads_anything_from_another_host(site):
    """Fonts and pictures named in style sheets are local."""
    sheets = list(site.rglob("*.css"))
    assert sheets
    for sheet in sheets:
        css = sheet.read_text("utf8")
        assert not re.search(r"(url\(\s*['\"]?|@import\s+['\"])(https?:)?//", css), sheet


def test_every_local_file_that_a_page_names_exists(site, pages):
    """Links, pictures, scripts and styles lead somewhere, anchors included."""
    for name, page in pages.items():
        tags = [t.get(a) for a in ("href", "src") for t in page.find_all(attrs={a: True})]
        for address in {unquote(a) for a in tags if a}:
            parts = urlsplit(address)
            if parts.scheme or parts.netloc:
                continue
            target = (site / name).parent / parts.path if parts.path else site / name
            assert target.exists(), f"{name}: {address} leads nowhere"
            anchored = parts.fragment and target.suffix == ".html"
            if anchored and target.name in pages:
                assert pages[target.name].find(id=parts.fragment), f"{name}: no anchor {address}"


def test_every_picture_says_what_it_shows(pages):
    """Each picture has an alternative text that is neither empty nor its file's name."""
    for name, page in pages.items():
        for image in page.find_all("img"):
            alt = image.get("alt", "")
            assert alt and not alt.endswith((".png", ".svg")), f"{name}: {image.get('src')}"
            if image.find_parent("figure"):
                assert len(alt) >= 40, f"{name}: the text does not state the finding: {alt!r}"


def test_formulas_are_typeset_and_readable_aloud(pages):
    """Each formula is KaTeX's HTML with MathML beside it; no TeX is left in the text."""
    assert pages["notation.html"].select("div.math .katex-display")
    for name, page in pages.items():
        for formula in page.select(".math"):
            assert formula.find("math"), f"{name}: {formula.text[:80]}"
        for hidden in page.select("annotation, pre, code, script"):
            hidden.decompose()
        text = page.get_text()
        assert not re.search(r"\$\$|\\\(|\\\[|\\begin\{|\\frac", text), name


def test_numbered_formulas_can_be_referred_to(pages):
    """A numbered equation shows the number by which the text cites it."""
    numbers = [tag.get_text() for tag in pages["ch05_bptt.html"].select("div.math .eqno")]
    assert numbers and all(number.startswith("(5.") for number in numbers), numbers
    cited = [a.get_text() for a in pages["ch05_bptt.html"].select("a.reference.internal")]
    assert any(re.fullmatch(r"\(5\.\d+\)", text) for text in cited)


def test_chapters_are_numbered_by_their_file_name(pages):
    """Chapter 5 is 5 although it is the first that exists."""
    assert pages["ch05_bptt.html"].select_one("article h1").get_text().startswith("5.")
    assert "5." in pages["index.html"].select_one("nav.bd-links").get_text()


def test_a_chapter_can_be_downloaded_as_a_notebook_without_outputs(site, pages):
    """The download button gives a valid notebook with code and no outputs."""
    href = pages["ch05_bptt.html"].select_one("a.btn-download-notebook-button")["href"]
    notebook = nbformat.read(site / href, as_version=4)
    nbformat.validate(notebook)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert code and not any(cell.outputs for cell in code)


def test_the_index_links_each_chapter_and_its_exercise(pages):
    """The course map is made from the table of contents."""
    links = [a["href"] for a in pages["index.html"].select("table.course-map a")]
    assert "ch05_bptt.html" in links
    assert any(link.endswith("ch05_bptt.ipynb") for link in links)


def test_search_finds_a_term_of_the_glossary(site):
    """The search index knows the words of the pages."""
    index = (site / "searchindex.js").read_text("utf8")
    assert re.search(r'"?vanish"?:', index)


def test_every_page_names_its_licence(pages):
    """The footer says under which licences text and code may be used."""
    for name in (f"{page}.html" for page in BOOK):
        footer = pages[name].select_one("footer.bd-footer, .bd-footer-content").get_text()
        assert "CC BY 4.0" in footer and "BSD-3-Clause" in footer, name


def test_what_no_page_needs_is_not_shipped(site):
    """Source maps and the icon script are taken out, and no page asks for them."""
    assert not list(site.rglob("*.map"))
    assert not list(site.rglob("fontawesome.js"))
    assert not [p for p in site.glob("*.html") if "fontawesome.js" in p.read_text("utf8")]
