"""Copies are found however they are disguised, honest work is left alone, and names are hidden."""

import ast
import json
import random
import re
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
from click.testing import Result
from nbformat import NotebookNode

from autograder.build import solved
from autograder.course import Course, read_notebook
from autograder.fingerprints import ALIKE, alike, grams, rarity, tokens, winnow
from autograder.markers import read_source
from autograder.similar import passages

Run = Callable[..., Result]
LONG = """\
def mean_of(x):
    total, seen = 0.0, 0
    for place, value in enumerate(x):
        if place % 2 == 0:
            total = total + value * 1.0
        else:
            total += float(value)
        seen = max(seen, place + 1)
    weights = np.full(seen, 1 / seen) if seen else np.zeros(1)
    check = np.dot(weights, np.asarray(x, dtype=float))
    if abs(check - total / seen) > 1e-9 * max(1.0, abs(check)):
        raise ArithmeticError("the two ways disagree")
    return total / seen
"""
SUMS = """\
def running_sum(x):
    x = np.asarray(x)
    triangle = np.tril(np.ones((len(x), len(x))))
    doubled = np.concatenate([x[:1], np.diff(np.cumsum(x))])
    assert np.allclose(doubled, x) and triangle.shape[0] == triangle.shape[1]
    result = [sum(int(triangle[t, s]) * x[s] for s in range(t + 1)) for t in range(len(x))]
    return np.array(result[: len(x)]).reshape(x.shape)
"""
# The same programs after an evening's work on how they look.
RENAMED = '''\
def mean_of(zahlen: list[float]) -> float:
    """My own work!"""
    summe, n = 0.0, 0   # start
    for i, z in enumerate(
        zahlen,
    ):
        if (i % 2) == 0: summe = (summe + (z * 1.0))
        else: summe += float(z)
        n = max(n, i + 1)
    g = (np.full(n, 1/n) if n
         else np.zeros(1))
    p: float = np.dot(g, np.asarray(zahlen, dtype=float))
    if abs(p - summe / n) > 1e-9 * max(1.0, abs(p)):
        raise ArithmeticError('ungleich')
    return summe / n
'''
SIGNED = LONG.replace("0.0, 0", "0.0, 0  # by quentin-quill")
OTHER_SUMS = ast.unparse(ast.parse(SUMS)).replace("triangle", "dreieck").replace("doubled", "zwei")


def prints(*cells: str) -> set[int]:
    return winnow(grams(tokens(cells)))


def invented(seed: int, statements: int = 60) -> str:
    """Return code that nobody else writes: as much as an exercise's answers, by one hand."""
    rng = random.Random(seed)

    def number() -> str:
        return str(rng.randrange(9))

    def expression(depth: int = 2) -> str:
        shape = rng.choice(["{} + {}", "{} * {}", "np.dot({}, {})", "({}) @ ({}).T", "max({}, {})"])
        if depth == 0:
            return rng.choice(["x", number(), "x[:, t]", "h.sum(0)", "W_hh"])
        return shape.format(expression(depth - 1), expression(depth - 1))

    lines = ["def answer(x, h):"]
    for _ in range(statements):
        lines.append("    " + rng.choice(["a = {}", "b = {}", "a += {}"]).format(expression()))
    return "\n".join([*lines, "    return a"])


def test_layout_names_and_annotations_leave_the_same_tokens() -> None:
    assert [t.value for t in tokens([LONG])] == [t.value for t in tokens([RENAMED])]


def test_a_long_common_passage_always_leaves_a_common_fingerprint() -> None:
    for seed in range(50):
        shared = invented(100 + seed, 4)
        a, b = invented(2 * seed, 5) + "\n" + shared, invented(2 * seed + 1, 5) + "\n" + shared
        assert prints(a) & prints(b)


