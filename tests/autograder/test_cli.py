"""The command line: examples, exit codes, and errors of one line with a next step."""

import pickle
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from autograder import errors
from autograder.cli import COMMANDS, LazyGroup, cli
from autograder.course import (
    Course,
    find_course,
    read_notebook,
    require_disk,
    require_python,
    write_atomically,
)
from autograder.source import Problem

Run = Callable[..., Result]
WRITERS = {"demo", "report"}  # their result is pages and files, not rows
EXAMPLES = {
    errors.NoCourse: (Path("/x"),),
    errors.BadConfig: (Path("/x/nbgrader_config.py"), "NameError: c"),
    errors.UnknownAssignment: ("ch5", ("ch05_bptt", "ch07_gates")),
    errors.NotBuilt: ("ch05_bptt", Path("classroom/gradebook.db")),
    errors.NoGradebook: (Path("classroom/gradebook.db"),),
    errors.BadGradebook: (Path("classroom/gradebook.db"), "file is not a database"),
    errors.UnreadableNotebook: (Path("a.ipynb"), "not JSON"),
    errors.WrongPython: ("3.9.1", "3.11"),
    errors.DiskFull: (Path("classroom"), 2**25, 2**20),
    errors.CannotWrite: (Path("classroom"), "Permission denied"),
    errors.MarkerProblems: ([Problem(Path("a.py"), 3, "b", "it is wrong", "Mend it")],),
    errors.BuildRefused: ("ch05_bptt", ["demo-2"], []),
    errors.NbgraderFailed: ("ch05_bptt", "RuntimeError: no"),
}


def command_named(name: str) -> click.Command:
    command = cli.get_command(click.Context(cli), name)
    assert command is not None
    return command


