"""The process in which tests run: the instructor's setup cells, then one test cell at a time.

A name that the solution cells define is bound to a proxy; calling it sends plain data to the
student's process and brings plain data back. What a test learns is a verdict with the author's
message; the text of hidden tests stays here.
"""

from __future__ import annotations

import contextlib
import io
import json
import linecache
import socket
import sys
import time
import traceback
from dataclasses import asdict
from typing import Any

from autograder.remote import Endpoint, RemoteObject
from autograder.remote_errors import OtherSideGone, TimeIsUp, describe
from autograder.spoil import moves_on, spoil
from autograder.verdicts import MAX_TEXT, Verdict
from autograder.wire import Channel, WireError

HIDDEN_BEGIN, HIDDEN_END = "### BEGIN HIDDEN TESTS", "### END HIDDEN TESTS"


def hidden_lines(source: str) -> set[int]:
    """Return the numbers of the lines between the hidden-test markers, from 1."""
    inside, found = False, set()
    for number, line in enumerate(source.splitlines(), start=1):
        if line.strip() == HIDDEN_BEGIN:
            inside = True
        if inside:
            found.add(number)
        if line.strip() == HIDDEN_END:
            inside = False
    return found


class ExaminerEndpoint(Endpoint):
    """The examiner's side: notes what the student's side was asked and what it claims."""

    answers = 0  # of the student's side: a test that asked nothing proved nothing
    claims = 0  # that an argument was changed in place
    heeded = True  # whether such a claim is made visible to the test

    def request(self, *message: Any) -> Any:
        """Send a request and count it."""
        self.answers += 1
        return super().request(*message)

    def described(self, error: BaseException) -> dict[str, Any]:
        """Return what the student's side may know of an exception in a test's callback.

        That is its type and its author's words: never the test's lines, nor values in a message.
        """
        told = describe(error) | {"traceback": "", "message": ""}
        if isinstance(error, AssertionError):
            told["message"] = author_message(str(error))
        return told

    def changed_in_place(self, value: Any) -> None:
        """Show the test that an argument changed, but not to what."""
        if moves_on(value):
            spoil(value)
            return
        self.claims += 1
        if self.heeded:
            spoil(value)


class Examiner:
    """Runs the instructor's cells; what the student defined is bound to proxies."""

    def __init__(self, wire: socket.socket) -> None:
        self.channel = Channel(wire)
        self.endpoint = ExaminerEndpoint(self.channel)
        self.names: dict[str, Any] = {"__name__": "__main__"}
        self.values: list[str] = []

    def setup(self, source: str) -> None:
        """Run one of the instructor's setup cells."""
        exec(compile(source, "<setup>", "exec"), self.names)

    def bind(self, functions: list[str], values: list[str]) -> None:
        """Bind the names that solution cells define; values are fetched before each test."""
        for name in functions:
            self.names[name] = RemoteObject(self.endpoint, name, "function", name)
        self.values += values

    def test(self, grade_id: str, source: str) -> Verdict:
        """Return the verdict on one test cell.

        That an argument was changed in place is only the student's side's word. A test that
        passes with it has to pass without it, too.
        """
        self.endpoint.claims = 0
        verdict = self._run(grade_id, source)
        if verdict.status == "passed" and self.endpoint.claims:
            self.endpoint.heeded = False
            try:
                return self._run(grade_id, source)
            finally:
                self.endpoint.heeded = True
        return verdict

    def _run(self, grade_id: str, source: str) -> Verdict:
        filename = f"<test {grade_id}>"
        linecache.cache[filename] = (len(source), None, source.splitlines(True), filename)
        printed = io.StringIO()
        self.endpoint.answers = 0
        self.endpoint.forget()
        self.channel.drain()
        started = time.monotonic()
        outcome: dict[str, Any] = {"status": "passed"}
        try:
            with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(io.StringIO()):
                for name in self.values:
                    self.names[name] = self.endpoint.request("fetch", name)
                exec(compile(source, filename, "exec"), self.names)
        except BaseException as error:
            outcome = explain(error, filename, hidden_lines(source))
        return Verdict(
            **outcome,
            printed=printed.getvalue()[:MAX_TEXT].encode("utf-8", "replace").decode(),
            seconds=time.monotonic() - started,
            checks=self.endpoint.answers,
        )

    def stop(self) -> None:
        """Tell the candidate that this test cell is over."""
        with contextlib.suppress(OSError):
            self.channel.send(self.endpoint.codec.encode(["stop"]))


def explain(error: BaseException, filename: str, hidden: set[int]) -> dict[str, Any]:
    """Return what went wrong, in words for the student and without the hidden tests' text."""
    lines = [
        frame.lineno or 0
        for frame in traceback.extract_tb(error.__traceback__)
        if frame.filename == filename
    ]
    line = lines[-1] if lines else 0
    outcome: dict[str, Any] = {"error": type(error).__name__, "hidden": line in hidden}
    outcome["line"] = 0 if outcome["hidden"] else line
    if isinstance(error, TimeIsUp):
        return outcome | {"status": "timeout", "message": "Your code did not finish in time."}
    if isinstance(error, OtherSideGone):
        return outcome | {"status": "killed", "message": "Your code ended the process it ran in."}
    if hasattr(error, "student_traceback"):
        memory = isinstance(error, MemoryError) or "DefaultCPUAllocator" in str(error)
        return outcome | {
            "status": "memory" if memory else "error",
            "error": error.student_name,  # type: ignore[attr-defined]
            "message": str(error)[:MAX_TEXT] or ("Your code ran out of memory." * memory),
            "student_traceback": error.student_traceback,
        }
    if isinstance(error, WireError):
        message = f"What your function returned could not be read: {error}"
        return outcome | {"status": "failed", "message": message[:MAX_TEXT]}
    message = str(error)
    if isinstance(error, AssertionError):
        message = author_message(message) if outcome["hidden"] else message
    elif outcome["hidden"]:
        message = "A hidden check could not use what your function returned: is its type right?"
    message = message[:MAX_TEXT].encode("utf-8", "replace").decode()  # half characters
    return outcome | {"status": "failed", "message": message}


def author_message(message: str) -> str:
    """Return a failed check's message without the values that numpy and torch append to it."""
    text = message.strip("\n")
    for boundary in ("Mismatched elements", " ACTUAL", " x: ", "ACTUAL:", "x: array", "(shapes "):
        text = text.split(boundary)[0]
    kept = [line for line in text.splitlines() if not line.startswith("Not equal to tolerance")]
    return "\n".join(kept).strip() or "A hidden check says no."


def main(control: int, wire: int) -> None:
    """Answer the grader's requests until it closes the connection."""
    channel = Channel(socket.socket(fileno=control))
    examiner = Examiner(socket.socket(fileno=wire))
    while True:
        try:
            verb, *arguments = json.loads(channel.receive())
        except EOFError:
            sys.exit(0)
        try:
            result = getattr(examiner, verb)(*arguments)
            answer = ["ok", asdict(result) if isinstance(result, Verdict) else None]
        except Exception as error:
            answer = ["failed", f"{type(error).__name__}: {error}"]
        channel.send(json.dumps(answer).encode())
