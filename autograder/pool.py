"""Grade many submissions at once, on all cores: one process a core, each with a warm process."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from dataclasses import dataclass, field, replace
from multiprocessing import get_context

from autograder.assignment import Assignment
from autograder.limits import Limits
from autograder.results import Result, grade_submission


@dataclass(frozen=True)
class Job:
    """One submission to grade; everything the grading needs travels with it."""

    student: str
    assignment: Assignment
    data: bytes
    note: str = ""
    key: str = ""
    limits: Limits = field(default_factory=Limits)


@dataclass(frozen=True)
class Failure:
    """A job that the grader could not do. Never the student's fault, never zero points."""

    reason: str


def do(job: Job) -> Result:
    """Return the result of a job."""
    result = grade_submission(job.assignment, job.data, job.limits, job.note)
    return replace(result, key=job.key or result.key)


def run(jobs: Iterable[Job], workers: int = 0) -> Iterator[tuple[Job, Result | Failure]]:
    """Yield each job with its result as soon as it is there.

    Args:
        jobs: what to grade.
        workers: how many processes; 0 means one a core.
    """
    waiting = list(jobs)
    count = min(workers or os.cpu_count() or 1, max(1, len(waiting)))
    with ProcessPoolExecutor(count, mp_context=get_context("spawn")) as executor:
        futures: dict[Future[Result], Job] = {executor.submit(do, job): job for job in waiting}
        for future in as_completed(futures):
            job = futures.pop(future)
            try:
                yield job, future.result()
            except Exception as error:
                yield job, Failure(f"{type(error).__name__}: {error}")
