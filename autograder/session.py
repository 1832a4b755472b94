"""Grade one rebuilt notebook: cells run in the candidate, tests in the examiner.

The candidate is driven by nbclient like any kernel. While a test runs, the candidate answers its
calls over the wire; the verdict comes from the examiner over a connection the candidate never
had. Whatever happens to the candidate, the verdicts already given stand.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
import tempfile
import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellTimeoutError, DeadKernelError
from nbformat.v4 import new_code_cell, new_notebook, new_output

from autograder import launcher
from autograder.assignment import Assignment, Item
from autograder.candidate_names import SERVE
from autograder.examiner import Verdict, plain_codec
from autograder.limits import Limits
from autograder.outputs import CappedOutputs
from autograder.provisioner import CandidateProvisioner, kernel_manager
from autograder.wire import Channel


@dataclass
class Outcome:
    """What became of one submission: a verdict for every test, flags, and time used."""

    verdicts: dict[str, Verdict] = field(default_factory=dict)
    flags: list[str] = field(default_factory=list)
    seconds: float = 0.0


class Client(CappedOutputs, NotebookClient):
    """nbclient with capped outputs, which leaves the decision about errors to the grader."""


class Session:
    """Runs one notebook against one assignment."""

    def __init__(self, assignment: Assignment, notebook: nbformat.NotebookNode, limits: Limits):
        self.assignment, self.notebook, self.limits = assignment, notebook, limits
        self.items = {item.grade_id: item for item in assignment.items}
        self.outcome = Outcome()
        self.ran: list[nbformat.NotebookNode] = []  # what a fresh candidate must run again
        self.restarts = 0
        self.stopped = False  # whether something had to be stopped because its time was up
        self.client: Client | None = None
        self.examiner: launcher.Session | None = None

    async def run(self) -> Outcome:
        """Run every cell, give every test a verdict, and leave no process behind."""
        started = time.monotonic()
        self.deadline = started + self.limits.notebook_seconds
        with tempfile.TemporaryDirectory(prefix="unrolled-") as folder:
            self.folder = Path(folder)
            try:
                await self._start()
                for cell in self.notebook.cells:
                    if cell.cell_type == "code":
                        await self._run_cell(cell)
            finally:
                await self._stop()
        self.outcome.seconds = time.monotonic() - started
        return self.outcome

    # Processes

    async def _start(self) -> None:
        """Fork a candidate and an examiner joined by the wire."""
        folder = Path(tempfile.mkdtemp(dir=self.folder))
        work = folder / "work"
        work.mkdir()
        manager = kernel_manager(folder)
        self.client = Client(
            new_notebook(cells=[new_code_cell()]),
            km=manager,
            allow_errors=True,
            interrupt_on_timeout=True,
            startup_timeout=60,
            iopub_timeout=10,
            store_widget_state=False,
            shutdown_kernel="immediate",
        )
        await self.client.async_start_new_kernel(cwd=str(work))
        await self.client.async_start_new_kernel_client()
        await self._start_examiner()

    async def _start_examiner(self) -> None:
        provisioner = self._provisioner()
        assert provisioner.wire is not None
        ours, theirs = socket.socketpair()
        descriptors = [theirs.fileno(), provisioner.wire.fileno()]
        self.examiner = launcher.current().fork("examiner", {}, descriptors)
        theirs.close()
        self.control = Channel(ours)
        for item in self.assignment.items:
            if item.role == "setup":
                await self._ask("setup", item.source)
            elif item.role == "exercise":
                await self._ask("bind", *self.assignment.names(item))

    def _provisioner(self) -> CandidateProvisioner:
        assert self.client is not None and self.client.km is not None
        provisioner = self.client.km.provisioner
        assert isinstance(provisioner, CandidateProvisioner)
        return provisioner

    async def _stop(self) -> None:
        if self.examiner is not None:
            self.examiner.close()
            self.control.stream.close()
            self.examiner = None
        if self.client is not None:
            with contextlib.suppress(Exception):
                await self.client._async_cleanup_kernel()
            self.client = None

    async def _ask(self, *message: Any) -> Any:
        """Send the examiner a request and return its answer."""
        codec = plain_codec()
        self.control.send(codec.encode(list(message)))
        data = await asyncio.to_thread(self.control.receive)
        status, result = codec.decode(data)
        if status != "ok":
            raise ExaminerError(str(result))
        return result

    # Cells

    async def _run_cell(self, cell: nbformat.NotebookNode) -> None:
        mark = cell.metadata.get("nbgrader", {}).get("grade_id")
        item = self.items.get(mark) if mark else None
        if item is not None and item.role == "test":
            verdict = await self._run_test(item)
            self.outcome.verdicts[item.grade_id] = verdict
            write_verdict(cell, item, verdict)
            return
        await self._run_students_cell(cell)

    def _left(self, most: float) -> float:
        """Return the seconds that may be used now, at most ``most``."""
        if self.stopped:
            most = min(most, self.limits.again_seconds)
        return min(most, self.deadline - time.monotonic())

    async def _run_students_cell(self, cell: nbformat.NotebookNode) -> None:
        if not cell.source.strip():
            return
        seconds = self._left(self.limits.cell_seconds)
        if seconds <= 0 or not await self._alive():
            cell.outputs = [_note("Not run: the time for the whole notebook was used up.")]
            return
        problem = await self._execute(cell, seconds)
        if problem:
            cell.outputs = [*cell.get("outputs", []), _note(problem)]
            self.outcome.flags.append(f"a cell of the submission: {problem}")
        else:
            self.ran.append(cell)

    async def _execute(self, cell: nbformat.NotebookNode, seconds: float) -> str:
        """Run a cell in the candidate; return what stopped it, or '' when it came to an end."""
        assert self.client is not None
        self.client.timeout = max(1, round(seconds))
        task = asyncio.ensure_future(self.client.async_execute_cell(cell, 0))
        done, _ = await asyncio.wait([task], timeout=seconds + self.limits.grace_seconds)
        try:
            if not done:
                self.stopped = True
                await self._kill_candidate()
                task.cancel()
                with contextlib.suppress(BaseException):
                    await task
                return f"stopped after {seconds:.0f} s, and killed because it did not stop."
            task.result()
        except (DeadKernelError, asyncio.CancelledError):
            return "it ended the process it ran in."
        except CellTimeoutError:
            self.stopped = True
            await self._kill_candidate()
            return f"stopped after {seconds:.0f} s."
        except Exception as error:
            await self._kill_candidate()
            return f"the kernel could not go on ({type(error).__name__})."
        return ""

    async def _kill_candidate(self) -> None:
        with contextlib.suppress(AssertionError):
            await self._provisioner().send_signal(signal.SIGKILL)

    async def _alive(self) -> bool:
        """Return whether a candidate is there, started again if it died and may be."""
        if self.client is not None and await self._provisioner().poll() is None:
            return True
        if self.restarts >= self.limits.restarts or self._left(1) <= 0:
            return False
        self.restarts += 1
        self.outcome.flags.append("the student's process died and was started again")
        await self._stop()
        await self._start()
        again, self.ran = self.ran, []
        for cell in again:
            await self._run_students_cell(new_code_cell(cell.source))
        return self.client is not None and await self._provisioner().poll() is None

    # Tests

    async def _run_test(self, item: Item) -> Verdict:
        """Return the verdict on one test cell."""
        seconds = self._left(self.limits.test_seconds)
        if seconds <= 0:
            return Verdict("timeout", "Not run: the time for the whole notebook was used up.")
        if not await self._alive():
            return Verdict("killed", "Not run: your code ended the process it ran in.")
        serving = asyncio.ensure_future(self._serve(seconds))
        asking = asyncio.ensure_future(self._ask("test", item.grade_id, item.source))
        try:
            done, _ = await asyncio.wait([asking], timeout=seconds)
            if not done:
                self.stopped = True
                await self._provisioner().send_signal(signal.SIGINT)
                done, _ = await asyncio.wait([asking], timeout=self.limits.grace_seconds)
            if not done:
                await self._kill_candidate()
                done, _ = await asyncio.wait([asking], timeout=self.limits.grace_seconds)
            if not done:
                return await self._abandon_examiner()
            verdict = Verdict(**asking.result())
        except (EOFError, OSError, ExaminerError) as error:
            return Verdict("grader-error", f"The examiner failed: {error}")
        finally:
            await self._end_serving(serving, asking)
        if serving.done() and not serving.cancelled() and serving.exception() is None:
            return _with_print(verdict, serving.result())
        return verdict

    async def _serve(self, seconds: float) -> str:
        """Have the candidate answer calls; return what the student's code printed meanwhile."""
        assert self.client is not None
        cell = new_code_cell(SERVE)
        self.client.timeout = round(seconds + 3 * self.limits.grace_seconds + 5)
        await self.client.async_execute_cell(cell, 0)
        return "".join(o.text for o in cell.outputs if o.output_type == "stream")

    async def _end_serving(self, serving: asyncio.Future, asking: asyncio.Future) -> None:
        if asking.done() and not asking.cancelled() and asking.exception() is None:
            with contextlib.suppress(Exception):
                await self._ask("stop")
        done, _ = await asyncio.wait([serving], timeout=self.limits.grace_seconds)
        if not done:
            await self._kill_candidate()
            serving.cancel()
        with contextlib.suppress(BaseException):
            await serving

    async def _abandon_examiner(self) -> Verdict:
        """Start over after a test that the candidate's death did not end."""
        if self.examiner is not None:
            self.examiner.close()
        return Verdict("timeout", "The test did not finish in time.")


