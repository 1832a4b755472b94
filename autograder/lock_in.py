"""Lock a process in before it runs anything a student wrote.

`spawn` forks a process that is the first in a process namespace of its own, applies every layer
and only then runs what it was given. A layer that cannot be had stops it, unless the instructor
named that layer as dispensable. Where the kernel has no such thing (macOS) the same code runs
without the layers, after the same refusal.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NoReturn

from autograder import landlock, rlimits, rootfs, seccomp, syscalls
from autograder.sandbox import Quota, SandboxIncomplete, dispensable

NAMESPACES = {
    "mount": syscalls.CLONE_NEWNS,
    "network": syscalls.CLONE_NEWNET,
    "ipc": syscalls.CLONE_NEWIPC | syscalls.CLONE_NEWUTS,
}
NOBODY = 65534
KEPT = (  # of the environment
    *("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "MPLBACKEND"),
    *("LD_LIBRARY_PATH", "UNROLLED_DEVICE", "CUDA_VISIBLE_DEVICES", "PYTHONHASHSEED"),
)
START_SECONDS = 20


@dataclass
class Child:
    """A locked-in process: its number here, and its view of /proc, where only its tree is seen."""

    pid: int
    proc: int | None = None
    status: int | None = None  # how it ended, once it has
    seconds: float = 0.0  # of computing, by it and what it started, once it has ended

    def ended(self, wait: bool = False) -> bool:
        """Return whether the process has ended; ``wait`` for that."""
        if self.status is None:
            pid, status, used = os.wait4(self.pid, 0 if wait else os.WNOHANG)
            if pid:
                self.status, self.seconds = status, used.ru_utime + used.ru_stime
        return self.status is not None


_home: int | None = None  # our own process namespace, once `prepare` made one


def prepare() -> None:
    """Become the first process of a namespace in which others can be made, without being root.

    Call it once, early, in a process with one thread: it goes on in a fork, and the process that
    called it only waits for that fork's end. When the fork ends, so does all it started.
    """
    global _home
    if not syscalls.LINUX:
        return
    with contextlib.suppress(OSError):  # `spawn` will say what could not be had
        if os.geteuid() != 0:
            own_user_namespace()
        syscalls.unshare(syscalls.CLONE_NEWPID)
        if pid := os.fork():
            _, status = os.waitpid(pid, 0)
            os._exit(abs(os.waitstatus_to_exitcode(status)))
        syscalls.prctl(syscalls.PR_SET_PDEATHSIG, signal.SIGKILL)
        _home = os.open("/proc/self/ns/pid", os.O_RDONLY | os.O_CLOEXEC)


def needed() -> list[int]:
    """Return the descriptors without which nothing can be spawned."""
    return [] if _home is None else [_home]


def spawn(body: Callable[[], Any], quota: Quota, folder: str, keep: list[int]) -> Child:
    """Run ``body`` in a new process, locked in, and return that process; `prepare` comes before.

    Args:
        body: what it runs; the process ends with it.
        quota: what it may use.
        folder: the one folder it may write where it cannot have a private one.
        keep: the descriptors that stay open in it.

    Raises:
        SandboxIncomplete: a layer could not be had; nothing ran.
    """
    layers = _Layers(quota, folder, dispensable())
    layers.apply("pid", _own_pid_namespace_for_children)
    ours, theirs = socket.socketpair()
    with ours, theirs:
        pid = os.fork()
        if not pid:
            ours.close()
            _lead(theirs, body, layers, keep)
        theirs.close()
        if _home is not None and layers.has("pid"):
            syscalls.enter_namespace(_home)
        return _await(ours, Child(pid))


def _own_pid_namespace_for_children() -> None:
    if _home is None:
        raise OSError(0, "no process namespace could be made")
    syscalls.unshare(syscalls.CLONE_NEWPID)


def _await(stream: socket.socket, child: Child) -> Child:
    """Return the child once it is locked in, or raise why it could not be."""
    stream.settimeout(START_SECONDS)
    said = b""
    while not said.endswith(b"\n"):
        try:
            part, descriptors, _, _ = socket.recv_fds(stream, 4096, 1)
        except TimeoutError:
            part, descriptors = b"", []
        said += part or b'{"limits": "the process ended while it was locked in"}\n'
        for child.proc in descriptors:
            os.set_inheritable(child.proc, False)
    if missing := json.loads(said):
        end(child)
        raise SandboxIncomplete(missing)
    return child


def end(child: Child) -> int:
    """Kill a process and everything it started; return its exit status."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(child.pid, signal.SIGKILL)
    if child.status is None:
        os.kill(child.pid, signal.SIGKILL)
        child.ended(wait=True)  # comes back when its namespace is empty
    if child.proc is not None:
        os.close(child.proc)
        child.proc = None
    assert child.status is not None
    return os.waitstatus_to_exitcode(child.status)


