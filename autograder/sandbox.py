"""The sandbox around a student's process: its layers, what it may use, and when to refuse.

How a process is locked in is in `lock_in`; `autograder doctor` tests each layer by attacking it.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass

from autograder.errors import AutograderError

# Each layer, and what a submission could do where it is missing.
LAYERS = {
    "user": "run with the grader's own rights",
    "pid": "see and signal the grader and other submissions, and leave processes behind",
    "mount": "see every file name and fill the disk",
    "network": "reach the network",
    "ipc": "use shared memory and message queues of other processes",
    "landlock": "open files by a way that the mounts do not cover",
    "no-new-privs": "gain rights by running a setuid program",
    "seccomp": "reach kernel machinery with a record of holes, and memory that no limit counts",
    "limits": "use up memory, processes and disk",
}
WITHOUT = "AUTOGRADER_WITHOUT_SANDBOX_LAYER"  # names of layers that grading may go on without
MIB = 2**20


@dataclass(frozen=True)
class Quota:
    """What one process tree may use. Honest solutions of the longest exercise use a fifth."""

    memory: int = 2048 * MIB  # beyond what the warm process has; for each process and for all
    processes: int = 64  # threads count; an idle kernel has eight
    disk: int = 64 * MIB  # files live in memory, so this is small
    files: int = 256  # open at once
    sockets: int = 600  # in all processes; each may hold 200 KB that waits to be read
    seconds: int = 900  # of computing; only for when the grader itself is gone


@dataclass(frozen=True)
class Usage:
    """What one process tree uses."""

    memory: int = 0  # bytes at present, beyond what the warm process has
    tasks: int = 0  # processes and threads
    peak: int = 0  # bytes at most, as far as was seen
    seconds: float = 0.0  # of computing


class SandboxIncomplete(AutograderError):  # noqa: N818 (the name says what is wrong)
    """Layers of the sandbox that this machine does not have."""

    def __init__(self, missing: dict[str, str]) -> None:
        super().__init__(missing)

    @property
    def missing(self) -> dict[str, str]:
        """Return why each layer is missing."""
        return self.args[0]

    @property
    def what(self) -> str:
        """One line: what failed, and what a submission could do."""
        names = ", ".join(f"{name} ({why})" for name, why in self.missing.items())
        could = "; ".join(LAYERS[name] for name in self.missing if name in LAYERS)
        return f"the sandbox is incomplete: {names}. A submission could {could}"

    @property
    def next_step(self) -> str:
        """One line: what the person can do about it."""
        options = " ".join(f"--without-sandbox-layer {name}" for name in self.missing)
        return (
            "run `autograder doctor`; or grade on a Linux machine that has them; or, if you "
            f"trust every submission, say so: {options} (or {WITHOUT}={','.join(self.missing)})"
        )


class UnknownLayer(AutograderError):  # noqa: N818
    """A name that is no layer of the sandbox."""

    @property
    def what(self) -> str:
        """One line: what failed."""
        return f"the sandbox has no such layer: {', '.join(self.args[0])}"

    @property
    def next_step(self) -> str:
        """One line: what the person can do about it."""
        return f"choose from: {', '.join(LAYERS)}"


def dispensable() -> frozenset[str]:
    """Return the layers that the instructor said grading may go on without."""
    names = os.environ.get(WITHOUT, "").replace(",", " ").split()
    unknown = sorted(set(names) - LAYERS.keys())
    if unknown:
        raise UnknownLayer(unknown)
    return frozenset(names)


_required: set[frozenset[str]] = set()  # sets of layers that were found to be enough


def require(allowed_missing: Iterable[str] = ()) -> None:
    """Refuse to go on when an attack on a layer succeeds; tested once in a process.

    Raises:
        SandboxIncomplete: a layer does not hold that the instructor did not name as dispensable.
    """
    from autograder import doctor

    allowed = dispensable() | set(allowed_missing)
    if allowed in _required:
        return
    missing = {f.layer: f.found for f in doctor.findings() if not f.holds}
    if missing.keys() - allowed:
        raise SandboxIncomplete({n: why for n, why in missing.items() if n not in allowed})
    _required.add(frozenset(allowed))
