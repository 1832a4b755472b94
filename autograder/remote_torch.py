"""Gradients and torch values through a remote call.

The call is one node of the autograd graph: its backward sends the gradient of the outputs
across and brings back the vector-Jacobian product that the other side computed.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import torch

if TYPE_CHECKING:
    from autograder.remote import Endpoint

_numbers = itertools.count(1)


def tensors_in(value: Any, found: list[torch.Tensor] | None = None) -> list[torch.Tensor]:
    """Return the tensors in nested lists, tuples and dicts that want a gradient, in order."""
    found = [] if found is None else found
    if isinstance(value, torch.Tensor):
        if value.requires_grad:
            found.append(value)
    elif isinstance(value, (list, tuple)):
        for item in value:
            tensors_in(item, found)
    elif isinstance(value, dict):
        for item in value.values():
            tensors_in(item, found)
    return found


def replace(value: Any, take: Callable[[], torch.Tensor]) -> Any:
    """Return ``value`` with each tensor that wants a gradient replaced by the next of ``take``."""
    if isinstance(value, torch.Tensor):
        return take() if value.requires_grad else value
    if isinstance(value, (list, tuple)):
        return type(value)(replace(item, take) for item in value)
    if isinstance(value, dict):
        return {key: replace(item, take) for key, item in value.items()}
    return value


def detached(value: Any) -> Any:
    """Return ``value`` with no tensor in it wanting a gradient."""
    tensors = iter([tensor.detach() for tensor in tensors_in(value)])
    return replace(value, lambda: next(tensors))


class _RemoteCall(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, state: dict[str, Any], *inputs: torch.Tensor) -> Any:
        with torch.enable_grad():
            state["invoke"]()
        ctx.endpoint, ctx.number = state["endpoint"], state["number"]
        return tuple(tensor.detach() for tensor in tensors_in(state["result"]))

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, *gradients: torch.Tensor) -> Any:
        products = ctx.endpoint.request("vjp", ctx.number, list(gradients))
        return (None, None, *products)


def call(endpoint: Endpoint, target: int | str, args: tuple, kwargs: dict[str, Any]) -> Any:
    """Return what the remote function returns, joined to the autograd graph here."""
    if not torch.is_grad_enabled():
        return detached(endpoint.plain_call(target, args, kwargs))
    number = next(_numbers)
    state: dict[str, Any] = {"endpoint": endpoint, "number": number}

    def invoke() -> None:
        state["result"] = endpoint.ask_call(target, args, kwargs, number)

    state["invoke"] = invoke
    anchor = torch.zeros((), requires_grad=True)  # so that a graph held there alone still counts
    outputs = iter(_RemoteCall.apply(state, anchor, *tensors_in([args, kwargs])))
    return replace(state["result"], lambda: next(outputs))


def answer_call(
    endpoint: Endpoint, number: int, function: Any, args: list, kwargs: dict[str, Any]
) -> Any:
    """Run a function and keep its graph, in case the gradient is asked for."""
    inputs = tensors_in([args, kwargs])
    fresh = iter([tensor.view_as(tensor) for tensor in inputs])  # leaves may not be changed
    given = replace([args, kwargs], lambda: next(fresh))
    result = endpoint.run(function, given[0], given[1])
    if outputs := tensors_in(result):
        endpoint.calls[number] = (inputs, outputs)
    return result


def answer_vjp(endpoint: Endpoint, number: int, gradients: list[torch.Tensor | None]) -> Any:
    """Return the gradients of a kept call's inputs; parameters of modules gather theirs."""
    inputs, outputs = endpoint.calls[number]
    for tensor in inputs:
        tensor.grad = None
    pairs = [(y, g) for y, g in zip(outputs, gradients, strict=True) if g is not None]
    torch.autograd.backward([y for y, _ in pairs], [g for _, g in pairs], retain_graph=True)
    return [None if tensor.grad is None else tensor.grad.clone() for tensor in inputs]
