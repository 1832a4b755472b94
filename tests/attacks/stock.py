"""Run the corpus through stock nbgrader and record what it makes of it.

    python -m tests.attacks.stock            runs what stock.json lacks and adds it
    python -m tests.attacks.stock --table    prints the table of stock beside ours as Markdown

Stock nbgrader runs hostile code with all rights of whoever starts it. So this runs in process
and mount namespaces of its own, with limits, and leaves out what is marked harmful.
"""

from __future__ import annotations

import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from autograder import syscalls
from tests.attacks.corpus import HERE, Case, all_cases, assignment

RECORD = HERE / "stock.json"
POINTS = {"double-test": 40, "apply-test": 30, "softmax-test": 25}
SECONDS = 40  # for one submission; each cell may take 5
CONFIG = """
c = get_config()
c.CourseDirectory.root = {root!r}
c.CourseDirectory.course_id = "stock"
c.ExecutePreprocessor.timeout = 5
c.Execute.timeout = 5
c.ClearSolutions.code_stub = {{"python": "raise NotImplementedError"}}
"""


def make_course(root: Path) -> None:
    """Make a stock course whose assignment is the miniature one."""
    cells = []
    for item in assignment().items:
        cell = {"cell_type": item.cell_type, "id": item.grade_id, "source": item.source}
        cell["metadata"] = {"nbgrader": dict(item.metadata)}
        cells.append(cell | ({"outputs": [], "execution_count": None} if _code(item) else {}))
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    content = {"cells": cells, "metadata": {"kernelspec": kernel}, "nbformat": 4}
    source = root / "source" / "mini" / "mini.ipynb"
    source.parent.mkdir(parents=True)
    source.write_text(json.dumps(content | {"nbformat_minor": 5}))
    (root / "nbgrader_config.py").write_text(CONFIG.format(root=str(root)))
    nbgrader(root, "generate_assignment", "mini")


def _code(item: Any) -> bool:
    return item.cell_type == "code"


def nbgrader(root: Path, *arguments: str) -> tuple[int, str]:
    """Run stock nbgrader in a course; return its exit status and what it said."""
    environment = os.environ | {"AUTOGRADER_SECRET": "SECRET", "PATH": _path()}
    try:
        done = subprocess.run(
            [sys.executable, "-m", "nbgrader", *arguments],
            cwd=root,
            env=environment,
            capture_output=True,
            text=True,
            timeout=SECONDS,
            stdin=subprocess.DEVNULL,
        )
    except subprocess.TimeoutExpired:
        return 124, f"not finished after {SECONDS} s"
    return done.returncode, done.stdout + done.stderr


def _path() -> str:
    return os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])


def outcome(root: Path, case: Case) -> dict[str, Any]:
    """Return what stock makes of one case: points, theft, or how it broke."""
    folder = root / "submitted" / "student" / "mini"
    shutil.rmtree(root / "submitted", ignore_errors=True)
    shutil.rmtree(root / "autograded", ignore_errors=True)
    folder.mkdir(parents=True)
    (folder / "mini.ipynb").write_bytes(case.data)
    shutil.copy(root / "gradebook.db.clean", root / "gradebook.db")
    started = time.monotonic()
    status, said = nbgrader(root, "autograde", "mini", "--create")
    found: dict[str, Any] = {"seconds": round(time.monotonic() - started, 1)}
    graded = root / "autograded" / "student" / "mini" / "mini.ipynb"
    if status or not graded.exists():
        lines = [line for line in said.splitlines() if "Error" in line or "ERROR" in line]
        found["broke"] = (lines or [said.strip()[-200:]])[0].replace(f"{root}/", "")[-160:]
    found["points"] = points(root)
    text = graded.read_text() if graded.exists() else ""
    found["leak"] = printed_leak(text)
    found["script"] = stored_script(text)
    found["bytes"] = len(text)
    return found


def points(root: Path) -> dict[str, float] | None:
    """Return the automatic points by test, or None when the submission was not recorded."""
    import sqlite3

    query = "select b.name, g.auto_score from grade g join base_cell b on b.id = g.cell_id"
    with sqlite3.connect(root / "gradebook.db") as base:
        try:
            rows = base.execute(query).fetchall()
        except sqlite3.Error as error:
            return {"gradebook unreadable": str(error)}  # type: ignore[dict-item]
    return {name: score for name, score in rows if name in POINTS} or None


