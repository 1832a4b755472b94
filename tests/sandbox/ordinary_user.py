"""Run Python as an ordinary user: `python ordinary_user.py HOME ARGUMENTS`, called as root.

HOME becomes that user's. Where they may not even read Python or this repository (they lie in root's
home), a mount namespace shows these to them; nothing outside this process changes.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from autograder import syscalls

USER = 54321  # nobody's number, with no line in /etc/passwd
HELD = "/mnt"  # where what is shown is kept while its place is made


def show(paths: list[Path]) -> None:
    """Make folders readable for everybody, in this process's view of the file system only."""
    hidden = {path: closed for path in paths if (closed := closed_parent(path))}
    if not hidden:
        return
    syscalls.mount("tmpfs", HELD, "tmpfs", 0, "mode=0755,size=1m")
    for number, path in enumerate(hidden):
        bind(path, Path(HELD, str(number)))
    for closed in set(hidden.values()):
        syscalls.mount("tmpfs", str(closed), "tmpfs", 0, "mode=0755,size=1m")
    for number, path in enumerate(hidden):
        bind(Path(HELD, str(number)), path)


def closed_parent(path: Path) -> Path | None:
    """Return the uppermost folder around ``path`` that others may not enter, or None."""
    return next((p for p in reversed(path.parents) if not p.stat().st_mode & 0o001), None)


def bind(source: Path, target: Path) -> None:
    """Show a folder in another place, too."""
    target.mkdir(parents=True)
    syscalls.mount(str(source), str(target), flags=syscalls.MS_BIND | syscalls.MS_REC)


def run(home: str, arguments: list[str]) -> int:
    """Become the ordinary user and run Python in a fork; return its exit status."""
    os.chown(home, USER, USER)
    pid = os.fork()
    if not pid:
        os.setgroups([])
        os.setresgid(USER, USER, USER)
        os.setresuid(USER, USER, USER)
        os.environ.update(HOME=home, USER="ordinary", LOGNAME="ordinary")
        for name in [name for name in os.environ if name.startswith(("XDG_", "MPLCONFIG"))]:
            del os.environ[name]
        os.execv(sys.executable, [sys.executable, *arguments])
    _, status = os.waitpid(pid, 0)
    return os.waitstatus_to_exitcode(status)


if __name__ == "__main__":
    syscalls.unshare(syscalls.CLONE_NEWNS)
    syscalls.mount("none", "/", flags=syscalls.MS_REC | syscalls.MS_PRIVATE)
    repository = Path(__file__).resolve().parents[2]
    wanted = [Path(sys.base_prefix).resolve(), Path(sys.prefix).resolve(), repository]
    here = os.getcwd()
    show(list(dict.fromkeys([*wanted, Path(sys.argv[1]).resolve()])))
    os.chdir(here)  # by its name, which now leads to what is shown
    sys.exit(run(sys.argv[1], sys.argv[2:]))
