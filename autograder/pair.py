"""The two processes of one submission: the candidate with its kernel, and the examiner.

The candidate is driven by nbclient like any kernel. The wire joins the two; what the examiner says
comes over a connection that the candidate never had.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
import socket
import tempfile
import time
from pathlib import Path
from typing import Any

import nbformat
from nbclient.exceptions import CellTimeoutError, DeadKernelError
from nbformat.v4 import new_notebook

from autograder import launcher
from autograder.assignment import Assignment
from autograder.candidate_names import SERVE
from autograder.client import Client
from autograder.limits import Limits
from autograder.outputs import Kept
from autograder.provisioner import CandidateProvisioner, kernel_manager
from autograder.rebuild import new_cell
from autograder.sandbox import Usage
from autograder.wire import Channel

MAX_ANSWER = 2**20  # bytes that the examiner says at once
GONE_SECONDS = 0.5  # within which a candidate that closed its connection has gone


class ExaminerError(Exception):
    """The examiner could not do what was asked: the instructor's cells are at fault."""


class CellStopped(Exception):  # noqa: N818 (the name says what happened)
    """A cell did not come to an end by itself.

    Args:
        why: in words, for the student.
        late: whether its time was up.
    """

    def __init__(self, why: str, late: bool = False) -> None:
        super().__init__(why, late)
        self.why, self.late = why, late


