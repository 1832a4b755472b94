"""Turn values into bytes and back: the only thing that crosses between student and grader.

Data crosses by exact type and raw buffer, never by pickle, and is rebuilt from those bytes,
so a class that lies about itself (``__eq__``, ``__array__``, ``__reduce__``) never arrives.
Whatever is not data crosses as a `Ref`: a number for an object that stays where it was born.
"""

from __future__ import annotations

import collections
import select
import socket
import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import msgpack
import numpy as np

MAX_MESSAGE = 256 * 2**20  # bytes; the largest honest message seen is 2 MB
MAX_DEPTH = 64  # tuples and dicts within each other; each costs 40 KB of the stack to read
DTYPES = frozenset("?bhilqBHILQefdFD") | {"U"}  # numpy kinds that cross: numbers and text

_NDARRAY, _SCALAR, _TENSOR, _TUPLE, _SET, _BIGINT, _COMPLEX = 1, 2, 3, 4, 5, 6, 7
_DTYPE, _TORCH_DTYPE, _DEVICE, _GENERATOR, _TORCH_GENERATOR, _REF, _SLICE, _COUNTER = range(8, 16)


KINDS = ("function", "class", "object", "yours")  # of objects; the last is the receiver's own


class WireError(Exception):
    """A value that may not cross, or bytes that are not a value."""


@dataclass(frozen=True)
class Ref:
    """An object that stays where it was born: its number there, its kind and its name."""

    number: int
    kind: str  # one of KINDS
    name: str


class Codec:
    """Encodes and decodes values; ``export`` and ``resolve`` say what stands for an object.

    ``export(obj)`` returns the `Ref` under which a value that is not data is known on this side;
    ``resolve(ref)`` returns what stands here for the other side's object. A tensor takes the
    gradient it has gathered along only if ``gradients``: a test's may be the expected one.
    """

    def __init__(
        self,
        export: Callable[[Any], Ref],
        resolve: Callable[[Ref], Any],
        gradients: bool = False,
    ) -> None:
        self._export = export
        self._resolve = resolve
        self.gradients = gradients
        self._depth = 0  # of values inside values that are being decoded

    def encode(self, value: Any) -> bytes:
        """Return the bytes of a value."""
        try:
            return msgpack.packb(value, default=self._pack, strict_types=True)
        except (ValueError, OverflowError, RecursionError) as error:
            raise WireError(f"a value cannot be sent: {error}") from None

    def decode(self, data: bytes) -> Any:
        """Return the value of bytes."""
        self._depth += 1
        try:
            if self._depth > MAX_DEPTH:
                raise WireError("a value is nested too deeply")
            return msgpack.unpackb(data, ext_hook=self._unpack, strict_map_key=False)
        except WireError:
            raise
        except Exception as error:
            raise WireError(f"not a value: {type(error).__name__}") from None
        finally:
            self._depth -= 1

    def _pack(self, value: Any) -> msgpack.ExtType:
        kind = type(value)
        packer = _PACKERS.get(kind)
        if packer is not None:
            return packer(self, value)
        if kind.__module__ == "numpy" and isinstance(value, np.generic):
            _check_dtype(value.dtype)
            header = msgpack.packb(value.dtype.str)
            return msgpack.ExtType(_SCALAR, header + value.tobytes())
        if kind.__module__.startswith("numpy.dtypes") and isinstance(value, np.dtype):
            return msgpack.ExtType(_DTYPE, _check_dtype(value).str.encode())
        if isinstance(value, tuple) and hasattr(value, "_fields"):
            return _pack_items(_TUPLE, self, value)
        if isinstance(value, dict):  # defaultdict and OrderedDict arrive as dict
            raw = self.encode([[key, item] for key, item in value.items()])
            return msgpack.ExtType(_COUNTER, b"d" + raw)
        torch_packer = _torch_packer(kind)
        if torch_packer is not None:
            return torch_packer(self, value)
        ref = self._export(value)
        return msgpack.ExtType(_REF, msgpack.packb([ref.number, ref.kind, ref.name]))

    def _unpack(self, code: int, data: bytes) -> Any:
        unpacker = _UNPACKERS.get(code)
        if unpacker is None:
            raise WireError(f"unknown type code {code}")
        return unpacker(self, data)


def _pack_items(code: int, codec: Codec, value: Any) -> msgpack.ExtType:
    return msgpack.ExtType(code, codec.encode(list(value)))


def _dtype(name: Any) -> np.dtype:
    """Return the number type of a name: a letter, a size and the order of its bytes."""
    if type(name) is not str or len(name) > 12:
        raise WireError("not the name of a number type")
    return _check_dtype(np.dtype(name))


def _check_dtype(dtype: np.dtype) -> np.dtype:
    if dtype.char not in DTYPES:
        raise WireError(f"an array of dtype {dtype} is not data; use a number type")
    return dtype


def _pack_array(codec: Codec, value: np.ndarray) -> msgpack.ExtType:
    _check_dtype(value.dtype)
    header = msgpack.packb([value.dtype.str, list(value.shape)])
    return msgpack.ExtType(_NDARRAY, header + value.tobytes())


def _split(data: bytes) -> tuple[Any, memoryview]:
    unpacker = msgpack.Unpacker(max_buffer_size=MAX_MESSAGE)
    unpacker.feed(data)
    header = unpacker.unpack()
    return header, memoryview(data)[unpacker.tell() :]