def printed_leak(text: str) -> bool:
    """Return whether an attack printed that it got hold of something."""
    try:
        cells = json.loads(text)["cells"]
    except (ValueError, KeyError):
        return False
    streams = (o for c in cells for o in c.get("outputs", []) if o["output_type"] == "stream")
    return "LEAK" in "".join("".join(output["text"]) for output in streams)


def stored_script(text: str) -> bool:
    """Return whether an output that a marker's browser would run is kept."""
    try:
        cells = json.loads(text)["cells"]
    except (ValueError, KeyError):
        return False
    data = [o.get("data", {}) for c in cells for o in c.get("outputs", [])]
    runs = ("text/html", "image/svg+xml", "application/javascript", "text/markdown")
    return any("alert" in "".join(d.get(kind, "")) for d in data for kind in runs)


def confine() -> None:
    """Keep what escapes from stock nbgrader from the rest of this machine."""
    if os.geteuid() == 0 and syscalls.LINUX:
        syscalls.unshare(syscalls.CLONE_NEWPID | syscalls.CLONE_NEWNS)
        if pid := os.fork():
            _, status = os.waitpid(pid, 0)
            sys.exit(os.waitstatus_to_exitcode(status))
        syscalls.mount("none", "/", flags=syscalls.MS_REC | syscalls.MS_PRIVATE)
        syscalls.mount("proc", "/proc", "proc")
    resource.setrlimit(resource.RLIMIT_FSIZE, (2**30, 2**30))
    resource.setrlimit(resource.RLIMIT_DATA, (4 * 2**30, 4 * 2**30))


def record() -> None:
    """Run every case that does no harm and is not recorded yet, and write what came out."""
    found = json.loads(RECORD.read_text(encoding="utf-8")) if RECORD.exists() else {}
    cases = [case for case in all_cases() if not case.marks & {"harmful", "ours"}]
    found = {case.id: found[case.id] for case in cases if case.id in found}
    confine()
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        make_course(root)
        shutil.copy(root / "gradebook.db", root / "gradebook.db.clean")
        for case in cases:
            if case.id in found:
                continue
            found[case.id] = outcome(root, case)
            print(case.id, found[case.id], file=sys.stderr, flush=True)
            text = json.dumps(dict(sorted(found.items())), indent=1, ensure_ascii=False)
            RECORD.write_text(text + "\n", encoding="utf-8")


def table() -> str:
    """Return stock's outcomes beside ours, as a Markdown table."""
    stock = json.loads(RECORD.read_text(encoding="utf-8"))
    rows = ["| case | stock nbgrader 0.9.6 | this grader |", "|---|---|---|"]
    for case in all_cases():
        rows.append(f"| {case.id} | {in_words(stock.get(case.id), case)} | {ours(case)} |")
    return "\n".join(rows)


def in_words(found: dict[str, Any] | None, case: Case) -> str:
    """Return stock's outcome in a few words."""
    if found is None:
        return "does not apply" if "ours" in case.marks else "not run: harms the machine"
    honest = case.expected["double-test"] == frozenset({"passed"})
    parts = []
    if found.get("broke"):
        parts.append("**no mark recorded**")
    scored = found["points"] or {}
    fair = {test: points for test, points in POINTS.items() if "passed" in case.expected[test]}
    gained = (scored.get("double-test") or 0) * ("double-test" not in fair)
    lost = sum(points - (scored.get(t) or 0) for t, points in fair.items()) if scored else 0
    if gained:
        parts.append(f"**{gained:g} points gained**")
    if lost:
        parts.append(f"**{lost:g} points lost**" if honest else f"{lost:g} other points lost")
    if found["leak"]:
        parts.append("**theft succeeded**")
    if found.get("script"):
        parts.append("**a script is shown to the marker**")
    if found["bytes"] > 3 * 2**20:
        parts.append(f"{found['bytes'] / 2**20:.0f} MB stored")
    return ", ".join(parts) or "fair"


def ours(case: Case) -> str:
    """Return what the tests demand of this grader."""
    said = {"failed": "0 points", "passed": "full points"}
    words = [said.get(s, s) for s in sorted(case.expected["double-test"])]
    others = all(case.expected[t] == frozenset({"passed"}) for t in ("apply-test", "softmax-test"))
    return " or ".join(words) + ("; other items keep their points" if others else "")


if __name__ == "__main__":
    if "--table" in sys.argv:
        print(table())
    else:
        record()
