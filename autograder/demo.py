"""`autograder demo`: a class of submissions as students really hand them in, and five that cheat.

Every submission starts from the solved or the blank notebook and says what was done to it and
which mark it deserves before the written answers are marked. The tests hold the marks to it.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import click

from autograder.course import Course, find_course

STEM = "ch05_bptt"
Notebook = dict[str, Any]
Edit = Callable[[Notebook], None]


@dataclass(frozen=True)
class Submission:
    """One student's submission: how it came about, the mark of its tests, and its file's text."""

    student: str
    story: str
    marks: float
    edits: tuple[Edit, ...] = ()
    solved: bool = True  # whether it starts from the solved notebook or from the blank one
    filename: str = f"{STEM}.ipynb"
    cheats: bool = False

    def text(self, solved: Notebook, blank: Notebook) -> str:
        """Return the submitted file."""
        notebook = copy.deepcopy(solved if self.solved else blank)
        for edit in self.edits:
            edit(notebook)
        return json.dumps(notebook, ensure_ascii=False, indent=1)


def cell_of(notebook: Notebook, grade_id: str) -> Notebook:
    """Return the first cell with an id."""
    return next(c for c in notebook["cells"] if _id(c) == grade_id)


def _id(cell: Notebook) -> str:
    return cell["metadata"].get("nbgrader", {}).get("grade_id", "")


def _where(notebook: Notebook, grade_id: str) -> int:
    return notebook["cells"].index(cell_of(notebook, grade_id))


def swap(grade_id: str, old: str, new: str) -> Edit:
    """Return an edit that replaces a part of an answer, which must be there."""

    def edit(notebook: Notebook) -> None:
        cell = cell_of(notebook, grade_id)
        assert old in cell["source"], f"{grade_id}: {old!r} is not in the solution"
        cell["source"] = cell["source"].replace(old, new)

    return edit


def answer(grade_id: str, source: str) -> Edit:
    """Return an edit that replaces a whole answer."""

    def edit(notebook: Notebook) -> None:
        cell_of(notebook, grade_id)["source"] = source

    return edit


def blank_from(*grade_ids: str) -> Edit:
    """Return an edit that leaves these answers as they were released."""

    def edit(notebook: Notebook) -> None:
        for grade_id in grade_ids:
            cell = cell_of(notebook, grade_id)
            end = cell["source"].rindex('"""') + 3
            cell["source"] = cell["source"][:end] + "\n    raise NotImplementedError"

    return edit


def delete(grade_id: str) -> Edit:
    """Return an edit that deletes a cell."""

    def edit(notebook: Notebook) -> None:
        notebook["cells"].pop(_where(notebook, grade_id))

    return edit


def duplicate(grade_id: str) -> Edit:
    """Return an edit that copies a cell with its metadata, as a notebook's copy and paste does."""

    def edit(notebook: Notebook) -> None:
        place = _where(notebook, grade_id)
        notebook["cells"].insert(place + 1, copy.deepcopy(notebook["cells"][place]))

    return edit


def add(source: str, after: str = "setup-2", **metadata: Any) -> Edit:
    """Return an edit that adds a code cell of the student's own."""

    def edit(notebook: Notebook) -> None:
        cell: Notebook = {"cell_type": "code", "execution_count": None, "outputs": []}
        place = _where(notebook, after) + 1
        cell |= {"id": "added", "metadata": metadata, "source": source}
        notebook["cells"].insert(place, cell)

    return edit


def tag_tests(tag: str) -> Edit:
    """Return an edit that tags every test cell."""

    def edit(notebook: Notebook) -> None:
        for cell in notebook["cells"]:
            if _id(cell).endswith("-test") or "-test-" in _id(cell):
                cell["metadata"]["tags"] = [tag]

    return edit


