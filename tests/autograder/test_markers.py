"""Exercise sources: what they turn into, and every way of marking a cell wrongly."""

import pickle
import subprocess
import sys
from pathlib import Path

import pytest
from nbgrader.nbgraderformat import MetadataValidator

from autograder.errors import MarkerProblems
from autograder.markers import parse_source, read_source
from autograder.source import Source, cleared, exercise_of

PATH = Path("solutions/mini.py")


def problems_of(text: str) -> list[str]:
    with pytest.raises(MarkerProblems) as caught:
        parse_source(text, PATH)
    return [str(problem) for problem in caught.value.problems]


def line_of(text: str, part: str) -> int:
    return next(n for n, line in enumerate(text.splitlines(), 1) if part in line)


def swap(text: str, old: str, new: str) -> str:
    assert text.count(old) == 1, f"{old!r} must be in the fixture once"
    return text.replace(old, new)


def test_cells_get_kind_id_and_points(mini: str) -> None:
    source = parse_source(mini, PATH)
    assert [(cell.kind, cell.grade_id, cell.points) for cell in source.cells] == [
        ("prose", "prose-1", None),
        ("setup", "setup", None),
        ("prose", "prose-2", None),
        ("exercise", "mean-of", None),
        ("test", "mean-of-test", 40),
        ("exercise", "running-sum", None),
        ("test", "running-sum-test", 45),
        ("demo", "demo-1", None),
        ("prose", "prose-3", None),
        ("manual", "why-mean", 15),
    ]
    assert source.points == 100
    assert source.cell("mean-of").names == ("mean_of",)
    assert [cell.grade_id for cell in source.tests_of("mean-of")] == ["mean-of-test"]


def test_further_setup_cells_are_numbered(mini: str) -> None:
    text = swap(mini, "# %%\nprint", '# %% tags=["setup"]\nprint')
    setups = parse_source(text, PATH).of_kind("setup")
    assert [cell.grade_id for cell in setups] == ["setup", "setup-2"]


def test_notebook_has_schema_3_metadata_that_nbgrader_accepts(mini: str) -> None:
    notebook = parse_source(mini, PATH).notebook()
    MetadataValidator().validate_nb(notebook)
    by_id = {cell.metadata.nbgrader.grade_id: cell for cell in notebook.cells}
    expected = {
        "prose-1": (False, False, True, "markdown"),
        "setup": (False, False, True, "code"),
        "mean-of": (False, True, False, "code"),
        "mean-of-test": (True, False, True, "code"),
        "why-mean": (True, True, False, "markdown"),
        "demo-1": (False, False, True, "code"),
    }
    for grade_id, (grade, solution, locked, cell_type) in expected.items():
        meta = by_id[grade_id].metadata.nbgrader
        assert (meta.grade, meta.solution, meta.locked) == (grade, solution, locked), grade_id
        assert (meta.task, meta.schema_version, meta.cell_type) == (False, 3, cell_type), grade_id
        assert by_id[grade_id].cell_type == cell_type
        assert ("points" in meta) == grade
    assert by_id["setup"].metadata.tags == ["setup"]


def test_notebook_is_the_same_every_time(mini: str) -> None:
    first, second = (parse_source(mini, PATH).notebook() for _ in range(2))
    assert first == second
    assert [cell.id for cell in first.cells] == [
        cell.metadata.nbgrader.grade_id for cell in first.cells
    ]
    assert first.metadata.kernelspec.name == "python3"


def test_markdown_is_uncommented_and_magics_come_back(mini: str) -> None:
    text = swap(mini, "# %%\nprint", "# %%\n# %matplotlib inline\nprint")
    source = parse_source(text, PATH)
    assert source.cells[0].source.startswith("# A miniature exercise\n\nThe mean")
    assert source.cell("demo-1").source.startswith("%matplotlib inline\nprint")


def test_source_stays_importable(mini: str, tmp_path: Path) -> None:
    (tmp_path / "mini.py").write_text(mini, encoding="utf-8")
    code = "import mini; assert mini.mean_of([2, 4]) == 3"
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=True)


def test_windows_line_ends_and_bom_change_nothing(mini: str, tmp_path: Path) -> None:
    path = tmp_path / "mini.py"
    path.write_bytes(b"\xef\xbb\xbf" + mini.replace("\n", "\r\n").encode())
    assert read_source(path, PATH) == parse_source(mini, PATH)


def test_preface_of_comments_and_docstring_is_ignored(mini: str) -> None:
    source = parse_source('# A licence\n"""What this is."""\n\n' + mini, PATH)
    assert source.cells[0].grade_id == "prose-1"
    assert source.cells[0].line == 4


def test_released_form_is_what_nbgrader_makes_of_the_cell(mini: str) -> None:
    source = parse_source(mini, PATH)
    assert source.cell("mean-of").released.endswith('"""\n    raise NotImplementedError')
    assert "secret" not in source.cell("mean-of-test").released
    assert source.cell("why-mean").released == "*Your answer here.*"


