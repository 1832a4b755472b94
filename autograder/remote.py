"""Call a function that lives in another process as if it were here.

Both sides of a socket run the same `Endpoint`: it sends calls, and while it waits for an
answer it serves calls from the other side, so a function passed as an argument (a callback)
runs where it was born. The examiner's side answers calls of the functions it passed and
nothing else.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from typing import Any

from autograder.remote_errors import OtherSideGone, describe, rebuilt
from autograder.wire import Channel, Codec, Ref, WireError

YOURS = "yours"  # the kind of a reference to an object of the receiver's own


class RemoteObject:
    """Stands for an object in the other process: call it, read its attributes, iterate over it."""

    __slots__ = ("_endpoint", "_kind", "_name", "_target")

    def __init__(self, endpoint: Endpoint, target: int | str, kind: str, name: str) -> None:
        self._endpoint, self._target, self._kind, self._name = endpoint, target, kind, name

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self._endpoint.call(self._target, args, kwargs)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            if name == "__name__":
                return self._name
            raise AttributeError(name)
        return self._endpoint.request("getattr", self._target, name)

    def __iter__(self) -> Iterator[Any]:
        iterator = self._endpoint.request("iter", self._target)
        while True:
            more, item = self._endpoint.request("next", iterator)
            if not more:
                return
            yield item

    def __len__(self) -> int:
        return int(self._endpoint.request("len", self._target))

    def __getitem__(self, key: Any) -> Any:
        return self._endpoint.request("getitem", self._target, key)

    def __bool__(self) -> bool:
        raise TypeError(f"got {self!r} where a number or an array was expected")

    def __repr__(self) -> str:
        return f"<{self._kind} {self._name}>"


class Endpoint:
    """One side of the connection between a test and the student's functions.

    Args:
        channel: the connection.
        names: the student's names (``user_ns``); None on the examiner's side, which serves
            calls of the functions it passed as arguments and nothing else.
    """

    def __init__(self, channel: Channel, names: dict[str, Any] | None = None) -> None:
        self.channel = channel
        self.names = names
        self.codec = Codec(self._export, self._resolve, gradients=names is not None)
        self.objects: dict[int, Any] = {}
        self.calls: dict[int, Any] = {}  # calls whose gradient may be asked for
        self.run: Callable[..., Any] = lambda function, args, kwargs: function(*args, **kwargs)

    # Asking the other side

    def call(self, target: int | str, args: tuple, kwargs: dict[str, Any]) -> Any:
        """Return what the other side's function returns; gradients flow through it."""
        torch = sys.modules.get("torch")
        if torch is not None:
            from autograder import remote_torch

            return remote_torch.call(self, target, args, kwargs)
        return self.plain_call(target, args, kwargs)

    def plain_call(self, target: int | str, args: tuple, kwargs: dict[str, Any]) -> Any:
        """Return what the other side's function returns, as data."""
        return self.ask_call(target, args, kwargs)

    def ask_call(self, target: int | str, args: tuple, kwargs: dict[str, Any], *more: Any) -> Any:
        """Ask for a call and return its result, after taking in which arguments it changed."""
        answer = self.request("call", target, list(args), kwargs, *more)
        if not isinstance(answer, list) or len(answer) != 2 or not isinstance(answer[1], list):
            raise WireError("not the answer to a call")
        for key in answer[1]:
            self.changed_in_place(kwargs[key] if isinstance(key, str) else args[key])
        return answer[0]

    def changed_in_place(self, value: Any) -> None:
        """Take in that the other side says it changed an argument; only the examiner does."""

    def request(self, *message: Any) -> Any:
        """Send a request and return its answer, serving the other side's calls meanwhile.

        Raises:
            OtherSideGone: it will not answer any more.
        """
        data = self.codec.encode(["ask", *message])
        try:
            self.channel.send(data)
            while True:
                answer = self.codec.decode(self.channel.receive())
                if not isinstance(answer, list) or len(answer) < 2:
                    raise WireError("not a message")
                if answer[0] == "ask":
                    self.serve_one(answer[1:])
                elif answer[0] == "value":
                    return answer[1]
                elif answer[0] == "raise":
                    break
                else:
                    raise WireError("not a message")
        except (EOFError, OSError) as error:
            raise OtherSideGone(str(error)) from None
        raise rebuilt(answer[1])

    # Answering the other side

    def serve(self) -> None:
        """Answer requests until the other side says stop or is gone."""
        while True:
            try:
                message = self.codec.decode(self.channel.receive())
            except (EOFError, OSError):
                return
            if message[0] == "stop":
                self.calls.clear()
                return
            self.serve_one(message[1:])

    def serve_one(self, request: list[Any]) -> None:
        """Answer one request, with a value or with what it raised."""
        try:
            answer = ["value", self._answer(*request)]
            data = self.codec.encode(answer)
            if len(data) > self.channel.limit:
                raise WireError(f"the result is {len(data) / 2**20:.0f} MiB, too large to return")
        except OtherSideGone:
            raise
        except BaseException as error:  # an exit, an interruption, or one of the student's own
            data = self.codec.encode(["raise", self.described(error)])
        self.channel.send(data)

    def described(self, error: BaseException) -> dict[str, Any]:
        """Return what the other side may know of an exception."""
        return describe(error)

    def _answer(self, verb: str, target: Any, *rest: Any) -> Any:
        if verb == "call":
            return self._answer_call(target, *rest)
        if verb == "vjp":
            from autograder import remote_torch

            return remote_torch.answer_vjp(self, target, *rest)
        if self.names is None:
            raise WireError(f"{verb} is not served here")
        found = target if verb == "next" else self._find(target)
        if verb == "getattr":
            return getattr(found, rest[0])
        if verb == "iter":
            return iter(found)
        if verb == "next":
            try:
                return [True, next(found)]
            except StopIteration:
                return [False, None]
        if verb == "len":
            return len(found)
        if verb == "getitem":
            return found[rest[0]]
        if verb == "fetch":
            return found
        raise WireError(f"{verb} is not served here")

    def _answer_call(self, target: Any, args: list, kwargs: dict, call: int | None = None) -> Any:
        function = self._find(target)
        before = self._prints(args, kwargs)
        if call is None:
            result = self.run(function, args, kwargs)
        else:
            from autograder import remote_torch

            result = remote_torch.answer_call(self, call, function, args, kwargs)
        after = self._prints(args, kwargs)
        return [result, [key for key in before if before[key] != after[key]]]

    def _prints(self, args: list, kwargs: dict) -> dict[int | str, bytes]:
        """Return the bytes of every argument, to see afterwards which were changed in place."""
        if self.names is None:
            return {}
        pairs = [*enumerate(args), *kwargs.items()]
        return {key: self.codec.encode(value) for key, value in pairs}

    def forget(self) -> None:
        """Let go of what was passed and called so far: from here on nobody may ask for it."""
        self.objects.clear()
        self.calls.clear()

    # Objects that stay where they are

    def _find(self, target: Any) -> Any:
        if isinstance(target, str):
            if self.names is None or target not in self.names:
                raise NameError(f"name '{target}' is not defined")
            return self.names[target]
        if type(target) is not int or target not in self.objects:
            raise WireError("no such object")
        return self.objects[target]

    def _export(self, value: Any) -> Ref:
        if isinstance(value, RemoteObject):
            if value._endpoint is not self or not isinstance(value._target, int):
                return Ref(0, YOURS, str(value._target))
            return Ref(value._target, YOURS, "")
        if self.names is None and not callable(value):
            raise WireError(f"a {type(value).__name__} is not data; pass numbers, arrays or text")
        self.objects[number := id(value)] = value  # keeps it alive, so the number stays its own
        return Ref(number, _kind_of(value), getattr(value, "__name__", type(value).__name__))

    def _resolve(self, ref: Ref) -> Any:
        if ref.kind == YOURS:
            return self._find(ref.name or ref.number)
        return RemoteObject(self, ref.number, ref.kind, ref.name)


def _kind_of(value: Any) -> str:
    if isinstance(value, type):
        return "class"
    return "function" if callable(value) and hasattr(value, "__name__") else "object"
