"""Finding and starting a Chromium, and stopping it for certain."""

from __future__ import annotations

import logging
import os
import shutil
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, BrowserContext, Error, Playwright, sync_playwright

from ...actions.errors import EnvironmentFailure, MissingPartError, UsageError
from ..environ import without_secrets
from ..places import check_window
from .input import WHEEL_CLICK

_LOG = logging.getLogger(__name__)
PROGRAMS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "microsoft-edge")

# Partial raster draws into half of an old tile, which sometimes rounds blended edges differently: two
# screenshots of equal screens would not be equal.
FLAGS = (
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-features=Translate,MediaRouter,OptimizationHints",
    "--disable-partial-raster",
    "--disable-search-engine-choice-screen",
    "--disable-smooth-scrolling",
    "--disable-sync",
    "--force-color-profile=srgb",
    "--js-flags=--max-old-space-size=2048",  # megabytes: a page that wants more crashes alone
    "--mute-audio",
    "--no-default-browser-check",
    "--no-first-run",
    "--no-pings",
)

_WINDOW_WHEEL_CLICK = 120 if sys.platform == "linux" else WHEEL_CLICK


def find_browser(
    environ: Mapping[str, str] = os.environ,
    bundled: str | None = None,
    which: Callable[[str], str | None] = shutil.which,
) -> Path:
    """The Chromium to start: ``$SACCADE_BROWSER``, Playwright's own (``bundled``), else one on the search path.

    Raises:
        MissingPartError: none is installed, or ``SACCADE_BROWSER`` names no file.
    """
    chosen = environ.get("SACCADE_BROWSER")
    if chosen:
        found = which(chosen) or chosen
        if not Path(found).is_file():
            raise MissingPartError(f"SACCADE_BROWSER is {chosen}, which is not a program; correct it or unset it")
        return Path(found)
    if bundled and Path(bundled).is_file():
        return Path(bundled)
    for program in PROGRAMS:
        if path := which(program):
            return Path(path)
    raise MissingPartError(
        "no Chromium is installed; run `apt install chromium` or `playwright install chromium`, or set SACCADE_BROWSER"
    )


class _Driver:
    """Playwright's driver process, shared by all browsers of one thread: Playwright allows one in a thread."""

    _of_thread = threading.local()

    @classmethod
    def acquire(cls) -> Playwright:
        users: int = getattr(cls._of_thread, "users", 0)
        if users == 0:
            try:
                with _deaf_to_signals():
                    cls._of_thread.playwright = sync_playwright().start()
            except Error as error:
                raise UsageError(
                    "a browser environment cannot run inside an asyncio loop; run it in a thread of its own"
                ) from error
        cls._of_thread.users = users + 1
        playwright: Playwright = cls._of_thread.playwright
        return playwright

    @classmethod
    def release(cls) -> None:
        cls._of_thread.users -= 1
        if cls._of_thread.users == 0:
            cls._of_thread.playwright.stop()
            del cls._of_thread.playwright


_starting = threading.Lock()


@contextmanager
def _deaf_to_signals() -> Iterator[None]:
    """A driver that starts in the block ends with its owner, and not at signals that its owner handles or ignores."""
    script = str(Path(__file__).with_name("driver_signals.js")).replace("\\", "\\\\").replace('"', '\\"')
    with _starting:
        former = os.environ.get("NODE_OPTIONS")
        os.environ["NODE_OPTIONS"] = f'{former or ""} --require "{script}"'
        try:
            yield
        finally:
            del os.environ["NODE_OPTIONS"]
            if former is not None:
                os.environ["NODE_OPTIONS"] = former


