"""A warm process that has imported what every submission imports, and forks on request.

Starting a kernel from nothing costs two seconds of imports; forking this process costs
milliseconds. It never sees a submission or a test, has one thread, and runs no linear algebra
before it forks (a thread pool would not survive the fork).

Each request is one packet on the control socket: a role with its arguments, the descriptors the
child may keep, and a session socket. The child lives as long as that session: closing the
session kills it, and its exit status is the session's last message.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import selectors
import signal
import socket
import sys
from typing import Any, NoReturn

WARM = (
    "numpy",
    "torch",
    "matplotlib.pyplot",
    "matplotlib_inline.backend_inline",
    "einops",
    "jaxtyping",
    "unrolled.checks",
    "unrolled.plots",
    "ipykernel.kernelapp",
    "ipykernel.zmqshell",
    "IPython.core.completer",
    "autograder.candidate",
    "autograder.examiner",
    "autograder.remote_torch",
    "autograder.wire_torch",
)
MAX_REQUEST = 65536
PR_SET_PDEATHSIG = 1


def warm_up() -> None:
    """Import what submissions import; what is not installed is left to them."""
    import importlib

    for name in WARM:
        with contextlib.suppress(ImportError):
            importlib.import_module(name)


def serve(control: socket.socket) -> None:
    """Fork a child for every request until the control socket closes."""
    selector = selectors.DefaultSelector()
    selector.register(control, selectors.EVENT_READ, None)
    while True:
        for key, _ in selector.select():
            if key.data is not None:
                _attend(selector, *key.data)
                continue
            packet, descriptors, _, _ = socket.recv_fds(control, MAX_REQUEST, 8)
            if not packet:
                return
            session = socket.socket(fileno=descriptors[0])
            pid = _fork(selector, json.loads(packet), session, descriptors[1:])
            watch = os.pidfd_open(pid)
            for source in (session, watch):
                selector.register(source, selectors.EVENT_READ, (pid, session, watch))
            session.sendall(json.dumps({"pid": pid}).encode() + b"\n")


def _attend(
    selector: selectors.BaseSelector, pid: int, session: socket.socket, watch: int
) -> None:
    """Pass on a signal, or end a session whose child or client is gone."""
    with contextlib.suppress(OSError):
        session.setblocking(False)
        message = session.recv(64)
        if message:
            for number in message:
                os.killpg(pid, number)
            return
    if session.fileno() < 0:
        return  # ended by the other of its two events
    with contextlib.suppress(ProcessLookupError):
        os.killpg(pid, signal.SIGKILL)
    _, status = os.waitpid(pid, 0)
    with contextlib.suppress(OSError):
        session.sendall(json.dumps({"exit": os.waitstatus_to_exitcode(status)}).encode() + b"\n")
    selector.unregister(session)
    selector.unregister(watch)
    session.close()
    os.close(watch)


def _fork(
    selector: selectors.BaseSelector,
    request: dict[str, Any],
    session: socket.socket,
    descriptors: list[int],
) -> int:
    pid = os.fork()
    if pid:
        for descriptor in descriptors:
            os.close(descriptor)
        return pid
    try:
        _become(request, descriptors)
    except BaseException:
        if os.environ.get("AUTOGRADER_DEBUG"):
            import traceback

            traceback.print_exc(file=open("/tmp/autograder-debug.log", "a"))
    finally:
        os._exit(1)


def _become(request: dict[str, Any], descriptors: list[int]) -> NoReturn:
    """Turn the forked child into what was asked for."""
    os.setsid()
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    _keep_only(descriptors)
    role, arguments = request["role"], request["arguments"]
    if role == "candidate":
        from autograder import candidate

        candidate.main(wire=descriptors[0], **arguments)
    else:
        from autograder import examiner

        examiner.main(control=descriptors[0], wire=descriptors[1])
    os._exit(0)


def _keep_only(descriptors: list[int]) -> None:
    """Close every descriptor but these; standard input and output lead nowhere."""
    null = os.open(os.devnull, os.O_RDWR)
    for number in (0, 1, 2):
        os.dup2(null, number)
    kept = sorted({0, 1, 2, *descriptors})
    for low, high in zip(kept, [*kept[1:], 65536], strict=True):
        os.closerange(low + 1, high)


def main() -> None:
    """Warm up, say so, and serve on the descriptor named on the command line."""
    control = socket.socket(fileno=int(sys.argv[1]))
    warm_up()
    control.send(b"ready")
    serve(control)


if __name__ == "__main__":
    main()