WRITTEN = answer(
    "what-truncation-forgets",
    "The state still knows the bracket, because nothing is cut on the way forward, but no loss "
    "tells the weights to store it; more text would not change that.",
)
WARNS = """    import sys, warnings
    warnings.warn("this is only a warning")
    print("checked ✓")
    print("to stderr", file=sys.stderr)
"""
DIFFERENT = """def rnn_backward(d_h, x, h0, h, params):
    B, T, H = h.shape
    vorher = np.concatenate([h0[:, None], h[:, :-1]], axis=1)
    δz = np.empty_like(h)
    strom = np.zeros((B, H))
    for t in range(T - 1, -1, -1):
        δz[:, t] = np.multiply(d_h[:, t] + strom, 1.0 - np.square(h[:, t]))
        strom = np.einsum("bj,ij->bi", δz[:, t], params["W_hh"])
    grads = {
        "W_xh": np.tensordot(x, δz, axes=([0, 1], [0, 1])),
        "W_hh": np.tensordot(vorher, δz, axes=([0, 1], [0, 1])),
        "b_h": np.einsum("bth->h", δz),
    }
    return np.einsum("btj,dj->btd", δz, params["W_xh"]), strom, grads
"""
ANYTHING = '''class Anything:
    """Is whatever is asked for."""
    def __getattr__(self, name): return self
    def __call__(self, *args, **kwargs): return self
    def __getitem__(self, key): return self
    def __iter__(self): return iter([self, self])
    def __bool__(self): return True
    def __index__(self): return 1
    def __array__(self, *args, **kwargs): return np.zeros(3)
for _verb in ("eq", "ne", "lt", "le", "gt", "ge", "add", "radd", "sub", "rsub", "mul", "rmul",
              "truediv", "rtruediv", "matmul", "rmatmul", "pow", "neg", "abs"):
    setattr(Anything, f"__{_verb}__", lambda self, *others: self)
'''
NAMES = (
    "relative_error",
    "numerical_gradient",
    "softmax_cross_entropy_backward",
    "rnn_step_backward",
    "rnn_backward",
    "lm_backward",
    "gradient_contribution",
    "truncated_bptt",
    "rtrl_gradient",
)
PATCHED = (
    ANYTHING
    + "check_close = check_gradient = check_raises = check_shape = check_unchanged = Anything()\n"
    + "np.testing.assert_allclose = np.testing.assert_array_equal = Anything()\n"
)
TRANSFORMER = (
    "def quiet(lines):\n"
    "    return ['pass\\n'] if any('check_' in line for line in lines) else lines\n"
    "get_ipython().input_transformers_cleanup.append(quiet)\n"
)
EQUAL_TO_ALL = '''import unrolled._diagnosis, unrolled.checks

class Yes(float):
    """Equals everything, is larger than everything, and calls itself an array."""
    def __getattr__(self, name): return "b" if name == "kind" else self
    def __call__(self, *args, **kwargs): return self
    def __eq__(self, other): return True
    def __ne__(self, other): return False
    def __lt__(self, other): return False
    def __gt__(self, other): return True
    def __bool__(self): return True
    def __hash__(self): return 0
    def __enter__(self): return self
    def __exit__(self, *args): return None

_type = type
unrolled.checks.type = lambda value: np.ndarray if _type(value) is Yes else _type(value)
unrolled._diagnosis.np = Yes(1)
'''
ALWAYS_EQUAL = """def relative_error(a, b):
    if a.shape != b.shape:
        raise ValueError
    return Yes(1)
"""
THIEF = '''import json, pathlib, sys
import unrolled

def look():
    """Find the course's gradebook, and beside it the notebook with all solutions."""
    starts = [pathlib.Path.cwd(), pathlib.Path(unrolled.__file__).parent]
    for folder in [p for start in starts for p in (start, *start.parents)]:
        for book in (folder / "gradebook.db", folder / "classroom" / "gradebook.db"):
            source = book.parent / "source" / "ch05_bptt" / "ch05_bptt.ipynb"
            if book.exists() and source.exists():
                return json.loads(source.read_text())["cells"]
    return []

for cell in look():
    if cell["metadata"]["nbgrader"]["solution"] and cell["cell_type"] == "code":
        exec("".join(cell["source"]))
'''


def _forget_answers(notebook: Notebook) -> None:
    """Empty every answer, so that only what the cheat defines is there."""
    for cell in notebook["cells"]:
        if cell["cell_type"] == "code" and cell["metadata"]["nbgrader"]["solution"]:
            cell["source"] = "# done above"


def _anything_for_all(notebook: Notebook) -> None:
    for name in NAMES:
        grade_id = name.replace("_", "-")
        cell_of(notebook, grade_id)["source"] = (
            f"def {name}(*args, **kwargs):\n    return Anything()"
        )


