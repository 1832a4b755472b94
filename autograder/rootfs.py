"""What a student's process sees of the file system: an installation to read, one folder to write.

Everything else is not forbidden but absent: the course, other submissions, homes and secrets
have no name in there.
"""

from __future__ import annotations

import contextlib
import glob
import os
import sys
from functools import cache
from pathlib import Path

from autograder import landlock
from autograder.syscalls import (
    ATTR_NODEV,
    ATTR_NOEXEC,
    ATTR_NOSUID,
    ATTR_RDONLY,
    MS_BIND,
    MS_NODEV,
    MS_NOEXEC,
    MS_NOSUID,
    MS_PRIVATE,
    MS_REC,
    change_root,
    mount,
    set_mount_attributes,
)

PRIVATE = "/home/student"  # the one folder that may be written, in memory and of limited size
SYSTEM = (
    "/lib",
    "/lib32",
    "/lib64",
    "/usr/lib",
    "/usr/lib32",
    "/usr/lib64",
    "/usr/local/lib",
    "/usr/share/fonts",
    "/usr/share/fontconfig",
    "/usr/share/zoneinfo",
    "/etc/fonts",
    "/etc/ld.so.cache",
    "/etc/localtime",
)
DEVICES = ("/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom")
GPU_DEVICES = ("/dev/nvidia*", "/dev/nvidia-caps/*", "/dev/dxg")
GPU_FILES = ("/sys", "/usr/local/cuda*", "/usr/local/nvidia")
COURSE_MARK = "nbgrader_config.py"
FILES = {
    "/etc/passwd": f"student:x:{{uid}}:{{gid}}:student:{PRIVATE}:/bin/false\n",
    "/etc/group": "student:x:{gid}:\n",
    "/etc/hosts": "127.0.0.1 localhost\n",
}


@cache
def devices() -> list[str]:
    """Return the devices that may be used: the harmless ones, and the GPUs if there are any."""
    return [path for path in DEVICES if os.path.exists(path)] + gpus()


@cache
def gpus() -> list[str]:
    """Return the devices of the GPUs."""
    hidden = os.environ.get("CUDA_VISIBLE_DEVICES") in ("", "-1")
    found = [] if hidden else [path for pattern in GPU_DEVICES for path in glob.glob(pattern)]
    return sorted(path for path in found if not os.path.isdir(path))


@cache
def readable() -> list[str]:
    """Return the files and folders that may be read: Python, its packages, system libraries."""
    prefixes = {sys.prefix, sys.base_prefix, sys.exec_prefix, sys.base_exec_prefix}
    python = [f"{prefix}/{name}" for prefix in prefixes for name in ("lib", "lib64")]
    packages = [path for path in sys.path if _is_packages(path)]
    own = [str(Path(__file__).parent)]
    if unrolled := sys.modules.get("unrolled"):
        own += list(unrolled.__path__)
    else:
        own.append(str(Path(__file__).parents[1] / "unrolled"))
    libraries = os.environ.get("LD_LIBRARY_PATH", "").split(os.pathsep)
    gpu = [path for pattern in GPU_FILES for path in glob.glob(pattern)] if gpus() else []
    wanted = [*python, *packages, *own, *libraries, *SYSTEM, *gpu]
    wanted += [os.path.realpath(path) for path in wanted if path]
    return sorted({path for path in wanted if os.path.isabs(path) and os.path.exists(path)})


def _is_packages(path: str) -> bool:
    """Return whether a folder that modules come from holds installed packages, not a course."""
    if not os.path.isdir(path) or os.path.exists(os.path.join(path, COURSE_MARK)):
        return False
    return any(name in Path(path).parts for name in ("site-packages", "dist-packages"))


def build(disk: int, owner: int | None) -> None:
    """Make the new root and enter it. Needs a mount namespace of our own; raises OSError.

    Args:
        disk: bytes that may be written.
        owner: the user whom the private folder belongs to; None for the present one.
    """
    mount("none", "/", flags=MS_REC | MS_PRIVATE)
    base = "/proc"  # a folder that is always there and from which nothing is taken over
    mount("tmpfs", base, "tmpfs", MS_NOSUID | MS_NODEV, "size=1m,mode=0755")
    private = base + PRIVATE
    os.makedirs(private)
    whose = "" if owner is None else f",uid={owner},gid={owner}"
    options = f"size={disk},nr_inodes=20000,mode=0700{whose}"
    mount("tmpfs", private, "tmpfs", MS_NOSUID | MS_NODEV, options)
    for name in ("/dev/shm", "/tmp", "/var/tmp"):
        _link(base + name, os.path.relpath(PRIVATE, os.path.dirname(name)))
    _bind_all(base)
    for name, text in FILES.items():
        path = Path(base + name)
        path.parent.mkdir(parents=True, exist_ok=True)
        user = os.getuid() if owner is None else owner
        path.write_text(text.format(uid=user, gid=user))
    os.mkdir(f"{base}/proc")
    with contextlib.suppress(OSError):  # a container that hides parts of /proc allows none at all
        mount("proc", f"{base}/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC)
    set_mount_attributes(base, ATTR_RDONLY, recursive=False)
    change_root(base)


def _bind_all(base: str) -> None:
    """Bind what may be read and the devices to the same paths below ``base``."""
    done: list[str] = []
    for path in readable():
        if any(path.startswith(f"{folder}/") for folder in done):
            continue
        done.append(path)
        if os.path.islink(path):
            _link(base + path, os.readlink(path))
        else:
            _bind(path, base + path, ATTR_RDONLY | ATTR_NOSUID | ATTR_NODEV)
    for path in devices():
        _bind(path, base + path, ATTR_NOSUID | ATTR_NOEXEC)


def _bind(source: str, target: str, attributes: int) -> None:
    if os.path.isdir(source):
        os.makedirs(target, exist_ok=True)
    else:
        os.makedirs(os.path.dirname(target), exist_ok=True)
        os.close(os.open(target, os.O_CREAT | os.O_WRONLY, 0o444))
    mount(source, target, flags=MS_BIND | MS_REC)
    set_mount_attributes(target, attributes)


def _link(path: str, target: str) -> None:
    if not os.path.lexists(path):
        os.makedirs(os.path.dirname(path), exist_ok=True)
        os.symlink(target, path)


def rules(private: str) -> list[tuple[str, int]]:
    """Return the same view as rules for Landlock, which holds where mounts do not."""
    allowed = [(path, landlock.READ) for path in (*readable(), *FILES, "/proc")]
    return [
        *allowed,
        *((path, landlock.DEVICE) for path in devices()),
        (private, landlock.READ | landlock.WRITE),
    ]
