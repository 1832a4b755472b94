"""A class of 60 submissions of ch05 on all cores, beside stock nbgrader; and how grading scales.

Every submission differs, so nothing comes from the store of results. Stock grades a part of the
class, one after the other as it does, and its time is put in proportion; both run in this process's
children, in the same run. The scaling rows record synthetic results, to see whether time grows
linearly and the grader's memory stays where it is.
"""

from __future__ import annotations

import os
import resource
import statistics
import tempfile
import time
from dataclasses import replace
from pathlib import Path

from benchmarks._classroom import STEM, make_course, make_stock_course, run_stock

CLASS = 60
STOCK = 6  # submissions that stock grades: one takes it seconds
SIZES = (100, 400, 1600)


def main() -> None:
    """Measure and print the class and the scaling."""
    with tempfile.TemporaryDirectory() as folder:
        grade_a_class(Path(folder))
        record_synthetic_classes(Path(folder))


def grade_a_class(folder: Path) -> None:
    """Print what a class costs here and with stock, and what of it is the students' own."""
    from autograder.grade import grade_class

    students = [f"student{number:02}" for number in range(CLASS)]
    course = make_course(folder / "ours", students)
    for number, student in enumerate(students):
        path = course.folder("submitted", STEM, student) / f"{STEM}.ipynb"
        path.write_text(path.read_text().replace("# %%", f"# {number}") + " " * number)
    stock = make_stock_course(folder / "stock", course)
    started = time.perf_counter()
    rows = list(grade_class(course, STEM, students))
    ours = time.perf_counter() - started
    assert all(row.score == 90 for row in rows), [row for row in rows if row.score != 90]
    own = sum(row.seconds for row in rows)
    started = time.perf_counter()
    for student in students[:STOCK]:
        run_stock(stock, student)
    theirs = (time.perf_counter() - started) * CLASS / STOCK
    print(f"{CLASS} submissions, {os.cpu_count()} cores")
    print(f"ours   {ours:7.1f} s, {ours / CLASS:.2f} s a submission")
    print(f"stock  {theirs:7.1f} s, in proportion to {STOCK} submissions")
    print(f"stock / ours {theirs / ours:.1f} x")
    print(f"processes of the submissions themselves: {own / (ours * (os.cpu_count() or 1)):.0%}")


def record_synthetic_classes(folder: Path) -> None:
    """Print seconds a submission and the grader's memory for classes of growing size."""
    from autograder.assignment import load
    from autograder.handin import read_submission
    from autograder.limits import limits_for
    from autograder.record import Recorder, Row
    from autograder.results import grade_submission

    course = make_course(folder / "synthetic", ["model"])
    task = load(STEM, course.source_notebook(STEM), course.release_notebook(STEM))
    data, _ = read_submission(course.folder("submitted", STEM, "model"), task)
    result = grade_submission(task, data, limits_for(course, STEM))
    recorder = Recorder(course, STEM)
    done = 0
    print("recorded   ms each   memory")
    for size in SIZES:
        taken = []
        while done < size:
            started = time.perf_counter()
            recorder.record(f"s{done}", replace(result, key=str(done)), Row(f"s{done}"))
            taken.append(time.perf_counter() - started)
            done += 1
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(f"{size:8}{1e3 * statistics.median(taken):10.1f}{memory:7.0f} MB")
    recorder.close()
