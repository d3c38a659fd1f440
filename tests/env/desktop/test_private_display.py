"""Private displays: started, several at once, and gone without a trace however their owner ends."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from Xlib.display import Display

from places import SOURCE
from saccade.actions.errors import EnvironmentFailure, MissingPartError, UsageError
from saccade.actions.geometry import Size
from saccade.env.desktop.private_display import PrivateDisplay
from saccade.env.desktop.supervisor import descendants, remove_leftovers
from saccade.env.x11.windows import Windows

# A program with a window, one that cuts itself loose, and one with a child.
OWNER = """
import signal, sys
from saccade.env.desktop.private_display import PrivateDisplay
from saccade.env.desktop.sandbox import Sandbox
boxed = "strict" in sys.argv
display = PrivateDisplay(sandbox=Sandbox() if boxed else None)
print(display.name, flush=True)
program = display.start(["mousepad"])
display.start(["sh", "-c", "(setsid sh -c 'sleep 1000 & exec sleep 1001' &)"])
display.start(["sh", "-c", "sleep 1002 & wait"])
display.wait_for_window(program)
print("ready", flush=True)
{then}
"""


@pytest.fixture(scope="module")
def display() -> Iterator[PrivateDisplay]:
    with PrivateDisplay(Size(800, 600)) as private:
        yield private


@contextmanager
def owner(then: str, *words: str) -> Iterator[tuple[subprocess.Popen[str], Callable[[], list[str]]]]:
    """A process with a display of its own, and what of its family is alive."""
    mark = f"SACCADE_TEST_{random.getrandbits(64):x}"
    environ = {**os.environ, "PYTHONPATH": str(SOURCE), mark: "1"}
    with subprocess.Popen(
        [sys.executable, "-c", OWNER.format(then=then), *words], env=environ, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            yield process, lambda: family(mark)
        finally:
            process.kill()


def family(mark: str) -> list[str]:
    """Command lines of all processes that were started with this variable; zombies have none."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and f"{mark}=".encode() in (entry / "environ").read_bytes():
                found.append((entry / "cmdline").read_bytes().replace(b"\0", b" ").decode())
        except OSError:
            pass
    return found


def traces(name: str = "*") -> list[str]:
    """Locks without a process, and sockets that nobody listens at."""
    tmp = Path("/tmp")
    in_use = Path("/proc/net/unix").read_text()
    sockets = [str(path) for path in tmp.glob(f".X11-unix/X{name}") if f" {path}\n" not in in_use]
    return sockets + [str(path) for path in tmp.glob(f".X{name}-lock") if not alive(path)]


def alive(lock: Path) -> bool:
    try:
        os.kill(int(lock.read_text()), 0)
    except (OSError, ValueError):
        return not lock.exists()  # just being removed
    return True


def gone_within(seconds: float, left: Callable[[], object]) -> bool:
    deadline = time.monotonic() + seconds
    while left():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def test_a_program_gets_a_window_and_the_keys(display: PrivateDisplay) -> None:
    program = display.start(["mousepad"])
    window = display.wait_for_window(program)
    assert display.windows() == (window,)
    second = display.wait_for_window(display.start(["mousepad"]))
    assert second != window
    display.end_programs()
    assert display.windows() == ()
    assert display.ended(program)
    assert program.status == -signal.SIGKILL


def test_what_cut_itself_loose_is_ended_as_well(display: PrivateDisplay) -> None:
    mark = f"SACCADE_TEST_{random.getrandbits(64):x}"
    program = display.start(["sh", "-c", "(setsid sleep 1000 &)"], environ={mark: "1"})
    assert gone_within(10, lambda: not display.ended(program))
    assert gone_within(10, lambda: family(mark) != ["sleep 1000 "])
    display.end_programs()
    assert family(mark) == []
    assert display.running, "the server and the window manager stay"


def running(processes: set[int]) -> set[int]:
    """Those of them that have not ended; a zombie has."""
    found = set()
    for process in processes:
        with suppress(OSError):
            state = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
            found |= {process} if state != "Z" else set()
    return found


def test_what_goes_wrong_is_said(display: PrivateDisplay, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UsageError, match="no program is called 'mousepda'; nearest: mousepad"):
        display.start(["mousepda"])
    failing = display.start(["sh", "-c", "echo the reason >&2; exit 3"])
    with pytest.raises(EnvironmentFailure, match=r"sh has ended with status 3: the reason; it showed no"):
        display.wait_for_window(failing)
    silent = display.start(["sleep", "1000"])
    with pytest.raises(EnvironmentFailure, match="sleep showed no window within"):
        display.wait_for_window(silent, 0.1)
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(MissingPartError, match="run `apt install xvfb openbox`"):
        PrivateDisplay()