def test_disguised_copies_are_found_in_a_class() -> None:
    works = {f"s{n}": [invented(2 * n, 40), invented(2 * n + 1, 40)] for n in range(30)}
    names = {"a": "p", "b": "q", "x": "daten", "W_hh": "gewicht", "h": "zustand"}

    def renamed(code: str) -> str:
        return re.sub(r"\b\w+\b", lambda word: names.get(word[0], word[0]), code)

    works["renamed"] = [renamed(cell) for cell in works["s3"]]
    works["reordered"] = list(reversed(works["s4"]))
    works["unparsed"] = [ast.unparse(ast.parse(cell)) for cell in works["s5"]]
    half = works["s6"][0].split("\n")
    works["moved"] = ["\n".join([half[0], *half[21:-1], *half[1:21], half[-1]]), works["s6"][1]]
    works["padded"] = [
        cell.replace("    b = ", "    print(a)\n    b = ", 3) for cell in works["s7"]
    ]
    found = alike({student: prints(*cells) for student, cells in works.items()}, ())
    assert {frozenset((pair.a, pair.b)) for pair in found} == {
        frozenset(each)
        for each in [
            ("s3", "renamed"),
            ("s4", "reordered"),
            ("s5", "unparsed"),
            ("s6", "moved"),
            ("s7", "padded"),
        ]
    }


def test_group_that_copied_from_one_is_found() -> None:
    works = {f"s{n}": prints(invented(n)) for n in range(40)}
    works |= {f"ring{n}": prints(invented(0)) for n in range(5)}
    ring = {"s0", *(f"ring{n}" for n in range(5))}
    found = alike(works, ())
    assert {pair.a for pair in found} | {pair.b for pair in found} == ring
    assert len(found) == 15


def test_what_all_were_given_makes_no_twins() -> None:
    given = invented(1)
    own = {f"s{n}": prints(invented(10 + n, 9)) for n in range(6)}
    own |= {student: prints(given, invented(20 + ord(student), 9)) for student in "ab"}
    assert alike(own, ()) and not alike(own, grams(tokens([given])))


def test_short_idiomatic_answers_make_no_twins() -> None:
    short = (
        "def mean_of(x):\n    return sum(x) / len(x)",
        "def running_sum(x):\n    return np.cumsum(x)",
        "def softmax(z):\n    e = np.exp(z - z.max(axis=-1, keepdims=True))\n"
        "    return e / e.sum(axis=-1, keepdims=True)",
    )
    assert alike({"ada": prints(*short), "ben": prints(*short)}, ()) == []
    many = {f"s{n}": prints(*short) for n in range(30)}
    assert alike(many, ()) == []


def test_what_most_of_a_class_writes_makes_no_twins() -> None:
    idiom = invented(1)
    works = {f"s{n}": prints(idiom, invented(10 + n, 8)) for n in range(30)}
    assert alike(works, ()) == []


@pytest.mark.parametrize("students", [3, 20, 1000])
def test_rarity_falls_from_one_to_nothing(students: int) -> None:
    weights = [rarity(owners, students) for owners in range(1, students + 1)]
    assert weights[0] == weights[1] == 1 and weights[-1] == 0
    assert weights == sorted(weights, reverse=True)


def test_a_thousand_students_are_compared_in_seconds() -> None:
    rng = random.Random(1)
    lines = [invented(n, 1).split("\n")[1] for n in range(400)]  # of one class: they share lines
    works = {}
    for n in range(1000):
        body = rng.choices(lines, weights=range(400, 0, -1), k=60)
        works[f"s{n:04}"] = prints("\n".join(["def answer(x, h):", *body, "    return a"]))
    works["copy"] = works["s0007"]
    started = time.process_time()
    found = alike(works, ())
    assert time.process_time() - started < 20  # a fifth of it on an idle machine
    assert [(pair.a, pair.b) for pair in found] == [("copy", "s0007")]


def test_passages_are_those_that_both_wrote() -> None:
    mine, theirs = tokens(["y = 1", LONG]), tokens([SUMS, RENAMED])
    (left, right), *more = passages(mine, theirs, set())
    assert not more
    assert [t.value for t in left] == [t.value for t in right]
    assert left[0].cell == right[0].cell == 1 and left[-1].line == LONG.count("\n")
    assert list(passages(mine, theirs, set(grams(tokens([LONG]))))) == []


def test_code_that_does_not_parse_has_no_tokens() -> None:
    assert tokens(["def (", "((" * 5000, "x = 1"])[0].cell == 2


# The command


