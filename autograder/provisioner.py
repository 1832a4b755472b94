"""Offers the candidate to Jupyter as a kernel, so that nbclient drives it as any other."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
from pathlib import Path
from typing import Any

from jupyter_client.kernelspec import KernelSpecManager
from jupyter_client.manager import AsyncKernelManager
from jupyter_client.provisioning import KernelProvisionerBase

from autograder import launcher
from autograder.client import CandidateClient
from autograder.sandbox import Quota, Usage

KERNEL_NAME = "autograder-candidate"
CHANNELS = ("shell_port", "iopub_port", "stdin_port", "control_port")


class CandidateProvisioner(KernelProvisionerBase):
    """Starts a kernel by forking the warm process, and keeps the wire to its functions."""

    session: launcher.Session | None = None
    wire: socket.socket | None = None
    reason = ""  # the limit that the candidate was killed for: memory or processes

    @property
    def has_process(self) -> bool:
        """Return whether a kernel was started and not yet cleaned up."""
        return self.session is not None

    async def pre_launch(self, **kwargs: Any) -> dict[str, Any]:
        """Choose the connection; there is no command line."""
        manager: Any = self.parent
        manager.write_connection_file()
        self.connection_info = manager.get_connection_info()
        return await super().pre_launch(cmd=[], **kwargs)

    async def launch_kernel(self, cmd: list[str], **kwargs: Any) -> Any:
        """Fork the kernel, and give it sockets that listen already."""
        info: Any = self.connection_info
        ports = [info[channel] for channel in CHANNELS]
        self.wire, theirs = socket.socketpair()
        with contextlib.ExitStack() as stack:
            stack.enter_context(theirs)
            listening = [stack.enter_context(_listen(f"{info['ip']}-{port}")) for port in ports]
            descriptors = [theirs.fileno(), *(s.fileno() for s in listening)]
            key = info["key"].decode() if isinstance(info["key"], bytes) else info["key"]
            names = (*CHANNELS, "hb_port", "transport", "ip", "signature_scheme")
            connection = {name: info[name] for name in names}
            connection |= {"key": key, "listening": ports}
            self.session = launcher.current().fork(
                "candidate",
                {"connection": connection},
                descriptors,
                kwargs.get("quota", Quota()),
                kwargs["cwd"],
                kwargs.get("warm", ()),
            )
        return self.connection_info

    async def poll(self) -> int | None:
        """Return None while the kernel runs, else its exit status."""
        if self.session is None:
            return 0
        status = self.session.poll()
        self.reason = self.session.reason
        return status

    async def wait(self) -> int | None:
        """Wait for the kernel's end."""
        while await self.poll() is None:
            await asyncio.sleep(0.002)
        status = await self.poll()
        self.close()
        return status

    async def send_signal(self, signum: int) -> None:
        """Send a signal to the kernel's process group."""
        if self.session:
            self.session.signal(signum)

    async def kill(self, restart: bool = False) -> None:
        """Kill the kernel and all it started, and wait until nothing is left."""
        await self.send_signal(signal.SIGKILL)
        while await self.poll() is None:
            await asyncio.sleep(0.002)

    async def terminate(self, restart: bool = False) -> None:
        """Kill the kernel: it has nothing to put in order."""
        await self.kill(restart)

    async def cleanup(self, restart: bool = False) -> None:
        """Close what is left open."""
        self.close()

    def usage(self) -> Usage:
        """Return what the kernel and all it started use, or used at the end."""
        return self.session.usage() if self.session is not None else Usage()

    def close(self) -> None:
        """Have the kernel and all it started killed, without waiting for it."""
        for resource in (self.session, self.wire):
            if resource is not None:
                resource.close()
        self.session = self.wire = None


def _listen(path: str) -> socket.socket:
    """Return a socket that listens at ``path``, where only this user can find it."""
    sock = socket.socket(socket.AF_UNIX)
    sock.bind(path)
    sock.listen(4)
    return sock


def kernel_manager(folder: Path) -> AsyncKernelManager:
    """Return a manager of one candidate whose sockets live in ``folder``."""
    specs = KernelSpecManager(
        kernel_dirs=[str(Path(__file__).parent / "kernels")], ensure_native_kernel=False
    )
    return AsyncKernelManager(
        kernel_name=KERNEL_NAME,
        kernel_spec_manager=specs,
        client_factory=CandidateClient,
        transport="ipc",
        ip=str(folder / "kernel"),
        connection_file=str(folder / "connection.json"),
    )
