"""Run Python as an ordinary user: `python ordinary_user.py FILE ARGUMENTS`, called as root.

Where that user may not even read Python (it lies in root's home), a mount namespace shows it to
them; nothing outside this process changes.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from autograder import syscalls

USER = 65534


def show(prefix: str) -> None:
    """Make a folder readable for everybody, in this process's view of the file system only."""
    closed = [p for p in Path(prefix).resolve().parents if not p.stat().st_mode & 0o001]
    if not closed:
        return
    target, held = str(Path(prefix).resolve()), "/mnt"
    syscalls.mount(target, held, flags=syscalls.MS_BIND | syscalls.MS_REC)
    syscalls.mount("tmpfs", str(closed[-1]), "tmpfs", 0, "mode=0755,size=1m")
    os.makedirs(target)
    syscalls.mount(held, target, flags=syscalls.MS_BIND | syscalls.MS_REC)


def run(arguments: list[str]) -> int:
    """Become the ordinary user and run Python in a fork; return its exit status."""
    pid = os.fork()
    if not pid:
        os.setgroups([])
        os.setresgid(USER, USER, USER)
        os.setresuid(USER, USER, USER)
        os.environ["HOME"] = "/nonexistent"
        os.execv(sys.executable, [sys.executable, *arguments])
    _, status = os.waitpid(pid, 0)
    return os.waitstatus_to_exitcode(status)


if __name__ == "__main__":
    syscalls.unshare(syscalls.CLONE_NEWNS)
    syscalls.mount("none", "/", flags=syscalls.MS_REC | syscalls.MS_PRIVATE)
    show(sys.base_prefix)
    sys.exit(run(sys.argv[1:]))
