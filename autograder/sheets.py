"""Spreadsheets of learning platforms, read and written again with only the marks changed.

A sheet keeps its delimiter, encoding, line ends, columns, language and decimal mark. Rows are
matched to students by whichever column identifies them; what cannot be matched is listed.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from autograder.errors import AutograderError
from autograder.marks import Mark

# The header of a Moodle grading worksheet in some of its languages: what each column is called.
MOODLE = {
    "grade": (
        "Grade",
        "Bewertung",
        "Note",
        "Calificación",
        "Valutazione",
        "Nota",
        "Cijfer",
        "Ocena",
    ),
    "maximum": (
        "Maximum Grade",
        "Bestwertung",
        "Note maximale",
        "Calificación máxima",
        "Valutazione massima",
        "Nota máxima",
        "Maximumcijfer",
    ),
    "locked": (
        "Grade can be changed",
        "Bewertung kann geändert werden",
        "La note peut être modifiée",
        "La calificación puede ser cambiada",
        "La valutazione può essere modificata",
        "A nota pode ser alterada",
        "Cijfer kan gewijzigd worden",
    ),
    "email": (
        "Email address",
        "E-Mail-Adresse",
        "Adresse de courriel",
        "Dirección de correo",
        "Indirizzo email",
        "Endereço de e-mail",
        "E-mailadres",
    ),
    "id": (
        "ID number",
        "ID-Nummer",
        "Numéro d'identification",
        "Número de ID",
        "Codice identificativo",
    ),
    "user": ("Username", "Anmeldename", "Nom d'utilisateur", "Nombre de usuario"),
    "name": ("Full name", "Vollständiger Name", "Nom complet", "Nombre completo", "Nome completo"),
}
NO = frozenset({"no", "nein", "non", "não", "nee", "0"})
NUMBER = re.compile(r"-?\d+([.,]\d+)?")


class SheetProblem(AutograderError):  # noqa: N818 (its name says what is wrong)
    """A sheet is not what the platform exports, or does not fit the assignment."""

    def __init__(self, what: str, next_step: str) -> None:
        super().__init__(what, next_step)

    @property
    def next_step(self) -> str:
        """One line: what the person can do about it."""
        return str(self.args[1])


@dataclass
class Filled:
    """What became of a sheet: how many marks were entered, and who could not be matched."""

    entered: int = 0
    no_row: list[str] = field(default_factory=list)  # students with a mark and no row
    no_student: list[str] = field(default_factory=list)  # rows that are nobody's
    locked: list[str] = field(default_factory=list)  # rows whose mark may not be changed


class Sheet:
    """A delimited text file that is written back as it was, but for the cells that are set."""

    def __init__(self, path: Path) -> None:
        data = path.read_bytes()
        self.bom = data.startswith(b"\xef\xbb\xbf")
        self.encoding = "utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8"
        try:
            text = data.decode("utf-8-sig" if self.encoding == "utf-8" else self.encoding)
        except UnicodeDecodeError:
            text, self.encoding = data.decode("cp1252", "replace"), "cp1252"
        first = text.splitlines()[0] if text.strip() else ""
        self.delimiter = max(",;\t", key=first.count)
        self.line_end = "\r\n" if "\r\n" in text else "\n"
        self.quoted = first.startswith('"')
        self.rows = list(csv.reader(io.StringIO(text, newline=""), delimiter=self.delimiter))
        if not self.rows or len(self.rows[0]) < 2:
            raise SheetProblem(f"{path}: has no columns", "export the sheet again, as CSV")
        self.header = [name.strip() for name in self.rows[0]]

    @property
    def comma(self) -> bool:
        """Return whether numbers in this sheet have a decimal comma."""
        cells = [cell.strip() for row in self.rows[1:] for cell in row]
        with_comma = sum(bool(re.fullmatch(r"-?\d+,\d+", cell)) for cell in cells)
        with_point = sum(bool(re.fullmatch(r"-?\d+\.\d+", cell)) for cell in cells)
        return with_comma > with_point or (self.delimiter == ";" and not with_point)

    def number(self, value: float) -> str:
        """Return a mark as this sheet writes numbers, rounded to two places."""
        text = f"{value:.2f}"
        return text.replace(".", ",") if self.comma else text

    def column(self, names: Iterable[str]) -> int | None:
        """Return the index of the first column that has one of ``names``, or None."""
        wanted = [name.casefold() for name in names]
        found = [i for i, name in enumerate(self.header) if name.casefold() in wanted]
        return found[0] if found else None

    def cell(self, row: list[str], column: int | None) -> str:
        """Return a cell's text, "" where the row or the column does not have it."""
        return row[column].strip() if column is not None and column < len(row) else ""

    def text(self) -> bytes:
        """Return the sheet as the bytes to be written."""
        out = io.StringIO()
        writer = csv.writer(
            out,
            delimiter=self.delimiter,
            lineterminator=self.line_end,
            quoting=csv.QUOTE_ALL if self.quoted else csv.QUOTE_MINIMAL,
        )
        writer.writerows(self.rows)
        data = out.getvalue().encode(self.encoding, "replace")
        return b"\xef\xbb\xbf" + data if self.bom else data


