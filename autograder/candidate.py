"""The process in which a student's cells run: an IPython kernel that also answers tests' calls.

It holds no test, no expected value and no seed. Nothing it says is believed but the data that
its functions return.
"""

from __future__ import annotations

import os
import signal
import socket
from types import FrameType
from typing import Any

from ipykernel.ipkernel import IPythonKernel
from ipykernel.kernelapp import IPKernelApp

from autograder.candidate_names import SERVE
from autograder.remote import Endpoint
from autograder.wire import Channel


class CandidateKernel(IPythonKernel):
    """An IPython kernel, except that one request means "answer calls until told to stop"."""

    endpoint: Endpoint
    calling = False

    async def do_execute(self, code: str, *args: Any, **kwargs: Any) -> dict[str, Any]:
        """Run a cell, or answer the calls of a test cell."""
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


def main(connection_file: str, wire: int, folder: str) -> None:
    """Become the kernel of one submission."""
    os.chdir(folder)
    endpoint = Endpoint(Channel(socket.socket(fileno=wire)), names={})
    app = IPKernelApp.instance(kernel_class=CandidateKernel)
    app.initialize(
        ["-f", connection_file, "--HistoryManager.enabled=False", "--no-stdout", "--no-stderr"][:3]
    )
    endpoint.run = app.kernel.run_call
    app.kernel.endpoint = endpoint
    app.start()
