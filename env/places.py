"""Which environments there are by name, and which settings mean something in each."""

from __future__ import annotations

import difflib
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from ..actions.errors import MissingPartError, UnknownTaskError, UsageError
from .expect import EvidenceKind

NAMES: Final = ("browser", "desktop", "memory", "miniwob:TASK")
EVIDENCE: Final[Mapping[str, tuple[EvidenceKind, ...]]] = {
    "browser": ("text", "url", "title"),
    "miniwob": ("text", "url", "title"),
    "desktop": ("title",),
    "memory": ("text", "title"),
}
"""What expectations can be checked against in each kind."""
_IN: Final[Mapping[str, tuple[str, ...]]] = {
    "url": ("browser",),
    "viewport": ("browser", "desktop"),
    "headed": ("browser", "miniwob"),
    "allow_file": ("browser",),
    "har": ("browser",),
    "files": ("browser",),
    "allow_domains": ("browser",),
    "allow_private": ("browser",),
    "app": ("desktop",),
    "display": ("desktop",),
    "monitor": ("desktop",),
    "sandbox": ("desktop",),
    "home": ("desktop",),
}
"""The kinds in which a setting means something; the option of a setting has the same name."""


def kind_of(name: str) -> str:
    """The kind of environment that a name asks for: ``browser``, ``desktop``, ``memory`` or ``miniwob``.

    Raises:
        UnknownTaskError: no environment has this name; the message lists the nearest.
        MissingPartError: MiniWoB++ is not installed.
    """
    kind, _, task = name.partition(":")
    if kind == "miniwob":
        from .browser.miniwob_pages import page_of

        page_of(task)
        return kind
    if name in NAMES:
        return name
    raise _unknown(name)


def takes(name: str, setting: str) -> bool:
    """Whether a setting means something in the environment of this name."""
    return name.partition(":")[0] in _IN[setting]


def check_settings(name: str, given: Mapping[str, object]) -> None:
    """Refuse settings that would be ignored; ``given`` has those that differ from their defaults.

    Raises:
        UnknownTaskError: no environment has this name; the message lists the nearest.
        UsageError: a setting means nothing there.
        MissingPartError: a window is asked for, and there is no screen to show it.
    """
    kind_of(name)
    for setting in given:
        if not takes(name, setting):
            places = " or ".join(_IN[setting])
            raise UsageError(f"{named(setting)} goes with the environment {places}, not with {name}; leave it out")
    if "headed" in given:
        check_window()


def check_window() -> None:
    """Raise ``MissingPartError`` or another ``UsageError`` if no browser can show a window here."""
    chosen = os.environ.get("SACCADE_BROWSER", "")
    if "headless" in Path(chosen).name:
        raise UsageError(f"SACCADE_BROWSER is {chosen}, which shows no window; leave {named('headed')} out")
    if sys.platform != "linux" or os.environ.get("WAYLAND_DISPLAY"):
        return
    if not os.environ.get("DISPLAY"):
        raise MissingPartError(
            f"a browser window needs a display; leave {named('headed')} out, or start one with `xvfb-run`"
        )
    from .x11.connection import open_display

    open_display(None, "so no browser window can be shown").close()


def named(setting: str) -> str:
    """A setting as a script and as the command line name it: ``allow_file (--allow-file)``."""
    option = {"files": "file", "allow_domains": "allow-domain"}.get(setting, setting.replace("_", "-"))
    return f"{setting} (--{option})"


def _unknown(name: str) -> UnknownTaskError:
    from .browser.miniwob_pages import flight_tasks, miniwob_tasks

    try:
        tasks = [*miniwob_tasks(), *flight_tasks()]
    except MissingPartError:
        tasks = []
    known = [*NAMES[:-1], *(f"miniwob:{task}" for task in tasks), *tasks]
    near = difflib.get_close_matches(name, known, n=3) or NAMES
    shown = [f"miniwob:{each}" if each in tasks else each for each in near]
    return UnknownTaskError(f"no environment is called {name!r}; nearest: {', '.join(dict.fromkeys(shown))}")
