"""A headless Chromium driven over its DevTools protocol: what the page tests need and no more."""

import json
import shutil
import subprocess
import tempfile
import time
import urllib.request
from pathlib import Path

import websocket

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
QUIET = [
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-extensions",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--remote-debugging-port=0",
]
WAIT = 30  # seconds for a page or a reply


def find() -> str | None:
    """Return Chromium's path, or None where there is none."""
    return next(filter(None, map(shutil.which, NAMES)), None)


class Browser:
    """A Chromium process with a fresh profile; use it in a ``with`` statement."""

    def __enter__(self) -> "Browser":
        self.profile = tempfile.mkdtemp(prefix="chromium-")
        self.process = subprocess.Popen(
            [find(), *QUIET, f"--user-data-dir={self.profile}", "about:blank"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        port_file = Path(self.profile) / "DevToolsActivePort"
        deadline = time.monotonic() + WAIT
        while not port_file.exists() or "\n" not in port_file.read_text():
            if time.monotonic() > deadline or self.process.poll() is not None:
                self.__exit__()
                raise RuntimeError("Chromium did not start")
            time.sleep(0.05)
        self.port = port_file.read_text().split("\n")[0]
        return self

    def __exit__(self, *_) -> None:
        self.process.terminate()
        self.process.wait(WAIT)
        shutil.rmtree(self.profile, ignore_errors=True)

    def open(self, width: int, scheme: str) -> "Page":
        """Return an empty page ``width`` pixels wide that prefers ``scheme`` (light or dark)."""
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}/json/new?about:blank", method="PUT"
        )
        with urllib.request.urlopen(request, timeout=WAIT) as reply:
            return Page(json.load(reply)["webSocketDebuggerUrl"], width, scheme)


class Page:
    """One tab; keeps the addresses it requested and the errors it reported."""

    def __init__(self, address: str, width: int, scheme: str):
        self.socket = websocket.create_connection(address, timeout=WAIT, suppress_origin=True)
        self.requests: list[str] = []
        self.errors: list[str] = []
        self.loaded = False
        self.last_id = 0
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")
        metrics = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 600}
        self.call("Emulation.setDeviceMetricsOverride", **metrics)
        self.call(
            "Emulation.setEmulatedMedia",
            features=[{"name": "prefers-color-scheme", "value": scheme}],
        )

    def call(self, method: str, **params):
        """Return the result of a DevTools command."""
        self.last_id += 1
        self.socket.send(json.dumps({"id": self.last_id, "method": method, "params": params}))
        while (message := json.loads(self.socket.recv())).get("id") != self.last_id:
            self._note(message)
        if "error" in message:
            raise RuntimeError(f"{method}: {message['error']['message']}")
        return message["result"]

    def _note(self, event: dict) -> None:
        """Keep what the tests ask about."""
        params = event.get("params", {})
        match event.get("method"):
            case "Network.requestWillBeSent":
                self.requests.append(params["request"]["url"])
            case "Runtime.exceptionThrown":
                self.errors.append(json.dumps(params["exceptionDetails"])[:500])
            case "Runtime.consoleAPICalled" if params["type"] in ("error", "assert"):
                self.errors.append(json.dumps(params["args"])[:500])
            case "Log.entryAdded" if params["entry"]["level"] == "error":
                self.errors.append(f"{params['entry']['text']} {params['entry'].get('url', '')}")
            case "Page.loadEventFired":
                self.loaded = True

    def load(self, url: str) -> None:
        """Open ``url`` and wait until it has loaded; works without scripts too."""
        self.loaded = False
        self.call("Page.navigate", url=url)
        while not self.loaded:
            self._note(json.loads(self.socket.recv()))

    def visit(self, url: str) -> None:
        """Open ``url`` and wait until it has loaded and its fonts are there."""
        self.load(url)
        self.evaluate("document.fonts.ready.then(() => new Promise(requestAnimationFrame))")

    def evaluate(self, script: str):
        """Return the value of a JavaScript expression, awaited if it is a promise."""
        reply = self.call(
            "Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True
        )
        if "exceptionDetails" in reply:
            raise RuntimeError(json.dumps(reply["exceptionDetails"])[:500])
        return reply["result"].get("value")

    def wait_for(self, script: str) -> None:
        """Wait until the JavaScript expression is true."""
        deadline = time.monotonic() + WAIT
        while not self.evaluate(script):
            if time.monotonic() > deadline:
                raise TimeoutError(f"never became true: {script}")
            time.sleep(0.05)

    def close(self) -> None:
        """Close the tab."""
        self.call("Page.close")
        self.socket.close()
