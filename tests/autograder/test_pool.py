"""The pool: every job comes back once, on this machine or on a cluster, also when workers die."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from multiprocessing import forkserver
from pathlib import Path
from typing import Any

import pytest

from autograder.assignment import Assignment, load
from autograder.build import build_assignment, read_sources
from autograder.course import Course
from autograder.pool import Failure, Job, NoSchedulerError, run

RIGHT = "def mean_of(x):\n    return sum(x) / len(x)  # {}"


@pytest.fixture
def assignment(course: Course) -> Assignment:
    for source in read_sources(course, ["mini"]):
        build_assignment(course, source)
    return load("mini", course.source_notebook("mini"), course.release_notebook("mini"))


def jobs(assignment: Assignment, count: int) -> list[Job]:
    made = []
    for number in range(count):
        cells: list[dict[str, Any]] = []
        for item in assignment.items:
            mark = {"nbgrader": {"grade_id": item.grade_id}}
            text = RIGHT.format(number) if item.grade_id == "mean-of" else item.released
            cells.append({"cell_type": item.cell_type, "metadata": mark, "source": text})
        data = json.dumps({"cells": cells}).encode()
        made.append(Job(f"s{number}", assignment, data, key=f"key{number}"))
    return made


def outcome(results: Iterator[Any]) -> dict[str, list[str]]:
    found = {}
    for job, result in results:
        assert job.student not in found
        assert not isinstance(result, Failure), result
        assert result.key == job.key
        found[job.student] = [v["status"] for v in result.verdicts.values()]
    return found


def expected(count: int) -> dict[str, list[str]]:
    return {f"s{n}": ["passed", "error"] for n in range(count)}


def test_every_job_comes_back_once(assignment: Assignment) -> None:
    assert outcome(run(jobs(assignment, 5), workers=2)) == expected(5)


def test_jobs_are_read_as_they_are_needed(assignment: Assignment) -> None:
    taken = 0

    def counted() -> Iterator[Job]:
        nonlocal taken
        for job in jobs(assignment, 9):
            taken += 1
            yield job

    results = run(counted(), workers=1)
    next(results)
    assert taken < 9
    results.close()


def test_a_worker_that_dies_loses_nothing(assignment: Assignment) -> None:
    results = run(jobs(assignment, 6), workers=2)
    first = next(results)
    server = forkserver._forkserver._forkserver_pid  # type: ignore[attr-defined]
    command = ["pgrep", "-P", str(server)]
    workers = subprocess.run(command, capture_output=True, text=True).stdout.split()
    os.kill(int(workers[0]), signal.SIGKILL)
    found = outcome(results)
    found[first[0].student] = ["passed", "error"]
    assert found == expected(6)


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[tuple[str, list[subprocess.Popen[bytes]]]]:
    """A Dask scheduler and two worker processes on loopback."""
    pytest.importorskip("distributed", reason="install requirements.txt to test the cluster")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = f"tcp://127.0.0.1:{probe.getsockname()[1]}"
    dask = shutil.which("dask", path=str(Path(sys.executable).parent)) or "dask"
    quiet = {"cwd": tmp_path, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    scheduler = subprocess.Popen(
        [dask, "scheduler", "--host", address, "--no-dashboard", "--no-jupyter"],
        **quiet,  # type: ignore[call-overload]
    )
    worker = [dask, "worker", address, "--nthreads", "1", "--no-nanny", "--no-dashboard"]
    workers = [subprocess.Popen(worker, **quiet) for _ in range(2)]  # type: ignore[call-overload]
    yield address, workers
    for process in (*workers, scheduler):
        process.kill()
        process.wait()


def test_a_cluster_gives_the_same_results_and_survives_a_workers_death(
    assignment: Assignment, cluster: tuple[str, list[subprocess.Popen[bytes]]]
) -> None:
    address, workers = cluster
    results = run(jobs(assignment, 8), scheduler=address)
    first = next(results)
    killer = threading.Thread(target=lambda: (time.sleep(0.2), workers[0].kill()))
    killer.start()
    found = outcome(results)
    killer.join()
    found[first[0].student] = ["passed", "error"]
    assert found == expected(8)


def test_a_scheduler_that_is_not_there_is_one_clear_line(assignment: Assignment) -> None:
    with pytest.raises(NoSchedulerError, match="no Dask scheduler at"):
        list(run(jobs(assignment, 1), scheduler="tcp://127.0.0.1:1"))
