"""Limits that the kernel keeps for one process and those it starts."""

from __future__ import annotations

import contextlib
import glob
import os
import resource

from autograder.sandbox import Quota


def set_limits(quota: Quota) -> None:
    """Limit memory, files and computing time of this process and its children."""
    limits = {
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_NOFILE: quota.files,
        resource.RLIMIT_FSIZE: quota.disk,
        resource.RLIMIT_CPU: quota.seconds,
        resource.RLIMIT_DATA: _data_now() + quota.memory,
    }
    for kind, most in limits.items():
        set_limit(kind, most)


def set_limit(kind: int, most: int) -> None:
    """Set one limit, as far down as it is not lower already."""
    _, hard = resource.getrlimit(kind)
    most = most if hard == resource.RLIM_INFINITY else min(most, hard)
    resource.setrlimit(kind, (most, most))


def limit_processes(most: int, alone: bool) -> None:
    """Limit processes and threads, once nobody else's are counted with them.

    They are counted for each user in each user namespace. What the limit is when a namespace is
    made binds all who come out of the outer one together, so it comes after that.
    """
    set_limit(resource.RLIMIT_NPROC, most if alone else most + _tasks_of_user())


def _tasks_of_user() -> int:
    """Return the threads of all processes of this user, as far as they can be seen."""
    count = 0
    for task in glob.iglob("/proc/[0-9]*/task/*"):
        with contextlib.suppress(OSError):
            count += os.stat(task).st_uid == os.geteuid()
    return count


def _data_now() -> int:
    """Return the bytes of private writable memory that this process has already."""
    with contextlib.suppress(OSError), open("/proc/self/statm") as file:
        return int(file.read().split()[5]) * resource.getpagesize()
    return 0
