"""The wire: what crosses keeps its type and value, and what is not data does not cross."""

import collections
import socket
import struct
from typing import Any

import msgpack
import numpy as np
import pytest
import torch

from autograder.wire import Channel, Codec, Ref, WireError


@pytest.fixture
def codec() -> Codec:
    return Codec(lambda value: Ref(7, "function", "f"), lambda ref: ref)


def same(a: Any, b: Any) -> bool:
    if isinstance(a, np.ndarray):
        return a.dtype == b.dtype and a.shape == b.shape and np.array_equal(a, b)
    if isinstance(a, torch.Tensor):
        return a.dtype == b.dtype and a.requires_grad == b.requires_grad and torch.equal(a, b)
    return type(a) is type(b) and a == b


@pytest.mark.parametrize(
    "value",
    [
        None,
        True,
        -3,
        2**100,
        -(2**70),
        1.5,
        float("inf"),
        1j,
        "é\n",
        b"\x00\xff",
        (1, (2, "a")),
        [1, [2.0]],
        {"a": 1, (1, 2): [3]},
        {1, 2},
        slice(1, None, 2),
        collections.Counter("abca"),
        np.arange(6.0).reshape(2, 3),
        np.array(3.0),
        np.zeros((0, 3), np.float32),
        np.arange(6).reshape(2, 3).T,
        np.array(["a", "bc"]),
        np.float32(1.5),
        np.int64(-4),
        np.bool_(True),
        np.dtype("int16"),
        torch.arange(6, dtype=torch.bfloat16).reshape(2, 3),
        torch.ones(2, 3, dtype=torch.float64, requires_grad=True),
        torch.tensor(True),
        torch.float16,
        torch.device("cpu"),
    ],
    ids=repr,
)
def test_data_keeps_type_shape_dtype_and_value(codec: Codec, value: Any) -> None:
    assert same(codec.decode(codec.encode(value)), value)


def test_generators_go_on_where_they_were(codec: Codec) -> None:
    generator = np.random.default_rng(3)
    generator.random(5)
    copy = codec.decode(codec.encode(generator))
    assert copy.random() == generator.random()


def test_what_is_not_data_crosses_as_a_reference(codec: Codec) -> None:
    assert codec.decode(codec.encode([len])) == [Ref(7, "function", "f")]


@pytest.mark.parametrize(
    "value",
    [np.array([object()]), np.array(["2020"], "M8[D]"), np.zeros(2, [("a", "f8")]), 1 << 5000],
    ids=["object array", "dates", "record", "a huge integer"],
)
def test_what_is_not_numbers_or_text_is_refused(codec: Codec, value: Any) -> None:
    with pytest.raises(WireError):
        codec.encode(value)


class Liar(np.ndarray):
    """An array that says it equals everything."""

    def __eq__(self, other: object) -> Any:
        return np.ones(self.shape, bool)


def test_an_array_that_lies_arrives_as_a_reference_not_as_an_array(codec: Codec) -> None:
    assert isinstance(codec.decode(codec.encode(np.zeros(3).view(Liar))), Ref)


class Bomb:
    def __reduce__(self) -> Any:
        raise AssertionError("unpickled")


def test_an_object_with_a_reduce_payload_never_runs(codec: Codec) -> None:
    assert isinstance(codec.decode(codec.encode(Bomb())), Ref)


HEADER = msgpack.packb(["<f8", [2**40]])


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xc1",
        b"\x81",
        msgpack.packb(msgpack.ExtType(99, b"")),
        msgpack.packb(msgpack.ExtType(1, HEADER + b"12345678")),
        msgpack.packb(msgpack.ExtType(1, msgpack.packb(["|O", [1]]) + b"12345678")),
        msgpack.packb(msgpack.ExtType(1, msgpack.packb(["<f8", [-1]]) + b"12345678")),
        msgpack.packb(msgpack.ExtType(13, msgpack.packb(["x", 1, None]))),
        b"\x91" * 5000 + b"\xc0",
    ],
)
def test_bytes_that_are_no_value_are_refused_without_allocating(codec: Codec, data: bytes) -> None:
    with pytest.raises(WireError):
        codec.decode(data)


def test_a_channel_refuses_a_message_over_its_limit_before_reading_it() -> None:
    ours, theirs = socket.socketpair()
    theirs.sendall(struct.pack("<Q", 2**40))
    with pytest.raises(WireError, match="more than may be sent"):
        Channel(ours, limit=100).receive()
    with pytest.raises(WireError, match="more than may be sent"):
        Channel(ours, limit=100).send(bytes(101))


def test_a_closed_channel_ends_with_eof() -> None:
    ours, theirs = socket.socketpair()
    theirs.sendall(b"\x01")
    theirs.close()
    with pytest.raises(EOFError):
        Channel(ours).receive()
