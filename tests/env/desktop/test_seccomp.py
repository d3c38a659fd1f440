"""The sandbox's filter of system calls: run as the kernel would for every number, and tried from inside the sandbox."""

from __future__ import annotations

import errno
import json
import platform
import struct
import sys
import time
from pathlib import Path

import pytest

from saccade.actions.errors import MissingPartError
from saccade.actions.geometry import Size
from saccade.env.control import Control
from saccade.env.desktop.private_display import PrivateDisplay
from saccade.env.desktop.sandbox import Sandbox
from saccade.env.desktop.seccomp import ARCHITECTURES, seccomp_filter
from saccade.tasks.osworld.command_sandbox import CommandSandbox

ALLOW, KILL, EPERM, ENOSYS = 0x7FFF0000, 0x80000000, 0x50000 | errno.EPERM, 0x50000 | errno.ENOSYS
# Numbers on x86_64 and on aarch64, from the kernel's tables.
FORBIDDEN = {
    "add_key": (248, 217),
    "request_key": (249, 218),
    "keyctl": (250, 219),
    "ptrace": (101, 117),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "pidfd_getfd": (438, 438),
    "mount": (165, 40),
    "umount2": (166, 39),
    "pivot_root": (155, 41),
    "setns": (308, 268),
    "open_tree": (428, 428),
    "move_mount": (429, 429),
    "fsopen": (430, 430),
    "fsmount": (432, 432),
    "mount_setattr": (442, 442),
    "bpf": (321, 280),
    "perf_event_open": (298, 241),
    "userfaultfd": (323, 282),
    "kexec_load": (246, 104),
    "kexec_file_load": (320, 294),
    "init_module": (175, 105),
    "finit_module": (313, 273),
    "delete_module": (176, 106),
    "io_uring_setup": (425, 425),
    "reboot": (169, 142),
    "swapon": (167, 224),
}
NEEDED = {"read": (0, 63), "write": (1, 64), "openat": (257, 56), "execve": (59, 221), "futex": (202, 98)}
CLONE, UNSHARE, CLONE3, IOCTL = (56, 220), (272, 97), (435, 435), (16, 29)
NEW_USER, THREAD = 0x10000000, 0x3D0F00
MACHINES = tuple(ARCHITECTURES)


def result(program: bytes, number: int, audit: int, *arguments: int) -> int:
    """What the kernel's interpreter of classic BPF would answer."""
    data = struct.pack("=iIQ6Q", number, audit, 0, *arguments, *[0] * (6 - len(arguments)))
    steps = [struct.unpack_from("=HBBI", program, at) for at in range(0, len(program), 8)]
    at = accumulator = 0
    while True:
        code, then, otherwise, value = steps[at]
        at += 1
        if code == 0x06:
            return int(value)
        if code == 0x20:
            (accumulator,) = struct.unpack_from("=I", data, value)
        else:
            true = {0x15: accumulator == value, 0x25: accumulator > value, 0x45: bool(accumulator & value)}[code]
            at += then if true else otherwise


@pytest.mark.parametrize("machine", MACHINES)
@pytest.mark.parametrize("namespaces", [False, True])
def test_each_call_gets_its_answer(machine: str, namespaces: bool) -> None:
    program, audit = seccomp_filter(machine, namespaces=namespaces), ARCHITECTURES[machine].audit
    column = MACHINES.index(machine)
    assert {name: result(program, each[column], audit) for name, each in FORBIDDEN.items()} == dict.fromkeys(
        FORBIDDEN, EPERM
    )
    assert {result(program, each[column], audit) for each in NEEDED.values()} == {ALLOW}
    assert result(program, UNSHARE[column], audit, NEW_USER) == (ALLOW if namespaces else EPERM)
    assert result(program, CLONE[column], audit, NEW_USER | 17) == (ALLOW if namespaces else EPERM)
    assert result(program, CLONE[column], audit, THREAD) == ALLOW
    assert result(program, CLONE3[column], audit) == (ALLOW if namespaces else ENOSYS)
    for request in (0x5412, 0x541C, 0x5412 | 1 << 40):
        assert result(program, IOCTL[column], audit, 0, request) == EPERM
    assert result(program, IOCTL[column], audit, 0, 0x5401) == ALLOW


