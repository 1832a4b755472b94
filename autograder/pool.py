"""Grade many submissions at once: on all cores of this machine, or on a Dask cluster.

A job is self-contained: the submission and the assignment travel with it. No student code runs in
a worker itself, only in the sandboxed processes that it has forked, and what comes back is data.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import (
    FIRST_COMPLETED,
    BrokenExecutor,
    Executor,
    Future,
    ProcessPoolExecutor,
    wait,
)
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from itertools import chain, islice
from multiprocessing import get_all_start_methods, get_context, parent_process

from autograder import launcher, syscalls
from autograder.assignment import Assignment
from autograder.errors import AutograderError
from autograder.limits import Limits
from autograder.results import Result, grade_submission
from autograder.sandbox import WITHOUT

TRIES = 3  # of a job whose worker died under it: twice by chance is possible, three times is not
JOBS_PER_PROCESS = 200  # then a fresh one takes over, so that no leak of a library grows for long


@dataclass(frozen=True)
class Job:
    """One submission to grade; everything the grading needs travels with it."""

    student: str
    assignment: Assignment
    data: bytes
    note: str = ""  # what was odd about the file, not about what is in it
    key: str = ""
    limits: Limits = field(default_factory=Limits)


@dataclass(frozen=True)
class Failure:
    """A job that the grader could not do. Never the student's fault, never zero points."""

    reason: str


class NoSchedulerError(AutograderError):
    """The cluster's scheduler cannot be reached."""

    @property
    def next_step(self) -> str:
        """One line: what the person can do about it."""
        return "start one with `dask scheduler` and workers with `dask worker`, or leave it out"


def do(job: Job) -> Result:
    """Return the result of a job."""
    result = grade_submission(job.assignment, job.data, job.limits)
    return replace(result, key=job.key or result.key)


@contextmanager
def local_pool(workers: int, warm: Sequence[str] = ()) -> Iterator[Executor]:
    """Give an executor on this machine's cores, whose processes share one warm process."""
    process = launcher.current()  # it gets warm while the pool starts
    context = get_context("forkserver" if "forkserver" in get_all_start_methods() else "spawn")
    context.set_forkserver_preload(["autograder.results"])
    with ProcessPoolExecutor(
        workers,
        mp_context=context,
        initializer=begin,
        initargs=(os.environ.get(WITHOUT, ""), process.share(warm)),
        max_tasks_per_child=JOBS_PER_PROCESS,
    ) as executor:
        yield executor


def begin(without: str, warm_process: str) -> None:
    """In a process of the pool: end when the grader is killed, and take over what it was told."""
    if syscalls.LINUX:
        syscalls.prctl(syscalls.PR_SET_PDEATHSIG, signal.SIGKILL)
    parent = parent_process()
    if parent is not None and not parent.is_alive():
        os._exit(1)  # it was killed while this process started
    os.environ[WITHOUT] = without
    launcher.borrow(warm_process)


@contextmanager
def cluster_pool(scheduler: str) -> Iterator[Executor]:
    """Give an executor on a Dask cluster.

    Raises:
        NoSchedulerError: there is none at that address, or `distributed` is not installed.
    """
    try:
        from distributed import Client

        client = Client(scheduler, timeout=10, set_as_default=False)
    except (OSError, ImportError, ValueError) as error:
        raise NoSchedulerError(f"no Dask scheduler at {scheduler}: {error}") from None
    with client:
        yield client.get_executor(pure=False, retries=TRIES)


def run(
    jobs: Iterable[Job], workers: int = 0, scheduler: str = ""
) -> Iterator[tuple[Job, Result | Failure]]:
    """Yield each job with its result as soon as it is there.

    Jobs are read as they are needed, so a class of thousands is never in memory at once.

    Args:
        jobs: what to grade.
        workers: how many processes on this machine; 0 means one a core.
        scheduler: address of a Dask scheduler that has the work done elsewhere.
    """
    count = workers or os.cpu_count() or 1
    waiting = iter(jobs)
    first = next(waiting, None)
    if first is None:
        return
    waiting = chain([first], waiting)
    warm = launcher.wanted(item.source for item in first.assignment.items)
    again: list[tuple[Job, int]] = []
    while True:
        pool = cluster_pool(scheduler) if scheduler else local_pool(count, warm)
        try:
            with pool as executor:
                window = 64 if scheduler else 2 * count
                yield from _drain(executor, waiting, again, window)
                return
        except BrokenExecutor:
            continue  # a worker died; what it had in hand is in `again`


def _drain(
    executor: Executor, waiting: Iterator[Job], again: list[tuple[Job, int]], window: int
) -> Iterator[tuple[Job, Result | Failure]]:
    """Yield results until no job is left; jobs that a worker's death interrupted go to `again`."""
    running: dict[Future[Result], tuple[Job, int]] = {}
    broken: BrokenExecutor | None = None
    while True:
        while broken is None and len(running) < window:
            job, tries = again.pop() if again else (next(waiting, None), 0)
            if job is None:
                break
            try:
                running[executor.submit(do, job)] = (job, tries)
            except BrokenExecutor as error:
                again.append((job, tries))
                broken = error
        if not running:
            if broken is not None:
                raise broken
            return
        done, _ = wait(running, return_when=FIRST_COMPLETED)
        for future in islice(done, len(done)):
            job, tries = running.pop(future)
            try:
                yield job, future.result()
            except BrokenExecutor as error:
                broken = error
                if tries + 1 >= TRIES:
                    yield job, Failure("the grading process died each time it was tried")
                else:
                    again.append((job, tries + 1))
            except Exception as error:
                yield job, Failure(f"{type(error).__name__}: {error}")