class Pair:
    """A candidate and an examiner, from their start until nothing of them is left."""

    def __init__(self, assignment: Assignment, limits: Limits, folder: Path, kept: Kept) -> None:
        self.assignment, self.limits = assignment, limits
        self.folder = Path(tempfile.mkdtemp(dir=folder))
        manager = kernel_manager(self.folder)
        self.client = Client(
            new_notebook(),
            km=manager,
            allow_errors=True,
            interrupt_on_timeout=True,
            startup_timeout=60,
            iopub_timeout=10,
            record_timing=False,
            store_widget_state=False,
        )
        self.client.kept = kept
        self.examiner: launcher.Session | None = None
        self.at_start = Usage()

    @property
    def candidate(self) -> CandidateProvisioner:
        """Return what started the candidate."""
        assert self.client.km is not None
        provisioner = self.client.km.provisioner
        assert isinstance(provisioner, CandidateProvisioner)
        return provisioner

    async def start(self) -> None:
        """Fork both and wait until they are ready."""
        work = self.folder / "work"
        work.mkdir()
        warm = launcher.wanted(item.source for item in self.assignment.items)
        quota = self.limits.quota
        await self.client.async_start_new_kernel(cwd=str(work), quota=quota, warm=warm)
        await self._start_examiner()  # meanwhile the kernel gets ready
        await self.client.async_start_new_kernel_client()
        self.at_start = self.candidate.usage()

    async def _start_examiner(self) -> None:
        assert self.candidate.wire is not None
        ours, theirs = socket.socketpair()
        descriptors = [theirs.fileno(), self.candidate.wire.fileno()]
        quota = self.limits.examiner_quota
        self.examiner = launcher.current().fork("examiner", {}, descriptors, quota)
        theirs.close()
        self.control = Channel(ours, MAX_ANSWER)
        for item in self.assignment.items:
            if item.role == "setup":
                await self.ask("setup", item.source)
            elif item.role == "exercise":
                await self.ask("bind", *self.assignment.names(item))

    def close(self) -> Usage:
        """Have both killed, without waiting for it; return what the candidate used."""
        self.close_examiner()
        used = Usage()
        with contextlib.suppress(AssertionError):  # it was not even started
            used = self.candidate.usage()
            self.candidate.close()
        if self.client.kc is not None:
            self.client.kc.stop_channels()
        return used

    def close_examiner(self) -> None:
        """Have the examiner killed."""
        if self.examiner is not None:
            self.examiner.close()
            self.control.stream.close()
            self.examiner = None

    def examiner_runs(self) -> bool:
        """Return whether the examiner can be asked."""
        return self.examiner is not None and self.examiner.poll() is None

    async def runs(self) -> bool:
        """Return whether both are there."""
        return self.examiner_runs() and await self.candidate.poll() is None

    async def candidate_gone(self) -> bool:
        """Return whether the candidate is gone, once it has had the time to go."""
        until = time.monotonic() + GONE_SECONDS
        while await self.candidate.poll() is None:
            if time.monotonic() > until:
                return False
            await asyncio.sleep(0.01)
        return True

    async def kill_candidate(self) -> None:
        """Kill the candidate and wait until nothing of it is left."""
        with contextlib.suppress(AssertionError):
            await self.candidate.kill()

    async def interrupt(self) -> None:
        """Ask the student's code to stop."""
        await self.candidate.send_signal(signal.SIGINT)

    def limit_hit(self) -> str:
        """Return what the candidate was killed for by the sandbox, or ''."""
        return {
            "memory": f"it used more than {self.limits.memory_mib} MiB of memory.",
            "processes": f"it started more than {self.limits.processes} processes.",
            "sockets": "it opened more sockets than there is memory for.",
        }.get(self.candidate.reason, "")

    def soiled(self) -> bool:
        """Return whether the student's code left so much running that it may harm what follows."""
        now, most = self.candidate.usage(), self.limits.quota.memory
        return now.tasks > self.at_start.tasks + self.limits.leftover or now.memory > most / 2

    # The examiner

    async def ask(self, *message: Any) -> Any:
        """Send the examiner a request and return its answer.

        Raises:
            ExaminerError: it could not do what was asked.
            EOFError, OSError: it is gone.
        """
        self.control.send(json.dumps(message).encode())
        data = await asyncio.to_thread(self.control.receive)
        status, result = json.loads(data)
        if status != "ok":
            raise ExaminerError(str(result))
        return result

    # The candidate's kernel

    async def execute(self, cell: nbformat.NotebookNode, seconds: float) -> None:
        """Run a cell to its end.

        Raises:
            CellStopped: it did not come to an end by itself; the candidate may be gone.
        """
        self.client.seconds = seconds
        started = time.monotonic()
        task = asyncio.ensure_future(self.client.execute_next(cell))
        done, _ = await asyncio.wait([task], timeout=seconds + self.limits.grace_seconds)
        try:
            if not done:
                await self._give_up(task)
                why = f"stopped after {seconds:.0f} s, and killed because it did not stop."
                raise CellStopped(why, late=True)
            task.result()
        except (DeadKernelError, asyncio.CancelledError):
            why = self.limit_hit() or "it ended the process it ran in."
            raise CellStopped(why) from None
        except CellTimeoutError:
            await self.kill_candidate()
            raise CellStopped(f"stopped after {seconds:.0f} s.", late=True) from None
        except CellStopped:
            raise
        except Exception as error:
            await self.kill_candidate()
            why = f"the kernel could not go on ({type(error).__name__})."
            raise CellStopped(why) from None
        if time.monotonic() - started >= seconds:
            raise CellStopped(f"stopped after {seconds:.0f} s.", late=True)

    async def _give_up(self, task: asyncio.Future) -> None:
        await self.kill_candidate()
        task.cancel()
        with contextlib.suppress(BaseException):
            await task

    async def serve(self, seconds: float) -> str:
        """Have the candidate answer calls; return what the student's code printed meanwhile."""
        cell = new_cell("code", SERVE)
        self.client.seconds = seconds + 3 * self.limits.grace_seconds + 5
        await self.client.execute_next(cell)
        return "".join(o.text for o in cell.outputs if o.output_type == "stream")

    async def end_serving(self, serving: asyncio.Future, tell: bool) -> None:
        """Bring `serve` to its end; ``tell`` the candidate so, if the examiner still can."""
        grace = self.limits.grace_seconds
        if tell:
            stopping = asyncio.ensure_future(self.ask("stop"))
            await asyncio.wait([stopping], timeout=grace)
            if not stopping.done():  # the candidate does not read what it is told
                await self.kill_candidate()
            with contextlib.suppress(Exception):
                await stopping
        done, _ = await asyncio.wait([serving], timeout=grace)
        if not done:
            await self.kill_candidate()
            serving.cancel()
        with contextlib.suppress(BaseException):
            await serving