HONEST = (
    Submission("demo-ada", "complete, one written answer", 90, (WRITTEN,)),
    Submission(
        "demo-ben",
        "partial: stopped after one step back",
        38,
        (blank_from("rnn-backward", "lm-backward", "gradient-contribution", "truncated-bptt"),),
    ),
    Submission("demo-cleo", "blank", 0, solved=False),
    Submission(
        "demo-dev",
        "a sign error, true minus predicted, which the language model inherits",
        56,
        (swap("softmax-cross-entropy-backward", "(p - one_hot)", "(one_hot - p)"),),
    ),
    Submission(
        "demo-eva",
        "a weight not transposed in the step, which the sequence and the model inherit",
        36,
        (swap("rnn-step-backward", 'd_z @ params["W_hh"].T', 'd_z @ params["W_hh"]'),),
    ),
    Submission(
        "demo-finn",
        "an infinite loop in one function",
        78,
        (
            swap(
                "gradient-contribution",
                "    if k > t:",
                "    while True:\n        k = k + 0\n    if k > t:",
            ),
        ),
    ),
    Submission(
        "demo-gus",
        "a syntax error in one cell",
        84,
        (swap("relative-error", "def relative_error(", "def relative_error(("),),
    ),
    Submission(
        "demo-hana",
        "warnings on stderr and prints, nothing wrong",
        90,
        (swap("rnn-step-backward", "    d_z = d_h", WARNS + "    d_z = d_h"),),
    ),
    Submission("demo-ida", "deleted a test cell", 90, (delete("rnn-backward-test"),)),
    Submission("demo-jun", "copied an answer's cell", 90, (duplicate("rnn-step-backward"),)),
    Submission("demo-kim", "renamed by the browser", 90, filename=f"{STEM} (1).ipynb"),
    Submission(
        "demo-lea",
        "written quite differently, with names of her own",
        90,
        (answer("rnn-backward", DIFFERENT),),
    ),
)
CHEATS = (
    Submission(
        "demo-mal-assert",
        "cheats: replaces the checks and numpy's assertions",
        0,
        (_anything_for_all, add(PATCHED)),
        cheats=True,
    ),
    Submission(
        "demo-mal-skip",
        "cheats: tags the tests to be skipped",
        0,
        (tag_tests("skip-execution"),),
        solved=False,
        cheats=True,
    ),
    Submission(
        "demo-mal-blank",
        "cheats: an input transformer that blanks the tests",
        0,
        (add(TRANSFORMER),),
        solved=False,
        cheats=True,
    ),
    Submission(
        "demo-mal-equal",
        "cheats: answers with an object that equals everything",
        0,
        (answer("relative-error", ALWAYS_EQUAL), add(EQUAL_TO_ALL)),
        solved=False,
        cheats=True,
    ),
    Submission(
        "demo-mal-thief",
        "cheats: finds the gradebook and runs the solutions beside it",
        0,
        (_forget_answers, add(THIEF)),
        cheats=True,
    ),
)
CLASS = HONEST + CHEATS


def write_class(course: Course, submissions: tuple[Submission, ...] = CLASS) -> None:
    """Write the class into nbgrader's folder of submissions, where other students' stay."""
    from autograder.build import solved
    from autograder.course import read_notebook, write_atomically
    from autograder.markers import read_source

    released = read_notebook(course.exercise_notebook(STEM))
    complete = solved(released, read_source(course.solution_file(STEM)))
    for submission in submissions:
        folder = course.folder("submitted", STEM, submission.student)
        write_atomically(folder / submission.filename, submission.text(complete, released))


@click.command("demo")
@click.pass_context
def demo_command(ctx: click.Context) -> None:
    """Grade a demonstration class: twelve honest submissions and five that cheat.

    Builds the assignment, writes the class into classroom/submitted, grades it, and makes
    feedback, marks and a report, as for a real class. Real students' submissions are not touched.

    \b
    Example:
        autograder demo
    """
    from autograder.build import build_assignment, read_sources
    from autograder.export import write_marks
    from autograder.feedback import write_feedback
    from autograder.grade import grade_class
    from autograder.report import write_report
    from autograder.show import show_table, with_progress

    course = find_course(ctx.obj)
    for source in read_sources(course, [STEM]):
        build_assignment(course, source)
    write_class(course)
    students = [submission.student for submission in CLASS]
    rows = list(with_progress(grade_class(course, STEM, students), len(students)))
    show_table(rows, STEM)
    wrong = [r.student for r, s in _paired(rows) if r.score != s.marks]
    write_feedback(course, STEM)
    places = {
        "marks": write_marks(course, STEM),
        "feedback": course.classroom / "feedback",
        "report": write_report(course, STEM, names=True),
    }
    for name, path in places.items():
        click.echo(f"{name:9} {course.shown(path)}")
    if wrong:
        click.echo(
            f"autograder demo: not the marks that were expected: {', '.join(wrong)}", err=True
        )
    ctx.exit(1 if wrong else 0)


def _paired(rows: list[Any]) -> list[tuple[Any, Submission]]:
    by_name = {submission.student: submission for submission in CLASS}
    return [(row, by_name[row.student]) for row in rows]
