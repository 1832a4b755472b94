"""The grader's end of the warm process: start it, and have it fork candidates and examiners."""

from __future__ import annotations

import contextlib
import json
import os
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import Any

from autograder.errors import AutograderError
from autograder.sandbox import WITHOUT, Quota, SandboxIncomplete, Usage

# One thread per process: the pool uses the cores; numpy's own threads would only fight over them.
ENVIRONMENT = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "MPLBACKEND": "module://matplotlib_inline.backend_inline",
    "PYTHONHASHSEED": "0",
    "PYTHONDONTWRITEBYTECODE": "1",
    "LANG": "C.UTF-8",
    "JPY_PARENT_PID": "0",
    "IPYTHONDIR": "/nonexistent",
    "HOME": "/nonexistent",
}
KEPT = ("PATH", "UNROLLED_DEVICE", "CUDA_VISIBLE_DEVICES", "LD_LIBRARY_PATH", WITHOUT)
START_SECONDS = 60
ANSWER_SECONDS = 5
# What torch imports at first use, which costs every forked process a second or two: where an
# assignment's text has the word, the warm process imports it once.
WARM_FOR = {
    "backward": "torch.fx.experimental.symbolic_shapes",
    "optim": "torch._dynamo",
    "sklearn": "sklearn",
}


def wanted(texts: Iterable[str]) -> list[str]:
    """Return the modules that the warm process should import for an assignment's cells."""
    text = "\n".join(texts)
    return [module for word, module in WARM_FOR.items() if word in text]


class WarmProcessError(AutograderError):
    """The process that forks candidates and examiners cannot be used."""

    @property
    def next_step(self) -> str:
        """One line: what the person can do about it."""
        return "run `autograder doctor` to see what is missing"


def _font_cache() -> str:
    """Return where matplotlib keeps its list of fonts, which takes seconds to make anew."""
    home = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    return os.environ.get("MPLCONFIGDIR") or os.path.join(home, "matplotlib")


ASK_USAGE = 0  # where signals have their numbers


class Session:
    """One forked process; it and all it started die when the session is closed."""

    def __init__(self, stream: socket.socket) -> None:
        self.stream = stream
        self.exit: int | None = None
        self.reason = ""  # the limit it was killed for: memory or processes
        self.used = Usage()
        self._buffer = b""
        answer = self._message(timeout=START_SECONDS)
        if "failed" in answer:
            raise SandboxIncomplete(answer["failed"])
        self.pid: int = answer["pid"]

    def _message(self, timeout: float | None) -> dict[str, Any]:
        while b"\n" not in self._buffer:
            ready, _, _ = select.select([self.stream], [], [], timeout)
            part = self.stream.recv(4096) if ready else b""
            if not part:
                raise WarmProcessError("the warm process did not answer")
            self._buffer += part
        line, _, self._buffer = self._buffer.partition(b"\n")
        return json.loads(line)

    def poll(self) -> int | None:
        """Return the exit status, or None while the process runs."""
        if self.exit is None and (self._buffer or select.select([self.stream], [], [], 0)[0]):
            try:
                self._note(self._message(timeout=0))
            except (WarmProcessError, OSError):
                self.exit = -signal.SIGKILL
        return self.exit

    def usage(self) -> Usage:
        """Return what the process and all it started use, or used at the end."""
        if self.poll() is None:
            self.signal(ASK_USAGE)
            with contextlib.suppress(WarmProcessError, OSError):
                self._note(self._message(timeout=ANSWER_SECONDS))
        return self.used

    def _note(self, message: dict[str, Any]) -> None:
        self.used = Usage(**message["usage"])
        if "exit" in message:
            self.exit, self.reason = message["exit"], message["reason"]

    def signal(self, number: int) -> None:
        """Send a signal to the process and its group."""
        with contextlib.suppress(OSError):
            self.stream.sendall(bytes([number]))

    def close(self) -> None:
        """Kill the process, if it still runs."""
        self.stream.close()