@pytest.mark.parametrize("name", COMMANDS)
def test_help_text_ends_with_examples_that_parse(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert CliRunner().invoke(cli, [name, "--help"]).exit_code == 0
    lines = [line.strip() for line in (command_named(name).help or "").strip().splitlines()]
    head = next(i for i, line in enumerate(lines) if line in ("Example:", "Examples:"))
    monkeypatch.chdir(tmp_path)
    assert lines[head + 1 :]
    for line in lines[head + 1 :]:
        program, *words = shlex.split(line)
        assert program == "autograder"
        for word in words:
            if word.endswith((".csv", ".zip")):
                (tmp_path / word).touch()  # a file that the example reads
        parent = cli.make_context("autograder", list(words))
        found, command, rest = cli.resolve_command(parent, words)
        assert found == name
        assert command is not None
        command.make_context(name, rest, parent=parent)


@pytest.mark.parametrize("name", sorted(COMMANDS.keys() - WRITERS))
def test_command_that_gives_a_result_gives_it_as_json_too(name: str) -> None:
    assert any("--json" in parameter.opts for parameter in command_named(name).params)


def test_calling_for_help_loads_no_heavy_module() -> None:
    code = (
        "import sys; from click.testing import CliRunner; from autograder.cli import cli\n"
        "assert CliRunner().invoke(cli, ['--help']).exit_code == 0\n"
        "print([n for n in ('torch', 'numpy', 'nbgrader', 'nbformat') if n in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_version_is_the_package_s() -> None:
    result = CliRunner().invoke(cli, ["--version"])
    assert result.exit_code == 0
    assert result.stdout.startswith("autograder, version ")


def test_unknown_command_is_a_wrong_call() -> None:
    result = CliRunner().invoke(cli, ["bild"])
    assert result.exit_code == 2
    assert "No such command" in result.stderr


def test_every_kind_of_error_has_an_example_here() -> None:
    kinds = {
        kind
        for kind in vars(errors).values()
        if isinstance(kind, type) and issubclass(kind, errors.AutograderError)
    }
    mine = {kind for kind in kinds if kind.__module__ == errors.__name__}
    assert mine - {errors.AutograderError} == set(EXAMPLES)


@pytest.mark.parametrize("kind", EXAMPLES, ids=lambda kind: kind.__name__)
def test_error_names_what_and_next_step_and_survives_pickling(
    kind: Callable[..., errors.AutograderError],
) -> None:
    error = kind(*EXAMPLES[kind])
    subject = EXAMPLES[kind][0]
    shown = str(subject[0]) if isinstance(subject, list) else str(subject)
    assert shown in str(error)
    assert "Next: " in str(error)
    if not isinstance(error, errors.MarkerProblems):
        assert "\n" not in str(error)
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is type(error)
    assert str(again) == str(error)


def test_unknown_assignment_suggests_a_near_one(autograder: Run) -> None:
    result = autograder("build", "mimi")
    assert result.exit_code == 2
    assert result.stdout == ""
    assert "autograder build: mimi: there is no such assignment" in result.stderr
    assert "did you mean mini?" in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1


def test_outside_a_course_the_error_says_where_to_go(tmp_path: Path) -> None:
    result = CliRunner().invoke(cli, ["--course-dir", str(tmp_path), "build"])
    assert result.exit_code == 2
    assert "--course-dir" in result.stderr


def test_broken_config_names_file_and_reason(course: Course, autograder: Run) -> None:
    (course.root / "nbgrader_config.py").write_text("c.x = undefined_name")
    result = autograder("build")
    assert result.exit_code == 2
    assert "nbgrader_config.py: cannot be loaded (NameError" in result.stderr


def command_raising(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> LazyGroup:
    @click.command("build")
    def broken() -> None:
        raise error

    monkeypatch.setattr(LazyGroup, "get_command", lambda self, ctx, name: broken)
    assert isinstance(cli, LazyGroup)
    return cli


def test_unexpected_error_is_one_line_and_exit_2(monkeypatch: pytest.MonkeyPatch) -> None:
    result = CliRunner().invoke(command_raising(monkeypatch, KeyError("x")), ["build"])
    assert result.exit_code == 2
    assert result.stderr.startswith("autograder build: unexpected KeyError: 'x'. Next: ")
    assert len(result.stderr.strip().splitlines()) == 1


def test_debug_shows_where_it_happened(monkeypatch: pytest.MonkeyPatch) -> None:
    result = CliRunner().invoke(command_raising(monkeypatch, KeyError("x")), ["--debug", "build"])
    assert result.exit_code == 2
    assert "Traceback" in result.stderr


def test_full_disk_in_the_middle_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    error = OSError(28, "No space left on device", "classroom/gradebook.db")
    result = CliRunner().invoke(command_raising(monkeypatch, error), ["build"])
    assert result.exit_code == 2
    assert "classroom/gradebook.db: No space left on device. Next: " in result.stderr


def test_old_python_is_refused_with_the_version_needed() -> None:
    with pytest.raises(errors.WrongPython, match=r"Python 3\.9\.1 is too old; 3\.11"):
        require_python((3, 9, 1))
    require_python()


def test_course_is_found_from_a_folder_inside(course: Course) -> None:
    assert find_course(course.solutions) == course


def test_gradebook_that_is_missing_broken_or_empty_is_named(course: Course) -> None:
    with pytest.raises(errors.NoGradebook, match=r"classroom/gradebook\.db"):
        course.require_gradebook()
    course.classroom.mkdir()
    for content in (b"", b"nonsense that is no database"):
        course.gradebook.write_bytes(content)
        with pytest.raises(errors.BadGradebook):
            course.require_gradebook()


def test_assignment_is_built_only_after_the_build(course: Course, autograder: Run) -> None:
    with pytest.raises(errors.NoGradebook):
        course.require_built("mini")
    autograder("build")
    assert course.require_built("mini") == course.source_notebook("mini")
    (course.solutions / "new.py").write_text("")
    with pytest.raises(errors.NotBuilt, match="autograder build new"):
        course.require_built("new")
    course.release_notebook("mini").unlink()
    with pytest.raises(errors.NotBuilt, match="classroom/release/mini"):
        course.require_built("mini")


@pytest.mark.parametrize("text", [None, "", "{", "[]", '{"cells": 1}', "\0", '{"nbformat": 99}'])
def test_unreadable_notebook_is_one_line(text: str | None, tmp_path: Path) -> None:
    path = tmp_path / "x.ipynb"
    if text is not None:
        path.write_text(text)
    with pytest.raises(errors.UnreadableNotebook) as caught:
        read_notebook(path)
    assert "\n" not in str(caught.value)


def test_disk_is_checked_where_the_folder_will_be(tmp_path: Path) -> None:
    require_disk(tmp_path / "not" / "yet", 1)
    with pytest.raises(errors.DiskFull):
        require_disk(tmp_path / "not" / "yet", 2**62)


def test_interrupted_write_keeps_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.txt"
    assert write_atomically(path, "old")
    assert not write_atomically(path, "old")

    def full(*args: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.replace", full)
    with pytest.raises(errors.CannotWrite, match="No space left"):
        write_atomically(path, "new")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]
