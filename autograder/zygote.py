"""A warm process that has imported what every submission imports, and forks on request.

Starting a kernel from nothing costs two seconds of imports; forking this process costs
milliseconds. It never sees a submission or a test, has one thread, and runs no linear algebra
before it forks (a thread pool would not survive the fork).

Each request is one packet on the control socket: a role with its arguments, the descriptors the
child may keep, and a session socket. The child lives as long as that session: closing the
session kills it and everything it started, and its exit status is the session's last message.
While it runs, the memory and the number of its process tree are watched (`watch`).
"""

from __future__ import annotations

import contextlib
import functools
import gc
import importlib
import json
import os
import selectors
import signal
import socket
import sys
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from autograder import lock_in, syscalls
from autograder.errors import AutograderError
from autograder.sandbox import Quota
from autograder.watch import Child, inherited

WARM = (
    "numpy",
    "numpy.testing",
    "torch",
    "matplotlib.pyplot",
    "matplotlib_inline.backend_inline",
    "einops",
    "jaxtyping",
    "unrolled.checks",
    "unrolled.plots",
    "ipykernel.debugger",
    "ipykernel.kernelapp",
    "ipykernel.zmqshell",
    "IPython.core.completer",
    "IPython.core.debugger",
    "IPython.core.completerlib",
    "IPython.core.oinspect",
    "tornado.platform.asyncio",
    "tornado.queues",
    "encodings.idna",
    "faulthandler",
    "pdb",
    "autograder.candidate",
    "autograder.examiner",
    "autograder.remote_torch",
    "autograder.wire_torch",
)
UNWANTED = ("debugpy",)  # half of a kernel's start-up, and nobody debugs here
MAX_REQUEST = 65536
MAX_DESCRIPTORS = 16
ASK_USAGE = 0  # what the launcher sends where signals have their numbers
WATCH_SECONDS = 0.1  # a tree may exceed its limits for as long


def warm_up(modules: Sequence[str]) -> None:
    """Import what submissions import; what is not installed is left to them."""
    missing = [name for name in modules if name not in sys.modules]
    for name in missing:
        with contextlib.suppress(ImportError):
            importlib.import_module(name)
    if missing:
        gc.collect()
        gc.freeze()  # what is shared with the children stays shared
        inherited.cache_clear()
        inherited()


class Zygote:
    """Forks a child for every request on the control socket until that closes."""

    def __init__(self, control: socket.socket) -> None:
        self.control = control
        self.selector = selectors.DefaultSelector()
        self.children: set[Child] = set()
        self.copies: set[int] = set()  # warm processes forked from this one, for other graders
        self.listener: socket.socket | None = None

    def serve(self) -> None:
        """Serve requests, signals and ends."""
        ended, wakeup = os.pipe()
        for descriptor in (ended, wakeup):
            os.set_blocking(descriptor, False)
        signal.set_wakeup_fd(wakeup, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        self.selector.register(self.control, selectors.EVENT_READ, self.control)
        self.selector.register(ended, selectors.EVENT_READ, ended)
        while True:
            for key, _ in self.selector.select(WATCH_SECONDS if self.children else None):
                if key.data is self.control:
                    if not self.accept():
                        return
                elif isinstance(key.data, Child):
                    self.attend(key.data)
                elif key.data is self.listener:
                    self.copy()
                else:
                    with contextlib.suppress(BlockingIOError):
                        os.read(ended, 65536)
            self.reap()
            for child in self.children:
                child.watch()

    def accept(self) -> bool:
        """Fork what is asked for; return False when the grader is gone."""
        packet, descriptors, _, _ = socket.recv_fds(self.control, MAX_REQUEST, MAX_DESCRIPTORS)
        if not packet:
            return False
        session = socket.socket(fileno=descriptors[0])
        request, keep = json.loads(packet), descriptors[1:]
        warm_up(request["warm"])
        if request["role"] == "share":
            self.share(session, keep)
            return True
        quota = Quota(**request["quota"])
        try:
            body = functools.partial(become, request["role"], request["arguments"], keep)
            process = lock_in.spawn(body, quota, request["folder"], keep)
        except AutograderError as error:
            _tell(session, failed=error.args[0] if error.args else str(error))
            session.close()
        else:
            child = Child(process, session, quota)
            self.children.add(child)
            self.selector.register(session, selectors.EVENT_READ, child)
            _tell(session, pid=process.pid)
        for descriptor in keep:
            os.close(descriptor)
        return True

    def share(self, session: socket.socket, descriptors: list[int]) -> None:
        """From now on fork a copy of this process for everyone who connects to a socket."""
        self.listener = socket.socket(fileno=descriptors[0])
        self.selector.register(self.listener, selectors.EVENT_READ, self.listener)
        _tell(session, pid=os.getpid())
        session.close()

    def copy(self) -> None:
        """Fork a copy that serves one connection until it closes."""
        assert self.listener is not None
        connection, _ = self.listener.accept()
        if pid := os.fork():
            self.copies.add(pid)
            connection.close()
            return
        with contextlib.suppress(BaseException):
            signal.set_wakeup_fd(-1)
            syscalls.prctl(syscalls.PR_SET_PDEATHSIG, signal.SIGKILL)
            lock_in.keep_only([connection.fileno(), *lock_in.needed()])
            serve(connection)
        os._exit(0)

    def attend(self, child: Child) -> None:
        """Pass on a signal, or end a session whose client is gone."""
        message = b""
        with contextlib.suppress(OSError):
            message = child.session.recv(64)
        for number in message or [signal.SIGKILL]:
            if number == ASK_USAGE:
                with contextlib.suppress(OSError):
                    _tell(child.session, usage=asdict(child.usage()))
            else:
                child.signal(number)
        if not message:
            self.selector.unregister(child.session)

    def reap(self) -> None:
        """End the sessions of children that ended; their trees are gone with them."""
        for pid in list(self.copies):
            if os.waitpid(pid, os.WNOHANG)[0]:
                self.copies.discard(pid)
        for child in list(self.children):
            if child.process.ended():
                self.finish(child)

    def finish(self, child: Child) -> None:
        """Leave nothing of a child's tree, and say how it ended."""
        self.children.discard(child)
        status = lock_in.end(child.process)
        with contextlib.suppress(OSError):
            _tell(child.session, exit=status, reason=child.reason, usage=asdict(child.usage()))
        with contextlib.suppress(KeyError, ValueError):
            self.selector.unregister(child.session)
        child.session.close()


def _tell(session: socket.socket, **fields: Any) -> None:
    session.sendall(json.dumps(fields).encode() + b"\n")


def become(role: str, arguments: dict[str, Any], descriptors: list[int]) -> None:
    """Turn the forked child into what was asked for."""
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    if role == "candidate":
        from autograder import candidate

        candidate.main(descriptors, **arguments)
    else:
        from autograder import examiner

        examiner.main(control=descriptors[0], wire=descriptors[1])


def serve(control: socket.socket) -> None:
    """Serve a control socket until it closes, and leave nothing behind."""
    zygote = Zygote(control)
    try:
        zygote.serve()
    finally:
        for child in zygote.children:
            lock_in.end(child.process)


def main() -> None:
    """Warm up, say so, and serve on the descriptor named on the command line."""
    control = socket.socket(fileno=int(sys.argv[1]))
    lock_in.prepare()
    sys.modules.update(dict.fromkeys(UNWANTED))  # type: ignore[arg-type]
    warm_up(WARM)
    try:
        control.send(b"ready")
    except OSError:
        return  # the grader is gone already
    serve(control)


if __name__ == "__main__":
    main()
