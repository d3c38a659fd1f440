"""Chromium's own sandbox: kept by every user but root, and where it cannot be, that is said."""

from __future__ import annotations

import logging
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from places import SOURCE
from saccade.env.browser import chromium
from saccade.env.browser.chromium import Chromium
from saccade.env.desktop import seccomp

LAUNCH = """
import os
from pathlib import Path
from saccade.env.browser.chromium import Chromium
with Chromium() as browser:
    browser.new_context().new_page().goto("data:text/html,<title>hi</title>")
    processes = browser._live().new_browser_cdp_session().send("SystemInfo.getProcessInfo")["processInfo"]
    for number in (int(process["id"]) for process in processes if process["type"] == "renderer"):
        lines = Path(f"/proc/{number}/status").read_text().splitlines()
        seccomp = next(line for line in lines if line.startswith("Seccomp:")).split()[1]
        own = os.readlink(f"/proc/{number}/ns/user") != os.readlink("/proc/self/ns/user")
        print("renderer", os.geteuid(), seccomp, own)
"""
NOBODY = 65534


@pytest.fixture
def home() -> Iterator[Path]:
    """A folder that another user may write, too."""
    folder = Path(tempfile.mkdtemp(dir="/tmp", prefix="saccade-test-"))
    if os.geteuid() == 0:
        os.chown(folder, NOBODY, NOBODY)
    yield folder
    shutil.rmtree(folder)


def launched(home: Path, *before: str) -> subprocess.CompletedProcess[str]:
    """A real launch by a user who is not root; as root, by another one who may read this checkout."""
    read = "+dac_read_search"
    other = (
        f"setpriv --reuid {NOBODY} --regid {NOBODY} --clear-groups --inh-caps=-all,{read} --ambient-caps=-all,{read}"
    )
    words = [*before, *(other.split() if os.geteuid() == 0 else []), sys.executable, "-P", "-c", LAUNCH]
    environ = {**os.environ, "PYTHONPATH": str(SOURCE), "HOME": str(home), "TMPDIR": str(home)}
    return subprocess.run(words, env=environ, cwd="/", capture_output=True, text=True, timeout=120, check=False)


def test_who_is_not_root_keeps_it(home: Path) -> None:
    done = launched(home)
    assert done.returncode == 0, done.stderr
    user = str(NOBODY) if os.geteuid() == 0 else str(os.geteuid())
    assert set(done.stdout.splitlines()) == {f"renderer {user} 2 True"}
    assert "sandbox" not in done.stderr


def test_without_user_namespaces_it_starts_and_that_is_said_once(home: Path) -> None:
    done = launched(home, sys.executable, "-ISs", seccomp.__file__, "bwrap", "--dev-bind", "/", "/", "--")
    assert done.returncode == 0, done.stderr
    assert {line.split()[3] for line in done.stdout.splitlines()} == {"False"}
    assert done.stderr.count("Chromium runs without its own sandbox, because this system lets it make no user") == 1


def test_root_is_told_once(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    chromium._log_once.cache_clear()
    with caplog.at_level(logging.INFO):
        for _ in range(2):
            with Chromium() as browser:
                assert browser.running
    assert [record.message for record in caplog.records] == [chromium.ROOT]
