"""Every page opened in a real browser, light and dark, wide and narrow."""

from urllib.parse import urlsplit

import pytest

WIDTHS = (1280, 390)
SCHEMES = ("light", "dark")
OVERFLOW = "document.documentElement.scrollWidth - document.documentElement.clientWidth"


@pytest.fixture(params=[(w, s) for w in WIDTHS for s in SCHEMES], ids=lambda p: f"{p[0]}-{p[1]}")
def page(browser, request):
    """Return a tab of one width and colour scheme."""
    tab = browser.open(*request.param)
    yield tab
    tab.close()


def test_pages_open_without_errors_other_hosts_or_horizontal_scroll(page, pages, address):
    """No console error, no request to another host, and no page wider than the window."""
    host = urlsplit(address).netloc
    for name in pages:
        page.requests.clear()
        page.visit(f"{address}/{name}")
        assert page.requests, "nothing was requested: the test would prove nothing"
        elsewhere = [u for u in page.requests if urlsplit(u).netloc not in ("", host)]
        assert not elsewhere, f"{name}: {elsewhere}"
        assert not page.errors, f"{name}: {page.errors}"
        assert page.evaluate(OVERFLOW) <= 0, f"{name} scrolls sideways"
        assert page.evaluate("innerWidth") in WIDTHS, f"{name} is wider than the screen"


def test_the_colour_scheme_follows_the_reader(browser, address):
    """A reader whose system is dark gets the dark page, and the reverse."""
    for scheme in SCHEMES:
        tab = browser.open(1280, scheme)
        tab.visit(f"{address}/index.html")
        assert tab.evaluate("document.documentElement.dataset.theme") == scheme
        tab.close()


def test_links_to_the_neighbouring_pages_fit_on_a_phone(browser, address):
    """The previous and next links lie inside a window of 390 pixels."""
    tab = browser.open(390, "light")
    tab.visit(f"{address}/notation.html")
    edges = tab.evaluate(
        "[...document.querySelectorAll('.prev-next-area a')]"
        ".map(a => [a.getBoundingClientRect().left, a.getBoundingClientRect().right])"
    )
    assert len(edges) == 2
    assert all(left >= 0 and right <= 390 for left, right in edges), edges
    tab.close()


@pytest.mark.parametrize("place", ["server", "file"])
def test_search_finds_a_term(browser, address, site, place):
    """Searching lists the glossary, from a server and from the files alone."""
    base = address if place == "server" else site.as_uri()
    tab = browser.open(1280, "light")
    tab.visit(f"{base}/search.html?q=perplexity")
    tab.wait_for("document.querySelectorAll('#search-results li').length > 0")
    assert "Glossary" in tab.evaluate("document.querySelector('#search-results').innerText")
    tab.close()


def test_formulas_use_the_fonts_that_the_site_brings(browser, address):
    """KaTeX's fonts load, so that formulas look as they should without a network."""
    tab = browser.open(1280, "light")
    tab.visit(f"{address}/notation.html")
    loaded = tab.evaluate(
        "[...document.fonts].filter(f => f.status === 'loaded').map(f => f.family)"
    )
    assert any("KaTeX_Main" in family for family in loaded), loaded
    tab.close()
