"""The page on writing an exercise is true: commands parse, rules and code are the course's own."""

import re
import shlex
from pathlib import Path

import click
import pytest

from autograder.cli import cli
from autograder.lint_rules import WHY
from autograder.new import files, title_of, write_new
from tests.autograder.conftest import REPOSITORY, Course

PAGE = (REPOSITORY / "book" / "authoring.md").read_text(encoding="utf-8")
LINES = [
    line
    for block in re.findall(r"```bash\n(.*?)```", PAGE, re.S)
    for line in block.splitlines()
    if line.strip()
]
STEM = "ch16_state_space"


@pytest.mark.parametrize("line", sorted({x for x in LINES if x.startswith("autograder ")}))
def test_command_of_the_page_exists(line: str) -> None:
    words = shlex.split(line)[1:]
    parent = cli.make_context("autograder", list(words))
    name, command, rest = cli.resolve_command(parent, words)
    assert name and isinstance(command, click.Command)
    command.make_context(name, rest, parent=parent)


def test_other_commands_are_targets_of_make_or_open_what_was_built() -> None:
    targets = re.findall(r"^([a-z]+):", (REPOSITORY / "Makefile").read_text(), re.M)
    others = [line for line in LINES if not line.startswith("autograder ")]
    assert others
    for line in others:
        program, target, *_ = shlex.split(line)
        assert (program == "make" and target in targets) or line.startswith(
            "jupyter lab exercises/"
        )


def test_rules_on_the_page_are_all_there_are() -> None:
    table = PAGE.split("* - Rule\n")[1].split("```")[0]
    assert re.findall(r"\* - `([a-z-]+)`", table) == list(WHY)


def test_code_on_the_page_is_that_of_a_new_exercise(tmp_path: Path) -> None:
    course = Course(tmp_path)
    write_new(course, STEM, title_of(STEM))
    made = "\n".join(path.read_text(encoding="utf-8") for path in files(course, STEM).values())
    heads = re.findall(r"^# %%.*tags=.*$", PAGE, re.M)
    assert len(heads) >= 4 and all(head in made for head in heads)
    for path in files(course, STEM).values():
        assert str(path.relative_to(tmp_path)) in PAGE
