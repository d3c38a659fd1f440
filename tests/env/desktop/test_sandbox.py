"""The box, looked at from inside, on a real display."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from saccade.actions.errors import MissingPartError, UsageError
from saccade.actions.geometry import Point, Size
from saccade.actions.schema import Hotkey, Type
from saccade.env.desktop.environment import DesktopEnvironment
from saccade.env.desktop.private_display import PrivateDisplay
from saccade.env.desktop.sandbox import HOME, Sandbox
from saccade.env.guard.guard import Guard

PROBE = """
cat > ~/found 2>&1 <<END
home $HOME
key $SECRET_KEY
sockets $(ls /tmp/.X11-unix)
interfaces $(tail -n +3 /proc/net/dev | cut -d: -f1 | tr -d ' \\n')
others $(ls -d {other} 2>/dev/null | wc -l)
END
touch /etc/written /usr/written
(exec 3<>/dev/tcp/127.0.0.1/{port}) 2>> ~/found
"""


@pytest.fixture
def home(tmp_path: Path) -> Path:
    folder = tmp_path / "a home"
    folder.mkdir()
    return folder


@pytest.fixture
def boxed(home: Path) -> Iterator[PrivateDisplay]:
    with PrivateDisplay(Size(640, 480), Sandbox(home)) as display:
        yield display


def test_from_inside(boxed: PrivateDisplay, home: Path, site, monkeypatch: pytest.MonkeyPatch) -> None:
    """No network (a server of this machine runs meanwhile), nothing to write but the home, no other home."""
    monkeypatch.setenv("SECRET_KEY", "do not tell")
    port = site.address.rpartition(":")[2]
    text = PROBE.format(other=f"{Path.home()} {home.parent}", port=port)
    probe = boxed.start(["bash", "-c", text])
    deadline = time.monotonic() + 20
    while not boxed.ended(probe):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    found = (home / "found").read_text()
    assert found.splitlines()[:5] == [f"home {HOME}", "key ", f"sockets X{boxed.name[1:]}", "interfaces lo", "others 0"]
    assert "Connection refused" in found or "unreachable" in found
    assert not Path("/etc/written").exists()
    assert not Path("/usr/written").exists()


def test_a_program_in_the_box_is_used_like_any_other(home: Path) -> None:
    with DesktopEnvironment(
        "mousepad note.txt", size=Size(800, 600), sandbox=Sandbox(home), guard=Guard.of("open")
    ) as desktop:
        desktop.reset()
        assert desktop.step(Type(text="in the box\n", point=Point(400, 300))).error is None
        assert desktop.step(Hotkey(keys=("ctrl", "s"))).error is None
        deadline = time.monotonic() + 20
        while not (home / "note.txt").exists() or not (home / "note.txt").read_text():
            assert time.monotonic() < deadline
            time.sleep(0.02)
    assert (home / "note.txt").read_text() == "in the box\n"


def test_what_is_missing_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UsageError, match="not a folder"):
        Sandbox(tmp_path / "nowhere")
    refusing = tmp_path / "bwrap"
    refusing.write_text("#!/bin/sh\necho 'bwrap: setting up uid map: Permission denied' >&2; exit 1\n")
    refusing.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(MissingPartError, match=r"cannot make a sandbox here \(bwrap: setting up uid map"):
        Sandbox()
    refusing.unlink()
    with pytest.raises(MissingPartError, match="apt install bubblewrap"):
        Sandbox()