@pytest.fixture
def handed_in(course: Course, autograder: Run) -> Course:
    """Four submissions: one's, a disguised copy of it, the solution, and nothing."""
    assert autograder("build", "mini").exit_code == 0
    blank = read_notebook(course.exercise_notebook("mini"))
    solution = solved(blank, read_source(course.solution_file("mini")))
    write(
        course,
        "quentin-quill",
        solution,
        [SIGNED, SUMS],
    )
    write(course, "zebulon", solution, [RENAMED, OTHER_SUMS])
    write(course, "cleo", solution, [])
    write(course, "dev", solution, [])
    (course.folder("submitted", "mini", "dev") / "mini.ipynb").write_text("{broken")
    return course


def write(course: Course, student: str, start: NotebookNode, answers: Sequence[str]) -> None:
    notebook = json.loads(json.dumps(start))
    for cell, answer in zip(exercise_cells(notebook), answers, strict=False):
        cell["source"] = answer
    path = course.folder("submitted", "mini", student) / "mini.ipynb"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps(notebook), encoding="utf-8")


def exercise_cells(notebook: dict) -> Iterator[dict]:
    for cell in notebook["cells"]:
        if cell["metadata"]["nbgrader"]["grade_id"] in ("mean-of", "running-sum"):
            yield cell


def page_of(course: Course) -> str:
    return Path(course.classroom, "reports", "mini-similar.html").read_text(encoding="utf-8")


def test_the_page_shows_the_passages_side_by_side_without_names(
    handed_in: Course, autograder: Run
) -> None:
    result = autograder("similar", "mini")
    assert result.exit_code == 0, result.stderr
    assert "1 pair to look at among 4 submissions" in result.stderr
    page = page_of(handed_in)
    assert "quill" not in page and "zebulon" not in page and "# by …" in page
    assert "summe += float(z)" in page and "total += float(value)" in page
    assert "a hint for a person, not a verdict" in page
    assert not re.search(r"""\b(src|href)\s*=\s*"(?!#)|url\(|@import|https?:|<script""", page)
    assert (handed_in.classroom / "reports" / "mini-similar.html").stat().st_mode & 0o077 == 0


def test_names_are_shown_when_asked_for(handed_in: Course, autograder: Run) -> None:
    result = json.loads(autograder("similar", "mini", "--names", "--json").stdout)
    assert result["pairs"][0]["students"] == ["quentin-quill", "zebulon"]
    assert result["pairs"][0]["share"] >= ALIKE and result["compared"] == 4
    assert "quentin-quill and zebulon" in page_of(handed_in)


def test_submitted_code_cannot_become_part_of_the_page(handed_in: Course, autograder: Run) -> None:
    for student in ("quentin-quill", "zebulon"):
        path = handed_in.folder("submitted", "mini", student) / "mini.ipynb"
        notebook = json.loads(path.read_text(encoding="utf-8"))
        cell = next(exercise_cells(notebook))
        cell["source"] = cell["source"].replace("1e-9", "1e-9 + len('</pre><b id=x>')")
        path.write_text(json.dumps(notebook), encoding="utf-8")
    autograder("similar", "mini")
    assert "<b id=x>" not in page_of(handed_in)
    assert "&lt;/pre&gt;&lt;b id=x&gt;" in page_of(handed_in)


def test_answers_that_the_bank_knows_make_no_pair(handed_in: Course, autograder: Run) -> None:
    bank = handed_in.root / "tests" / "exercises" / "mini.py"
    bank.parent.mkdir(parents=True)
    entries = (('["right", "id:mean-of"]', LONG), ('["right", "id:running-sum"]', SUMS))
    bank.write_text("".join(f"# %% it tags={tags}\n{code}\n" for tags, code in entries))
    assert json.loads(autograder("similar", "mini", "--json").stdout)["pairs"] == []
    assert "No two submissions share enough" in page_of(handed_in)


def test_one_submission_cannot_be_compared(course: Course, autograder: Run) -> None:
    autograder("build", "mini")
    assert autograder("similar", "mini").exit_code == 2
    write(course, "ada", read_notebook(course.exercise_notebook("mini")), [])
    result = autograder("similar", "mini")
    assert result.exit_code == 2 and "one submission only" in result.stderr