class Chromium:
    """One running browser; several environments of a thread may share it.

    It keeps its own sandbox, unless the user is root or the system has no user namespaces for it, which is logged.
    ``flags`` are further command-line flags; ``executable`` is the one that ``find_browser`` finds by default.

    Attributes:
        wheel_click: CSS pixels by which a click of the wheel scrolls in it: of a person's in its window, else ours.

    Raises:
        MissingPartError: there is no browser, or no display for a window.
        EnvironmentFailure: it does not start.
    """

    def __init__(self, *, headless: bool = True, flags: tuple[str, ...] = (), executable: Path | None = None) -> None:
        if not headless:
            check_window()
        self.wheel_click = WHEEL_CLICK if headless else _WINDOW_WHEEL_CLICK
        self._flags = flags
        playwright = _Driver.acquire()
        self._browser: Browser | None = None
        self._partial = tempfile.TemporaryDirectory(prefix="saccade-downloads-", ignore_cleanup_errors=True)
        try:
            self.executable = executable or find_browser(bundled=playwright.chromium.executable_path)
            self._browser = _launch(playwright, self.executable, headless, flags, self.partial)
        finally:
            if self._browser is None:
                self._partial.cleanup()
                _Driver.release()

    @property
    def partial(self) -> Path:
        """The folder in which downloads grow until they are complete."""
        return Path(self._partial.name)

    @property
    def running(self) -> bool:
        """Whether it can open pages."""
        return self._browser is not None and self._browser.is_connected()

    @property
    def version(self) -> str:
        """The browser's version."""
        return self._live().version

    def has_flags(self, flags: tuple[str, ...]) -> bool:
        """Whether it was started with some flags."""
        return {*flags} <= {*self._flags}

    def new_context(self, **options: Any) -> BrowserContext:
        """A fresh profile with Playwright's context options.

        Raises:
            EnvironmentFailure: the browser is gone.
        """
        try:
            return self._live().new_context(**options)
        except Error as error:
            raise EnvironmentFailure(f"the browser is gone: {first_line(error)}") from error

    def process_id(self) -> int:
        """The browser's process number, for a watchdog."""
        session = self._live().new_browser_cdp_session()
        processes = session.send("SystemInfo.getProcessInfo")["processInfo"]
        session.detach()
        return next(int(process["id"]) for process in processes if process["type"] == "browser")

    def close(self) -> None:
        """Stop the browser; may be called more than once, and after a crash."""
        browser, self._browser = self._browser, None
        if browser is None:
            return
        try:
            browser.close()
        except Error:  # it had crashed
            pass
        finally:
            self._partial.cleanup()
            _Driver.release()

    def __enter__(self) -> Chromium:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _live(self) -> Browser:
        if self._browser is None:
            raise EnvironmentFailure("the browser was closed; make a new environment")
        return self._browser


def first_line(error: Error) -> str:
    """Playwright's message without its call log."""
    return error.message.strip().splitlines()[0]


ROOT = "Chromium runs without its own sandbox, because you are root: start saccade as another user to keep it"
_NO_NAMESPACES = (
    "Chromium runs without its own sandbox, because this system lets it make no user namespaces: allow them, "
    "or install Chromium's setuid sandbox (docs/environments.md)"
)


def is_root() -> bool:
    """Whether Chromium has no sandbox of its own, because root started it."""
    return hasattr(os, "geteuid") and os.geteuid() == 0


def _launch(
    playwright: Playwright, executable: Path, headless: bool, flags: tuple[str, ...], downloads: Path
) -> Browser:
    def launch(sandbox: bool) -> Browser:
        return playwright.chromium.launch(
            executable_path=executable,
            headless=headless,
            downloads_path=downloads,
            args=[*FLAGS, *flags],
            chromium_sandbox=sandbox,
            ignore_default_args=["--hide-scrollbars"],  # an agent should see that there is more below
            handle_sigint=False,
            handle_sigterm=False,
            handle_sighup=False,
            timeout=60_000,
            env=dict(without_secrets()),
        )

    try:
        if is_root():
            _log_once(logging.INFO, ROOT)  # usual in a container, and nothing that a script should print
            return launch(sandbox=False)
        try:
            return launch(sandbox=True)
        except Error as error:
            if "sandboxing failed" not in error.message:
                raise
            _log_once(logging.WARNING, _NO_NAMESPACES)
            return launch(sandbox=False)
    except Error as error:
        display = "" if headless else f"; is the display {os.environ.get('DISPLAY')} still there?"
        raise EnvironmentFailure(f"{executable} does not start: {first_line(error)}{display}") from error


@cache
def _log_once(level: int, message: str) -> None:
    _LOG.log(level, message)
