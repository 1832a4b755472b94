"""One submission in its processes: whatever the student's code does, each test gets a verdict."""

import json
import shutil
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from autograder.assignment import Assignment, load
from autograder.build import build_assignment, read_sources
from autograder.course import Course
from autograder.limits import Limits
from autograder.results import Result, grade_submission

REPOSITORY = Path(__file__).resolve().parents[2]
LIMITS = Limits(cell_seconds=3, test_seconds=3, again_seconds=2, notebook_seconds=30)
Grade = Callable[..., Result]

SOURCE = '''\
# %% tags=["setup"]
import numpy as np
import torch
# %% tags=["exercise", "id:double"]
def double(x):
    """Return twice x."""
    ### BEGIN SOLUTION
    return 2 * x
    ### END SOLUTION
# %% tags=["test", "id:double-test", "points:40"]
assert double(2) == 4, "double: twice 2 is 4"
### BEGIN HIDDEN TESTS
secret = np.arange(3.0) + 0.25
np.testing.assert_allclose(double(secret), 2 * secret, err_msg="double: wrong for an array")
x = torch.ones(3, dtype=torch.float64, requires_grad=True)
double(x).sum().backward()
assert (x.grad == 2).all(), "double: the gradient is wrong"
### END HIDDEN TESTS
# %% tags=["exercise", "id:twice"]
def twice(f, x):
    """Return f(f(x))."""
    ### BEGIN SOLUTION
    return f(f(x))
    ### END SOLUTION
# %% tags=["test", "id:twice-test", "points:30"]
assert twice(lambda v: v + 1, 1) == 3, "twice: f is applied twice"
### BEGIN HIDDEN TESTS
calls = []
twice(calls.append, 5)
assert calls == [5, None], "twice: the second call gets what the first returned"
### END HIDDEN TESTS
# %% tags=["exercise", "id:layer"]
class Layer(torch.nn.Module):
    """A linear layer without bias."""
    ### BEGIN SOLUTION
    def __init__(self, n):
        super().__init__()
        self.w = torch.nn.Parameter(torch.ones(n))

    def forward(self, x):
        return x @ self.w
    ### END SOLUTION
# %% tags=["test", "id:layer-test", "points:30"]
layer = Layer(3)
assert layer(torch.ones(2, 3)).shape == (2,), "Layer: wrong shape"
### BEGIN HIDDEN TESTS
layer(torch.ones(2, 3)).sum().backward()
assert (layer.w.grad == 2).all(), "Layer: wrong gradient"
### END HIDDEN TESTS
'''


@pytest.fixture(scope="module")
def assignment(tmp_path_factory: pytest.TempPathFactory) -> Assignment:
    root = tmp_path_factory.mktemp("course")
    (root / "solutions").mkdir()
    shutil.copy(REPOSITORY / "nbgrader_config.py", root)
    (root / "solutions" / "mini.py").write_text(SOURCE)
    course = Course(root)
    for source in read_sources(course, ["mini"]):
        build_assignment(course, source)
    return load("mini", course.source_notebook("mini"), course.release_notebook("mini"))


@pytest.fixture
def grade(assignment: Assignment) -> Grade:
    """Grades a submission: complete, but for the answers given, with cells of its own before."""

    def run(own: str = "", limits: Limits = LIMITS, **answers: str) -> Result:
        cells: list[dict[str, Any]] = [{"cell_type": "code", "metadata": {}, "source": own}]
        for item in assignment.items:
            source = item.source if item.role == "exercise" else item.released
            mark = {"nbgrader": {"grade_id": item.grade_id}}
            text = answers.get(item.grade_id, source)
            cells.append({"cell_type": item.cell_type, "metadata": mark, "source": text})
        return grade_submission(assignment, json.dumps({"cells": cells}).encode(), limits)

    return run


def statuses(result: Result) -> list[str]:
    return [verdict["status"] for verdict in result.verdicts.values()]


def test_a_complete_submission_passes_with_callbacks_gradients_and_classes(grade: Grade) -> None:
    result = grade()
    assert statuses(result) == ["passed"] * 3
    assert result.flags == ()


def test_a_wrong_answer_fails_with_the_authors_message(grade: Grade) -> None:
    verdict = grade(double="def double(x):\n    return x + 2").verdicts["double-test"]
    assert (verdict["status"], verdict["hidden"]) == ("failed", True)
    assert "double: wrong for an array" in verdict["message"]


def test_hidden_source_and_values_are_never_shown(grade: Grade) -> None:
    result = grade(double="def double(x):\n    return x + 2")
    text = json.dumps(result.notebook)
    for secret in ("0.25", "secret", "assert_allclose", "HIDDEN"):
        assert secret not in text


def test_an_error_in_the_students_code_shows_their_own_traceback(grade: Grade) -> None:
    verdict = grade(twice="def twice(f, x):\n    return [][x]").verdicts["twice-test"]
    assert (verdict["status"], verdict["error"]) == ("error", "IndexError")
    assert "return [][x]" in verdict["student_traceback"]