class Zygote:
    """The warm process. Use it as a context manager, or close it when done."""

    def __init__(self) -> None:
        self.folder: str | None = None  # of the socket at which others get a copy of it
        self.control, theirs = socket.socketpair()  # one request at a time, each answered
        environment = ENVIRONMENT | {k: os.environ[k] for k in KEPT if k in os.environ}
        environment["MPLCONFIGDIR"] = _font_cache()
        self.process = subprocess.Popen(
            [sys.executable, "-I", "-m", "autograder.zygote", str(theirs.fileno())],
            pass_fds=[theirs.fileno()],
            env=environment,
            cwd="/",
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )
        theirs.close()

    def wait_until_ready(self) -> None:
        """Wait until the imports are done."""
        if not select.select([self.control], [], [], START_SECONDS)[0] or not self.control.recv(64):
            raise WarmProcessError("the warm process did not start")
        self.wait_until_ready = lambda: None  # type: ignore[method-assign]

    def fork(
        self,
        role: str,
        arguments: dict[str, Any],
        descriptors: list[int],
        quota: Quota | None = None,
        folder: str = "/nonexistent",
        warm: Sequence[str] = (),
    ) -> Session:
        """Fork a candidate or an examiner that keeps the given descriptors.

        Args:
            role: candidate or examiner.
            arguments: what its ``main`` is called with.
            descriptors: what it keeps open.
            quota: what it may use.
            folder: where it may write if it cannot have a folder of its own in memory.
            warm: modules that the warm process imports before, if it has not yet.
        """
        request: dict[str, Any] = {"role": role, "arguments": arguments, "folder": folder}
        request["warm"] = list(warm)
        request["quota"] = asdict(quota or Quota())
        return self._ask(request, descriptors)

    def _ask(self, request: dict[str, Any], descriptors: list[int]) -> Session:
        self.wait_until_ready()
        ours, theirs = socket.socketpair()
        packet = json.dumps(request).encode()
        socket.send_fds(self.control, [packet], [theirs.fileno(), *descriptors])
        theirs.close()
        return Session(ours)

    def share(self, warm: Sequence[str] = ()) -> str:
        """Return the address at which this user's other graders get a copy, ready at once."""
        if self.folder is None:
            self.folder = tempfile.mkdtemp(prefix="unrolled-")  # which only this user may enter
            with socket.socket(socket.AF_UNIX) as listener:
                listener.bind(os.path.join(self.folder, "warm"))
                listener.listen(256)
                request = {"role": "share", "warm": list(warm)}
                self._ask(request, [listener.fileno()]).close()
        return os.path.join(self.folder, "warm")

    def alive(self) -> bool:
        """Return whether it can still fork."""
        return self.process.poll() is None

    def close(self) -> None:
        """End the warm process and everything it forked."""
        self.control.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(1)
        self.process.kill()
        self.process.wait()
        if self.folder is not None:
            shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self) -> Zygote:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class Copy(Zygote):
    """A copy of another grader's warm process."""

    def __init__(self, address: str) -> None:
        self.folder = None
        self.control = socket.socket(socket.AF_UNIX)
        self.control.connect(address)

    def wait_until_ready(self) -> None:
        """Return at once: it was ready before it was copied."""

    def alive(self) -> bool:
        """Return whether it can still fork."""
        return not select.select([self.control], [], [], 0)[0]  # it only speaks when it ends

    def close(self) -> None:
        """End the copy and everything it forked."""
        self.control.close()


_current: Zygote | None = None
_address = ""  # where copies of another grader's warm process are to be had


def borrow(address: str) -> None:
    """Use copies of another grader's warm process, as long as there are any."""
    global _address
    _address = address


def current() -> Zygote:
    """Return this process's warm process, started at the first call and ended at exit."""
    global _current
    if _current is None or not _current.alive():
        import atexit

        try:
            _current = Copy(_address) if _address else Zygote()
        except OSError:
            _current = Zygote()
        atexit.register(_current.close)
    return _current
