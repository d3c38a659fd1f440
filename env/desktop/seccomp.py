"""What programs in a sandbox may not ask of the kernel: a filter of system calls, which bubblewrap loads.

It runs as a process of its own (``python -ISs seccomp.py [--namespaces] bwrap ...``, standard library only) that
becomes bubblewrap, with the filter in a file in memory: ``bwrap --seccomp`` reads it from a descriptor.

A filter is a program of classic BPF over ``struct seccomp_data`` (Linux: ``linux/seccomp.h``, ``linux/filter.h``): the
number of the call, the architecture, and the arguments. A forbidden call fails with EPERM, as it does for a user
without the right to it.
"""

from __future__ import annotations

import errno
import os
import platform
import struct
import sys
from collections.abc import Iterator, Sequence
from typing import NamedTuple


class Architecture(NamedTuple):
    """How a kernel names itself in a filter, and where its own numbers of calls end."""

    audit: int
    column: int
    last: int


ARCHITECTURES = {
    "x86_64": Architecture(0xC000003E, 0, 0x3FFFFFFF),  # beyond are those of x32, the same calls once more
    "aarch64": Architecture(0xC00000B7, 1, 0xFFFFFFFF),
}

# Numbers on x86_64 and aarch64; None where there is no such call.
_FORBIDDEN: dict[str, tuple[int | None, int | None]] = {
    # the keyring, which namespaces do not divide
    "add_key": (248, 217), "request_key": (249, 218), "keyctl": (250, 219),
    # other processes
    "ptrace": (101, 117), "process_vm_readv": (310, 270), "process_vm_writev": (311, 271),
    "pidfd_getfd": (438, 438),
    # mounts and namespaces
    "mount": (165, 40), "umount2": (166, 39), "pivot_root": (155, 41), "setns": (308, 268), "open_tree": (428, 428),
    "move_mount": (429, 429), "fsopen": (430, 430), "fsconfig": (431, 431), "fsmount": (432, 432), "fspick": (433, 433),
    "mount_setattr": (442, 442), "open_tree_attr": (467, 467), "name_to_handle_at": (303, 264),
    "open_by_handle_at": (304, 265), "swapon": (167, 224), "swapoff": (168, 225), "quotactl": (179, 60),
    "quotactl_fd": (443, 443),
    # programs in the kernel, and looking into it
    "bpf": (321, 280), "perf_event_open": (298, 241), "userfaultfd": (323, 282), "init_module": (175, 105),
    "finit_module": (313, 273), "delete_module": (176, 106), "kexec_load": (246, 104), "kexec_file_load": (320, 294),
    "syslog": (103, 116), "lookup_dcookie": (212, 18), "io_uring_setup": (425, 425), "io_uring_enter": (426, 426),
    "io_uring_register": (427, 427),
    # the machine
    "reboot": (169, 142), "acct": (163, 89), "settimeofday": (164, 170), "clock_settime": (227, 112),
    "clock_adjtime": (305, 266), "adjtimex": (159, 171), "iopl": (172, None), "ioperm": (173, None),
    "vhangup": (153, 58), "uselib": (134, None), "nfsservctl": (180, 42), "fanotify_init": (300, 262),
}  # fmt: skip
_NEW_NAMESPACES = 0x7E020000
"""Those of ``clone``: mounts, cgroups, host names, IPC, users, processes, network (CLONE_NEW...)."""
_CLONE, _UNSHARE, _CLONE3, _IOCTL = (56, 220), (272, 97), (435, 435), (16, 29)
_TERMINAL_INPUT = (0x5412, 0x541C)
"""TIOCSTI and TIOCLINUX, which type into the terminal that a program was started from."""

