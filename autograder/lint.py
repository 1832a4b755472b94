"""`autograder lint`: what makes an exercise bad although it builds."""

from __future__ import annotations

import json
import os
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from functools import partial
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path

import click

from autograder.bank import FOLDER, KINDS, Answer, judge, read_bank
from autograder.course import Course, find_course
from autograder.errors import AutograderError
from autograder.lint_rules import Finding, about, check_exercise
from autograder.markers import inspect_source
from autograder.rules import is_python
from autograder.source import Source

# Written on the line of a finding: the author knows, and says why it is right here.
ACCEPTED = re.compile(r"#\s*lint:\s*([a-z, -]+?)\s+because\s+\w")

Tick = Callable[[], None]


class LintEnded(AutograderError):  # noqa: N818 (its name says what is wrong)
    """The process that ran an exercise's known answers did not come to an end."""

    @property
    def what(self) -> str:
        """One line: what failed, and where."""
        return f"{self.args[0]}: the process that ran its known answers ended before they did"

    @property
    def next_step(self) -> str:
        """One line: what the person can do about it."""
        return "see what it printed above, and run the tests/exercises of it with pytest"


def lint(course: Course, stem: str, bank: bool = False, tick: Tick = lambda: None) -> list[Finding]:
    """Return what is bad about an exercise; with ``bank`` its known answers are run as well.

    ``tick`` is called for every answer that was run. Raises UnknownAssignment.
    """
    path = course.require_assignment(stem)
    shown = course.shown(path)
    source, problems = inspect_source(path.read_text("utf-8-sig", errors="replace"), shown)
    found = [Finding("source", p.path, p.line, p.cell, p.what, p.mend) for p in problems]
    if all(is_python(cell) for cell in source.cells):
        answers = read_bank(course.root / FOLDER / path.name)
        found += check_exercise(source)
        found += _bank_size(source, answers)
        if bank and not problems:
            found += _run_bank(source, answers, tick)
    return [finding for finding in found if not accepted(course, finding)]


def accepted(course: Course, finding: Finding) -> bool:
    """Return whether the author wrote beside a finding why it is right here."""
    text = (course.root / finding.path).read_text("utf-8", errors="replace")
    lines = text.splitlines()[finding.line - 1 : finding.last or finding.line]
    rules = (found[1].split(",") for line in lines if (found := ACCEPTED.search(line)))
    return any(finding.rule == name.strip() for group in rules for name in group)


def _bank_size(source: Source, answers: Sequence[Answer]) -> Iterator[Finding]:
    """Every function has wrong answers and a right one, and every answer a function."""
    where = FOLDER / source.path.name
    counts = Counter((answer.id, answer.kind) for answer in answers)
    exercises = {cell.grade_id: cell for cell in source.of_kind("exercise")}
    for name, cell in exercises.items():
        for kind, needed in KINDS.items():
            has = counts[name, kind]
            if has < needed:
                what = f"{has} {kind} answers in {where}, {needed} are needed"
                mend = f'Add one: # %% what it shows tags=["{kind}", "id:{name}"]'
                yield about("bank", source, cell, what, mend)
    for answer in answers:
        if answer.id not in exercises or not answer.kind or not answer.title:
            what = f'"{answer.title}" is not a wrong or right answer to an exercise, with a title'
            mend = 'Write # %% what it shows tags=["wrong", "id:EXERCISE"]'
            yield _about_answer(answer, what, mend)


