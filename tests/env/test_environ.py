"""Keys and secrets in environment variables: programs do not get them, messages do not show them."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from saccade.env.browser.chromium import Chromium
from saccade.env.desktop.private_display import PrivateDisplay
from saccade.env.desktop.sandbox import Sandbox
from saccade.env.environ import hide_secrets, shown, without_secrets

HELD = {
    "SACCADE_SECRET_PIN": "gEh31m-pin",
    "SACCADE_API_KEY": "gEh31m-key",
    "OPENAI_API_KEY": "gEh31m-openai",
    "HF_TOKEN": "gEh31m-token",
    "AWS_SECRET_ACCESS_KEY": "gEh31m-aws",
    "DB_PASSWORD": "gEh31m-db",
}


@pytest.fixture(autouse=True)
def _held(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in HELD.items():
        monkeypatch.setenv(name, value)


def test_what_holds_a_secret_is_known_by_its_name() -> None:
    kept = {
        "PATH",
        "HOME",
        "SSH_AUTH_SOCK",
        "XAUTHORITY",
        "DBUS_SESSION_BUS_ADDRESS",
        "SACCADE_MODEL",
        "KEYBOARD",
        "TOKENS_X",
    }
    assert set(without_secrets({**HELD, **dict.fromkeys(kept, "x")})) == kept


def test_messages_show_neither_secrets_nor_parts_of_malformed_ones() -> None:
    environ = {"SACCADE_API_KEY": "\u201csk-one two\u201d", "SACCADE_SECRET_A": "p\u00e4ss", "SHORT_API_KEY": "abc"}
    assert hide_secrets("Bearer sk-one, two abc p%C3%A4ss", environ) == (
        "Bearer (the value of SACCADE_API_KEY), two abc (the value of SACCADE_SECRET_A)"
    )
    assert shown("at http://bo:pw@host/x?key=1 and why?so") == "at http://***@host/x?*** and why?so"


def environments(word: str) -> list[bytes]:
    """The variables of every process whose command line has a word."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if word.encode() in (folder / "cmdline").read_bytes():
                found.append((folder / "environ").read_bytes())
        except OSError:  # it has ended
            continue
    return found


def test_no_browser_and_no_program_on_a_desktop_gets_them(tmp_path: Path) -> None:
    with Chromium() as browser:
        number = browser.process_id()
        seen = [Path(f"/proc/{number}/environ").read_bytes()]
    with PrivateDisplay() as display:
        display.start(["sh", "-c", f"env > {tmp_path}/program; sleep 60.125"])
        display.start(Sandbox(tmp_path).wrap(["sh", "-c", "env > $HOME/boxed; sleep 60.125"], display.environ))
        for name in ("program", "boxed"):
            while not (tmp_path / name).exists() or not (tmp_path / name).read_bytes():
                subprocess.run(["sleep", "0.05"], check=True)
            seen.append((tmp_path / name).read_bytes())
        seen += environments(display.folder.name) + environments("60.125")
    assert len(seen) >= 6
    assert [name for name, value in HELD.items() if any(value.encode() in each for each in seen)] == []
    assert os.environ["SACCADE_API_KEY"] == HELD["SACCADE_API_KEY"], "the process keeps its own"
