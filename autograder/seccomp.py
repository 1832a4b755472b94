"""A small seccomp filter: system calls that no exercise needs and that attacks start from.

A deny-list on purpose: the allow-list is the job of the namespaces and of Landlock; this takes
away what they do not cover (memory outside every limit, namespaces of one's own, the kernel's
most attacked corners). Source: Linux, Documentation/userspace-api/seccomp_filter.rst.
"""

from __future__ import annotations

import ctypes
import errno
import platform
import struct

from autograder.syscalls import PR_SET_PDEATHSIG, prctl

_PR_SET_SECCOMP, _MODE_FILTER = 22, 2
_LOAD, _JUMP_EQUAL, _JUMP_GREATER_EQUAL, _JUMP_ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_ALLOW, _KILL, _ERRNO = 0x7FFF0000, 0x80000000, 0x00050000
_X32 = 0x40000000  # a second set of numbers on x86_64, which would go round the list
_NAMESPACES = 0x7E020000  # every CLONE_NEW… flag

# Name: its number on x86_64 and on aarch64 (None: does not exist there).
DENIED: dict[str, tuple[int | None, int | None]] = {
    # memory that no limit counts
    "shmget": (29, 194),
    "semget": (64, 190),
    "msgget": (68, 186),
    "io_setup": (206, 0),
    "memfd_create": (319, 279),
    "memfd_secret": (447, 447),
    # namespaces, mounts and roots of one's own
    "unshare": (272, 97),
    "setns": (308, 268),
    "mount": (165, 40),
    "umount2": (166, 39),
    "pivot_root": (155, 41),
    "chroot": (161, 51),
    "open_tree": (428, 428),
    "move_mount": (429, 429),
    "fsopen": (430, 430),
    "mount_setattr": (442, 442),
    # other processes
    "ptrace": (101, 117),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "kcmp": (312, 272),
    "pidfd_getfd": (438, 438),
    # kernel machinery with a long record of holes
    "bpf": (321, 280),
    "perf_event_open": (298, 241),
    "userfaultfd": (323, 282),
    "modify_ldt": (154, None),
    "io_uring_setup": (425, 425),
    "io_uring_enter": (426, 426),
    "io_uring_register": (427, 427),
    "keyctl": (250, 219),
    "add_key": (248, 217),
    "request_key": (249, 218),
    "personality": (135, 92),
    "fanotify_init": (300, 262),
    "name_to_handle_at": (303, 264),
    "open_by_handle_at": (304, 265),
    # the machine
    "reboot": (169, 142),
    "kexec_load": (246, 104),
    "init_module": (175, 105),
    "finit_module": (313, 273),
    "swapon": (167, 224),
    "syslog": (103, 116),
    "settimeofday": (164, 170),
}
_ARCHITECTURES = {"x86_64": (0xC000003E, 0), "aarch64": (0xC00000B7, 1)}
_PRCTL, _CLONE, _CLONE3 = (157, 167), (56, 220), (435, 435)


def known_machine() -> bool:
    """Return whether the filter has numbers for this processor."""
    return platform.machine() in _ARCHITECTURES


def program() -> bytes:
    """Return the filter as BPF instructions for this processor."""
    architecture, column = _ARCHITECTURES[platform.machine()]
    refuse = _ERRNO | errno.EPERM
    code = [_if(_JUMP_EQUAL, architecture, skip=1), (_RETURN, 0, 0, _KILL)]
    code[:0] = [(_LOAD, 0, 0, 4)]
    code += [(_LOAD, 0, 0, 0), *_when(_JUMP_GREATER_EQUAL, _X32, refuse)]
    numbers = [pair[column] for pair in DENIED.values()]
    for number in (n for n in numbers if n is not None):
        code += _when(_JUMP_EQUAL, number, refuse)
    # glibc falls back to clone, whose flags can be looked at, where clone3 does not exist
    code += _when(_JUMP_EQUAL, _CLONE3[column], _ERRNO | errno.ENOSYS)
    code += _when_argument(_CLONE[column], _JUMP_ANY_BIT, _NAMESPACES, refuse)
    # the wish to die with the grader cannot be taken back
    code += _when_argument(_PRCTL[column], _JUMP_EQUAL, PR_SET_PDEATHSIG, refuse)
    code.append((_RETURN, 0, 0, _ALLOW))
    return b"".join(struct.pack("<HBBI", *instruction) for instruction in code)


_Instruction = tuple[int, int, int, int]


def _if(test: int, value: int, skip: int) -> _Instruction:
    """Skip ``skip`` instructions when the test holds, none when it does not."""
    return (test, skip, 0, value)


def _when(test: int, value: int, answer: int) -> list[_Instruction]:
    """Answer when the test holds, go on when it does not."""
    return [(test, 0, 1, value), (_RETURN, 0, 0, answer)]


def _when_argument(number: int, test: int, value: int, answer: int) -> list[_Instruction]:
    """Answer when this is call ``number`` and the test holds for its first argument."""
    load_first, load_number = (_LOAD, 0, 0, 16), (_LOAD, 0, 0, 0)
    return [(_JUMP_EQUAL, 0, 4, number), load_first, *_when(test, value, answer), load_number]


class _Program(ctypes.Structure):
    _fields_ = [("length", ctypes.c_ushort), ("code", ctypes.c_void_p)]


def restrict() -> None:
    """Apply the filter to this process and its children; ``no_new_privs`` must be set before.

    Raises OSError where the kernel or the processor does not allow it.
    """
    if not known_machine():
        raise OSError(errno.ENOSYS, f"no filter for {platform.machine()}")
    code = program()
    buffer = ctypes.create_string_buffer(code, len(code))
    wanted = _Program(len(code) // 8, ctypes.cast(buffer, ctypes.c_void_p))
    prctl(_PR_SET_SECCOMP, _MODE_FILTER, ctypes.addressof(wanted))
