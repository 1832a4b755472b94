"""What a person sees of a run: a bar while it goes on, a table at its end."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from autograder.record import Row


def show_table(rows: list[Row], stem: str) -> None:
    """Print the table of a class on stdout."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(title=f"{stem}: {len(rows)} submissions", title_justify="left")
    for name in ("student", "score", "status", "to review", "seconds", "flags"):
        table.add_column(name, justify="right" if name in ("score", "seconds") else "left")
    for row in sorted(rows, key=lambda r: r.student):
        score = "" if row.score is None else f"{row.score:g} / {row.out_of:g}"
        review = str(row.to_review) if row.to_review else ""
        seconds = f"{row.seconds:.1f}" if row.seconds else ""
        cells = (row.student, score, row.status, review, seconds, "\n".join(row.flags))
        table.add_row(*(Text(printable(cell)) for cell in cells))  # never read as markup
    Console(width=None, soft_wrap=False).print(table)


def printable(text: str) -> str:
    """Return a text in which no character moves the cursor, colours or reverses what is shown."""
    return "".join(c if c.isprintable() or c == "\n" else f"\\x{ord(c):02x}" for c in text)


def with_progress(rows: Iterator[Row], total: int) -> Iterator[Row]:
    """Yield the rows while a bar on stderr shows how many there are, the rate and the time left."""
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    bar = (TextColumn("grading"), BarColumn(), MofNCompleteColumn())
    rate = (TextColumn("{task.fields[rate]}"), TimeRemainingColumn(), TextColumn("left"))
    started, graded = time.monotonic(), 0
    with Progress(*bar, *rate, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("", total=total, rate="")
        for row in rows:
            graded += row.status != "unchanged"
            minutes = (time.monotonic() - started) / 60
            progress.update(task, advance=1, rate=f"{graded / max(minutes, 1e-9):.0f} a minute")
            yield row
