"""A terminal that is closed, a pipe that nobody reads, a full disk: the run ends in order, or goes on if told to."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from made_endpoint import Endpoint, serving
from places import SOURCE
from saccade.env.trajectory.events import EndEvent
from saccade.env.trajectory.trajectory import FILE_NAME, Trajectory

ENVIRON = {**os.environ, "PYTHONPATH": str(SOURCE)}


@pytest.fixture(scope="module")
def server() -> Iterator[Endpoint]:
    with serving(lambda messages: "Action: wait(time='1')", "ui-tars-1.5") as endpoint:
        yield endpoint


def words(server: Endpoint, *more: str) -> list[str]:
    where = ("--url", "data:text/html,<p>hi", "--model", server.address, "--out", "out")
    return [sys.executable, "-m", "saccade", "run", "Wait", *where, *more]


def in_terminal(folder: Path, command: list[str], prepare: Callable[[], None] = lambda: None) -> tuple[int, int]:
    """Start a command as the leader of a session on a terminal; returns its number and the terminal's other end."""
    number, terminal = pty.fork()
    if number == 0:
        os.chdir(folder)
        prepare()
        os.execve(command[0], command, ENVIRON)
    return number, terminal


def end_of(folder: Path, wait: Callable[[], object], seconds: float = 60.0) -> EndEvent:
    deadline = time.monotonic() + seconds
    while not wait():
        assert time.monotonic() < deadline, "it does not end"
        time.sleep(0.05)
    end = Trajectory.load(folder / "out").end
    assert end is not None
    return end


def begun(folder: Path) -> bool:
    file = folder / "out" / FILE_NAME
    return file.exists() and b'"action"' in file.read_bytes()


def until(happened: Callable[[], bool], terminal: int | None = None) -> None:
    deadline = time.monotonic() + 60
    while not happened():
        assert time.monotonic() < deadline
        if terminal is not None:
            flags = fcntl.fcntl(terminal, fcntl.F_GETFL)
            fcntl.fcntl(terminal, fcntl.F_SETFL, flags | os.O_NONBLOCK)
            with contextlib.suppress(OSError):
                os.read(terminal, 65536)
        time.sleep(0.05)


def ended(number: int) -> Callable[[], bool]:
    return lambda: os.waitpid(number, os.WNOHANG)[0] == number


def test_a_closed_terminal_ends_a_run(server: Endpoint, tmp_path: Path) -> None:
    number, terminal = in_terminal(tmp_path, words(server))
    until(lambda: begun(tmp_path), terminal)
    os.close(terminal)
    end = end_of(tmp_path, ended(number))
    assert end.end == "interrupted"
    assert end.message == "stopped by SIGHUP, as the terminal was closed"


def test_under_nohup_it_goes_on(server: Endpoint, tmp_path: Path) -> None:
    ignore = lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN)  # noqa: E731
    number, terminal = in_terminal(tmp_path, words(server, "--max-steps", "3"), ignore)
    until(lambda: (tmp_path / "out" / FILE_NAME).exists(), terminal)
    os.close(terminal)
    assert end_of(tmp_path, ended(number)).end in ("step_limit", "stuck")


def test_under_nohup_nobody_is_asked_at_a_terminal_that_is_gone(tmp_path: Path) -> None:
    replies = iter(["Action: wait(time='1')"] * 2)
    ignore = lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN)  # noqa: E731
    with serving(lambda messages: next(replies, "Action: call_user()"), "ui-tars-1.5") as asking:
        number, terminal = in_terminal(tmp_path, words(asking), ignore)
        until(lambda: (tmp_path / "out" / FILE_NAME).exists(), terminal)
        os.close(terminal)
        end = end_of(tmp_path, ended(number))
    assert (end.end, end.message) in (
        ("call_user", ""),
        ("interrupted", "the terminal was closed while the agent waited for an answer"),
    )


def test_a_pipe_that_nobody_reads_ends_a_run(server: Endpoint, tmp_path: Path) -> None:
    process = subprocess.Popen(
        words(server),
        cwd=tmp_path,
        env=ENVIRON,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout
    assert process.stderr
    until(lambda: begun(tmp_path))
    process.stdout.close()
    end = end_of(tmp_path, lambda: process.poll() is not None)
    assert (end.end, end.message) == ("interrupted", "stopped, as its output was closed")
    process.stderr.close()
    assert process.returncode == 130


@pytest.mark.parametrize("kilobytes", [1, 30, 60])
def test_a_full_disk_is_one_line_and_what_was_written_loads(server: Endpoint, tmp_path: Path, kilobytes: int) -> None:
    """A limit on the size of files fails as a full disk does, at any write."""

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (kilobytes << 10, kilobytes << 10))

    command = [sys.executable, "-m", "saccade", "run", "--env", "memory", "--model", server.address, "--out", "out"]
    done = subprocess.run(
        command, cwd=tmp_path, env=ENVIRON, capture_output=True, text=True, check=False, preexec_fn=limit, timeout=100
    )
    assert "Traceback" not in done.stderr
    assert done.returncode in (1, 2)
    if done.returncode == 2:
        (line,) = [line for line in done.stderr.splitlines() if line.startswith("saccade: ")]
        assert "cannot write" in line
    file = tmp_path / "out" / FILE_NAME
    if file.exists():
        Trajectory.load(file)


def test_a_folder_that_cannot_be_written_is_one_line(server: Endpoint, tmp_path: Path) -> None:
    (tmp_path / "out").write_text("a file")
    done = subprocess.run(
        words(server), cwd=tmp_path, env=ENVIRON, capture_output=True, text=True, check=False, timeout=100
    )
    assert done.returncode == 2
    assert "cannot make out" in done.stderr
    assert "Traceback" not in done.stderr
