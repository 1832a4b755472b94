"""`autograder doctor`: attack every layer of the sandbox and say what holds.

The attacks are those a submission would try, run in a process locked in exactly as one, against
bait that is laid out for them: a gradebook, a listening socket, a process, shared memory.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import click

from autograder import lock_in, sandbox, syscalls
from autograder.doctor_attacks import ATTACKS, IPC, QUOTA, SECONDS, Bait, Breach, message_queue
from autograder.errors import AutograderError


@dataclass(frozen=True)
class Finding:
    """Whether a layer held, and what the attacks on it found."""

    layer: str
    holds: bool
    found: str


def attack_all(bait: Bait, report: int) -> None:
    """Run every attack, from inside, and write what each found to a descriptor."""
    findings = []
    for layer, attack in ATTACKS.items():
        found: list[str] = []
        holds = True
        try:
            found.extend(attack(bait))
        except Breach as error:
            holds = False
            found.append(str(error))
        except Exception as error:
            holds = False
            found.append(f"the attack could not be run: {type(error).__name__}: {error}")
        findings.append(Finding(layer, holds, "; ".join(found)))
    _leave_behind()
    os.write(report, json.dumps([asdict(f) for f in findings]).encode() + b"\n")


def _leave_behind() -> None:
    """Start a process of its own session, which keeps the report's descriptor while it lives."""
    read, write = os.pipe()
    if os.fork() == 0:
        os.setsid()
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        os.write(write, b"x")
        time.sleep(SECONDS)
        os._exit(0)
    os.read(read, 1)


def probe() -> list[Finding]:
    """Lay out the bait, attack from a sandbox, and return the findings. Runs in its own process."""
    lock_in.prepare()
    missing: dict[str, str] = {}
    with contextlib.ExitStack() as stack:
        bait = _lay_out(stack, stack.enter_context(tempfile.TemporaryDirectory()))
        work = stack.enter_context(tempfile.TemporaryDirectory())
        found = _attack_from_inside(bait, work, missing)
    return [Finding(f.layer, False, missing[f.layer]) if f.layer in missing else f for f in found]


def _lay_out(stack: contextlib.ExitStack, folder: str) -> Bait:
    gradebook = Path(folder, "gradebook.db")
    gradebook.write_text("marks")
    for path in (Path(folder), gradebook):
        path.chmod(0o777)  # so that ordinary file permissions are not what stops the attack
    server = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
    port = server.getsockname()[1]
    receiver = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
    receiver.bind(("127.0.0.1", port))
    name = f"autograder-doctor-{time.monotonic_ns()}"
    if syscalls.LINUX:
        abstract = stack.enter_context(socket.socket(socket.AF_UNIX))
        abstract.bind(f"\0{name}")
        abstract.listen()
        stack.callback(ctypes.CDLL(None).mq_unlink, f"/{name}".encode())
        os.close(message_queue(f"/{name}", os.O_CREAT | os.O_RDONLY))
    ipc = os.readlink(IPC) if syscalls.LINUX else ""
    return Bait(str(gradebook), port, name, f"/{name}", ipc)


def _attack_from_inside(bait: Bait, folder: str, missing: dict[str, str]) -> list[Finding]:
    read, write = os.pipe()
    try:
        child = lock_in.spawn(lambda: attack_all(bait, write), QUOTA, folder, [write])
    except sandbox.SandboxIncomplete as error:
        missing |= error.missing
        os.environ[sandbox.WITHOUT] = " ".join([*sandbox.dispensable(), *missing])
        child = lock_in.spawn(lambda: attack_all(bait, write), QUOTA, folder, [write])
    os.close(write)
    data = b""
    while not data.endswith(b"\n") and (part := os.read(read, 65536)):
        data += part
    lock_in.end(child)
    os.set_blocking(read, False)
    findings = [Finding(**fields) for fields in json.loads(data or b"[]")]
    with contextlib.suppress(BlockingIOError):
        if os.read(read, 1) == b"":
            return findings  # whatever was left behind is dead
    return [
        Finding("pid", False, "leave a process behind: succeeded") if f.layer == "pid" else f
        for f in findings
    ]


def findings() -> list[Finding]:
    """Return what every layer's attacks found on this machine.

    Raises:
        AutograderError: the attacks could not be run.
    """
    sandbox.dispensable()  # says so when a layer that may be missing has no such name
    command = [sys.executable, "-I", "-m", "autograder.doctor"]
    try:
        done = subprocess.run(command, capture_output=True, timeout=SECONDS, check=True)
        found = [Finding(**fields) for fields in json.loads(done.stdout)]
    except subprocess.CalledProcessError as error:
        lines = error.stderr.decode(errors="replace").strip().splitlines()
        raise AutograderError(f"the sandbox cannot be tested: {(lines or ['?'])[-1]}") from None
    except (OSError, ValueError, subprocess.TimeoutExpired) as error:
        raise AutograderError(f"the sandbox cannot be tested: {error}") from None
    tested = {finding.layer for finding in found}
    return found + [Finding(layer, False, "not tested") for layer in ATTACKS if layer not in tested]


@click.command("doctor")
@click.option("--json", "as_json", is_flag=True, help="Print the findings as JSON.")
@click.pass_context
def doctor_command(ctx: click.Context, as_json: bool) -> None:
    """Attack every layer of the sandbox and say which hold.

    Exit code 0: all hold. 1: some do not, and grading refuses until told otherwise. 2: the
    attacks could not be run.

    \b
    Example:
        autograder doctor
    """
    found = findings()
    if as_json:
        rows = [asdict(f) | {"otherwise": sandbox.LAYERS[f.layer]} for f in found]
        click.echo(json.dumps(rows, indent=2))
    else:
        _show(found)
    ctx.exit(0 if all(f.holds for f in found) else 1)


HINT = """In a container (JupyterHub, Docker) the namespaces need the right to make them:
  docker run --security-opt seccomp=unconfined --security-opt apparmor=unconfined …
On Ubuntu 23.10 or newer, as root: sysctl kernel.apparmor_restrict_unprivileged_userns=0"""


def _show(found: list[Finding]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(title="What a submission is kept from", title_justify="left")
    for name in ("layer", "holds", "attacks", "without it, a submission could"):
        table.add_column(name, overflow="fold")
    for f in found:
        table.add_row(f.layer, "yes" if f.holds else "NO", f.found, sandbox.LAYERS[f.layer])
    Console().print(table)
    missing = {f.layer: f.found for f in found if not f.holds}
    if missing:
        click.echo(f"{sandbox.SandboxIncomplete(missing)}", err=True)
    if missing.keys() & {"user", "pid", "mount", "network", "ipc"}:
        click.echo(HINT, err=True)


if __name__ == "__main__":
    print(json.dumps([asdict(finding) for finding in probe()]))
