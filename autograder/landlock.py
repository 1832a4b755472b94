"""Landlock: an allow-list of files for this process and its children, kept by the kernel.

It needs no privilege and cannot be undone. Source: Linux, Documentation/userspace-api/landlock.rst.
"""

from __future__ import annotations

import ctypes
import os
import stat
from collections.abc import Iterable

from autograder.syscalls import LINUX, syscall

_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_VERSION_QUESTION, _RULE_PATH_BENEATH = 1, 1
_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIR = 1, 2, 4, 8
_TRUNCATE, _IOCTL_DEV = 1 << 14, 1 << 15
_ON_FILES = _EXECUTE | _WRITE_FILE | _READ_FILE | _TRUNCATE | _IOCTL_DEV
_MAKE_DEVICES = 1 << 6 | 1 << 11
_FILE_RIGHTS = {1: 13, 2: 14, 3: 15, 4: 15}  # how many rights a version knows; 16 since version 5
_TCP = 3  # bind and connect, since version 4
_SCOPES = 3  # abstract sockets and signals stay inside, since version 6

READ = _EXECUTE | _READ_FILE | _READ_DIR
WRITE = 0xFFFF & ~(_MAKE_DEVICES | _IOCTL_DEV)
DEVICE = _READ_FILE | _WRITE_FILE | _IOCTL_DEV


class _Ruleset(ctypes.Structure):
    _fields_ = [
        ("files", ctypes.c_uint64),
        ("network", ctypes.c_uint64),
        ("scoped", ctypes.c_uint64),
    ]


class _PathBeneath(ctypes.Structure):
    _pack_ = 1
    _fields_ = [("rights", ctypes.c_uint64), ("folder", ctypes.c_int32)]


def version() -> int:
    """Return the version of Landlock that this kernel offers; 0 when it offers none."""
    try:
        return syscall(_CREATE_RULESET, 0, 0, _VERSION_QUESTION) if LINUX else 0
    except OSError:
        return 0


def restrict(rules: Iterable[tuple[str, int]]) -> None:
    """Allow only these paths, each with its rights, from now on; what does not exist is skipped.

    ``no_new_privs`` must be set before. Raises OSError where the kernel has no Landlock.
    """
    known = version()
    handled = (1 << _FILE_RIGHTS.get(known, 16)) - 1
    ruleset = _Ruleset(handled, _TCP if known >= 4 else 0, _SCOPES if known >= 6 else 0)
    size = 8 if known < 4 else 16 if known < 6 else 24
    number = syscall(_CREATE_RULESET, ctypes.byref(ruleset), size, 0)
    try:
        for path, rights in rules:
            _allow(number, path, rights & handled)
        syscall(_RESTRICT_SELF, number, 0)
    finally:
        os.close(number)


def _allow(ruleset: int, path: str, rights: int) -> None:
    try:
        descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return
    try:
        if not stat.S_ISDIR(os.fstat(descriptor).st_mode):
            rights &= _ON_FILES
        rule = _PathBeneath(rights, descriptor)
        syscall(_ADD_RULE, ruleset, _RULE_PATH_BENEATH, ctypes.byref(rule), 0)
    finally:
        os.close(descriptor)