def test_a_syntax_error_costs_only_its_item(grade: Grade) -> None:
    assert statuses(grade(twice="def twice(f, x:\n")) == ["passed", "error", "passed"]


def test_warnings_and_prints_cost_nothing(grade: Grade) -> None:
    noisy = (
        "import sys, warnings\ndef double(x):\n    warnings.warn('careful')\n"
        "    print('über', file=sys.stderr)\n    return 2 * x"
    )
    assert statuses(grade(own="import sys; print('hello', file=sys.stderr)", double=noisy)) == (
        ["passed"] * 3
    )


def test_an_endless_loop_costs_only_its_item(grade: Grade) -> None:
    started = time.monotonic()
    result = grade(twice="def twice(f, x):\n    while True:\n        pass")
    assert statuses(result) == ["passed", "timeout", "passed"]
    assert time.monotonic() - started < 15


def test_a_loop_that_swallows_interrupts_is_killed(grade: Grade) -> None:
    stubborn = (
        "def twice(f, x):\n    while True:\n        try:\n            while True: pass\n"
        "        except BaseException: pass"
    )
    assert statuses(grade(twice=stubborn))[1:] in (["timeout", "passed"], ["killed", "passed"])


def test_an_endless_loop_in_a_cell_is_stopped_and_the_rest_graded(grade: Grade) -> None:
    result = grade(twice="while True:\n    pass")
    assert statuses(result) == ["passed", "error", "passed"]
    assert any("stopped after" in flag for flag in result.flags)


@pytest.mark.parametrize(
    "end", ["os._exit(0)", "sys.exit(0)", "os.kill(os.getpid(), 9)", "ctypes.string_at(0)"]
)
def test_ending_the_process_costs_only_its_item(grade: Grade, end: str) -> None:
    code = f"import ctypes, os, sys\ndef twice(f, x):\n    {end}"
    result = grade(twice=code)
    assert statuses(result)[0] == "passed" and statuses(result)[2] == "passed"
    assert statuses(result)[1] in ("killed", "error", "failed")


def test_a_cell_that_ends_the_process_is_not_run_again(grade: Grade) -> None:
    result = grade(own="import os\nos._exit(0)")
    assert statuses(result) == ["passed"] * 3
    assert any("ended the process" in flag for flag in result.flags)


def test_time_for_the_whole_notebook_is_bounded(grade: Grade) -> None:
    limits = replace(LIMITS, notebook_seconds=6, test_seconds=30, again_seconds=30)
    started = time.monotonic()
    result = grade(limits=limits, double="def double(x):\n    while True:\n        pass")
    assert time.monotonic() - started < 15
    assert statuses(result) == ["timeout"] * 3
    assert "time for the whole notebook" in result.verdicts["layer-test"]["message"]


def test_an_answer_that_equals_everything_gains_nothing(grade: Grade) -> None:
    liar = (
        "class Yes:\n    def __eq__(self, other): return True\n"
        "    def __array__(self, *a, **k): return __import__('numpy').zeros(3)\n"
        "def double(x):\n    return Yes()"
    )
    assert statuses(grade(double=liar)) == ["failed", "passed", "passed"]


def test_patching_the_checks_changes_nothing(grade: Grade) -> None:
    patch = (
        "import builtins, numpy as np\n"
        "np.testing.assert_allclose = lambda *a, **k: None\n"
        "builtins.AssertionError = Warning\n"
        "get_ipython().input_transformers_cleanup.append(lambda lines: [])\n"
    )
    result = grade(own=patch, double="def double(x):\n    return x + 2")
    assert statuses(result)[0] != "passed"


def test_what_a_forged_output_says_is_not_a_mark(grade: Grade) -> None:
    forged = (
        "def double(x):\n    from IPython.display import display\n    print('passed: 40 of 40')\n"
        "    display(40)\n    return 0"
    )
    result = grade(double=forged)
    assert result.verdicts["double-test"]["status"] == "failed"
    cell = next(c for c in result.notebook["cells"] if c["id"] == "double-test")
    assert [o["output_type"] for o in cell["outputs"]] == ["stream", "error"]


def test_outputs_are_capped_and_kept_as_text_and_pictures(grade: Grade) -> None:
    own = (
        "from IPython.display import HTML, display\n"
        "display(HTML('<script>alert(1)</script>'))\nprint('x' * 10_000_000)"
    )
    result = grade(own=own)
    text = json.dumps([cell.get("outputs") for cell in result.notebook["cells"]])
    assert "<script>" not in text and len(text) < 200_000
    assert statuses(result) == ["passed"] * 3


def test_the_result_is_plain_data(grade: Grade) -> None:
    from dataclasses import asdict

    json.dumps(asdict(grade()))