def _lead(
    stream: socket.socket, body: Callable[[], Any], layers: _Layers, keep: list[int]
) -> NoReturn:
    """In the new process: apply the layers, say so, and run the body."""
    try:
        os.setsid()
        keep_only([*keep, stream.fileno()])
        try:
            layers.rest()
        except Exception as error:
            layers.missing["limits"] = f"{type(error).__name__}: {error}"
        view = layers.proc()
        socket.send_fds(stream, [json.dumps(layers.missing).encode() + b"\n"], view)
        for descriptor in view:
            os.close(descriptor)
        stream.close()
        if not layers.missing:
            body()
            os._exit(0)
    finally:
        os._exit(1)


def keep_only(descriptors: list[int]) -> None:
    """Close every descriptor but these; standard input and output lead nowhere."""
    null = os.open(os.devnull, os.O_RDWR)
    for number in (0, 1, 2):
        os.dup2(null, number)
    kept = sorted({0, 1, 2, *descriptors})
    for low, high in zip(kept, [*kept[1:], 65536], strict=True):
        os.closerange(low + 1, high)


class _Layers:
    """Applies the layers one after the other and remembers which could not be had."""

    def __init__(self, quota: Quota, folder: str, without: frozenset[str]) -> None:
        self.quota, self.folder, self.without = quota, folder, without
        self.missing: dict[str, str] = {}  # and not dispensable
        self.absent: set[str] = set()
        self.root = os.geteuid() == 0 if hasattr(os, "geteuid") else False

    def has(self, name: str) -> bool:
        """Return whether a layer was applied."""
        return name not in self.absent

    def apply(self, name: str, action: Callable[[], Any]) -> None:
        """Apply a layer, unless it is one that grading may go on without and it fails."""
        try:
            if not syscalls.LINUX:
                raise OSError(0, f"{sys.platform} has no such thing")
            action()
        except (OSError, KeyError, ValueError) as error:
            self.absent.add(name)
            if name not in self.without:
                self.missing[name] = getattr(error, "strerror", None) or str(error)

    def rest(self) -> None:
        """Apply what is left, in the order in which each needs rights the next takes away."""
        if syscalls.LINUX:
            with contextlib.suppress(OSError), open("/proc/self/oom_score_adj", "w") as file:
                file.write("1000")  # when the machine runs out of memory, this goes first
        for name, flags in NAMESPACES.items():
            self.apply(name, lambda flags=flags: syscalls.unshare(flags))  # type: ignore[misc]
        if self.has("mount"):
            owner = NOBODY if self.root else None
            self.apply("mount", lambda: rootfs.build(self.quota.disk, owner))
        private = rootfs.PRIVATE if self.has("mount") else self.folder
        self.apply("limits", lambda: rlimits.set_limits(self.quota))
        self.apply("user", lambda: lose_rights(self.root, self.has("mount")))
        alone = self.has("user")
        self.apply("limits", lambda: rlimits.limit_processes(self.quota.processes, alone))
        self.apply("no-new-privs", lambda: syscalls.prctl(syscalls.PR_SET_NO_NEW_PRIVS, 1))
        self.apply("landlock", lambda: landlock.restrict(rootfs.rules(private)))
        set_environment(private)
        os.chdir(private if os.path.isdir(private) else "/")
        self.apply("seccomp", die_with_the_grader)

    def proc(self) -> list[int]:
        """Return a descriptor through which the grader can watch the tree, if there is one."""
        if not self.has("mount") or not self.has("pid"):
            return []
        try:
            return [os.open("/proc", os.O_RDONLY | os.O_DIRECTORY)]
        except OSError:
            return []


def own_user_namespace() -> None:
    """Enter a user namespace in which this user is the same and has no power outside."""
    user, group = os.geteuid(), os.getegid()
    syscalls.unshare(syscalls.CLONE_NEWUSER)
    for name, text in (
        ("setgroups", "deny"),
        ("uid_map", f"{user} {user} 1"),
        ("gid_map", f"{group} {group} 1"),
    ):
        with open(f"/proc/self/{name}", "w") as file:
            file.write(text)


def lose_rights(root: bool, readable: bool) -> None:
    """Stop being root, and give up every capability, in a user namespace of its own.

    Args:
        root: whether this process is root.
        readable: whether the files it needs can be read by anybody.
    """
    if root:
        if not readable:
            raise OSError(0, "without mounts of its own, nobody could not read Python")
        os.setgroups([])
        os.setresgid(NOBODY, NOBODY, NOBODY)
        os.setresuid(NOBODY, NOBODY, NOBODY)
    syscalls.unshare(syscalls.CLONE_NEWUSER)
    syscalls.drop_capabilities()


def die_with_the_grader() -> None:
    """Ask the kernel to kill this process when its parent ends, and filter the taking back."""
    syscalls.prctl(syscalls.PR_SET_DUMPABLE, 1)
    syscalls.prctl(syscalls.PR_SET_PDEATHSIG, signal.SIGKILL)
    seccomp.restrict()


def set_environment(private: str) -> None:
    """Leave nothing in the environment but what a kernel needs."""
    values = {name: os.environ[name] for name in KEPT if name in os.environ}
    os.environ.clear()
    os.environ.update(values)
    os.environ.update(HOME=private, TMPDIR=private, USER="student", PATH="", LANG="C.UTF-8")
    os.environ.update(PYTHONDONTWRITEBYTECODE="1", IPYTHONDIR=f"{private}/.ipython")
