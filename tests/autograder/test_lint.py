"""Lint names what makes an exercise bad, says nothing about a good one, and can be told."""

import json
from collections.abc import Callable

import pytest
from click.testing import Result

from autograder.bank import FOLDER
from autograder.course import Course
from autograder.lint import lint
from autograder.lint_rules import WHY

Run = Callable[..., Result]
BANK = """\
# %% half of it tags=["wrong", "id:mean-of"]
def mean_of(x):
    return sum(x) / len(x) / 2

# %% the sum tags=["wrong", "id:mean-of"]
def mean_of(x):
    return sum(x)

# %% the median tags=["wrong", "id:mean-of"]
def mean_of(x):
    return sorted(x)[0]

# %% with numpy tags=["right", "id:mean-of"]
def mean_of(x):
    return np.mean(x)

# %% the total tags=["wrong", "id:running-sum"]
def running_sum(x):
    return [sum(x)]

# %% one too late tags=["wrong", "id:running-sum"]
def running_sum(x):
    return [sum(x[:i]) for i in range(len(x))]

# %% the elements tags=["wrong", "id:running-sum"]
def running_sum(x):
    return list(x)

# %% by hand tags=["right", "id:running-sum"]
def running_sum(x):
    return [sum(x[: i + 1]) for i in range(len(x))]
"""
HIDDEN = "np.testing.assert_allclose(mean_of(secret), 0.5)"
# A line for a hidden test in place of that one, and the rule that finds it.
BAD = {
    "x = np.random.default_rng(3).random(4)\nassert abs(mean_of(x) - 0.5171) < 1e-3": "golden",
    "np.random.seed(1)\nwant = [0.41702]\nassert np.allclose(mean_of([1, 2]), want)": "golden",
    "rng = np.random.default_rng(3)\nfor _ in range(2):\n    got = mean_of(rng.random(4))\n"
    "    np.testing.assert_allclose(got, np.array(0.123456))": "golden",
    "import time\nstart = time.perf_counter()\nmean_of(secret)\n"
    "took = time.perf_counter() - start\nassert took < 1, 'mean_of: slow'": "clock",
    "import timeit\nassert timeit.timeit(lambda: mean_of(secret), number=3) < 1, 'slow'": "clock",
    "assert mean_of(secret) == 0.5, f'mean_of: wrong for {secret}'": "leak",
    "assert mean_of(secret) == 0.5, 'mean_of: wrong for ' + str(secret)": "leak",
    "want = np.mean(secret)\nassert mean_of(secret) == want, f'not {want:.3f}'": "leak",
    "print(secret)\nassert mean_of(secret) == 0.5, 'mean_of: no'": "leak",
    "mean_of(secret)": "no-check",
    "mean_of(secret)\nassert True": "no-check",
    "assert (mean_of(secret) == 0.5, 'mean_of: no')": "no-check",
    "assert sum(secret) == 3.5, 'the sum'": "uncovered",
}
GOOD = (
    "rng = np.random.default_rng(3)\nx = rng.random(4)\nassert mean_of(x) == x.mean(), 'no'",
    "rng = np.random.default_rng(3)\nassert mean_of(0 * rng.random(4)) == 0.25 * 0, 'mean_of: no'",
    "def ask(x):\n    return mean_of(x)\nassert ask(secret) == 0.5, 'mean_of: no'",
    "def check_half(x):\n    assert mean_of(x) == 0.5, 'mean_of: no'\ncheck_half(secret)",
    "got = mean_of(secret)\nassert got == 0.5, f'mean_of: {got} for {len(secret)} numbers'",
    "for name, x in {'a': secret}.items():\n    assert mean_of(x) == 0.5, f'mean_of: {name}'",
    "for name, x in zip('ab', (secret, secret), strict=True):\n"
    "    assert mean_of(x) == 0.5, f'mean_of: {name}, {x.shape}'",
    "lost = [key for key, x in {'a': secret}.items() if mean_of(x) != 0.5]\n"
    "assert not lost, f'mean_of: {lost}'",
    "import time\ntime.sleep(0)\nassert mean_of(secret) == 0.5, 'mean_of: no'",
)


@pytest.fixture
def banked(course: Course) -> Course:
    """The miniature course with a bank that shows every test to be worth something."""
    path = course.root / FOLDER / "mini.py"
    path.parent.mkdir(parents=True)
    path.write_text(BANK, encoding="utf-8")
    return course


def change(course: Course, old: str, new: str) -> None:
    path = course.solution_file("mini")
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


def rules(course: Course, bank: bool = False) -> list[str]:
    return [finding.rule for finding in lint(course, "mini", bank)]


def test_a_sound_exercise_gives_no_finding_with_its_bank_too(banked: Course) -> None:
    assert rules(banked, bank=True) == []


