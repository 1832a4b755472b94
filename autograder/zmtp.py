"""The grader's end of a kernel's socket: ZeroMQ's wire protocol, with a bound on everything.

What a submission can write to is never parsed by a library that trusts its peer: no length, no
count and no nesting here is larger than said, and what is odd ends the connection.
Source: ZMTP 3.0 (rfc.zeromq.org/spec/23), the NULL mechanism, as a client of a ROUTER or a PUB.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterable

MAX_MESSAGE = 8 * 2**20  # bytes of a message; the candidate cuts an output before
MAX_PARTS = 32  # of a message; Jupyter's have six and one for each buffer
MAX_WAITING = 64  # messages read and not yet taken; then nothing more is read
GREETING = b"\xff" + bytes(8) + b"\x7f" + b"\x03\x00" + b"NULL".ljust(20, b"\0") + bytes(32)
MORE, LONG, COMMAND = 1, 2, 4


class ProtocolError(Exception):
    """The other side sent what is no message, or one that is too large."""


class Connection(asyncio.Protocol):
    """A DEALER or SUB socket: sends messages, and keeps what arrives until it is taken."""

    def __init__(self, kind: str, identity: bytes = b"") -> None:
        self.kind, self.identity = kind, identity
        self.messages: deque[list[bytes]] = deque()
        self.arrived = asyncio.Event()  # a message, or the end
        self.error: ProtocolError | None = None
        self._buffer = bytearray()
        self._parts: list[bytes] = []
        self._waiting: list[bytes] = []  # to send, once the greetings are over
        self._greeted = self._ready = False
        self._transport: asyncio.Transport | None = None

    async def open(self, path: str) -> None:
        """Connect to a socket of this machine."""
        await asyncio.get_running_loop().create_unix_connection(lambda: self, path)

    def send(self, parts: list[bytes]) -> None:
        """Send a message."""
        last = len(parts) - 1
        data = b"".join(frame(part, MORE * (n < last)) for n, part in enumerate(parts))
        if self._ready and self._transport is not None:
            self._transport.write(data)
        else:
            self._waiting.append(data)

    async def receive(self) -> list[bytes]:
        """Return the next message; wait for ever when the other side is gone.

        Raises:
            ProtocolError: the other side sent what is no message.
        """
        while not self.messages:
            if self.error is not None:
                raise self.error
            self.arrived.clear()
            await self.arrived.wait()
        message = self.messages.popleft()
        if self._transport is not None and len(self.messages) < MAX_WAITING // 2:
            self._transport.resume_reading()
            self._read()
        return message

    def close(self) -> None:
        """Close the connection, whatever is under way."""
        if self._transport is not None:
            self._transport.abort()
            self._transport = None

    # What asyncio calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Greet, and say what kind of socket this is."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        names = {"Socket-Type": self.kind.encode(), "Identity": self.identity}
        transport.write(GREETING + frame(b"\x05READY" + properties(names.items()), COMMAND))

    def data_received(self, data: bytes) -> None:
        """Take apart what arrived."""
        self._buffer += data
        self._read()

    def connection_lost(self, error: Exception | None) -> None:
        """Note that nothing more will come."""
        self._transport = None

    def _read(self) -> None:
        try:
            while len(self.messages) < MAX_WAITING and self._read_one():
                pass
        except ProtocolError as error:
            self.error = error
            self.close()
            self.arrived.set()
        if len(self.messages) >= MAX_WAITING and self._transport is not None:
            self._transport.pause_reading()

    def _read_one(self) -> bool:
        """Take one greeting or frame from the buffer; return False when it is not all there."""
        if not self._greeted:
            if len(self._buffer) < len(GREETING):
                return False
            if self._buffer[0] != 0xFF or self._buffer[12:16] != b"NULL":
                raise ProtocolError("not a greeting")
            del self._buffer[: len(GREETING)]
            self._greeted = True
        head = 9 if self._buffer and self._buffer[0] & LONG else 2
        if len(self._buffer) < head:
            return False
        flags, size = self._buffer[0], int.from_bytes(self._buffer[1:head], "big")
        if size + sum(map(len, self._parts)) > MAX_MESSAGE or len(self._parts) >= MAX_PARTS:
            raise ProtocolError("a message is too large")
        if len(self._buffer) < head + size:
            return False
        body = bytes(self._buffer[head : head + size])
        del self._buffer[: head + size]
        if flags & COMMAND:
            self._command(body)
        else:
            self._part(body, bool(flags & MORE))
        return True

    def _command(self, body: bytes) -> None:
        """Begin to talk when the other side is ready; other commands need no answer."""
        if body.startswith(b"\x05READY") and not self._ready:
            self._ready = True
            hello = [frame(b"\x01")] if self.kind == "SUB" else []  # subscribe to everything
            if self._transport is not None:
                self._transport.write(b"".join([*hello, *self._waiting]))
            self._waiting.clear()

    def _part(self, body: bytes, more: bool) -> None:
        self._parts.append(body)
        if not more:
            self.messages.append(self._parts)
            self._parts = []
            self.arrived.set()


def frame(body: bytes, flags: int = 0) -> bytes:
    """Return a frame: its flags, its size and its body."""
    if len(body) > 255:
        return bytes([flags | LONG]) + len(body).to_bytes(8, "big") + body
    return bytes([flags, len(body)]) + body


def properties(pairs: Iterable[tuple[str, bytes]]) -> bytes:
    """Return what a socket says of itself."""
    return b"".join(
        bytes([len(name)]) + name.encode() + len(value).to_bytes(4, "big") + value
        for name, value in pairs
    )
