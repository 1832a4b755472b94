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
from nbclient.exceptions import CellTimeoutError, DeadKernelError
from nbformat.v4 import new_notebook, new_output

from autograder import launcher
from autograder.assignment import Assignment, Item
from autograder.candidate_names import SERVE
from autograder.client import Client
from autograder.examiner import Verdict, plain_codec
from autograder.limits import Limits
from autograder.outputs import Kept
from autograder.provisioner import CandidateProvisioner, kernel_manager
from autograder.rebuild import new_cell
from autograder.wire import Channel


@dataclass
class Outcome:
    """What became of one submission: a verdict for every test, flags, and time used."""

    verdicts: dict[str, Verdict] = field(default_factory=dict)
    flags: list[str] = field(default_factory=list)
    seconds: float = 0.0


class Session:
    """Runs one notebook against one assignment."""

    def __init__(self, assignment: Assignment, notebook: nbformat.NotebookNode, limits: Limits):
        self.assignment, self.notebook, self.limits = assignment, notebook, limits
        self.items = {item.grade_id: item for item in assignment.items}
        self.outcome = Outcome()
        self.ran: list[nbformat.NotebookNode] = []  # what a fresh candidate must run again
        self.kept = Kept()
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
            new_notebook(),
            km=manager,
            record_timing=False,
            allow_errors=True,
            interrupt_on_timeout=True,
            startup_timeout=60,
            iopub_timeout=10,
            store_widget_state=False,
            shutdown_kernel="immediate",
        )
        self.client.kept = self.kept
        warm = launcher.wanted(item.source for item in self.assignment.items)
        quota = self.limits.quota
        await self.client.async_start_new_kernel(cwd=str(work), quota=quota, warm=warm)
        await self._start_examiner()  # meanwhile the kernel gets ready
        await self.client.async_start_new_kernel_client()

    async def _start_examiner(self) -> None:
        provisioner = self._provisioner()
        assert provisioner.wire is not None
        ours, theirs = socket.socketpair()
        descriptors = [theirs.fileno(), provisioner.wire.fileno()]
        quota = self.limits.examiner_quota
        self.examiner = launcher.current().fork("examiner", {}, descriptors, quota)
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
        self._close_examiner()
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
        self.client.timeout = max(1, int(seconds))
        started = time.monotonic()
        task = asyncio.ensure_future(self.client.execute_next(cell))
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
            return self._limit_hit() or "it ended the process it ran in."
        except CellTimeoutError:
            self.stopped = True
            await self._kill_candidate()
            return f"stopped after {seconds:.0f} s."
        except Exception as error:
            await self._kill_candidate()
            return f"the kernel could not go on ({type(error).__name__})."
        if time.monotonic() - started >= seconds:
            self.stopped = True
            return f"stopped after {seconds:.0f} s."
        return ""

    async def _kill_candidate(self) -> None:
        """Kill the candidate and wait until nothing of it is left."""
        with contextlib.suppress(AssertionError):
            await self._provisioner().kill()

    def _limit_hit(self) -> str:
        """Return what the candidate was killed for by the sandbox, or ''."""
        reason = self._provisioner().reason if self.client is not None else ""
        return {
            "memory": f"it used more than {self.limits.memory_mib} MiB of memory.",
            "processes": f"it started more than {self.limits.processes} processes.",
        }.get(reason, "")

    async def _both_run(self) -> bool:
        if self.client is None or self.examiner is None or self.examiner.poll() is not None:
            return False
        return await self._provisioner().poll() is None

    async def _alive(self) -> bool:
        """Return whether candidate and examiner are there, started again if they may be."""
        if await self._both_run():
            return True
        if self.restarts >= self.limits.restarts or self._left(1) <= 0:
            return False
        self.restarts += 1
        self.outcome.flags.append("the student's process died and was started again")
        await self._stop()
        await self._start()
        again, self.ran = self.ran, []
        for cell in again:
            await self._run_students_cell(new_cell("code", cell.source))
        return await self._both_run()

    # Tests

    async def _run_test(self, item: Item, again: bool = False) -> Verdict:
        """Return the verdict on one test cell."""
        seconds = self._left(self.limits.test_seconds)
        if seconds <= 0:
            return Verdict("timeout", "Not run: the time for the whole notebook was used up.")
        if not await self._alive():
            return Verdict("killed", "Not run: your code ended the process it ran in.")
        serving = asyncio.ensure_future(self._serve(seconds))
        asking = asyncio.ensure_future(self._ask("test", item.grade_id, item.source))
        try:
            verdict = await self._await_verdict(asking, seconds)
        except (EOFError, OSError) as error:
            verdict = Verdict("grader-error", f"The examiner ended: {type(error).__name__}")
        except ExaminerError as error:
            verdict = Verdict("grader-error", f"The examiner failed: {error}")
        finally:
            await self._end_serving(serving, asking)
        if self.examiner is None or self.examiner.poll() is not None:
            verdict = await self._examiner_gone(item, verdict, again)
        elif verdict.status == "killed" and await self._gone() and (limit := self._limit_hit()):
            verdict = replace(verdict, status="memory", message=f"Your code was stopped: {limit}")
        if serving.done() and not serving.cancelled() and serving.exception() is None:
            return _with_print(verdict, serving.result())
        return verdict

    async def _await_verdict(self, asking: asyncio.Future, seconds: float) -> Verdict:
        """Return the examiner's verdict; when it takes too long, stop the candidate, then both."""
        done, _ = await asyncio.wait([asking], timeout=seconds)
        late = not done
        if late:
            self.stopped = True
            await self._provisioner().send_signal(signal.SIGINT)
            done, _ = await asyncio.wait([asking], timeout=self.limits.grace_seconds)
        if not done:
            await self._kill_candidate()
            done, _ = await asyncio.wait([asking], timeout=self.limits.grace_seconds)
        if not done:  # the test itself does not come to an end with what it got
            asking.add_done_callback(lambda task: task.cancelled() or task.exception())
            self._close_examiner()
            return Verdict("timeout", "The test did not finish in time.")
        verdict = Verdict(**asking.result())
        if late and verdict.status == "killed":
            return replace(verdict, status="timeout", message="Your code did not finish in time.")
        return verdict

    async def _gone(self) -> bool:
        """Return whether the candidate is gone, once it has had the time to go."""
        for _ in range(50):
            if await self._provisioner().poll() is not None:
                return True
            await asyncio.sleep(0.01)
        return False

    async def _serve(self, seconds: float) -> str:
        """Have the candidate answer calls; return what the student's code printed meanwhile."""
        assert self.client is not None
        cell = new_cell("code", SERVE)
        self.client.timeout = round(seconds + 3 * self.limits.grace_seconds + 5)
        await self.client.execute_next(cell)
        return "".join(o.text for o in cell.outputs if o.output_type == "stream")

    async def _end_serving(self, serving: asyncio.Future, asking: asyncio.Future) -> None:
        if asking.done() and not asking.cancelled() and asking.exception() is None:
            stopping = asyncio.ensure_future(self._ask("stop"))
            await asyncio.wait([stopping], timeout=self.limits.grace_seconds)
            if not stopping.done():  # the candidate does not read what it is told
                await self._kill_candidate()
            with contextlib.suppress(Exception):
                await stopping
        done, _ = await asyncio.wait([serving], timeout=self.limits.grace_seconds)
        if not done:
            await self._kill_candidate()
            serving.cancel()
        with contextlib.suppress(BaseException):
            await serving

    async def _examiner_gone(self, item: Item, verdict: Verdict, again: bool) -> Verdict:
        """Try once more after the examiner died: was it the machine, or what it was given?

        If it dies of the same test again, what the student's function returned is the cause.
        """
        self._close_examiner()
        if verdict.status != "grader-error":
            return verdict
        if again:
            flag = f"{item.grade_id}: what was returned ended the test's process; review it"
            self.outcome.flags.append(flag)
            return Verdict("killed", "What your function returned ended the test's process.")
        return await self._run_test(item, again=True) if await self._alive() else verdict

    def _close_examiner(self) -> None:
        if self.examiner is not None:
            self.examiner.close()
            self.control.stream.close()
            self.examiner = None


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