def _buffer(dtype: np.dtype, shape: list[int], raw: memoryview) -> np.ndarray:
    _check_dtype(dtype)
    if any(type(n) is not int or n < 0 for n in shape):
        raise WireError("a shape is not a list of sizes")
    array = np.frombuffer(bytearray(raw), dtype=dtype) if len(raw) else np.empty(0, dtype)
    if dtype.char == "?":
        array = array.view(np.uint8) != 0  # a byte that is neither true nor false would be both
    if dtype.char == "U" and array.size and array.view(_code_points(dtype)).max() > 0x10FFFF:
        raise WireError("text with characters that do not exist")
    return array.reshape(shape)


def _code_points(dtype: np.dtype) -> np.dtype:
    return np.dtype(np.uint32).newbyteorder(dtype.byteorder)


def _unpack_array(codec: Codec, data: bytes) -> np.ndarray:
    (dtype, shape), raw = _split(data)
    return _buffer(_dtype(dtype), shape, raw)


def _unpack_scalar(codec: Codec, data: bytes) -> Any:
    dtype, raw = _split(data)
    return _buffer(_dtype(dtype), [], raw)[()]


def _pack_int(codec: Codec, value: int) -> msgpack.ExtType:  # beyond 64 bits
    if value.bit_length() > 4096:
        raise WireError("an integer of more than 4096 bits")
    return msgpack.ExtType(_BIGINT, str(value).encode())


def _pack_generator(codec: Codec, value: np.random.Generator) -> msgpack.ExtType:
    if type(value.bit_generator) is not np.random.PCG64:
        raise WireError("only generators from numpy.random.default_rng can be sent")
    return msgpack.ExtType(_GENERATOR, codec.encode(value.bit_generator.state))


def _unpack_generator(codec: Codec, data: bytes) -> np.random.Generator:
    generator = np.random.default_rng(0)
    generator.bit_generator.state = codec.decode(data)
    return generator


_PACKERS: dict[type, Callable[[Codec, Any], msgpack.ExtType]] = {
    np.ndarray: _pack_array,
    tuple: lambda codec, value: _pack_items(_TUPLE, codec, value),
    set: lambda codec, value: _pack_items(_SET, codec, value),
    frozenset: lambda codec, value: _pack_items(_SET, codec, value),
    collections.Counter: lambda codec, value: msgpack.ExtType(
        _COUNTER, b"c" + codec.encode([[key, item] for key, item in value.items()])
    ),
    int: _pack_int,
    complex: lambda codec, value: msgpack.ExtType(
        _COMPLEX, struct.pack("<dd", value.real, value.imag)
    ),
    slice: lambda codec, value: msgpack.ExtType(
        _SLICE, codec.encode([value.start, value.stop, value.step])
    ),
    np.random.Generator: _pack_generator,
}


def _unpack_mapping(codec: Codec, data: bytes) -> dict:
    pairs = {key: item for key, item in codec.decode(data[1:])}
    return collections.Counter(pairs) if data[:1] == b"c" else pairs


_UNPACKERS: dict[int, Callable[[Codec, bytes], Any]] = {
    _NDARRAY: _unpack_array,
    _SCALAR: _unpack_scalar,
    _TUPLE: lambda codec, data: tuple(codec.decode(data)),
    _SET: lambda codec, data: set(codec.decode(data)),
    _BIGINT: lambda codec, data: int(data[:1300]),
    _COMPLEX: lambda codec, data: complex(*struct.unpack("<dd", data)),
    _DTYPE: lambda codec, data: _dtype(data.decode()),
    _GENERATOR: _unpack_generator,
    _SLICE: lambda codec, data: slice(*codec.decode(data)),
    _COUNTER: _unpack_mapping,
    _REF: lambda codec, data: codec._resolve(Ref(*_checked_ref(codec.decode(data)))),
}


def _checked_ref(fields: Any) -> tuple[int, str, str]:
    number, kind, name = fields
    if type(number) is not int or kind not in KINDS or type(name) is not str:
        raise WireError("not a reference")
    return number, kind, name[:200]


def _torch_packer(kind: type) -> Callable[[Codec, Any], msgpack.ExtType] | None:
    if not kind.__module__.startswith("torch"):
        return None
    from autograder import wire_torch  # torch is imported only where torch values are met

    return wire_torch.PACKERS.get(kind)


def _unpack_torch(code: int) -> Callable[[Codec, bytes], Any]:
    def unpack(codec: Codec, data: bytes) -> Any:
        from autograder import wire_torch

        return wire_torch.UNPACKERS[code](codec, data)

    return unpack


for _code in (_TENSOR, _TORCH_DTYPE, _DEVICE, _TORCH_GENERATOR):
    _UNPACKERS[_code] = _unpack_torch(_code)


class Channel:
    """Whole messages over a stream socket: eight bytes of length, then that many bytes."""

    def __init__(self, stream: socket.socket, limit: int = MAX_MESSAGE) -> None:
        self.stream = stream
        self.limit = limit

    def send(self, data: bytes) -> None:
        """Send one message; raises WireError when it is too large."""
        if len(data) > self.limit:
            raise WireError(f"{len(data) / 2**20:.0f} MiB is more than may be sent at once")
        self.stream.sendall(struct.pack("<Q", len(data)) + data)

    def receive(self) -> bytes:
        """Return one message; raises EOFError when the other side is gone."""
        (length,) = struct.unpack("<Q", self._exactly(8))
        if length > self.limit:
            raise WireError(f"{length / 2**20:.0f} MiB is more than may be sent at once")
        return self._exactly(length)

    def drain(self) -> None:
        """Throw away what has arrived: nobody asked for it."""
        while select.select([self.stream], [], [], 0)[0] and self.stream.recv(2**20):
            pass

    def _exactly(self, count: int) -> bytes:
        parts = bytearray()
        while len(parts) < count:
            part = self.stream.recv(min(count - len(parts), 2**20))
            if not part:
                raise EOFError("the other process is gone")
            parts += part
        return bytes(parts)
