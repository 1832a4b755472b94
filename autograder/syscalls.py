"""The Linux system calls that Python's standard library lacks, as functions that raise OSError."""

from __future__ import annotations

import ctypes
import os
import platform
import sys

LINUX = sys.platform == "linux"
_libc = ctypes.CDLL(None, use_errno=True)

CLONE_NEWNS, CLONE_NEWUTS, CLONE_NEWIPC = 0x20000, 0x4000000, 0x8000000
CLONE_NEWUSER, CLONE_NEWPID, CLONE_NEWNET = 0x10000000, 0x20000000, 0x40000000
MS_NOSUID, MS_NODEV, MS_NOEXEC, MS_BIND, MS_REC, MS_PRIVATE = 2, 4, 8, 4096, 16384, 1 << 18
ATTR_RDONLY, ATTR_NOSUID, ATTR_NODEV, ATTR_NOEXEC = 1, 2, 4, 8
PR_SET_PDEATHSIG, PR_SET_DUMPABLE, PR_CAPBSET_DROP = 1, 4, 24
PR_SET_CHILD_SUBREAPER, PR_SET_NO_NEW_PRIVS, PR_CAP_AMBIENT = 36, 38, 47
_AT_FDCWD, _AT_RECURSIVE, _MNT_DETACH, _CLEAR_ALL = -100, 0x8000, 2, 4
_SYS_MOUNT_SETATTR = 442  # calls added since 2019 have one number on every architecture
_SYS_CAPSET = {"x86_64": 126, "aarch64": 91}
_CAPABILITY_VERSION = 0x20080522


def checked(result: int, what: str) -> int:
    """Return a system call's result. Raises OSError, naming the call, when it failed."""
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")
    return result


def syscall(number: int, *arguments: object) -> int:
    """Return what a system call without a wrapper in libc returns. Raises OSError."""
    wide = [ctypes.c_long(a) if isinstance(a, int) else a for a in arguments]
    return checked(_libc.syscall(ctypes.c_long(number), *wide), f"system call {number}")


def prctl(option: int, *arguments: int) -> None:
    """Change something about this process. Raises OSError."""
    padded = [ctypes.c_ulong(a) for a in (*arguments, 0, 0, 0, 0)[:4]]
    checked(_libc.prctl(option, *padded), f"prctl {option}")


def unshare(flags: int) -> None:
    """Move this process (for a pid namespace: its next child) into new namespaces."""
    checked(_libc.unshare(flags), "unshare")


def enter_namespace(descriptor: int) -> None:
    """Enter a namespace (for a pid namespace: have the next child in it)."""
    checked(_libc.setns(descriptor, 0), "setns")


def mount(source: str, target: str, kind: str = "", flags: int = 0, options: str = "") -> None:
    """Mount a file system, or bind a folder to another place."""
    texts = (source.encode(), os.fsencode(target), kind.encode() or None)
    data = options.encode() or None
    checked(_libc.mount(*texts, ctypes.c_ulong(flags), data), f"mount on {target}")


class _MountAttributes(ctypes.Structure):
    _fields_ = [(name, ctypes.c_uint64) for name in ("set", "clear", "propagation", "userns")]


def set_mount_attributes(target: str, attributes: int, recursive: bool = True) -> None:
    """Take rights away from a mount and, by default, from all mounts below it (Linux 5.12)."""
    wanted = _MountAttributes(attributes, 0, 0, 0)
    flags = _AT_RECURSIVE if recursive else 0
    path = ctypes.c_char_p(os.fsencode(target))
    size = ctypes.sizeof(wanted)
    syscall(_SYS_MOUNT_SETATTR, _AT_FDCWD, path, flags, ctypes.byref(wanted), size)


def change_root(folder: str) -> None:
    """Make a mounted folder the root of everything; the old root is gone."""
    os.chdir(folder)
    checked(_libc.pivot_root(b".", b"."), "pivot_root")
    checked(_libc.umount2(b".", _MNT_DETACH), "umount")
    os.chdir("/")


def drop_capabilities() -> None:
    """Give up every capability, for good."""
    number = 0
    while True:
        try:
            prctl(PR_CAPBSET_DROP, number)
        except OSError:
            break  # one more than this kernel knows, or none may be dropped because none is held
        number += 1
    prctl(PR_CAP_AMBIENT, _CLEAR_ALL)
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION, 0)
    none = (ctypes.c_uint32 * 6)()
    syscall(_SYS_CAPSET[platform.machine()], header, none)
