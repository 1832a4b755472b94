"""The grader's end of the candidate's kernel: bounded messages of known kinds, nothing else.

nbclient drives the kernel through this as through any Jupyter client.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from queue import Empty
from typing import Any

import nbformat
from jupyter_client.asynchronous.client import AsyncKernelClient
from jupyter_client.session import DELIM, Session
from nbclient import NotebookClient

from autograder.outputs import CappedOutputs
from autograder.zmtp import Connection, ProtocolError

ALIVE_SECONDS = 0.05  # how soon the death of a candidate is noticed
READY_SECONDS = 0.25  # after which a kernel that does not answer is asked again


class KernelChannel:
    """One channel of a Jupyter client over a connection of our own."""

    def __init__(self, path: str, kind: str, session: Session) -> None:
        self.path, self.session = path, session
        self.connection = Connection(kind, session.bsession if kind == "DEALER" else b"")
        self.running = False

    async def open(self) -> None:
        """Connect."""
        await self.connection.open(self.path)
        self.running = True

    def send(self, message: dict[str, Any]) -> None:
        """Send a message."""
        self.connection.send(self.session.serialize(message))

    async def get_msg(self, timeout: float | None = None) -> dict[str, Any]:
        """Return the next message.

        Raises:
            Empty: none came in time.
            ProtocolError: what came is no message.
        """
        try:
            parts = await asyncio.wait_for(self.connection.receive(), timeout)
        except TimeoutError:
            raise Empty from None
        return as_message(parts)

    def is_alive(self) -> bool:
        """Return whether the channel is open."""
        return self.running

    def stop(self) -> None:
        """Close the channel."""
        self.running = False
        self.connection.close()


def as_message(parts: list[bytes]) -> dict[str, Any]:
    """Return the Jupyter message of a ZeroMQ message. Raises ProtocolError."""
    try:
        start = parts.index(DELIM) + 2  # the next is the signature, which the candidate can make
        header, parent, _, content = map(json.loads, parts[start : start + 4])
        kind, parent_id = header["msg_type"], parent.get("msg_id")
        if not isinstance(kind, str) or not isinstance(content, dict):
            raise TypeError("not of a message's form")
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        raise ProtocolError(f"not a message of a kernel ({type(error).__name__})") from None
    return {
        "msg_type": kind,
        "header": {"msg_type": kind},
        "parent_header": {"msg_id": parent_id},
        "content": content,
    }


class CandidateClient(AsyncKernelClient):
    """A Jupyter client that what it receives cannot overwhelm."""

    async def start_channels(self, *_: bool, **__: bool) -> None:  # type: ignore[override]
        """Open the two channels that are used: no one types, and the process itself is watched."""
        self.allow_stdin = False
        for name, kind in (("shell", "DEALER"), ("iopub", "SUB")):
            path = self._make_url(name).removeprefix("ipc://")
            channel = KernelChannel(path, kind, self.session)
            setattr(self, f"_{name}_channel", channel)
            await channel.open()

    def stop_channels(self) -> None:
        """Close the channels."""
        for channel in (self._shell_channel, self._iopub_channel):
            if channel is not None:
                channel.stop()

    async def wait_for_ready(self, timeout: float | None = None) -> None:
        """Wait until the kernel answers and what it prints arrives.

        Raises:
            RuntimeError: it died, or did not answer in time.
        """
        deadline = time.monotonic() + (timeout or 60)
        answered = heard = False
        while not (answered and heard):
            self.kernel_info()
            until = time.monotonic() + READY_SECONDS
            while not (answered and heard) and time.monotonic() < until:
                answered = answered or await _received(self.shell_channel)
                heard = heard or await _received(self.iopub_channel)
            if not await self.is_alive():
                raise RuntimeError("the kernel died before it answered")
            if time.monotonic() > deadline:
                raise RuntimeError("the kernel did not answer in time")


async def _received(channel: KernelChannel) -> bool:
    with contextlib.suppress(Empty):
        await channel.get_msg(timeout=0.05)
        return True
    return False


class Client(CappedOutputs, NotebookClient):
    """nbclient with capped outputs, which leaves the decision about errors to the grader."""

    seconds = 30.0  # that the next cell may take

    def _get_timeout(self, cell: nbformat.NotebookNode | None) -> Any:
        return self.seconds

    async def execute_next(self, cell: nbformat.NotebookNode) -> None:
        """Run a cell after those that ran before, whose displays it may still change."""
        self.nb.cells.append(cell)
        await self.async_execute_cell(cell, len(self.nb.cells) - 1)

    async def _async_poll_kernel_alive(self) -> None:
        """Notice a candidate's death at once, not within a second."""
        while self.kc is not None and await self.kc.is_alive():  # type: ignore[attr-defined]
            await asyncio.sleep(ALIVE_SECONDS)
        assert self.task_poll_for_reply is not None
        self.task_poll_for_reply.cancel()
