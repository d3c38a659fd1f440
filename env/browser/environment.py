"""A web page as an environment."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Self

from ...actions.errors import EnvironmentFailure, UsageError
from ...actions.schema import Action
from ...perception.observation import Observation
from ..base import Preview, StepResult
from ..expect import EvidenceKind
from ..guard.guard import Guard
from .chromium import Chromium
from .determinism import OFFLINE
from .network.rules import NetworkRules
from .network.wall import WALLED
from .options import BrowserOptions
from .page_text import page_evidence
from .session import BrowserSession


class BrowserProvider:
    """Provides an environment's browser: a shared one, or its own, started when first needed.

    Args:
        shared: a running browser that someone else closes.
        headless: how its own is started.
        flags: further command-line flags for its own.
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


class SessionEnvironment:
    """What the environments in a browser have in common: a browser, and one profile of it at a time.

    Args:
        options: how a profile is set up.
        provider: provides the browser; closed with the environment.
        guard: decides what may be done.
    """

    evidence_kinds: tuple[EvidenceKind, ...] = ("text", "url", "title")

    def __init__(self, options: BrowserOptions, provider: BrowserProvider, guard: Guard) -> None:
        self.guard = guard
        self._options = options
        self._provider = provider
        self._session: BrowserSession | None = None
        self._preview: Preview | None = None

    def preview_to(self, show: Preview | None) -> None:
        """See ``SupportsPreview``."""
        self._preview = show
        if self._session is not None:
            self._session.preview = show

    def evidence(self, kind: EvidenceKind) -> Sequence[str]:
        """See ``SupportsEvidence``: of the page in front."""
        if self._session is None:
            raise EnvironmentFailure("the environment is not running; call reset first")
        with self._session.answering(self._options.patience):
            return page_evidence(self._session.page, kind)

    def close(self) -> None:
        """Close the page, and the browser if it is this environment's own."""
        self._drop()
        self._provider.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _new_session(self) -> BrowserSession:
        self._drop()
        self._session = BrowserSession(self._provider.chromium(), self._options, self.guard)
        self._session.preview = self._preview
        return self._session

    def _drop(self) -> None:
        session, self._session = self._session, None
        if session is not None:
            session.close()


class BrowserEnvironment(SessionEnvironment):
    """A browser tab to act in. Every episode gets a fresh profile: no cookies, no history.

    New tabs and windows come to the front, as they would for a person; when one closes, the one before is
    in front again. Native dialogs are answered by rule and downloads saved; ``StepResult.notes`` says so.

    Args:
        url: the page an episode starts with; by default an empty one.
        options: how the profile is set up.
        guard: decides what may be done.
        headless: without a window.
        chromium: a running browser to share; by default one is started for this environment alone.
    """

    def __init__(
        self,
        url: str | None = None,
        options: BrowserOptions | None = None,
        *,
        guard: Guard,
        headless: bool = True,
        chromium: Chromium | None = None,
    ) -> None:
        options, flags = _with_wall(options or BrowserOptions(), guard, url or "")
        if chromium is not None and options.network is not None and not chromium.has_flags(flags):
            raise UsageError("a browser that is shared needs the flags WALLED to keep to its allowed domains")
        super().__init__(options, BrowserProvider(chromium, headless=headless, flags=flags), guard)
        self._url = url or "about:blank"

    @property
    def instruction(self) -> None:
        """A browser sets no task of its own."""
        return None

    def reset(self, seed: int | None = None) -> Observation:
        """Start with an empty profile on the first page; the seed has no effect.

        Raises:
            EnvironmentFailure: the page cannot be opened.
            MissingPartError: there is no browser.
        """
        session = self._new_session()
        try:
            session.open(self._url)
            return session.look()
        except BaseException:
            self._drop()
            raise

    def step(self, action: Action) -> StepResult:
        """Execute one action; see ``Environment.step``."""
        if self._session is None:
            raise EnvironmentFailure("the environment is not running; call reset before step")
        return self._session.step(action)


def _with_wall(options: BrowserOptions, guard: Guard, url: str) -> tuple[BrowserOptions, tuple[str, ...]]:
    """The options with the wall that the guard's profile wants, and the flags that its browser needs.

    A network that is answered from a file is none, and needs no wall.
    """
    if options.determinism is not None and options.determinism.recorded:
        return replace(options, network=None), OFFLINE
    if options.network is None and guard.policy.name == "strict":
        options = replace(options, network=NetworkRules.beginning(url))
    return options, WALLED if options.network is not None else ()
