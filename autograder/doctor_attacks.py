"""What a submission might try against the sandbox, one function a layer; `doctor` runs them.

Each yields how an attack was refused, and raises Breach when one succeeded.
"""

from __future__ import annotations

import ctypes
import errno
import functools
import os
import signal
import socket
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from autograder import sandbox, syscalls

QUOTA = sandbox.Quota(memory=64 * sandbox.MIB, processes=24, disk=4 * sandbox.MIB, files=64)
SECONDS = 60  # for all attacks together; they take half a second
_PR_GET_NO_NEW_PRIVS = 39
IPC = "/proc/self/ns/ipc"  # names the namespace for communication between processes


@dataclass(frozen=True)
class Bait:
    """What the attacks are after; all of it lies outside the sandbox."""

    gradebook: str
    port: int
    abstract: str
    queue: str
    ipc: str


class Breach(Exception):  # noqa: N818 (it is what an attack achieved)
    """An attack succeeded."""


def refused(action: Callable[[], Any], what: str) -> str:
    """Return how an attack was refused. Raises Breach when it was not."""
    try:
        action()
    except (OSError, MemoryError) as error:
        reason = getattr(error, "strerror", None) or type(error).__name__
        return f"{what}: {reason.lower()}"
    raise Breach(f"{what}: succeeded")


def attack_user(bait: Bait) -> Iterator[str]:
    """Try to be or to become somebody with rights."""
    yield refused(lambda: os.setuid(0), "become root")
    yield refused(lambda: os.chroot("/"), "use a capability")


def attack_pid(bait: Bait) -> Iterator[str]:
    """Try to signal any process that is not its own."""
    reached = [pid for pid in range(1, 32768) if pid != os.getpid() and _can_signal(pid)]
    if reached:
        raise Breach(f"signal other processes: {len(reached)} could be reached")
    yield "signal other processes: none could be reached"


def _can_signal(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except OSError:
        return False
    return True


def attack_mount(bait: Bait) -> Iterator[str]:
    """Try to see the course and to fill the disk."""
    yield refused(lambda: os.stat(bait.gradebook), "find the gradebook")
    yield refused(_fill_disk, "fill the disk")


def _fill_disk() -> None:
    for number in range(4):
        with open(f"fill-{number}", "wb", buffering=0) as file:
            if file.write(bytes(QUOTA.disk // 2)) < QUOTA.disk // 2:
                raise OSError(28, "No space left on device")


def attack_network(bait: Bait) -> Iterator[str]:
    """Try to reach this machine and another."""

    def send(address: str) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.sendto(b"x", (address, bait.port))

    for address in ("127.0.0.1", "192.0.2.1"):
        yield refused(functools.partial(send, address), f"send to {address}")
    target = ("127.0.0.1", bait.port)
    yield refused(lambda: socket.create_connection(target, 1), f"connect to {target[0]}")


def attack_ipc(bait: Bait) -> Iterator[str]:
    """Try to reach a socket without a file name and a message queue."""

    def connect() -> None:
        with socket.socket(socket.AF_UNIX) as sock:
            sock.connect(f"\0{bait.abstract}")

    yield refused(connect, "connect to an abstract socket")
    yield refused(lambda: os.close(message_queue(bait.queue, os.O_RDONLY)), "open a message queue")
    yield refused(lambda: be_in_namespace(bait.ipc), "share the grader's queues and memory")


def be_in_namespace(name: str) -> None:
    """Return when this process is in the namespace for communication of that name."""
    if os.readlink(IPC) != name:
        raise OSError(errno.ENOENT, "they are not here")


def message_queue(name: str, flags: int) -> int:
    """Return the descriptor of a message queue. Raises OSError."""
    libc = ctypes.CDLL(None, use_errno=True)
    return syscalls.checked(libc.mq_open(name.encode(), flags, 0o666, None), "mq_open")


def attack_landlock(bait: Bait) -> Iterator[str]:
    """Try to open what no rule allows."""
    yield refused(lambda: os.listdir("/"), "list the root")
    yield refused(lambda: _open(bait.gradebook, os.O_RDONLY), "read the gradebook")
    yield refused(lambda: _open(bait.gradebook, os.O_WRONLY), "write into the gradebook")


def _open(path: str, flags: int) -> None:
    os.close(os.open(path, flags))


def attack_no_new_privs(bait: Bait) -> Iterator[str]:
    """See whether a setuid program could give rights."""
    if ctypes.CDLL(None).prctl(_PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1:
        raise Breach("gain rights from a setuid program: possible")
    yield "gain rights from a setuid program: impossible"


def attack_seccomp(bait: Bait) -> Iterator[str]:
    """Try to make namespaces, to outlive the grader and to get memory that no limit counts."""
    yield refused(lambda: syscalls.unshare(syscalls.CLONE_NEWUSER), "make a namespace")
    yield refused(lambda: syscalls.prctl(syscalls.PR_SET_PDEATHSIG, 0), "outlive the grader")
    yield refused(lambda: os.memfd_create("x"), "get uncounted memory")


def attack_limits(bait: Bait) -> Iterator[str]:
    """Try to use more memory, files and processes than allowed."""
    yield refused(lambda: bytearray(2 * QUOTA.memory), "use more memory")
    yield refused(_open_often, "open more files")
    yield refused(_fork_often, "start more processes")


def _open_often() -> None:
    kept: list[int] = []
    try:
        for _ in range(2 * QUOTA.files):
            kept.append(os.dup(0))
    finally:
        for descriptor in kept:
            os.close(descriptor)


def _fork_often() -> None:
    children = []
    try:
        for _ in range(2 * QUOTA.processes):
            if pid := os.fork():
                children.append(pid)
            else:
                time.sleep(SECONDS)
                os._exit(0)
    finally:
        for pid in children:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)


ATTACKS: dict[str, Callable[[Bait], Iterator[str]]] = {
    "user": attack_user,
    "pid": attack_pid,
    "mount": attack_mount,
    "network": attack_network,
    "ipc": attack_ipc,
    "landlock": attack_landlock,
    "no-new-privs": attack_no_new_privs,
    "seccomp": attack_seccomp,
    "limits": attack_limits,
}
