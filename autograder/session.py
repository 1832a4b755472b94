"""Grade one rebuilt notebook: cells run in the candidate, tests in the examiner.

Whatever the student's code does to its process, the verdicts already given stand, and what comes
later finds a process that is as if nothing had happened.
"""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path

import nbformat

from autograder.assignment import Assignment, Item
from autograder.limits import Limits
from autograder.outputs import Kept
from autograder.pair import CellStopped, ExaminerError, Pair
from autograder.rebuild import new_cell
from autograder.verdicts import Verdict, note, write_verdict
from autograder.wire import WireError

LATE = "Your code did not finish in time."
USED_UP = "Not run: the time for the whole notebook was used up."
ENDED = "Your code ended the process it ran in."


@dataclass
class Outcome:
    """What became of one submission: a verdict for every test, flags, and what it used."""

    verdicts: dict[str, Verdict] = field(default_factory=dict)
    flags: list[str] = field(default_factory=list)
    seconds: float = 0.0
    peak: int = 0  # bytes of memory that the student's processes used at most
    computing: float = 0.0  # seconds of a core that the student's cells and calls took

    def flag(self, text: str) -> None:
        """Add a flag, once."""
        if text not in self.flags:
            self.flags.append(text)


class Session:
    """Runs one notebook against one assignment."""

    def __init__(self, assignment: Assignment, notebook: nbformat.NotebookNode, limits: Limits):
        self.assignment, self.notebook, self.limits = assignment, notebook, limits
        self.items = {item.grade_id: item for item in assignment.items}
        self.outcome = Outcome()
        self.kept = Kept()
        self.ran: list[str] = []  # sources that a fresh candidate must run again
        self.refused: Counter[str] = Counter()  # how often one of them did not run again
        self.restarts = 0
        self.stopped = False  # whether something had to be stopped because its time was up
        self.patient = False  # whether what comes after has all the time nevertheless
        self.hurried: set[int] = set()  # numbers of cells whose time was cut short
        self.pair: Pair | None = None

    async def run(self) -> Outcome:
        """Run every cell, give every test a verdict, and leave no process behind."""
        started = time.monotonic()
        self.deadline = started + self.limits.notebook_seconds
        with tempfile.TemporaryDirectory(prefix="unrolled-") as folder:
            self.folder = Path(folder)
            try:
                await self._start()
                await self._run_cells(range(len(self.notebook.cells)))
                if self.hurried and self._left(1) > 0:
                    await self._run_hurried()
            finally:
                self._close()
        self.outcome.seconds = time.monotonic() - started
        return self.outcome

    async def _run_cells(self, numbers: Iterable[int]) -> None:
        for number in numbers:
            cell = self.notebook.cells[number]
            if cell.cell_type != "code":
                continue
            hurried, before = self.stopped and not self.patient, time.monotonic()
            item = self._item(cell)
            if item is None or item.role != "test":
                await self._run_students_cell(cell)
            else:
                verdict = await self._run_test(item)
                self.outcome.verdicts[item.grade_id] = verdict
                write_verdict(cell, item.points, verdict)
            if hurried and time.monotonic() - before >= self.limits.again_seconds:
                self.hurried.add(number)

    async def _run_hurried(self) -> None:
        """Give what was cut short, and what failed after it, all the time that is left."""
        again = [n for n in range(min(self.hurried), len(self.notebook.cells)) if self._is_open(n)]
        self.patient = True
        self._close()
        await self._run_cells(again)

    def _is_open(self, number: int) -> bool:
        """Return whether a cell could come out otherwise, had it more time."""
        item = self._item(self.notebook.cells[number])
        if item is not None and item.role == "test":
            return not self.outcome.verdicts[item.grade_id].earned
        return number in self.hurried

    def _item(self, cell: nbformat.NotebookNode) -> Item | None:
        return self.items.get(cell.metadata.get("nbgrader", {}).get("grade_id", ""))

    def _left(self, most: float) -> float:
        """Return the seconds that may be used now, at most ``most``."""
        if self.stopped and not self.patient:
            most = min(most, self.limits.again_seconds)
        return min(most, self.deadline - time.monotonic())

    # Processes

    async def _start(self) -> None:
        self.pair = Pair(self.assignment, self.limits, self.folder, self.kept)
        await self.pair.start()

    def _close(self) -> None:
        if self.pair is not None:
            used, before = self.pair.close(), self.pair.at_start
            self.outcome.peak = max(self.outcome.peak, used.peak)
            self.outcome.computing += max(0.0, used.seconds - before.seconds)
            self.pair = None

    async def _ready(self) -> Pair | None:
        """Return candidate and examiner, started again if they must and may be."""
        if self.pair is not None and await self.pair.runs():
            return self.pair
        while self.restarts < self.limits.restarts and self._left(1) > 0:
            if self.pair is not None:
                self.outcome.flag("the student's process died and was started again")
            self._close()
            self.restarts += 1
            await self._start()
            if await self._run_again():
                return self.pair
        return None

    async def _run_again(self) -> bool:
        """Run in a fresh candidate what ran before; return whether it did."""
        assert self.pair is not None
        for source in list(self.ran):
            cell, seconds = new_cell("code", source), self._left(self.limits.cell_seconds)
            try:
                await self.pair.execute(cell, seconds)
            except CellStopped as stop:
                self.refused[source] += 1
                if stop.late or self.refused[source] > 1:
                    self.outcome.flag(f"a cell that ran once did not run again: {stop.why}")
                    self.ran.remove(source)
                return False
        return await self.pair.runs()

    # Cells and tests

    async def _run_students_cell(self, cell: nbformat.NotebookNode) -> None:
        """Run a cell; one that died is tried once more, for what ran before may be the cause."""
        if not cell.source.strip():
            return
        for tried in range(2):
            pair = await self._ready()
            seconds = self._left(self.limits.cell_seconds)
            if pair is None or seconds <= 0:
                cell.outputs = [note(USED_UP if seconds <= 0 else f"Not run: {ENDED}")]
                return
            try:
                await pair.execute(cell, seconds)
            except CellStopped as stop:
                self.stopped = self.stopped or stop.late
                if stop.late or tried:
                    cell.outputs = [*cell.get("outputs", []), note(stop.why)]
                    self.outcome.flag(f"a cell of the submission: {stop.why}")
                    return
            else:
                self.ran.append(cell.source)
                return

    async def _run_test(self, item: Item) -> Verdict:
        """Return the verdict on one test; one that was killed is tried once more, as above."""
        verdict = await self._try_test(item)
        if verdict.status == "killed":
            verdict = await self._try_test(item)
        elif verdict.status == "grader-error":
            # The machine, or what it was given? If it fails in the same test again, the latter.
            verdict = await self._try_test(item)
            if verdict.status == "grader-error":
                flag = f"{item.grade_id}: what was returned ended the test's process; review it"
                self.outcome.flag(flag)
                message = "What your function returned ended the test's process."
                verdict = replace(verdict, status="killed", message=message)
        return verdict

    async def _try_test(self, item: Item) -> Verdict:
        pair = await self._ready()
        seconds = self._left(self.limits.test_seconds)
        if seconds <= 0:
            return Verdict("timeout", USED_UP)
        if pair is None:
            return Verdict("killed", f"Not run: {ENDED}")
        serving = asyncio.ensure_future(pair.serve(seconds))
        asking = asyncio.ensure_future(pair.ask("test", item.grade_id, item.source))
        try:
            verdict = await self._await_verdict(pair, asking, seconds)
        except (EOFError, OSError, WireError, ExaminerError) as error:
            verdict = Verdict("grader-error", f"The examiner failed: {error or 'it ended'}")
        finally:
            told = asking.done() and not asking.cancelled() and asking.exception() is None
            await pair.end_serving(serving, told)
        if verdict.status == "killed" and await pair.candidate_gone() and pair.limit_hit():
            message = f"Your code was stopped: {pair.limit_hit()}"
            verdict = replace(verdict, status="memory", message=message)
        if serving.done() and not serving.cancelled() and serving.exception() is None:
            verdict = verdict.with_print(serving.result())
        await self._tidy(pair, verdict)
        return verdict

    async def _await_verdict(self, pair: Pair, asking: asyncio.Future, seconds: float) -> Verdict:
        """Return the examiner's verdict; when it takes too long, stop the candidate, then both."""
        done, _ = await asyncio.wait([asking], timeout=seconds)
        if late := not done:
            self.stopped = True
            await pair.interrupt()
            done, _ = await asyncio.wait([asking], timeout=self.limits.grace_seconds)
        if not done:
            await pair.kill_candidate()
            done, _ = await asyncio.wait([asking], timeout=self.limits.grace_seconds)
        if not done:  # the test itself does not come to an end with what it got
            asking.add_done_callback(lambda task: task.cancelled() or task.exception())
            pair.close_examiner()
            return Verdict("timeout", "The test did not finish in time.")
        verdict = Verdict.of(asking.result())
        if late and verdict.status == "killed":
            return replace(verdict, status="timeout", message=LATE)
        return verdict

    async def _tidy(self, pair: Pair, verdict: Verdict) -> None:
        """After a test, do away with what must not be there for the next one."""
        if verdict.status == "grader-error" or not pair.examiner_runs():
            self._close()
        elif await pair.runs() and pair.soiled():
            self.outcome.flag("threads, processes or much memory were left behind; started again")
            self._close()


def grade(assignment: Assignment, notebook: nbformat.NotebookNode, limits: Limits) -> Outcome:
    """Run a rebuilt notebook, write the verdicts into it, and return the outcome."""
    return asyncio.run(Session(assignment, notebook, limits).run())
