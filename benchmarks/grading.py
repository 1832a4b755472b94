"""What grading one submission of ch05 costs here, beside stock nbgrader, in the same run.

Both sides are pinned to one core and warm: the gradebook exists, files are in the page cache. Stock
starts a kernel and imports torch for every submission; here the warm process is started once and
is counted separately.
"""

from __future__ import annotations

import os
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks._classroom import STEM, make_course, make_stock_course, run_stock

SUBMISSIONS = 5


def measure(action: Callable[[str], object], students: list[str]) -> list[float]:
    """Return the wall seconds of an action for each student."""
    seconds = []
    for student in students:
        started = time.perf_counter()
        action(student)
        seconds.append(time.perf_counter() - started)
    return seconds


def main() -> None:
    """Measure and print seconds a submission, the parts of ours, and the ratio to stock."""
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    students = [f"student{n}" for n in range(SUBMISSIONS)]
    with tempfile.TemporaryDirectory() as folder:
        course = make_course(Path(folder) / "ours", students)
        os.chdir(course.root)
        from autograder import launcher, preprocessors
        from autograder.handin import read_submission
        from autograder.limits import limits_for
        from autograder.record import Recorder, Row
        from autograder.results import grade_submission

        started = time.perf_counter()
        launcher.current().wait_until_ready()
        warm_up = time.perf_counter() - started
        task, limits = preprocessors.assignment(STEM), limits_for(course, STEM)
        recorder = Recorder(course, STEM)
        own: dict[str, float] = {}

        def ours(student: str) -> None:
            data, note = read_submission(course.folder("submitted", STEM, student), task)
            result = grade_submission(task, data, limits, note)
            own[student] = sum(v["seconds"] for v in result.verdicts.values())
            row = recorder.record(student, result, Row(student))
            assert row.score == 90, row

        ours(students[0])  # one round for the page cache and nbgrader's imports
        measured = measure(ours, students)
        stock_course = make_stock_course(Path(folder) / "stock", course)
        stock = measure(lambda student: run_stock(stock_course, student), students[:3])
        ours_median, stock_median = statistics.median(measured), statistics.median(stock)
        print(f"warm-up, once a run        {warm_up:6.2f} s")
        print(f"ours, one submission       {ours_median:6.2f} s  (median of {len(measured)})")
        print(f"  of it the tests          {statistics.median(own.values()):6.2f} s")
        print(f"stock, one submission      {stock_median:6.2f} s  (median of {len(stock)})")
        print(f"stock / ours               {stock_median / ours_median:6.1f} x")
        print(f"under 2 s a submission: {'yes' if ours_median < 2 else 'NO'}")
