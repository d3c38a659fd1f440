"""``saccade doctor`` on machines that are whole, bare and broken: it always answers, and soon."""

import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from places import SOURCE
from saccade.tasks.doctor.checks import Finding, browser, disk
from saccade.tasks.doctor.doctor import run_checks
from saccade.tasks.doctor.screen import screen


def call(folder: Path, *words: str, **variables: str) -> tuple[int, str, float]:
    environment = {name: value for name, value in os.environ.items() if name not in ("DISPLAY",)}
    begun = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-m", "saccade", "doctor", *words],
        capture_output=True,
        text=True,
        cwd=folder,
        env={**environment, "PYTHONPATH": str(SOURCE), **variables},
        timeout=60,
    )
    assert "Traceback" not in done.stderr, done.stderr
    return done.returncode, done.stdout, time.monotonic() - begun


def findings(folder: Path, **variables: str) -> tuple[int, dict[str, dict[str, object]]]:
    status, printed, _ = call(folder, "--json", **variables)
    told = json.loads(printed.splitlines()[-1])
    assert told["ok"] is (status == 0)
    return status, {finding["part"]: finding for finding in told["findings"]}


def test_a_machine_that_can_run_is_told_so(tmp_path: Path) -> None:
    status, printed, _ = call(tmp_path)
    assert status == 0
    assert "`saccade run` works here" in printed
    for part in ("packages", "browser", "weights", "Xvfb", "openbox", "bwrap", "torch", "fonts", "disk"):
        assert part in printed


def test_nothing_on_the_search_path_is_survived_and_the_browser_is_what_a_run_misses(tmp_path: Path) -> None:
    status, parts = findings(tmp_path, PATH="/nonexistent", HOME=str(tmp_path), DISPLAY=":987")
    assert status == 1
    missed = {part for part, finding in parts.items() if finding["state"] == "missing" and finding["needed"]}
    assert missed == {"browser"}
    assert {parts[part]["state"] for part in ("Xvfb", "openbox", "xclip", "bwrap")} == {"missing"}
    assert "install" in str(parts["Xvfb"]["fix"])
    assert ":987" in str(parts["display"]["detail"])


def test_a_browser_that_is_none_is_told_with_what_mends_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SACCADE_BROWSER", "/bin/false")
    assert [(each.state, each.detail) for each in browser()] == [("missing", "/bin/false does not start")]
    monkeypatch.setenv("SACCADE_BROWSER", "/nonexistent")
    assert [(each.state, each.fix) for each in browser()] == [("missing", "unset SACCADE_BROWSER")]


def test_a_broken_package_is_survived(tmp_path: Path) -> None:
    (tmp_path / "broken" / "Xlib").mkdir(parents=True)
    (tmp_path / "broken" / "Xlib" / "__init__.py").write_text("raise SystemExit('bad')")
    path = f"{tmp_path / 'broken'}{os.pathsep}{SOURCE}"
    status, parts = findings(tmp_path, PYTHONPATH=path, DISPLAY=":1")
    assert (status, parts["screen"]["detail"]) == (0, "cannot be checked: SystemExit: bad")


@pytest.fixture
def mute_display() -> Iterator[str]:
    """A display that lets one connect and then says nothing."""
    with socket.socket() as server:
        for number in range(40, 90):
            try:
                server.bind(("127.0.0.1", 6000 + number))
                break
            except OSError:
                continue
        server.listen(5)
        yield f"127.0.0.1:{number}"


def test_a_display_that_never_answers_is_given_up(tmp_path: Path, mute_display: str) -> None:
    status, printed, seconds = call(tmp_path, "--json", DISPLAY=mute_display)
    parts = {finding["part"]: finding for finding in json.loads(printed)["findings"]}
    assert (status, parts["screen"]["state"]) == (0, "limited")
    assert "no answer" in parts["screen"]["detail"]
    assert seconds < 20


def test_wayland_is_said_to_be_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WAYLAND_DISPLAY", "wayland-0")
    monkeypatch.delenv("DISPLAY", raising=False)
    (finding,) = screen()
    assert (finding.state, "Wayland" in finding.detail) == ("limited", True)


def test_a_folder_that_cannot_be_written_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir("/proc")
    assert [(each.state, each.needed) for each in disk()] == [("missing", True)]
    monkeypatch.chdir(tmp_path)
    assert [(each.state, list(tmp_path.iterdir())) for each in disk()] == [("ok", [])]


def test_checks_that_break_or_hang_are_findings_too() -> None:
    held = threading.Event()

    def broken() -> list[Finding]:
        raise ZeroDivisionError("by zero")

    def hanging() -> list[Finding]:
        held.wait(60)
        return []

    told = run_checks({"hangs": hanging, "broken": broken, "fine": lambda: [Finding("fine", "ok", "")]}, 0.3)
    held.set()
    assert [finding.part for finding in told] == ["hangs", "broken", "fine"]
    assert "no answer" in told[0].detail
    assert told[1].detail == "cannot be checked: ZeroDivisionError: by zero"