def parse_number(text: str) -> float | None:
    """Return the number that a cell holds, with a decimal point or comma, or None."""
    return float(text.replace(",", ".")) if NUMBER.fullmatch(text) else None


def fill_canvas(sheet: Sheet, marks: list[Mark], stem: str, column: str | None) -> Filled:
    """Enter marks into a Canvas gradebook export.

    Rows are matched by SIS login, SIS id, Canvas id or email; the row of points possible and the
    test student stay as they are.

    Raises:
        SheetProblem: not a Canvas sheet, no column for the assignment, or another maximum.
    """
    ids = [sheet.column([name]) for name in ("SIS Login ID", "SIS User ID", "ID")]
    student = sheet.column(["Student"])
    if student is None or ids[2] is None:
        raise SheetProblem(
            "the sheet has no columns Student and ID, so it is not a Canvas gradebook",
            "in Canvas, choose Grades, Export, Export Entire Gradebook",
        )
    where = _canvas_column(sheet, column or stem)
    for row in sheet.rows[1:]:
        if not any(sheet.cell(row, i) for i in ids):  # points possible, posting policy
            possible = parse_number(sheet.cell(row, where))
            _require_maximum(possible, marks, sheet.header[where])

    def keys(row: list[str]) -> list[str]:
        return [sheet.cell(row, i) for i in ids if sheet.cell(row, i)]

    def skip(row: list[str]) -> bool:
        return not keys(row) or sheet.cell(row, student) in ("Student, Test", "Test Student")

    return _fill(sheet, marks, where, keys, skip, lambda row: sheet.cell(row, student))


def _canvas_column(sheet: Sheet, name: str) -> int:
    """Return the column of an assignment, whose header ends in Canvas' own number."""
    assignments = {
        match.group(1): i
        for i, header in enumerate(sheet.header)
        if (match := re.fullmatch(r"(.+?)\s*\(\d+\)", header))
    }
    if name in assignments:
        return assignments[name]
    if name in sheet.header:
        return sheet.header.index(name)
    known = ", ".join(assignments) or "none"
    raise SheetProblem(
        f"the sheet has no assignment {name!r} (it has: {known})",
        "name its column with --column, or make the assignment in Canvas and export again",
    )


def fill_moodle(sheet: Sheet, marks: list[Mark]) -> Filled:
    """Enter marks into a Moodle grading worksheet, in whichever of the known languages it is.

    Raises:
        SheetProblem: not such a worksheet, or another maximum.
    """
    at = {key: sheet.column(names) for key, names in MOODLE.items()}
    where = at["grade"]
    identifying = [at["user"], at["id"], at["email"]]
    if where is None or all(i is None for i in identifying):
        raise SheetProblem(
            "the sheet has no columns for the grade and for an email address or ID number, "
            "so it is not a Moodle grading worksheet",
            "in the assignment's settings switch on 'Offline grading worksheet', then choose "
            "'Download grading worksheet' under View all submissions",
        )
    for row in sheet.rows[1:]:
        _require_maximum(parse_number(sheet.cell(row, at["maximum"])), marks, "the worksheet")

    def keys(row: list[str]) -> list[str]:
        return [sheet.cell(row, i) for i in identifying if sheet.cell(row, i)]

    def locked(row: list[str]) -> bool:
        return sheet.cell(row, at["locked"]).casefold() in NO

    def shown(row: list[str]) -> str:
        return sheet.cell(row, at["name"]) or (keys(row) or ["?"])[0]

    return _fill(sheet, marks, where, keys, lambda row: not any(row), shown, locked)


def _require_maximum(possible: float | None, marks: list[Mark], where: str) -> None:
    out_of = marks[0].out_of if marks else None
    if possible is not None and out_of is not None and abs(possible - out_of) > 1e-9:
        raise SheetProblem(
            f"{where} has {possible:g} points, the assignment {out_of:g}",
            f"set the maximum there to {out_of:g}, and export the sheet again",
        )


def _fill(
    sheet: Sheet,
    marks: list[Mark],
    where: int,
    keys: Callable[[list[str]], list[str]],
    skip: Callable[[list[str]], bool],
    shown: Callable[[list[str]], str],
    locked: Callable[[list[str]], bool] = lambda row: False,
) -> Filled:
    """Set the mark of every row that belongs to exactly one student."""
    by_key: dict[str, set[int]] = {}
    for number, mark in enumerate(marks):
        for key in {mark.student, mark.email, mark.lms_id} - {""}:
            by_key.setdefault(key.casefold(), set()).add(number)
    filled, used = Filled(), set[int]()
    for row in sheet.rows[1:]:
        if skip(row):
            continue
        found: set[int] = next((f for k in keys(row) if (f := by_key.get(k.casefold()))), set())
        if len(found) != 1 or found <= used:
            filled.no_student.append(shown(row))
            continue
        used |= found
        mark = marks[min(found)]
        if locked(row):
            filled.locked.append(mark.student)
        elif mark.score is not None:
            row += [""] * (where + 1 - len(row))
            row[where] = sheet.number(mark.score)
            filled.entered += 1
    filled.no_row = [
        m.student for n, m in enumerate(marks) if n not in used and m.score is not None
    ]
    return filled
