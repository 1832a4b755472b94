"""The command `autograder`: verbs, each in a module of its own that is loaded when it is called.

Results go to stdout, log and progress to stderr. Exit codes: 0 done, 1 some submissions failed
(or a check found a difference), 2 our fault or a wrong call.
"""

from __future__ import annotations

import errno
import importlib
import traceback
from pathlib import Path
from typing import Any

import click

from autograder.course import require_python
from autograder.errors import AutograderError, CannotWrite

# One line a command: its name and where the click command is.
COMMANDS = {
    "build": "autograder.build:build_command",
    "collect": "autograder.collect:collect_command",
    "demo": "autograder.demo:demo_command",
    "doctor": "autograder.doctor:doctor_command",
    "explain": "autograder.explain:explain_command",
    "export": "autograder.export:export_command",
    "feedback": "autograder.feedback:feedback_command",
    "grade": "autograder.grade:grade_command",
    "late": "autograder.late:late_command",
    "lint": "autograder.lint:lint_command",
    "new": "autograder.new:new_command",
    "publish": "autograder.publish:publish_command",
    "report": "autograder.report:report_command",
    "similar": "autograder.similar:similar_command",
}


class LazyGroup(click.Group):
    """A group that imports a command when it is needed and turns errors into one line."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name not in COMMANDS:
            return None
        module, attribute = COMMANDS[name].split(":")
        command = getattr(importlib.import_module(module), attribute)
        assert isinstance(command, click.Command)
        return command

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except (click.ClickException, click.exceptions.Exit, click.Abort):
            raise
        except AutograderError as error:
            _report(ctx, error)
        except OSError as error:
            if error.errno == errno.EPIPE:
                raise
            reason = error.strerror or str(error)
            _report(ctx, CannotWrite(error.filename or "file system", reason))
        except Exception as error:
            _report(ctx, AutograderError(f"unexpected {type(error).__name__}: {error}"))
        ctx.exit(2)


def _report(ctx: click.Context, error: AutograderError) -> None:
    if ctx.params.get("debug"):
        traceback.print_exc()
    command = f"autograder {ctx.invoked_subcommand or ''}".strip()
    click.echo(f"{command}: {error}", err=True)


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--course-dir",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="The course to work in (default: the one that the working folder lies in).",
)
@click.option("--debug", is_flag=True, help="Show where in the code an error happened.")
@click.version_option(package_name="unrolled", prog_name="autograder")
@click.pass_context
def cli(ctx: click.Context, course_dir: Path | None, debug: bool) -> None:
    """Build, grade and report the exercises of this course."""
    require_python()
    ctx.obj = course_dir


def main() -> None:
    cli(prog_name="autograder")


if __name__ == "__main__":
    main()
