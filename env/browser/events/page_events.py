"""What a page does on its own: dialogs, requests, file choosers. Each is handled by a stated rule and noted."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http import HTTPStatus
from importlib import resources
from pathlib import Path
from typing import Literal

from playwright.sync_api import BrowserContext, Dialog, Error, FileChooser, Page, Request, Response

from ...guard.intent import Act
from ...notes import excerpt, quoted
from ..addresses import net_error

DialogRule = Literal["accept", "dismiss"]
Note = Callable[[str], None]
Allows = Callable[[Act, str], bool]
"""Whether the guard lets something be done, by its words."""

# Requests of these kinds stay open for as long as the page does.
_ENDLESS = frozenset({"websocket", "eventsource", "media", "ping"})
_MANY = 10
"""Dialogs, in steps one after another, after which the answer is the other one: loops often wait for it."""
_TOO_MANY = 20
"""Dialogs after which a page may open no more."""
_TOLD_OTHERWISE = ("ERR_ABORTED", "ERR_INVALID_AUTH_CREDENTIALS")
"""Failures that are none: downloads, pages that another one replaced; and what the status says already."""
ADDRESS = 150
"""Most characters of an address in a note."""


_LEFT = "Not attached to an active page"
"""What Chromium says of a dialog of a page that another one is about to replace."""


class Dialogs:
    """Answers native dialogs, which block the page and show in no screenshot.

    ``alert`` and ``beforeunload`` are always accepted: the page cannot continue otherwise. ``confirm`` and
    ``prompt`` are accepted (a prompt with its default text) or dismissed, by the rule. ``note`` logs each answer;
    ``allows`` is the guard's word on what a dialog says. ``quieten`` is called with a page that opens too many, and
    ``replace`` with one that is left while a dialog is open: Chromium takes no answer then, and the page that follows
    never comes.
    """

    def __init__(
        self,
        rule: DialogRule,
        note: Note,
        allows: Allows,
        quieten: Callable[[Page | None], None] = lambda page: None,
        replace: Callable[[Page | None], None] = lambda page: None,
    ) -> None:
        self._rule = rule
        self._note = note
        self._allows = allows
        self._quieten = quieten
        self._replace = replace
        self._count = 0
        self._busy = False

    def begin_step(self) -> None:
        """Count anew, unless there was one in the step before."""
        self._count = self._count if self._busy else 0
        self._busy = False

    @property
    def looping(self) -> bool:
        """Whether there were several, in this step or the one before."""
        return self._count > 1

    def handle(self, dialog: Dialog) -> None:
        """Answer one dialog."""
        self._count += 1
        self._busy = True
        told = dialog.type in ("alert", "beforeunload")
        accept = told or (self._rule == "accept") == (self._count <= _MANY)
        denied = accept and not told and not self._allows("accept_dialog", dialog.message)
        accept = accept and not denied
        given = quoted(dialog.default_value) if accept and dialog.type == "prompt" else ""
        answer = f"accepted{given and ' with '}{given}" if accept else "dismissed"
        answer += ", as the guard does not allow it" if denied else ""
        said = f": {quoted(dialog.message)}" if dialog.message else ""
        self._note(f"{dialog.type} dialog {answer}{said}")
        try:
            if not accept:
                dialog.dismiss()
            else:
                dialog.accept(dialog.default_value if dialog.type == "prompt" else None)
        except Error as error:  # mostly the dialog closed with its page
            if _LEFT in error.message:
                self._replace(dialog.page)
        if self._count % _TOO_MANY == 0:
            self._note("the page opens dialogs in a loop; it can open no more until it is loaded again")
            self._quieten(dialog.page)


class FileChoosers:
    """Answers file choosers with files that were allowed beforehand, or says that there are none."""

    def __init__(self, files: tuple[Path, ...], note: Note, allows: Allows) -> None:
        self._files = files
        self._note = note
        self._allows = allows
        self._chosen = 0

    def handle(self, chooser: FileChooser) -> None:
        """Answer one: a field for several files gets all; others get one after another."""
        if not self._files:
            self._note("a file chooser opened and was cancelled, as no file may be uploaded (--file allows one)")
            return
        files = self._files
        if not chooser.is_multiple():
            files = (self._files[self._chosen % len(self._files)],)
            self._chosen += 1
        names = ", ".join(quoted(path.name) for path in files)
        if not self._allows("upload_files", names):
            self._note(f"file chooser cancelled, as the guard does not allow {names}")
            return
        try:
            chooser.set_files(list(files))
            self._note(f"file chooser answered with {names}")
        except Error as error:
            self._note(f"file chooser could not be answered with {names}: {excerpt(error.message.splitlines()[0])}")


class Questions:
    """Notes what pages ask a person for where nobody can answer: permissions, and to print."""

    def __init__(self, note: Note) -> None:
        self._note = note
        self._name = f"_{secrets.token_hex(8)}"

    def watch(self, context: BrowserContext) -> None:
        """Watch the pages of a context from now on."""
        script = resources.files(__package__).joinpath("asking.js").read_text(encoding="utf-8")
        context.expose_binding(self._name, self._ask)
        context.add_init_script(f"({script.strip()})({json.dumps(self._name)})")

    def _ask(self, _source: object, what: object) -> None:
        if what == "print":
            self._note("the page asked to print; nothing is printed here")
        else:
            self._note(f"the page asked for a permission ({excerpt(str(what), 40)}), which is not given here")


class Traffic:
    """Counts the requests begun since the last mark, as older ones may be long polls, and notes what pages answer."""

    def __init__(self, note: Note) -> None:
        self._open: set[Request] = set()
        self._note = note
        self._silent = False
        self.opening: str | None = None
        self.no_page = False

    @property
    def pending(self) -> int:
        """How many are in flight."""
        return len(self._open)

    def mark(self) -> None:
        """Forget everything begun so far."""
        self._open.clear()

    @contextmanager
    def opening_here(self) -> Iterator[None]:
        """A page is opened by a caller, who is told of errors; ``no_page`` says afterwards that there was none."""
        self._silent, self.no_page = True, False
        try:
            yield
        finally:
            self._silent = False

    def watch(self, context: BrowserContext) -> None:
        """Watch the requests of a context from now on."""
        context.on("request", self._begin)
        context.on("requestfinished", self._end)
        context.on("requestfailed", self._fail)
        context.on("response", self._answer)

    def _begin(self, request: Request) -> None:
        if request.resource_type not in _ENDLESS:
            self._open.add(request)
        if _opens_page(request):
            self.opening = request.url

    def _end(self, request: Request) -> None:
        self._open.discard(request)

    def _fail(self, request: Request) -> None:
        self._open.discard(request)
        known = self._silent or any(each in (request.failure or "") for each in _TOLD_OTHERWISE)
        if request.failure and not known and _opens_page(request):
            self._note(f"cannot open {excerpt(request.url, ADDRESS)}: {net_error(request.failure)}")

    def _answer(self, response: Response) -> None:
        if not _opens_page(response.request):
            return
        address = excerpt(response.url, ADDRESS)
        if response.status in (HTTPStatus.NO_CONTENT, HTTPStatus.RESET_CONTENT):
            self.no_page = True
            self._note(f"HTTP {response.status}: {address} has no page to show, so the page stays")
        elif response.status == HTTPStatus.UNAUTHORIZED:
            self.no_page = True
            self._note(f"HTTP 401: {address} asks for a user name and password, which cannot be given here")
        elif response.status >= HTTPStatus.BAD_REQUEST:
            self._note(f"HTTP {response.status}{_phrase(response.status)}: {address}")


def _opens_page(request: Request) -> bool:
    """Whether a request is for a whole page, not for a part of one."""
    try:
        return request.is_navigation_request() and request.frame.parent_frame is None
    except Error:  # of a page that is just being made: its frame is not known yet
        return request.is_navigation_request()


def _phrase(status: int) -> str:
    return f" {HTTPStatus(status).phrase}" if status in HTTPStatus.__members__.values() else ""
