"""Call a function that lives in another process as if it were here.

Both sides of a socket run the same `Endpoint`: it sends calls, and while it waits for an
answer it serves calls from the other side, so a function passed as an argument (a callback)
runs where it was born. The examiner's side answers calls of the functions it passed and
nothing else.
"""

from __future__ import annotations

import builtins
import sys
import traceback
from collections.abc import Callable, Iterator
from typing import Any

from autograder.wire import Channel, Codec, Ref, WireError

MAX_TEXT = 4000  # characters of an error message or traceback that cross
YOURS = "yours"  # the kind of a reference to an object of the receiver's own
# Exceptions that keep their type on the way; others arrive as their nearest ancestor of these.
KNOWN_ERRORS = {
    name: kind
    for name, kind in vars(builtins).items()
    if isinstance(kind, type)
    and issubclass(kind, Exception)
    and not issubclass(kind, (UnicodeError, StopIteration, StopAsyncIteration, ExceptionGroup))
}


class RemoteError(Exception):
    """What the student's code raised, when it is not a built-in exception."""


class StudentTimeoutError(Exception):
    """The student's code was stopped because its time was up."""


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
        self.codec = Codec(self._export, self._resolve)
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
        result, changed = self.request("call", target, list(args), kwargs)
        if self.names is None:
            for key in changed:
                spoil(kwargs[key] if isinstance(key, str) else args[key])
        return result

    def request(self, *message: Any) -> Any:
        """Send a request and return its answer, serving the other side's calls meanwhile."""
        self.channel.send(self.codec.encode(["ask", *message]))
        while True:
            answer = self.codec.decode(self.channel.receive())
            if not isinstance(answer, list) or not answer:
                raise WireError("not a message")
            if answer[0] == "ask":
                self.serve_one(answer[1:])
            elif answer[0] == "value":
                return answer[1]
            elif answer[0] == "raise":
                raise _rebuild_error(answer[1])
            else:
                raise WireError("not a message")

    # Answering the other side

    def serve(self) -> None:
        """Answer requests until the other side says stop or is gone."""
        while True:
            try:
                message = self.codec.decode(self.channel.receive())
            except EOFError:
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
        except (Exception, KeyboardInterrupt, SystemExit, RecursionError) as error:
            data = self.codec.encode(["raise", describe(error)])
        self.channel.send(data)

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


def describe(error: BaseException) -> dict[str, Any]:
    """Return an exception as data: its built-in ancestry, message and the student's traceback."""
    if isinstance(error, KeyboardInterrupt):
        return {"types": ["Interrupted"], "name": "Interrupted", "message": "", "traceback": ""}
    if isinstance(error, MemoryError):
        traceback.clear_frames(error.__traceback__)  # lets go of what filled the memory
    types = [kind.__name__ for kind in type(error).__mro__ if kind.__module__ == "builtins"]
    try:
        message = str(error)
    except Exception:
        message = ""
    story = traceback.TracebackException.from_exception(error, limit=20)
    story.stack = traceback.StackSummary.from_list(
        [frame for frame in story.stack if "/autograder/" not in frame.filename]
    )
    return {
        "types": [whole(name) for name in types],
        "name": whole(type(error).__name__[:100]),
        "message": whole(message[:MAX_TEXT]),
        "traceback": whole("".join(story.format(chain=False))[-MAX_TEXT:]),
    }


def whole(text: str) -> str:
    """Return a text with what is not a whole character (half of a surrogate pair) written out."""
    return text.encode("utf-8", "backslashreplace").decode()


def _rebuild_error(fields: dict[str, Any]) -> Exception:
    """Return the exception that a description stands for, of a built-in type or RemoteError."""
    if not isinstance(fields, dict) or not isinstance(fields.get("types"), list):
        raise WireError("not an error")
    message = str(fields.get("message", ""))[:MAX_TEXT]
    name = str(fields.get("name", "Exception"))[:100]
    if fields["types"][:1] == ["Interrupted"]:
        error: Exception = StudentTimeoutError()
    else:
        kind = next((KNOWN_ERRORS[t] for t in fields["types"] if t in KNOWN_ERRORS), None)
        if kind is None or kind is Exception:
            error = RemoteError(f"{name}: {message}")
        else:
            error = kind(message)
    error.student_traceback = str(fields.get("traceback", ""))[:MAX_TEXT]  # type: ignore[attr-defined]
    error.student_name = name  # type: ignore[attr-defined]
    return error


def spoil(value: Any) -> None:
    """Make visible that a function changed its argument in place, without believing the change.

    The test sees other numbers than it passed, but not numbers the student's side chose.
    """
    import numpy as np

    noise = np.random.default_rng()
    if isinstance(value, np.ndarray) and value.size:
        if value.dtype.kind in "fc":
            value[...] = np.asarray(noise.normal(size=value.shape), dtype=value.dtype)
        elif value.dtype.kind in "iu":
            value += noise.integers(1, 8, value.shape).astype(value.dtype)
        elif value.dtype.kind == "b":
            value[...] = ~value
    elif isinstance(value, np.random.Generator):
        value.bit_generator.state = value.bit_generator.jumped().state  # type: ignore[attr-defined]
    elif isinstance(value, list):
        value[:] = ["changed in place"]
    elif isinstance(value, dict):
        for item in value.values():
            spoil(item)
        value["changed in place"] = True
    elif isinstance(value, set):
        value.add("changed in place")
    elif "torch" in sys.modules:
        from autograder import remote_torch

        remote_torch.spoil(value)
