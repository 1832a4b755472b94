"""What a forked process and all that it started use; who uses too much together is killed."""

from __future__ import annotations

import contextlib
import functools
import os
import signal
import socket
from typing import TextIO

from autograder import lock_in
from autograder.sandbox import Quota, Usage

COUNTED = ("RssAnon", "RssShmem", "VmPTE")  # own memory, shared memory, and tables of pages
TICKS = os.sysconf("SC_CLK_TCK") if hasattr(os, "sysconf") else 100


class Child:
    """A forked process and the session it lives for."""

    def __init__(self, process: lock_in.Child, session: socket.socket, quota: Quota) -> None:
        self.process, self.session, self.quota = process, session, quota
        self.reason = ""  # the limit that it was killed for
        self.memory = self.tasks = self.peak = 0  # as seen last, and at most

    def signal(self, number: int) -> None:
        """Send a signal to the process and its group."""
        with contextlib.suppress(OSError):
            os.killpg(self.process.pid, number)
            return
        with contextlib.suppress(OSError):
            os.kill(self.process.pid, number)

    def watch(self) -> None:
        """Kill the tree when all of it together uses more than it may."""
        if self.process.proc is None or self.reason:
            return
        self.memory, self.tasks = tree_usage(self.process.proc)
        self.peak = max(self.peak, self.memory)
        if self.memory > self.quota.memory:
            self.reason = "memory"
        elif sockets(self.process.proc) > self.quota.sockets:
            self.reason = "sockets"
        elif self.tasks > 2 * self.quota.processes:  # where the kernel does not count them
            self.reason = "processes"
        if self.reason:
            self.signal(signal.SIGKILL)

    def usage(self) -> Usage:
        """Return what the tree uses now, or used when it ended."""
        self.watch()
        seconds = self.process.seconds
        if self.process.proc is not None and not seconds:
            seconds = tree_seconds(self.process.proc)
        return Usage(self.memory, self.tasks, self.peak, seconds)


def tree_usage(proc: int) -> tuple[int, int]:
    """Return the bytes and the threads of the processes that a view of /proc shows.

    What every forked process inherits is taken off; what they share later counts for each.
    """
    memory = tasks = 0
    for name in os.listdir(proc):
        if name.isdigit():
            with contextlib.suppress(OSError, KeyError, ValueError):
                own, threads = usage(f"{name}/status", proc)
                memory += max(0, own - inherited())
                tasks += threads
    return memory, tasks


def tree_seconds(proc: int) -> float:
    """Return the seconds of computing of the processes that a view of /proc shows."""
    total = 0
    for name in os.listdir(proc):
        if name.isdigit():
            with contextlib.suppress(OSError, ValueError), _open(f"{name}/stat", proc) as file:
                total += sum(map(int, file.read().rpartition(")")[2].split()[11:15]))
    return total / TICKS


def usage(path: str, folder: int | None = None) -> tuple[int, int]:
    """Return the bytes of a process's own and shared memory, and its threads."""
    with _open(path, folder) as file:
        fields = dict(line.split(":", 1) for line in file if ":" in line)
    kib = [int(fields.get(name, "0 kB").split()[0]) for name in COUNTED]
    return sum(kib) * 1024, int(fields["Threads"])


def sockets(proc: int) -> int:
    """Return how many sockets there are in the network of a tree: what waits in one is memory."""
    try:
        with _open("1/net/sockstat", proc) as file:
            return int(file.readline().split()[2])
    except (OSError, ValueError, IndexError):
        return 0


def _open(path: str, folder: int | None) -> TextIO:
    return open(path, opener=lambda name, flags: os.open(name, flags, dir_fd=folder))


@functools.cache
def inherited() -> int:
    """Return the bytes of memory that every forked process inherits."""
    with contextlib.suppress(OSError):
        return usage("/proc/self/status")[0]
    return 0