class ExaminerError(Exception):
    """The examiner could not do what was asked: the instructor's cells are at fault."""


def _with_print(verdict: Verdict, printed: str) -> Verdict:
    return replace(verdict, printed=(verdict.printed + printed)[-4000:])


def _note(text: str) -> nbformat.NotebookNode:
    return new_output("stream", name="stdout", text=f"[grader] {text}\n")


def write_verdict(cell: nbformat.NotebookNode, item: Item, verdict: Verdict) -> None:
    """Make a verdict the output of its test cell, in the form nbgrader reads marks from."""
    cell.outputs = []
    if verdict.printed:
        cell.outputs.append(new_output("stream", name="stdout", text=verdict.printed))
    if verdict.status == "passed" and verdict.checks > 0:
        text = f"passed: {item.points:g} of {item.points:g} points\n"
        cell.outputs.append(new_output("stream", name="stdout", text=text))
        return
    story = [f"{verdict.error or verdict.status}: {verdict.message}"]
    if verdict.line:
        story.insert(0, f"At line {verdict.line} of this cell:")
    if verdict.hidden:
        story.insert(0, "In a hidden check:")
    if verdict.student_traceback:
        story.append(verdict.student_traceback)
    cell.outputs.append(
        new_output("error", ename=verdict.status, evalue=verdict.message, traceback=story)
    )


def grade(assignment: Assignment, notebook: nbformat.NotebookNode, limits: Limits) -> Outcome:
    """Run a rebuilt notebook, write the verdicts into it, and return the outcome."""
    return asyncio.run(Session(assignment, notebook, limits).run())
