"""What stock nbgrader makes of the corpus is recorded; some cases run again to keep it true."""

import json
import shutil
from pathlib import Path

import pytest

from tests.attacks import stock
from tests.attacks.corpus import all_cases

AGAIN = (
    "20 an input transformer blanks later cells",
    "25 the comparison functions are patched",
    "51 honest: a warning",
)


@pytest.fixture(scope="module")
def course(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A course of stock nbgrader."""
    root = tmp_path_factory.mktemp("stock")
    stock.make_course(root)
    shutil.copy(root / "gradebook.db", root / "gradebook.db.clean")
    return root


@pytest.mark.parametrize("name", AGAIN)
def test_stock_nbgrader_still_does_what_was_recorded(course: Path, name: str) -> None:
    case = next(case for case in all_cases() if case.id == name)
    recorded = json.loads(stock.RECORD.read_text(encoding="utf-8"))[name]
    found = stock.outcome(course, case)
    assert (found["points"], found["leak"]) == (recorded["points"], recorded["leak"])


def test_every_case_that_stock_can_run_is_recorded_and_stands_in_the_table() -> None:
    recorded = json.loads(stock.RECORD.read_text(encoding="utf-8"))
    runnable = {case.id for case in all_cases() if not case.marks & {"harmful", "ours"}}
    assert recorded.keys() == runnable
    table = stock.table()
    assert all(f"| {case.id} |" in table for case in all_cases())
