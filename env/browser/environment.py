"""A web page as an environment."""

from __future__ import annotations

import time
from pathlib import Path

from ...actions.errors import EnvironmentFailure
from ...actions.geometry import Size
from ...actions.schema import Action
from ...perception.observation import Observation
from ...perception.page_settle import PageLimits
from ...perception.settle import Clock, Sleep
from ..base import Preview, StepResult
from ..control import Control
from .chromium import Chromium
from .determinism import DeterminismSettings
from .page_events import DialogRule
from .session import BrowserSession, SessionOptions


class BrowserEnvironment:
    """A browser tab to act in. Every episode gets a fresh profile: no cookies, no history.

    New tabs and windows come to the front, as they would for a person; when one closes, the one before is
    in front again. Native dialogs are answered by rule and downloads saved; ``notes`` says so.

    Args:
        url: the page an episode starts with; by default an empty one.
        viewport: size of the page's area, in CSS pixels.
        device_scale: screenshot pixels per CSS pixel.
        headless: without a window.
        downloads: folder for downloads; None refuses them.
        allow_file: whether ``file://`` pages may be opened.
        dialogs: whether ``confirm`` and ``prompt`` are accepted or dismissed; ``alert`` and ``beforeunload``
            are always accepted.
        chromium: a running browser to share; by default one is started for this environment alone.
        limits: how long to wait for the page to be stable.
        patience: seconds after which a page that does not answer is given up, and its browser ended.
        clock: monotonic seconds.
        sleep: waits for ``Wait`` and ``LongPress``.
        control: lets a person pause and stop the run.
        determinism: makes pages deterministic; None leaves them as they are.
    """

    def __init__(
        self,
        url: str | None = None,
        *,
        viewport: Size = Size(1280, 720),
        device_scale: float = 1.0,
        headless: bool = True,
        downloads: Path | None = None,
        allow_file: bool = False,
        dialogs: DialogRule = "accept",
        chromium: Chromium | None = None,
        limits: PageLimits = PageLimits(),
        patience: float = 60.0,
        clock: Clock = time.monotonic,
        sleep: Sleep | None = None,
        control: Control | None = None,
        determinism: DeterminismSettings | None = None,
    ) -> None:
        self._url = url or "about:blank"
        self._options = SessionOptions(
            viewport=viewport,
            device_scale=device_scale,
            downloads=downloads,
            allow_file=allow_file,
            dialogs=dialogs,
            limits=limits,
            patience=patience,
            clock=clock,
            sleep=sleep,
            control=control or Control(),
            determinism=determinism,
        )
        self._provider = BrowserProvider(chromium, headless=headless)
        self._session: BrowserSession | None = None
        self._preview: Preview | None = None

    @property
    def instruction(self) -> None:
        """A browser sets no task of its own."""
        return None

    @property
    def notes(self) -> tuple[str, ...]:
        """What happened since the action before: dialogs answered, downloads saved, addresses refused."""
        return self._session.notes if self._session else ()

    def reset(self, seed: int | None = None) -> Observation:
        """Start with an empty profile on the first page; the seed has no effect.

        Raises:
            EnvironmentFailure: the page cannot be opened.
            MissingPartError: there is no browser.
        """
        self._drop()
        self._session = BrowserSession(self._provider.chromium(), self._options)
        self._session.preview = self._preview
        try:
            self._session.open(self._url)
            return self._session.observe()
        except BaseException:
            self._drop()
            raise

    def step(self, action: Action) -> StepResult:
        """Execute one action; see ``Environment.step``."""
        if self._session is None:
            raise EnvironmentFailure("the environment is not running; call reset before step")
        return self._session.step(action)

    def preview_to(self, show: Preview | None) -> None:
        """See ``SupportsPreview``."""
        self._preview = show
        if self._session is not None:
            self._session.preview = show

    def close(self) -> None:
        """Close the page, and the browser if it is this environment's own."""
        self._drop()
        self._provider.close()

    def __enter__(self) -> BrowserEnvironment:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _drop(self) -> None:
        session, self._session = self._session, None
        if session is not None:
            session.close()


class BrowserProvider:
    """Provides an environment's browser: a shared one, or its own, started when first needed.

    Args:
        shared: a running browser that someone else closes.
        headless: how its own would be started.
        flags: further flags for its own.
    """

    def __init__(self, shared: Chromium | None = None, *, headless: bool = True, flags: tuple[str, ...] = ()) -> None:
        self._shared = shared
        self._headless = headless
        self._flags = flags
        self._own: Chromium | None = None
        self._closed = False

    def chromium(self) -> Chromium:
        """The browser; its own is started again after a crash.

        Raises:
            EnvironmentFailure: the environment was closed, or the shared browser is gone.
        """
        if self._closed:
            raise EnvironmentFailure("the environment was closed; make a new one")
        if self._shared is not None:
            return self._shared
        if self._own is not None and not self._own.running:
            self._own.close()
            self._own = None
        if self._own is None:
            self._own = Chromium(headless=self._headless, flags=self._flags)
        return self._own

    def close(self) -> None:
        """Close its own browser; a shared one stays."""
        self._closed = True
        own, self._own = self._own, None
        if own is not None:
            own.close()