@pytest.mark.parametrize("lines", BAD)
def test_bad_test_is_found_by_its_rule(lines: str, banked: Course) -> None:
    change(banked, HIDDEN, lines)
    assert set(rules(banked)) == {BAD[lines]}


@pytest.mark.parametrize("lines", GOOD)
def test_honest_test_that_looks_like_a_bad_one_is_left_alone(lines: str, banked: Course) -> None:
    change(banked, HIDDEN, lines)
    assert rules(banked) == []


def test_function_without_a_visible_test_is_found(banked: Course) -> None:
    change(banked, 'assert mean_of([1.0, 3.0]) == 2.0, "mean_of: the mean of 1 and 3 is 2"\n', "")
    assert rules(banked) == ["visible"]


def test_points_that_are_not_100_are_named(banked: Course) -> None:
    change(banked, "points:40", "points:30")
    finding = lint(banked, "mini")[0]
    assert finding.rule == "source" and "add up to 90" in finding.what


def test_code_that_does_not_parse_is_a_finding_and_not_a_crash(banked: Course) -> None:
    change(banked, "def mean_of(x):", "def mean_of((x):")
    assert set(rules(banked)) == {"source"}


def test_missing_answers_are_counted(course: Course) -> None:
    assert rules(course) == ["bank"] * 4
    assert "0 wrong answers" in lint(course, "mini")[0].what


@pytest.mark.parametrize(
    ("old", "new", "rule", "what"),
    [
        ("return sum(x) / len(x) / 2", "return sum(x) / len(x)", "bank", "no test of its function"),
        ("return np.mean(x)", "return 7.0", "bank", "mean-of-test fails"),
        ("return [sum(x)]", "return no_such_name", "bank", "not an answer"),
        ('"id:mean-of"', '"id:mean-off"', "bank", "not a wrong or right answer"),
    ],
)
def test_bank_that_does_not_behave_is_named_with_its_line(
    old: str, new: str, rule: str, what: str, banked: Course
) -> None:
    path = banked.root / FOLDER / "mini.py"
    text = path.read_text(encoding="utf-8").replace(old, new, 1)
    path.write_text(text, encoding="utf-8")
    found = [f for f in lint(banked, "mini", bank=True) if f.path == FOLDER / "mini.py"]
    assert [finding.rule for finding in found] == [rule]
    assert what in found[0].what
    assert found[0].line <= text[: text.index(new)].count("\n") + 1 <= found[0].last


def test_test_that_no_wrong_answer_fails_is_found(banked: Course) -> None:
    change(
        banked,
        "# %%\nprint(",
        '# %% tags=["test", "id:running-sum-test-2", "points:0"]\n'
        "assert running_sum([]) is not None, 'running_sum: nothing for nothing'\n"
        "### BEGIN HIDDEN TESTS\n"
        "assert running_sum([1]) is not None, 'running_sum: nothing'\n"
        "### END HIDDEN TESTS\n\n# %%\nprint(",
    )
    found = lint(banked, "mini", bank=True)
    assert [(f.rule, f.cell) for f in found] == [("unfailed", "running-sum-test-2")]


def test_solution_that_fails_its_own_test_is_found(banked: Course) -> None:
    change(banked, "return sum(x) / len(x)", "return sum(x)")
    assert "the solution itself: mean-of-test fails" in lint(banked, "mini", bank=True)[0].what


def test_finding_is_accepted_only_with_its_rule_and_a_reason(banked: Course) -> None:
    line = "assert mean_of(secret) == 0.5, f'mean_of: {secret}'"
    change(banked, HIDDEN, f"{line}  # lint: leak")
    assert rules(banked) == ["leak"]
    change(banked, "# lint: leak", "# lint: clock because it shows nothing")
    assert rules(banked) == ["leak"]
    change(banked, "# lint: clock", "# lint: golden, leak")
    assert rules(banked) == []


def test_report_names_place_reason_and_mend_and_ends_with_1(
    banked: Course, autograder: Run
) -> None:
    change(banked, HIDDEN, "mean_of(secret)")
    line = banked.solution_file("mini").read_text().split("\n").index("mean_of(secret)") + 1
    result = autograder("lint", "mini")
    assert result.exit_code == 1
    assert f"solutions/mini.py:{line - 1}: cell mean-of-test: the hidden part" in result.stdout
    assert "why: " in result.stdout and "mend: " in result.stdout
    found = json.loads(autograder("lint", "--json").stdout)["findings"]
    assert found[0]["rule"] == "no-check" and found[0]["why"] == WHY["no-check"]


def test_clean_course_ends_with_0(banked: Course, autograder: Run) -> None:
    result = autograder("lint", "--bank")
    assert (result.exit_code, result.stdout) == (0, "")
    assert "nothing found" in result.stderr
