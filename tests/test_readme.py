"""The README is true to the letter: every command in it exists and does what it says."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```sh\n(.*?)```", README, re.S)
COMMANDS = [
    line.split("#")[0].strip() for block in BLOCKS for line in block.splitlines() if line.strip()
]
# What this very test run is, and what waits for a person to close it.
ELSEWHERE = {"make test"}
SERVERS = re.compile(r"jupyter lab")


@pytest.fixture(scope="module")
def clone(site: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clean clone with this run's environment and executed chapters, and one class handed in."""
    root = tmp_path_factory.mktemp("clone") / "unrolled"
    subprocess.run(["git", "clone", "--quiet", ROOT, root], check=True)
    (root / ".venv").symlink_to(Path(sys.prefix))
    shutil.copytree(ROOT / ".cache", root / ".cache")
    folder = root / "classroom" / "submitted" / "ann" / "ch05_bptt"
    folder.mkdir(parents=True)
    shutil.copy(root / "exercises" / "ch05_bptt" / "ch05_bptt.ipynb", folder)
    return root


def run(command: str, folder: Path) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"PYTHONPATH": str(folder), "VENV": ".venv"}
    return subprocess.run(
        command,
        shell=True,
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=600,
    )


def test_every_command_of_the_readme_succeeds_in_a_clean_clone(clone: Path) -> None:
    tried = [c for c in COMMANDS if c not in ELSEWHERE and not SERVERS.search(c)]
    assert len(tried) >= 5
    for command in tried:
        done = run(command, clone)
        assert done.returncode == 0, f"{command}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}"


def test_the_servers_of_the_readme_exist(clone: Path) -> None:
    for command in filter(SERVERS.search, COMMANDS):
        program, *arguments = command.split()
        assert run(f"{program} {arguments[0]} --version", clone).returncode == 0
        assert (clone / arguments[-1]).is_file()


def test_make_help_lists_every_target_that_the_readme_names(clone: Path) -> None:
    listed = run("make help", clone).stdout
    named = set(re.findall(r"`make (\w+)`", README)) | {"test", "site", "grade"}
    for target in named - {"help"}:
        assert re.search(rf"^\s*{target}\b", listed, re.M), target


def test_every_file_that_the_readme_names_exists() -> None:
    links = re.findall(r"\]\(([^)#]+)\)", README)
    for link in links:
        assert link.startswith("http") or (ROOT / link).exists(), link
    for name in re.findall(r"`([a-z_]+/)`", README):
        assert (ROOT / name).is_dir(), name


def test_the_readme_lists_every_chapter_with_its_exercise() -> None:
    chapters = sorted(path.stem for path in (ROOT / "book").glob("ch[0-9]*.md"))
    table = README.split("<!-- chapters -->")[1].split("<!-- /chapters -->")[0]
    assert re.findall(r"\(book/(ch\w+)\.md\)", table) == chapters
    assert re.findall(r"exercises/\w+/(ch\w+)\.ipynb", table) == chapters


def test_make_ends_by_saying_where_to_look_as_the_readme_does(clone: Path) -> None:
    printed = run("make", clone).stdout
    for line in README.split("```text\n")[1].split("```")[0].splitlines():
        name, place = line.split()
        assert re.search(rf"^{name} +{place}", printed, re.M), line
        assert (clone / place).exists(), place