def _run_bank(source: Source, answers: Sequence[Answer], tick: Tick) -> Iterator[Finding]:
    """Run the reference and every known answer; every test must fail for one wrong answer."""
    failed: set[str] = set()
    for cell in source.of_kind("exercise"):
        verdict = judge(source, Answer(source.stem, cell.grade_id, "right", "", cell.source))
        tick()
        if verdict.complaint:
            mend = "Mend the solution or its test"
            yield about("bank", source, cell, f"the solution itself: {verdict.complaint}", mend)
    known = {cell.grade_id for cell in source.of_kind("exercise")}
    for answer in answers:
        tick()
        if answer.id in known and answer.kind:
            verdict = judge(source, answer)
            failed |= verdict.failed if answer.kind == "wrong" else set()
            if verdict.complaint:
                what = f"{answer.kind} answer to {answer.id}: {verdict.complaint}"
                yield _about_answer(answer, what, "Mend the test, or the answer")
    for test in source.of_kind("test"):
        if test.grade_id not in failed:
            what = "no wrong answer in the bank fails this test"
            mend = f"Add one to {FOLDER / source.path.name} that only this test refuses"
            yield about("unfailed", source, test, what, mend)


def _about_answer(answer: Answer, what: str, mend: str) -> Finding:
    path = FOLDER / f"{answer.stem}.py"
    return Finding("bank", path, answer.line, answer.title, what, mend, answer.last)


def _steps(course: Course, stems: Iterable[str]) -> int:
    """Return how many answers there are to run."""
    total = 0
    for stem in stems:
        source = inspect_source(course.require_assignment(stem).read_text("utf-8-sig"), Path(stem))
        answers = read_bank(course.root / FOLDER / f"{stem}.py")
        total += len(source[0].of_kind("exercise")) + len(answers)
    return total


def _findings(course: Course, stems: Sequence[str], bank: bool) -> list[Finding]:
    """Return the findings of all assignments; while answers run, a bar on stderr shows how far."""
    if not bank:
        return [finding for stem in stems for finding in lint(course, stem)]
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("answers", total=_steps(course, stems))
        look = partial(_apart, course, tick=partial(progress.advance, task))
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            return [finding for found in pool.map(look, stems) for finding in found]


def _apart(course: Course, stem: str, tick: Tick) -> list[Finding]:
    """Lint an assignment with its bank in a process of its own, as a student's kernel is.

    So no exercise meets what another one imported or set, a number type or an interpreter.
    """
    spawn = get_context("spawn")
    here, there = spawn.Pipe(duplex=False)
    process = spawn.Process(target=_send, args=(course, stem, there))
    process.start()
    there.close()
    try:
        while not isinstance(message := here.recv(), list):
            tick()
        return message
    except EOFError:
        raise LintEnded(stem) from None
    finally:
        process.join()


def _send(course: Course, stem: str, pipe: Connection) -> None:
    """Send None for every answer that was run, and the findings in the end."""
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # the others run at the same time
    pipe.send(lint(course, stem, bank=True, tick=lambda: pipe.send(None)))


@click.command("lint")
@click.argument("stems", nargs=-1, metavar="[ASSIGNMENT]...")
@click.option("--bank", is_flag=True, help="Run the known answers too, some seconds an exercise.")
@click.option("--json", "as_json", is_flag=True, help="Print the findings as JSON.")
@click.pass_context
def lint_command(ctx: click.Context, stems: tuple[str, ...], bank: bool, as_json: bool) -> None:
    """Find what makes exercises bad: functions without hidden tests, tests that cannot fail.

    Looks at ASSIGNMENTs (default: all). With --bank it also runs their wrong and right answers and
    names every test that no wrong answer fails. Exit code 1: something was found.
    A line that is right as it is may say so: # lint: RULE because REASON

    \b
    Examples:
        autograder lint
        autograder lint ch05_bptt --bank
    """
    course = find_course(ctx.obj)
    chosen = stems or course.stems()
    found = _findings(course, chosen, bank)
    if as_json:
        rows = [asdict(f) | {"path": str(f.path), "why": f.why} for f in found]
        click.echo(json.dumps({"findings": rows}, indent=1))
    else:
        click.echo("".join(f"{finding}\n" for finding in found), nl=False)
    run = "known answers run" if bank else "known answers not run: --bank does"
    found_in = len({finding.path for finding in found})
    what = f"{len(found)} findings in {found_in} files" if found else "nothing found"
    click.echo(f"autograder lint: {what} ({len(chosen)} exercises looked at, {run})", err=True)
    ctx.exit(1 if found else 0)