_LOAD, _JUMP_EQUAL, _JUMP_GREATER, _JUMP_SET, _RETURN = 0x20, 0x15, 0x25, 0x45, 0x06
_NUMBER, _ARCHITECTURE, _ARGUMENTS = 0, 4, 16
_ALLOW, _ERROR, _KILL = 0x7FFF0000, 0x00050000, 0x80000000
_REFUSED = _ERROR | errno.EPERM
_UNKNOWN = _ERROR | errno.ENOSYS
"""For calls that a C library replaces by older ones where the kernel has them not."""


def forbidden(machine: str, *, namespaces: bool = False) -> dict[str, int]:
    """The calls that always fail, by name, with their numbers."""
    column = ARCHITECTURES[machine].column
    calls = dict(_FORBIDDEN) if namespaces else _FORBIDDEN | {"unshare": _UNSHARE}
    return {name: number for name, numbers in calls.items() if (number := numbers[column]) is not None}


def seccomp_filter(machine: str, *, namespaces: bool = False) -> bytes:
    """The program for a machine, as the kernel takes it.

    Args:
        machine: ``x86_64`` or ``aarch64``.
        namespaces: whether new namespaces may be made: Chromium's own sandbox is made of them. Nothing can be
            mounted in them either.
    """
    architecture = ARCHITECTURES[machine]
    column = architecture.column
    parts = [
        _unless(_ARCHITECTURE, _JUMP_EQUAL, architecture.audit, _KILL),
        _load(_NUMBER),
        _step(_JUMP_GREATER, architecture.last, 0, 1) + _return(_REFUSED),
        *(_if_equal(number, _REFUSED) for number in forbidden(machine, namespaces=namespaces).values()),
        _if_argument(_IOCTL[column], 1, [(_JUMP_EQUAL, request) for request in _TERMINAL_INPUT]),
    ]
    if not namespaces:
        parts += [_if_equal(_CLONE3[column], _UNKNOWN)]  # its flags are in memory, where a filter cannot look
        parts += [_if_argument(_CLONE[column], 0, [(_JUMP_SET, _NEW_NAMESPACES)])]
    return b"".join(parts) + _return(_ALLOW)


def _step(code: int, value: int, then: int = 0, otherwise: int = 0) -> bytes:
    """One instruction; a jump skips as many as it says."""
    return struct.pack("=HBBI", code, then, otherwise, value)


def _load(offset: int) -> bytes:
    return _step(_LOAD, offset)


def _return(value: int) -> bytes:
    return _step(_RETURN, value)


def _unless(offset: int, jump: int, value: int, result: int) -> bytes:
    return _load(offset) + _step(jump, value, 1, 0) + _return(result)


def _if_equal(number: int, result: int) -> bytes:
    """Return a result for one call; its number was loaded."""
    return _step(_JUMP_EQUAL, number, 0, 1) + _return(result)


def _if_argument(number: int, argument: int, tests: Sequence[tuple[int, int]]) -> bytes:
    """Refuse one call where a test of an argument's lower half is true; its number is loaded, and again afterwards."""
    checks = b"".join(_step(jump, value, 0, 1) + _return(_REFUSED) for jump, value in tests)
    body = _load(_ARGUMENTS + 8 * argument) + checks + _load(_NUMBER)
    return _step(_JUMP_EQUAL, number, 0, len(body) // 8) + body


def commands(words: Sequence[str], descriptor: int) -> Iterator[str]:
    """The command of bubblewrap with the filter in an open file."""
    program, *rest = words
    yield from (program, "--seccomp", str(descriptor), *rest)


def main(words: Sequence[str]) -> None:
    """Become bubblewrap."""
    namespaces = words[0] == "--namespaces"
    descriptor = os.memfd_create("seccomp")
    os.write(descriptor, seccomp_filter(platform.machine(), namespaces=namespaces))
    os.lseek(descriptor, 0, os.SEEK_SET)
    os.set_inheritable(descriptor, True)
    command = list(commands(words[namespaces:], descriptor))
    os.execvp(command[0], command)


if __name__ == "__main__":
    main(sys.argv[1:])
