"""What a page does on its own: dialogs, downloads, requests. Each is handled by a stated rule and noted."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Literal

from playwright.sync_api import BrowserContext, Dialog, Download, Error, Request

from ..notes import quoted
from ..private_files import private_folder, private_part

DialogRule = Literal["accept", "dismiss"]
Note = Callable[[str], None]

# Requests of these kinds stay open for as long as the page does.
_ENDLESS = frozenset({"websocket", "eventsource", "media", "ping"})


class Dialogs:
    """Answers native dialogs, which block the page and show in no screenshot.

    ``alert`` and ``beforeunload`` are always accepted: the page cannot continue otherwise. ``confirm`` and
    ``prompt`` are accepted (a prompt with its default text) or dismissed, by the rule. ``note`` logs each answer.
    """

    def __init__(self, rule: DialogRule, note: Note) -> None:
        self._rule = rule
        self._note = note

    def handle(self, dialog: Dialog) -> None:
        """Answer one dialog."""
        accept = self._rule == "accept" or dialog.type in ("alert", "beforeunload")
        answer = "accepted" if accept else "dismissed"
        said = f": {quoted(dialog.message)}" if dialog.message else ""
        self._note(f"{dialog.type} dialog {answer}{said}")
        with suppress(Error):  # the dialog closes with its page
            if not accept:
                dialog.dismiss()
            else:
                dialog.accept(dialog.default_value if dialog.type == "prompt" else None)


class Downloads:
    """Saves downloads to a folder, made when first needed, or refuses them without one; ``note`` logs it.

    ``conceal`` puts markers in place of secrets in their names.
    """

    def __init__(self, folder: Path | None, note: Note, conceal: Callable[[str], str] = str) -> None:
        self._folder = folder
        self._conceal = conceal
        self._note = note
        self.pending = self.seen = 0

    def handle(self, download: Download) -> None:
        """Save one download and wait until it is complete."""
        self.seen += 1
        name = self._conceal(Path(download.suggested_filename).name) or "download"
        if self._folder is None:
            self._note(f"download refused, as there is no downloads folder: {quoted(name)}")
            return
        self.pending += 1
        try:
            target = _free_path(self._folder, name)
            private_folder(target.parent)
            with private_part(target) as part:
                download.save_as(part)
            self._note(f"download saved: {quoted(target.name)}")
        except Error as error:
            self._note(f"download failed: {quoted(name)}: {error.message.splitlines()[0]}")
        finally:
            self.pending -= 1


class Traffic:
    """Counts the requests begun since the last mark: older ones may be long polls, which never end."""

    def __init__(self) -> None:
        self._open: set[Request] = set()

    @property
    def pending(self) -> int:
        """How many are in flight."""
        return len(self._open)

    def mark(self) -> None:
        """Forget everything begun so far."""
        self._open.clear()

    def watch(self, context: BrowserContext) -> None:
        """Count the requests of a context from now on."""
        context.on("request", self._begin)
        context.on("requestfinished", self._end)
        context.on("requestfailed", self._end)

    def _begin(self, request: Request) -> None:
        if request.resource_type not in _ENDLESS:
            self._open.add(request)

    def _end(self, request: Request) -> None:
        self._open.discard(request)


def _free_path(folder: Path, name: str) -> Path:
    path, number = folder / name, 1
    while path.exists():
        path = folder / f"{Path(name).stem} ({number}){Path(name).suffix}"
        number += 1
    return path