def test_cleared_keeps_indentation_of_each_region() -> None:
    text = "if a:\n    ### BEGIN SOLUTION\n    b\n    ### END SOLUTION\nc"
    assert cleared(text, "SOLUTION", "pass") == "if a:\n    pass\nc"


@pytest.mark.parametrize(
    ("test_id", "exercise"),
    [
        ("rnn-step-test", "rnn-step"),
        ("rnn-step-test-2", "rnn-step"),
        ("rnn-step", None),
        ("rnn-step-test-b", None),
        ("-test", None),
    ],
)
def test_test_id_names_its_exercise(test_id: str, exercise: str | None) -> None:
    assert exercise_of(test_id) == exercise


HIDDEN = "### BEGIN HIDDEN TESTS\nsecret"
WRONG = {
    "duplicate id": (
        '"id:running-sum"]',
        '"id:mean-of"]',
        "cell mean-of: the id is taken already by the cell in line",
    ),
    "test without points": (', "points:40"]', "]", "cell mean-of-test: test cells need points"),
    "manual without points": (', "points:15"]', "]", "cell why-mean: manual cells need points"),
    "points not a whole number": ("points:40", "points:4.5", '"points:4.5" does not count points'),
    "negative points": ("points:40", "points:-4", '"points:-4" does not count points'),
    "points not 100": ("points:40", "points:39", "the points add up to 99, not 100. Add 1 in"),
    "points on an exercise": (
        '"id:mean-of"]',
        '"id:mean-of", "points:4"]',
        "exercise cells take no points",
    ),
    "no solution region": (
        "    ### BEGIN SOLUTION\n    return sum(x) / len(x)\n    ### END SOLUTION",
        "    return 1",
        "cell mean-of: the exercise has no solution region",
    ),
    "empty solution region": ("    return sum(x) / len(x)\n", "", "SOLUTION region is empty"),
    "region not closed": (
        "    return np.cumsum(x)\n    ### END SOLUTION",
        "    return np.cumsum(x)",
        "cell running-sum: ### BEGIN SOLUTION without its END",
    ),
    "region not opened": (HIDDEN, "secret", "### END HIDDEN TESTS without its BEGIN"),
    "nested region": (HIDDEN, f"### BEGIN HIDDEN TESTS\n{HIDDEN}", "inside a region"),
    "misspelt marker": (HIDDEN, "## BEGIN HIDDEN TESTS\nsecret", "is almost a marker"),
    "hidden tests in a non-test cell": (
        "print(running_sum([4, 5]))",
        "### BEGIN HIDDEN TESTS\nprint()\n### END HIDDEN TESTS",
        "cell demo-1: ### BEGIN HIDDEN TESTS in a demo cell. It belongs in test cells only",
    ),
    "solution in prose": ("# ## The mean", "# ### BEGIN SOLUTION", "SOLUTION in a prose cell"),
    "unknown tag": ('["setup"]', '["setup", "hide-input"]', 'unknown tag "hide-input"'),
    "no setup": (' tags=["setup"]', "", "there is no setup cell"),
    "two kinds": ('["setup"]', '["setup", "exercise"]', "tagged setup and exercise"),
    "id missing": (', "id:mean-of"]', "]", "cell 'def mean_of(x):': exercise cells need one id"),
    "bad characters in the id": ('"id:mean-of"]', '"id:mean of"]', 'the id "mean of" is not'),
    "id on a setup cell": ('["setup"]', '["setup", "id:x"]', "setup cells take no id"),
    "test of nothing": ("id:mean-of-test", "id:mean-test", "the test belongs to no exercise"),
    "exercise without a test": (
        "id:running-sum-test",
        "id:mean-of-test-2",
        "cell running-sum: the exercise has no test",
    ),
    "no hidden test": (
        "### BEGIN HIDDEN TESTS\nassert len(running_sum(np.arange(11))) == 11, "
        '"running_sum: one sum for each element"\n### END HIDDEN TESTS\n',
        "",
        "cell running-sum: the exercise has no hidden test",
    ),
    "exercise that defines nothing": (
        'def mean_of(x):\n    """Return the mean of ``x``."""\n    ### BEGIN SOLUTION\n    return ',
        "if True:\n    ### BEGIN SOLUTION\n    ",
        "cell mean-of: the exercise defines no top-level name",
    ),
    "def line inside the solution": (
        'def mean_of(x):\n    """Return the mean of ``x``."""\n    ### BEGIN SOLUTION\n',
        "### BEGIN SOLUTION\ndef mean_of(x):\n",
        "the solution region takes the def line away",
    ),
    "released cell not valid": (
        '"mean_of: the mean of 1 and 3 is 2"\n',
        '"mean_of: the mean of 1 and 3 is 2"\nfor _ in range(2):\n',
        "is not valid Python",
    ),
    "syntax error": ("print(running_sum([4, 5]))", "print(", "is not valid Python"),
    "name defined twice": ("def running_sum(x)", "def mean_of(x)", "in more than one exercise"),
    "question inside the manual cell": (
        "# *Your answer here.*",
        "# Explain. *Your answer here.*",
        "text outside the mark scheme would be lost",
    ),
    "manual code cell": (
        '[markdown] tags=["manual"',
        'tags=["manual"',
        "manual cells are markdown cells",
    ),
    "markdown test cell": (
        '# %% tags=["setup"]',
        '# %% [markdown] tags=["setup"]',
        "setup cells are code cells",
    ),
    "tags in single quotes": ('["setup"]', "['setup']", "the tags are not a list of strings"),
    "tag= for tags=": ('tags=["setup"]', 'tag=["setup"]', "the header is not understood"),
    "raw cell": ("# %%\nprint", "# %% [raw]\nprint", "the header is not understood"),
    "empty cell": ("print(running_sum([4, 5]))", "", "the cell is empty"),
}


