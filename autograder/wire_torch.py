"""How torch values cross the wire: raw bytes, dtype, shape, device, and if a gradient is wanted."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgpack
import numpy as np
import torch

from autograder.wire import (
    _DEVICE,
    _TENSOR,
    _TORCH_DTYPE,
    _TORCH_GENERATOR,
    Codec,
    WireError,
    _buffer,
    _split,
)

# The numpy type that carries a torch type's bytes (bfloat16 has none of its own).
CARRIERS = {
    torch.bool: "?",
    torch.uint8: "B",
    torch.int8: "b",
    torch.int16: "<i2",
    torch.int32: "<i4",
    torch.int64: "<i8",
    torch.float16: "<f2",
    torch.bfloat16: "<i2",
    torch.float32: "<f4",
    torch.float64: "<f8",
    torch.complex64: "<c8",
    torch.complex128: "<c16",
}
NAMES = {str(dtype).removeprefix("torch."): dtype for dtype in CARRIERS}


def _raw(value: torch.Tensor) -> bytes:
    flat = value.detach().cpu().contiguous()
    if flat.dtype is torch.bfloat16:
        flat = flat.view(torch.int16)
    return flat.numpy().tobytes()


def _pack_tensor(codec: Codec, value: torch.Tensor) -> msgpack.ExtType:
    if value.dtype not in CARRIERS or value.layout is not torch.strided:
        raise WireError(f"a {value.layout} tensor of {value.dtype} cannot be sent")
    grad = value.grad if codec.gradients and value.is_leaf else None
    fields = [
        str(value.dtype).removeprefix("torch."),
        list(value.shape),
        str(value.device),
        bool(value.requires_grad),
        None if grad is None else _raw(grad),
    ]
    return msgpack.ExtType(_TENSOR, msgpack.packb(fields) + _raw(value))


def _from_raw(name: str, shape: list[int], raw: Any) -> torch.Tensor:
    array = _buffer(np.dtype(CARRIERS[NAMES[name]]), shape, raw)
    tensor = torch.from_numpy(array)
    return tensor.view(torch.bfloat16) if name == "bfloat16" else tensor


def _device(name: str) -> torch.device:
    device = torch.device(name)
    if device.type not in ("cpu", "cuda"):
        raise WireError(f"a tensor on device {device.type} cannot be sent")
    return device


def _unpack_tensor(codec: Codec, data: bytes) -> torch.Tensor:
    (name, shape, device, requires_grad, grad), raw = _split(data)
    tensor = _from_raw(name, shape, raw).to(_device(device))
    if requires_grad and (tensor.is_floating_point() or tensor.is_complex()):
        tensor.requires_grad_()
        if grad is not None:
            tensor.grad = _from_raw(name, shape, memoryview(grad)).to(tensor.device)
    return tensor


def _unpack_dtype(codec: Codec, data: bytes) -> torch.dtype:
    try:
        return NAMES[data.decode()]
    except KeyError:
        raise WireError("unknown dtype") from None


def _pack_generator(codec: Codec, value: torch.Generator) -> msgpack.ExtType:
    if value.device.type != "cpu":
        raise WireError("only a generator of the CPU can be sent")
    return msgpack.ExtType(_TORCH_GENERATOR, value.get_state().numpy().tobytes())


def _unpack_generator(codec: Codec, data: bytes) -> torch.Generator:
    generator = torch.Generator()
    generator.set_state(torch.from_numpy(np.frombuffer(bytearray(data), np.uint8)))
    return generator


PACKERS: dict[type, Callable[[Codec, Any], msgpack.ExtType]] = {
    torch.Tensor: _pack_tensor,
    torch.nn.Parameter: _pack_tensor,
    torch.Size: lambda codec, value: codec._pack(tuple(value)),
    torch.dtype: lambda codec, value: msgpack.ExtType(
        _TORCH_DTYPE, str(value).removeprefix("torch.").encode()
    ),
    torch.device: lambda codec, value: msgpack.ExtType(_DEVICE, str(value).encode()),
    torch.Generator: _pack_generator,
}
UNPACKERS: dict[int, Callable[[Codec, bytes], Any]] = {
    _TENSOR: _unpack_tensor,
    _TORCH_DTYPE: _unpack_dtype,
    _DEVICE: lambda codec, data: _device(data.decode()),
    _TORCH_GENERATOR: _unpack_generator,
}
