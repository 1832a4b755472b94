"""Exceptions on their way between the processes: described as data, made anew from the description.

What the student's code raises arrives as the built-in type it is nearest to, so that a test can
expect it. What ends the connection or the time arrives as what no test's ``except Exception``
catches: neither is an answer.
"""

from __future__ import annotations

import builtins
import traceback
from typing import Any

from autograder.wire import WireError

MAX_TEXT = 4000  # characters of an error message or traceback that cross
MAX_FRAMES = 20
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


class OtherSideGone(BaseException):
    """The process at the other end of the connection is gone."""


class TimeIsUp(BaseException):
    """The student's code was stopped because its time was up."""


def describe(error: BaseException) -> dict[str, Any]:
    """Return an exception as data: its built-in ancestry, message and the student's traceback."""
    if isinstance(error, KeyboardInterrupt):
        return {"types": ["Interrupted"], "name": "Interrupted", "message": "", "traceback": ""}
    if isinstance(error, MemoryError):
        traceback.clear_frames(error.__traceback__)  # lets go of what filled the memory
    types = [kind.__name__ for kind in type(error).__mro__ if kind.__module__ == "builtins"]
    try:
        message = str(error)
    except BaseException:
        message = ""
    story = traceback.TracebackException.from_exception(error, limit=MAX_FRAMES)
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


def rebuilt(fields: Any) -> BaseException:
    """Return the exception that a description stands for.

    Raises:
        WireError: it stands for none.
    """
    if not isinstance(fields, dict) or not isinstance(fields.get("types"), list):
        raise WireError("not an error")
    message = str(fields.get("message", ""))[:MAX_TEXT]
    name = str(fields.get("name", "Exception"))[:100]
    if fields["types"][:1] == ["Interrupted"]:
        return TimeIsUp()
    types = [name for name in fields["types"] if isinstance(name, str)]
    kind = next((KNOWN_ERRORS[name] for name in types if name in KNOWN_ERRORS), Exception)
    error = RemoteError(f"{name}: {message}") if kind is Exception else kind(message)
    error.student_traceback = str(fields.get("traceback", ""))[:MAX_TEXT]  # type: ignore[attr-defined]
    error.student_name = name  # type: ignore[attr-defined]
    return error
