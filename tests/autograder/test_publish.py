"""`autograder publish` writes what students may see, and nothing that they may not."""

import json
import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest

from autograder.course import Course
from autograder.publish import FILES, FOLDERS, MANIFEST, NotOurFolder, SecretFound, publish

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The published course."""
    target = tmp_path_factory.mktemp("published") / "course"
    publish(Course(ROOT), target)
    return target


@pytest.fixture
def small(tmp_path: Path) -> Course:
    """A copy of the course with one exercise and one chapter, where files may be changed."""
    root = tmp_path / "small"
    for path in (
        "solutions/ch05_bptt.py",
        "exercises/ch05_bptt/ch05_bptt.ipynb",
        "book/ch05_bptt.md",
        "unrolled/device.py",
        *FILES,
        "README.md",
    ):
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / path, root / path)
    return Course(root)


def texts(tree: Path) -> dict[str, str]:
    """Every text of the published course; of a notebook, the sources of its cells."""
    found = {}
    for path in tree.rglob("*"):
        if path.is_file() and path.suffix not in {".png", ".svg", ".woff2"}:
            text = path.read_text(encoding="utf-8")
            if path.suffix == ".ipynb":
                text = "\n".join("".join(c["source"]) for c in json.loads(text)["cells"])
            found[path.relative_to(tree).as_posix()] = text
    return found


def hidden_lines() -> set[str]:
    """Every line of a hidden test or a mark scheme that no student sees in an exercise."""
    hidden, seen = set(), set()
    for source in (ROOT / "solutions").glob("*.py"):
        text = source.read_text(encoding="utf-8")
        parts = re.split(r"### (?:BEGIN|END) (?:HIDDEN TESTS|MARK SCHEME)", text)
        hidden |= {line.strip(" #") for part in parts[1::2] for line in part.splitlines()}
        seen |= {line.strip(" #") for part in parts[::2] for line in part.splitlines()}
    return {line for line in hidden - seen if len(line) > 20}


def test_only_the_book_the_exercises_and_the_library_are_published(tree: Path) -> None:
    top = {path.name for path in tree.iterdir()}
    assert top == {*FOLDERS, *FILES, "README.md", MANIFEST}
    assert not [p for p in tree.rglob("*") if p.suffix in {".db", ".pyc"} or "solutions" in p.parts]


def test_no_exercise_contains_a_hidden_line(tree: Path) -> None:
    lines = hidden_lines()
    assert len(lines) > 500
    for path, text in texts(tree).items():
        if path.startswith("exercises/"):
            assert not lines & {line.strip(" #") for line in text.splitlines()}, path


def test_nothing_published_says_where_an_answer_was(tree: Path) -> None:
    for path, text in texts(tree).items():
        if path == "book/authoring.md":
            continue  # it teaches how a source is written, on an example of its own
        assert not re.search(r"### (BEGIN|END) (SOLUTION|HIDDEN|MARK)", text), path


def test_what_only_instructors_need_is_left_out_of_shared_files(tree: Path) -> None:
    project = tomllib.loads((tree / "pyproject.toml").read_text(encoding="utf-8"))
    assert "autograder" not in json.dumps(project["project"])
    assert "nbgrader==" not in (tree / "requirements.txt").read_text(encoding="utf-8")
    for name in FILES:
        assert "[instructors" not in (tree / name).read_text(encoding="utf-8"), name
    made = subprocess.run(["make", "-n", "help"], cwd=tree, capture_output=True, text=True)
    assert made.returncode == 0, made.stderr
    assert "grade" not in (tree / "Makefile").read_text(encoding="utf-8").split("help:")[1]


def test_every_link_of_the_published_readme_leads_somewhere(tree: Path) -> None:
    readme = (tree / "README.md").read_text(encoding="utf-8")
    links = re.findall(r"\]\(([^)#]+)\)", readme)
    assert len(links) > 16
    assert all(link.startswith("http") or (tree / link).exists() for link in links)


@pytest.mark.parametrize("what", ["hidden test", "mark scheme", "answer"])
def test_a_leak_stops_the_publication(small: Course, tmp_path: Path, what: str) -> None:
    source = small.solution_file("ch05_bptt").read_text(encoding="utf-8")
    words = {"hidden test": "HIDDEN TESTS", "answer": "SOLUTION"}.get(what, what.upper())
    region = re.findall(rf"### BEGIN {words}\n(.*?)(?:# )?### END {words}", source, re.S)[-1]
    page = small.root / "book" / "ch05_bptt.md"
    page.write_text(page.read_text(encoding="utf-8") + region.replace("# ", ""), encoding="utf-8")
    with pytest.raises(SecretFound, match=r"ch05_bptt\.md: contains what is hidden in ch05_bptt"):
        publish(small, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_folder_with_other_files_is_left_alone(small: Course, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("years of work", encoding="utf-8")
    with pytest.raises(NotOurFolder):
        publish(small, tmp_path / "mine")
    with pytest.raises(NotOurFolder):
        publish(small, small.root / "public")
    assert [p.name for p in (tmp_path / "mine").iterdir()] == ["thesis.txt"]


def test_publishing_again_removes_what_is_gone_and_keeps_the_rest(
    small: Course, tmp_path: Path
) -> None:
    target = tmp_path / "public"
    (target / ".git").mkdir(parents=True)
    (target / ".git" / "HEAD").write_text("ref", encoding="utf-8")
    publish(small, target)
    (small.root / "unrolled" / "device.py").unlink()
    (small.root / "unrolled" / "other.py").write_text("x = 1\n", encoding="utf-8")
    publish(small, target)
    assert not (target / "unrolled" / "device.py").exists()
    assert (target / "unrolled" / "other.py").is_file()
    assert (target / ".git" / "HEAD").is_file()
