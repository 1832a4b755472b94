"""The process in which a student's cells run: an IPython kernel that also answers tests' calls.

It holds no test, no expected value and no seed. Nothing it says is believed but the data that
its functions return.
"""

from __future__ import annotations

import signal
import socket
import sys
import zlib
from types import FrameType
from typing import Any

import zmq
from ipykernel import zmqshell
from ipykernel.compiler import XCachingCompiler, get_tmp_directory
from ipykernel.control import ControlThread
from ipykernel.ipkernel import IPythonKernel
from ipykernel.kernelapp import IPKernelApp
from ipykernel.shellchannel import ShellChannelThread
from jupyter_client.session import Session
from traitlets import List, Type, Unicode, default
from traitlets.config import Config

from autograder.candidate_names import SERVE
from autograder.remote import Endpoint
from autograder.wire import Channel

MAX_PRINTED = 200_000  # characters a cell may print; the grader keeps fewer
MAX_OUTPUT = 6 * 2**20  # bytes of one message; the grader takes 8 MiB
CONFIG = {
    "HistoryManager": {"enabled": False},
    "ZMQInteractiveShell": {"cache_size": 0},  # results are not kept alive in Out
}


class Compiler(XCachingCompiler):
    """Names a cell's file by a checksum made in C; ipykernel's own takes as long as the cell."""

    def get_code_name(self, raw_code: str, code: str, number: int) -> str:
        """Return the name of the file that a cell's code is said to be in."""
        checksum = zlib.crc32(raw_code.encode("utf-8", "surrogatepass"))
        return f"{get_tmp_directory()}/{checksum}.py"


class ZMQInteractiveShell(zmqshell.ZMQInteractiveShell):
    """IPython's shell; it remembers a cell's transformation, for which ipykernel asks twice."""

    _transformed: tuple[str, str] | None = None

    def transform_cell(self, raw_cell: str) -> str:
        """Return a cell as plain Python."""
        last, self._transformed = self._transformed, None
        if last is not None and last[0] is raw_cell:
            return last[1]
        code: str = super().transform_cell(raw_cell)
        self._transformed = (raw_cell, code)
        return code


class CandidateKernel(IPythonKernel):
    """An ordinary IPython kernel, except that one request means "answer calls"."""

    shell_class = Type(ZMQInteractiveShell)
    compiler_class = Type(Compiler)
    endpoint: Endpoint
    calling = False

    async def do_execute(self, code: str, *args: Any, **kwargs: Any) -> dict[str, Any]:
        """Run a cell, or answer the calls of a test cell."""
        for stream in (sys.stdout, sys.stderr):
            if isinstance(stream, Brief):
                stream.room = MAX_PRINTED
        if code != SERVE:
            return await super().do_execute(code, *args, **kwargs)
        assert self.shell is not None
        self.endpoint.names = self.shell.user_ns
        previous = signal.signal(signal.SIGINT, self._interrupt)
        try:
            self.endpoint.serve()
        finally:
            signal.signal(signal.SIGINT, previous)
        count = self.shell.execution_count
        return {"status": "ok", "execution_count": count, "payload": [], "user_expressions": {}}

    def _interrupt(self, number: int, frame: FrameType | None) -> None:
        """Stop the student's function, never the sending of a message."""
        if self.calling:
            raise KeyboardInterrupt

    def run_call(self, function: Any, args: list, kwargs: dict[str, Any]) -> Any:
        """Run one of the student's functions so that it can be interrupted."""
        self.calling = True
        try:
            return function(*args, **kwargs)
        finally:
            self.calling = False

    def raw_input(self, prompt: str = "") -> str:
        """Return nothing to an `input()` left in: nobody is there to type."""
        print(prompt)
        return ""

    def getpass(self, prompt: str = "", *_: Any, **__: Any) -> str:
        """Return nothing, as above."""
        return self.raw_input(prompt)


class Brief:
    """Mixin for a stream: drops what is printed beyond a cell's room, so a flood stays here."""

    room = MAX_PRINTED

    def write(self, text: str) -> int | None:
        """Print, as far as there is room."""
        kept = text[: self.room] if isinstance(text, str) else text
        self.room -= len(kept)
        super().write(kept)  # type: ignore[misc]
        return len(text)


class BriefSession(Session):
    """Sends a note in the place of an output that is too large for the grader to take."""

    def serialize(self, msg: dict[str, Any], ident: Any = None) -> list[bytes]:
        """Return a message as bytes."""
        parts = super().serialize(msg, ident)
        if sum(map(len, parts)) <= MAX_OUTPUT:
            return parts
        note = {"name": "stdout", "text": "[grader] an output was too large to be kept\n"}
        header = msg["header"] | {"msg_type": "stream"}
        return super().serialize(msg | {"header": header, "content": note}, ident)


class CandidateApp(IPKernelApp):
    """A kernel on sockets that the grader made, so that no folder is shared with it."""

    default_extensions = List(Unicode(), [])

    @default("session")
    def _session_default(self) -> Session:
        return BriefSession(parent=self)

    listening: dict[int, int]  # a descriptor for each port
    connection: Any

    def parse_command_line(self, argv: list[str] | None = None) -> None:
        """Take the configuration from here: there is no command line."""
        self.update_config(Config(CONFIG))

    def init_connection_file(self) -> None:
        """Take the connection from the grader, not from a file."""
        self.load_connection_info(self.connection)

    def init_poller(self) -> None:
        """Watch no parent: the kernel kills this process when the grader ends."""

    def init_heartbeat(self) -> None:
        """Have no heartbeat: the grader asks for the process itself."""

    def write_connection_file(self, **kwargs: Any) -> None:
        """Write none."""

    def init_control(self, context: zmq.Context) -> None:
        """Open the control channel, without the debugger's connections."""
        self.control_socket = context.socket(zmq.ROUTER)
        self.control_socket.linger = 1000
        self.control_port = self._bind_socket(self.control_socket, self.control_port)
        self.debugpy_socket = context.socket(zmq.STREAM)
        self.debug_shell_socket = context.socket(zmq.DEALER)
        self.control_socket.router_handover = 1
        self.control_thread = ControlThread(daemon=True)
        self.shell_channel_thread = ShellChannelThread(context, daemon=True)

    def _bind_socket(self, s: zmq.Socket, port: int) -> int:
        s.setsockopt(zmq.USE_FD, self.listening[port])
        s.sndhwm = 0  # drop nothing: what the grader has not read yet waits in this process
        s.bind(f"ipc://{port}")
        return port


def main(descriptors: list[int], connection: dict[str, Any]) -> None:
    """Become the kernel of one submission.

    Args:
        descriptors: the wire to the tests, then a listening socket for each port in turn.
        connection: as in a kernel's connection file.
    """
    wire, *listening = descriptors
    app = CandidateApp.instance(kernel_class=CandidateKernel)
    app.connection = connection
    app.listening = dict(zip(connection.pop("listening"), listening, strict=True))
    app.initialize([])
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        stream.__class__ = type("BriefStream", (Brief, type(stream)), {})
    endpoint = Endpoint(Channel(socket.socket(fileno=wire)), names={})
    endpoint.run = app.kernel.run_call
    app.kernel.endpoint = endpoint
    app.start()
