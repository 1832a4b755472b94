"""Every exercise's tests accept its right answers and refuse its wrong ones."""

from __future__ import annotations

import re

import pytest
from bank_harness import (
    BANKS,
    SOLUTIONS,
    TooSlow,
    bank,
    cells,
    complaint,
    exercises,
    failures,
    limit,
    own_tests,
    solution,
    stub,
)

from autograder.bank import KINDS

STEMS = [path.stem for path in SOLUTIONS]
FUNCTIONS = [(stem, exercise) for stem in STEMS for exercise in exercises(stem)]
ANSWERS = [answer for stem in STEMS for answer in bank(stem)]

each_stem = pytest.mark.parametrize("stem", STEMS)
each_function = pytest.mark.parametrize(
    ("stem", "exercise"), FUNCTIONS, ids=[f"{stem[:4]}-{exercise}" for stem, exercise in FUNCTIONS]
)


def each_answer(kind):
    chosen = [answer for answer in ANSWERS if answer.kind == kind]
    names = [f"{a.stem[:4]}-{a.id}: {a.title}" for a in chosen]
    return pytest.mark.parametrize("answer", chosen, ids=names)


@each_function
def test_reference_solution_passes(stem, exercise):
    """The solution that instructors hold earns every point."""
    raised = failures(stem, exercise, solution(stem, exercise))
    wrong = {test: repr(error) for test, error in raised.items() if error is not None}
    assert not wrong


@each_function
def test_blank_answer_fails_every_test(stem, exercise):
    """A stub that was never filled in earns nothing, and says that it is not implemented."""
    raised = failures(stem, exercise, stub(stem, exercise))
    assert raised
    for test, error in raised.items():
        assert isinstance(error, NotImplementedError), f"{test}: {error!r}"


@each_answer("wrong")
def test_wrong_answer_fails(answer):
    """A known mistake fails a test of its own function, with an error a student can read."""
    assert not complaint(answer)


@each_answer("right")
def test_right_answer_passes(answer):
    """An answer written differently earns what the reference earns."""
    assert not complaint(answer)


@each_function
def test_bank_is_large_enough(stem, exercise):
    """Every function has at least three wrong answers and one right variant."""
    kinds = [answer.kind for answer in bank(stem) if answer.id == exercise]
    for kind, needed in KINDS.items():
        assert kinds.count(kind) >= needed


@each_stem
def test_bank_entries_are_well_formed(stem):
    """Every entry names an exercise, is wrong or right, and has a title of its own."""
    known = set(exercises(stem))
    titles = set()
    for answer in bank(stem):
        assert answer.id in known, f"{answer.title!r}: no exercise has the id {answer.id!r}"
        assert answer.kind in ("wrong", "right"), f"{answer.title!r}: tag it wrong or right"
        assert answer.title, f"an answer to {answer.id} has no title"
        key = (answer.id, answer.title)
        assert key not in titles, f"{key} occurs twice"
        titles.add(key)


@each_stem
def test_wrong_answers_differ_from_the_reference(stem):
    """A wrong answer is not the reference by accident, nor another entry again."""
    seen = {(exercise, _bare(solution(stem, exercise))) for exercise in exercises(stem)}
    for answer in bank(stem):
        key = (answer.id, _bare(answer.source))
        assert key not in seen, f"{answer.id}: {answer.title!r} repeats other source"
        seen.add(key)


@each_stem
def test_points_add_up_to_100(stem):
    """Tests and written answers together are worth exactly 100 points."""
    graded = [cell for cell in cells(stem) if cell.kind in ("test", "manual")]
    assert sum(cell.points for cell in graded) == 100


@each_stem
def test_every_test_belongs_to_an_exercise(stem):
    """A test's id is an exercise's id and -test, so that a report can say what it tested."""
    owned = {c.grade_id for exercise in exercises(stem) for c in own_tests(stem, exercise)}
    tests = [cell.grade_id for cell in cells(stem) if cell.kind == "test"]
    assert len(tests) == len(set(tests))
    assert set(tests) == owned


def test_endless_answer_is_stopped():
    """An answer that never returns ends as TooSlow, so that one entry cannot hang the run."""
    with pytest.raises(TooSlow), limit(0.05):
        while True:
            pass


def test_every_bank_has_a_source():
    """No bank is left over from an exercise that was renamed."""
    banks = {path.stem for path in BANKS.glob("ch*.py")}
    assert banks <= set(STEMS)


def _bare(source):
    """Return source without comments, docstrings and spacing."""
    source = re.sub(r'""".*?"""', "", source, flags=re.DOTALL)
    return re.sub(r"\s+", "", re.sub(r"#.*", "", source))
