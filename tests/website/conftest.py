"""What looks at the built site: its parsed pages, a local server, a browser."""

import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import browser as chromium
import pytest
from bs4 import BeautifulSoup


@pytest.fixture(scope="session")
def pages(site) -> dict[str, BeautifulSoup]:
    """Return every page of the book, parsed, by file name."""
    paths = sorted(p for p in site.glob("*.html"))
    return {p.name: BeautifulSoup(p.read_text("utf8"), "html.parser") for p in paths}


@pytest.fixture(scope="session")
def address(site):
    """Return the address of a local server that serves the site."""

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=site))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()


@pytest.fixture(scope="session")
def browser():
    """Return a running Chromium; without one the tests that need it are skipped."""
    if chromium.find() is None:
        pytest.skip("no Chromium here; to run these tests: apt-get install chromium")
    with chromium.Browser() as running:
        yield running