def test_programs_find_nothing_of_the_users_session(display: PrivateDisplay, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("WAYLAND_DISPLAY", "XAUTHORITY", "DBUS_SESSION_BUS_ADDRESS", "GTK_IM_MODULE", "LANG"):
        monkeypatch.setenv(name, "mine")
    for name in ("LC_ALL", "LC_CTYPE"):
        monkeypatch.delenv(name, raising=False)
    shown = display.environ
    assert "mine" not in {shown.get(name) for name in ("WAYLAND_DISPLAY", "XAUTHORITY", "GTK_IM_MODULE")}
    assert shown["DBUS_SESSION_BUS_ADDRESS"] == "disabled:"
    assert (shown["DISPLAY"], shown["LC_ALL"]) == (display.name, "C.UTF-8")


def test_nobody_else_may_open_it(display: PrivateDisplay) -> None:
    connection = Display(display.name)
    hosts = connection.list_hosts()
    connection.close()
    assert hosts.mode == 1, "access control is on"
    assert [(host["family"], bytes(host["name"]).split(b"\0")[0]) for host in hosts.hosts] == [(5, b"localuser")]


def test_four_at_once_in_one_process(tmp_path: Path) -> None:
    def work(number: int) -> tuple[str, int]:
        with PrivateDisplay(Size(640, 480)) as private:
            windows = [private.wait_for_window(private.start(["mousepad"])) for _ in range(2)]
            return private.name, len(set(windows))

    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(work, range(4)))
    assert [count for _, count in results] == [2] * 4
    assert gone_within(2, traces), traces()


def test_one_that_ends_leaves_its_neighbour_alone(display: PrivateDisplay) -> None:
    with PrivateDisplay(Size(320, 240)) as other:
        assert other.name != display.name
    windows = Windows(display.name)
    assert windows.managed()
    windows.close()


def test_a_server_that_is_killed_is_noticed_and_cleaned_up_after() -> None:
    with PrivateDisplay(Size(320, 240)) as private:
        number = private.name[1:]
        server = next(each for each in descendants(os.getpid()) if listens(each, number))
        os.kill(server, signal.SIGKILL)
        assert gone_within(10, lambda: private.running)
        with pytest.raises(EnvironmentFailure, match="is gone"):
            private.start(["mousepad"])
    private.close()
    assert not Path(f"/tmp/.X{number}-lock").exists()
    assert traces(number) == []


def listens(process: int, number: str) -> bool:
    """Whether it holds the socket of an X display."""
    lines = Path("/proc/net/unix").read_text().splitlines()
    inodes = {line.split()[6] for line in lines if line.endswith(f" /tmp/.X11-unix/X{number}")}
    held = [str(link.readlink()) for link in Path(f"/proc/{process}/fd").iterdir()]
    name = Path(f"/proc/{process}/comm").read_text().strip()
    return name == "Xvfb" and any(f"socket:[{inode}]" in held for inode in inodes)


def test_only_the_leftovers_of_one_server_are_removed(tmp_path: Path) -> None:
    """It left X5 and X7; 8 and 9 are somebody else's; 6 was taken over by another server."""
    sockets, listening = tmp_path / ".X11-unix", tmp_path / "unix"
    sockets.mkdir()
    for number, server in ((7, 4711), (8, 4712)):
        (tmp_path / f".X{number}-lock").write_text(f"{server:10}\n")
    for number in range(5, 10):
        (sockets / f"X{number}").touch()
    listening.write_text(f"Num RefCount\nffff 00000002 0001 01 4242 {sockets}/X6\n")
    for number in (5, 6):
        remove_leftovers(4711, number, tmp_path, listening)
    assert sorted(path.name for path in sockets.iterdir()) == ["X6", "X8", "X9"]
    assert [path.name for path in tmp_path.glob(".X*-lock")] == [".X8-lock"]


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, None])
def test_nothing_is_left_after_an_ordinary_end(how: signal.Signals | None) -> None:
    with owner("signal.pause()" if how else "sys.exit(0)") as (process, left):
        assert process.stdout is not None
        name = process.stdout.readline().strip()
        assert process.stdout.readline() == "ready\n"
        if how:
            process.send_signal(how)
        process.wait(timeout=30)
        assert gone_within(2, left), left()
        assert traces(name[1:]) == []


@pytest.mark.parametrize("box", ["none", "strict"])
def test_nothing_is_left_two_seconds_after_a_kill(box: str) -> None:
    """Killed at random moments, from before there is a server until everything stands."""
    dealer = random.Random(7)
    for moment in [*(dealer.uniform(0.05, 0.8) for _ in range(4)), None]:
        with owner("signal.pause()", box) as (process, left):
            assert process.stdout is not None
            if moment is None:
                assert process.stdout.readline().startswith(":")
                assert process.stdout.readline() == "ready\n"
            else:
                time.sleep(moment)
            below = descendants(process.pid)  # in a box nothing is left of the variable
            process.kill()
            process.wait()
            assert gone_within(2, lambda below=below: left() or running(below)), f"{moment} s: {left()}"
    assert gone_within(2, traces), traces()
