"""Checks of what desktops need: the user's screen, private displays, the sandbox, fonts."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

from ...actions.errors import MissingPartError
from ...env.environ import without_secrets
from .checks import Finding, first_line_of, install_command

PROGRAMS = {
    "Xvfb": ("private desktops", {"apt": "xvfb", "dnf": "xorg-x11-server-Xvfb", "pacman": "xorg-server-xvfb"}),
    "openbox": ("private desktops", {"apt": "openbox"}),
    "xclip": ("reading the clipboard in a shell", {"apt": "xclip"}),
}
EXTENSIONS = {
    "XTEST": "input cannot be injected",
    "DAMAGE": "stable screens are found by comparing pictures, which is slower",
    "RECORD": "the stop chord and recording do not work",
}
_MACOS = "macOS; grant Screen Recording and Accessibility to your terminal"
_WAYLAND = """Wayland: its screen can be neither captured nor controlled; browsers and private desktops work \
(--env desktop --app PROGRAM). For this screen, log in to an X11 session"""


def screen() -> Iterator[Finding]:
    """The user's screen, and what can be done on it."""
    if other := {"darwin": _MACOS, "win32": "Windows"}.get(sys.platform):
        yield Finding("screen", "ok", other)
        return
    name = os.environ.get("DISPLAY")
    if os.environ.get("WAYLAND_DISPLAY") or os.environ.get("XDG_SESSION_TYPE") == "wayland":
        yield Finding("screen", "limited", _WAYLAND)
    elif not name:
        yield Finding("screen", "ok", "none here (DISPLAY is not set); private desktops and browsers need none")
    if name:
        yield from _x_display(name)


def _x_display(name: str) -> Iterator[Finding]:
    from Xlib.display import Display

    try:
        display: Any = Display(name)
    except Exception as error:  # whatever a broken display makes python-xlib raise
        why = " ".join(str(error).split()) or type(error).__name__
        yield Finding("display", "limited", f"{name} does not answer: {why}", "unset DISPLAY")
        return
    try:
        size = display.screen().root.get_geometry()
        lacking = [extension for extension in EXTENSIONS if not display.has_extension(extension)]
        yield Finding("display", "ok", f"X11, {name}, {size.width} x {size.height}")
        if not lacking:
            yield Finding("extensions", "ok", ", ".join(EXTENSIONS))
        for extension in lacking:
            yield Finding("extensions", "limited", f"{name} has no {extension}: {EXTENSIONS[extension]}")
    finally:
        display.close()


def accessibility() -> Iterator[Finding]:
    """Whether recordings can find out which fields of a program are for passwords."""
    if not os.environ.get("DISPLAY"):
        return
    from ...env.record.atspi import find_bus

    try:
        find_bus(None)
    except MissingPartError as error:
        detail = f"recordings do not recognise password fields of programs: {error}"
        yield Finding("accessibility", "limited", detail, install_command(apt="at-spi2-core"))
    else:
        yield Finding("accessibility", "ok", "recordings recognise password fields of programs")


def programs() -> Iterator[Finding]:
    """The programs that private desktops need."""
    for program, (purpose, packages) in PROGRAMS.items():
        path = shutil.which(program)
        if path is None:
            yield Finding(program, "missing", f"needed for {purpose}", install_command(**packages))
        else:
            yield Finding(program, "ok", path)


def sandbox() -> Iterator[Finding]:
    """Whether bubblewrap is installed and the system lets it work."""
    program = shutil.which("bwrap")
    if program is None:
        yield Finding("bwrap", "missing", "needed for --sandbox strict", install_command(apt="bubblewrap"))
        return
    box = [program, "--unshare-all", "--die-with-parent", "--ro-bind", "/", "/", "true"]
    tried = subprocess.run(
        box, capture_output=True, text=True, errors="replace", timeout=2, check=False, env=without_secrets()
    )
    if tried.returncode == 0:
        yield Finding("bwrap", "ok", f"{first_line_of(program, '--version') or program}, usable")
    else:
        why = (tried.stderr.strip().splitlines() or [f"status {tried.returncode}"])[-1]
        fix = "sudo sysctl kernel.unprivileged_userns_clone=1  # in a container: run it privileged"
        yield Finding("bwrap", "limited", f"cannot make a sandbox: {why}", fix)


def fonts() -> Iterator[Finding]:
    """Fonts for Chinese, Japanese and Korean; without them, such text is drawn as boxes."""
    fix = install_command(apt="fonts-noto-cjk", dnf="google-noto-sans-cjk-fonts", pacman="noto-fonts-cjk")
    if shutil.which("fc-list") is None:
        unknown = "fc-list is missing, so fonts cannot be listed"
        yield Finding("fonts", "limited", unknown, install_command(apt="fontconfig"))
    elif found := first_line_of("fc-list", ":lang=zh", "family"):
        yield Finding("fonts", "ok", f"CJK: {found}")
    else:
        yield Finding("fonts", "limited", "none for Chinese, Japanese, Korean: such text is drawn as boxes", fix)