@pytest.mark.parametrize("machine", MACHINES)
def test_calls_of_another_architecture_end_the_process(machine: str) -> None:
    program = seccomp_filter(machine)
    for audit in (0x40000003, 0xC0000015, *(each.audit for name, each in ARCHITECTURES.items() if name != machine)):
        assert result(program, 0, audit) == KILL


def test_the_same_calls_by_the_numbers_of_x32_fail() -> None:
    program, audit = seccomp_filter("x86_64"), ARCHITECTURES["x86_64"].audit
    assert {result(program, 0x40000000 | number, audit) for number in (0, 101, 165, 250)} == {EPERM}


ATTEMPTS = """
import ctypes, json, os, sys
libc, numbers, found = ctypes.CDLL(None, use_errno=True), json.loads(sys.argv[1]), {}
for name, arguments in numbers.items():
    ctypes.set_errno(0)
    found[name] = [libc.syscall(*map(ctypes.c_long, arguments)), ctypes.get_errno()]
found["shadow"] = os.path.exists("/etc/shadow")
found["status"] = [line for line in open("/proc/self/status") if line.startswith(("Seccomp:", "NoNewPrivs:"))]
print(json.dumps(found))
"""


def attempts() -> dict[str, list[int]]:
    column = MACHINES.index(platform.machine())
    asked = {name: [each[column], 0, 0, 0, 0, 0] for name, each in FORBIDDEN.items() if name != "reboot"}
    return asked | {
        "unshare": [UNSHARE[column], NEW_USER],
        "clone": [CLONE[column], NEW_USER | 17, 0, 0, 0, 0],
        "clone3": [CLONE3[column], 0, 0],
        "ioctl": [IOCTL[column], 0, 0x5412, 0],
    }


def test_a_program_in_the_sandbox_tries_them_all() -> None:
    with PrivateDisplay(Size(320, 240), Sandbox()) as display:
        python = "/usr/bin/python3" if Path("/usr/bin/python3").exists() else sys.executable
        program = display.start([python, "-c", ATTEMPTS, json.dumps(attempts())])
        deadline = time.monotonic() + 30
        while not display.ended(program):
            assert time.monotonic() < deadline
            time.sleep(0.02)
        found = json.loads(program.log.read_text())
    assert found.pop("shadow") is False
    assert found.pop("status") == ["NoNewPrivs:\t1\n", "Seccomp:\t2\n"]
    assert found.pop("clone3") == [-1, errno.ENOSYS]
    assert found == {name: [-1, errno.EPERM] for name in found}
    assert len(found) == len(FORBIDDEN) + 2


def test_commands_of_osworld_are_held_the_same_way_and_chromium_keeps_its_own_sandbox_there() -> None:
    with PrivateDisplay(Size(320, 240)) as display:
        sandbox = CommandSandbox(display, Control())
        asked = {name: each for name, each in attempts().items() if name not in ("unshare", "clone", "clone3")}
        done = sandbox.run(["python3", "-c", ATTEMPTS, json.dumps(asked)])
        found = json.loads(done.output)
        assert found.pop("shadow") is False
        assert found.pop("status") == ["NoNewPrivs:\t1\n", "Seccomp:\t2\n"]
        assert found == {name: [-1, errno.EPERM] for name in asked}
        page = sandbox.run(["chromium", "--headless=new", "--dump-dom", "data:text/html,<p>hi"])
        assert (page.status, "<p>hi</p>" in page.output) == (0, True), page.error
        sandbox.close()


def test_a_processor_without_a_filter_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "machine", lambda: "riscv64")
    with pytest.raises(MissingPartError, match="no filter of system calls for riscv64"):
        Sandbox()
