"""The grader's end of the candidate's kernel sockets: bounded messages, no waiting to be sure."""

from __future__ import annotations

import asyncio
import time
from queue import Empty
from typing import Any

import zmq
from jupyter_client.asynchronous.client import AsyncKernelClient

MAX_MESSAGE = 8 * 2**20  # bytes; a larger message ends the connection, which is made anew
MAX_WAITING = 200  # messages; what is beyond that waits in the candidate
ALIVE_SECONDS = 0.05  # how soon the death of a candidate is noticed


class CandidateClient(AsyncKernelClient):
    """A Jupyter client that what it receives cannot overwhelm."""

    def _create_connected_socket(self, channel: str, identity: bytes | None = None) -> zmq.Socket:
        sock = self.context.socket({"iopub": zmq.SUB}.get(channel, zmq.DEALER))
        sock.linger = 0
        sock.setsockopt(zmq.MAXMSGSIZE, MAX_MESSAGE)
        sock.setsockopt(zmq.RCVHWM, MAX_WAITING)
        if identity:
            sock.identity = identity
        sock.connect(self._make_url(channel))
        return sock

    def start_channels(self, *_: bool, **__: bool) -> None:
        """Start the two channels that are used: no one types, and the process itself is watched."""
        super().start_channels(stdin=False, hb=False, control=False)

    def stop_channels(self) -> None:
        """Stop the two channels."""
        for channel in (self.shell_channel, self.iopub_channel):
            if channel.is_alive():
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
            until = time.monotonic() + 0.25
            while not (answered and heard) and time.monotonic() < until:
                answered = answered or await _received(self.shell_channel)
                heard = heard or await _received(self.iopub_channel)
            if not await self.is_alive():
                raise RuntimeError("the kernel died before it answered")
            if time.monotonic() > deadline:
                raise RuntimeError("the kernel did not answer in time")


async def _received(channel: Any) -> bool:
    try:
        await channel.get_msg(timeout=0.05)
    except Empty:
        return False
    return True


class QuickToNotice:
    """Mixin for nbclient: notices a candidate's death at once, not within a second."""

    async def _async_poll_kernel_alive(self) -> None:
        while self.kc is not None and await self.kc.is_alive():  # type: ignore[attr-defined]
            await asyncio.sleep(ALIVE_SECONDS)
        self.task_poll_for_reply.cancel()  # type: ignore[attr-defined]