@pytest.mark.parametrize("case", WRONG)
def test_problem_names_file_line_cell_and_mend(case: str, mini: str) -> None:
    old, new, message = WRONG[case]
    problems = problems_of(swap(mini, old, new))
    found = [problem for problem in problems if message in problem]
    assert found, problems
    where, _, rest = found[0].partition(": ")
    assert where.startswith("solutions/mini.py:")
    assert int(where.split(":")[1]) >= 1
    assert rest.startswith("cell ")
    assert rest.count(". ") >= 1, "the mend follows the problem"


def test_problem_names_the_line_of_the_header(mini: str) -> None:
    text = swap(mini, ', "points:45"]', "]")
    line = line_of(text, "id:running-sum-test")
    assert problems_of(text)[0].startswith(f"solutions/mini.py:{line}: cell running-sum-test:")


def test_syntax_error_names_its_own_line(mini: str) -> None:
    text = swap(mini, "    return np.cumsum(x)", "    return np.cumsum(x")
    assert f"line {line_of(text, 'np.cumsum(x')} is not" in problems_of(text)[0]


def test_region_problem_names_its_own_line(mini: str) -> None:
    text = swap(mini, HIDDEN, f"### BEGIN HIDDEN TESTS\n{HIDDEN}")
    assert f"line {line_of(text, 'secret = ') - 1}: " in problems_of(text)[0]


def test_all_problems_are_reported_together_in_order(mini: str) -> None:
    text = swap(mini, '["setup"]', '["setup", "wide"]')
    text = swap(text, ', "points:40"]', "]")
    text = swap(text, "    return np.cumsum(x)\n    ### END SOLUTION", "    return np.cumsum(x)")
    problems = problems_of(text)
    assert len(problems) == 3
    lines = [int(problem.split(":")[1]) for problem in problems]
    assert lines == sorted(lines)


def test_optional_exercise_has_zero_points_and_needs_no_hidden_test(mini: str) -> None:
    text = swap(swap(mini, "points:40", "points:0"), "points:45", "points:85")
    text = swap(text, "### BEGIN HIDDEN TESTS\nsecret", "secret")
    text = swap(text, "0.5)\n### END HIDDEN TESTS", "0.5)")
    assert parse_source(text, PATH).points == 100


def test_a_test_before_its_exercise_is_a_problem(mini: str) -> None:
    cells = mini.split("\n\n# %% ")
    cells[3], cells[4] = cells[4], cells[3]
    assert any("comes before its exercise" in p for p in problems_of("\n\n# %% ".join(cells)))


@pytest.mark.parametrize("text", ["", "\n \n"])
def test_empty_file_is_a_problem(text: str) -> None:
    assert "the file is empty" in problems_of(text)[0]


def test_code_before_the_first_cell_is_a_problem(mini: str) -> None:
    assert "code before the first cell" in problems_of("import os\n" + mini)[0]


def test_file_that_is_not_utf8_is_a_problem(tmp_path: Path) -> None:
    path = tmp_path / "latin.py"
    path.write_bytes("# %% [markdown]\n# é".encode("latin-1"))
    with pytest.raises(MarkerProblems, match="not UTF-8"):
        read_source(path)


def test_problems_survive_pickling(mini: str) -> None:
    with pytest.raises(MarkerProblems) as caught:
        parse_source(swap(mini, "points:40", "points:41"), PATH)
    again = pickle.loads(pickle.dumps(caught.value))
    assert str(again) == str(caught.value)
    assert again.problems == caught.value.problems


def test_unknown_cell_id_is_a_key_error(mini: str) -> None:
    source: Source = parse_source(mini, PATH)
    with pytest.raises(KeyError):
        source.cell("nothing")
