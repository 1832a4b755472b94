"""Offers the candidate to Jupyter as a kernel, so that nbclient drives it as any other."""

from __future__ import annotations

import asyncio
import signal
import socket
from pathlib import Path
from typing import Any

from jupyter_client.kernelspec import KernelSpecManager
from jupyter_client.manager import AsyncKernelManager
from jupyter_client.provisioning import KernelProvisionerBase

from autograder import launcher

KERNEL_NAME = "autograder-candidate"


class CandidateProvisioner(KernelProvisionerBase):
    """Starts a kernel by forking the warm process, and keeps the wire to its functions."""

    session: launcher.Session | None = None
    wire: socket.socket | None = None

    @property
    def has_process(self) -> bool:
        """Return whether a kernel was started and not yet cleaned up."""
        return self.session is not None

    async def pre_launch(self, **kwargs: Any) -> dict[str, Any]:
        """Write the connection file; there is no command line."""
        manager: Any = self.parent
        manager.write_connection_file()
        self.connection_info = manager.get_connection_info()
        return await super().pre_launch(cmd=[], **kwargs)

    async def launch_kernel(self, cmd: list[str], **kwargs: Any) -> Any:
        """Fork the kernel."""
        manager: Any = self.parent
        self.wire, theirs = socket.socketpair()
        arguments = {"connection_file": manager.connection_file, "folder": kwargs["cwd"]}
        self.session = launcher.current().fork("candidate", arguments, [theirs.fileno()])
        theirs.close()
        return self.connection_info

    async def poll(self) -> int | None:
        """Return None while the kernel runs, else its exit status."""
        return self.session.poll() if self.session else 0

    async def wait(self) -> int | None:
        """Wait for the kernel's end."""
        while await self.poll() is None:
            await asyncio.sleep(0.005)
        status = await self.poll()
        self._close()
        return status

    async def send_signal(self, signum: int) -> None:
        """Send a signal to the kernel's process group."""
        if self.session:
            self.session.signal(signum)

    async def kill(self, restart: bool = False) -> None:
        """Kill the kernel and all it started."""
        await self.send_signal(signal.SIGKILL)

    async def terminate(self, restart: bool = False) -> None:
        """Kill the kernel: it has nothing to put in order."""
        await self.send_signal(signal.SIGKILL)

    async def cleanup(self, restart: bool = False) -> None:
        """Close what is left open."""
        self._close()

    def _close(self) -> None:
        for resource in (self.session, self.wire):
            if resource is not None:
                resource.close()
        self.session = self.wire = None


def kernel_manager(folder: Path) -> AsyncKernelManager:
    """Return a manager of one candidate whose sockets live in ``folder``."""
    specs = KernelSpecManager(
        kernel_dirs=[str(Path(__file__).parent / "kernels")], ensure_native_kernel=False
    )
    return AsyncKernelManager(
        kernel_name=KERNEL_NAME,
        kernel_spec_manager=specs,
        transport="ipc",
        ip=str(folder / "kernel"),
        connection_file=str(folder / "connection.json"),
    )
