"""MiniWoB++ as a suite, with the subsets that papers report on.

The lists are those published by BrowserGym (125 tasks, and the 63 of its test split), Pix2Act (59) and WebGUM
(56); ``nonhidden``, ``gym`` and ``html`` are cuts of the distribution itself.
"""

from __future__ import annotations

import importlib.metadata
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import JsonValue

from ...actions.errors import UsageError
from ...actions.schema import Action
from ...env.base import Environment, StepResult
from ...env.browser.miniwob_pages import FLAGS, flight_tasks, miniwob_tasks, page_of
from ...env.browser.watchdog import running
from ...env.control import Control
from ...env.guard.guard import Guard
from ...env.wrappers import EnvironmentWrapper
from ...perception.observation import Observation

if TYPE_CHECKING:
    from ...env.browser.chromium import Chromium
    from ...env.browser.miniwob import MiniWobEnvironment
    from .interactive import EnvironmentProvider

SUBSETS = ("browsergym", "browsergym-test", "pix2act", "webgum", "nonhidden", "gym", "html")
_LISTS = Path(__file__).parent / "miniwob_subsets"


def published(subset: str) -> list[str]:
    """A subset as published, tasks included that the distribution does not have (Pix2Act's ``drag-item``)."""
    if subset not in SUBSETS:
        raise UsageError(f"miniwob has no subset {subset!r}; choose one of {', '.join(SUBSETS)}")
    return (_LISTS / f"{subset}.txt").read_text(encoding="utf-8").split()


@dataclass(frozen=True)
class MiniWobSuite:
    """The tasks of the installed ``miniwob`` package; success is a raw reward above 0."""

    name: str = "miniwob"

    def tasks(self, subset: str | None = None) -> Sequence[str]:
        """Those of a subset that are installed; BrowserGym's 125 by default."""
        known = {*miniwob_tasks(), *flight_tasks()}
        return [task for task in published(subset or "browsergym") if task in known]

    def check(self, tasks: Sequence[str]) -> None:
        """See ``InteractiveSuite``."""
        for task in tasks:
            page_of(task)

    def open(self, control: Control, guard: Guard) -> EnvironmentProvider:
        """Start a browser."""
        return MiniWobProvider(control, guard)


class MiniWobProvider:
    """One browser, started again when it crashed.

    Episodes share one profile, because a new one takes three times as long as a page and the pages store nothing.
    Flight pages store cookies, so each gets a new profile; so does the episode after an error.
    """

    def __init__(self, control: Control, guard: Guard) -> None:
        from ...env.browser.environment import BrowserProvider

        self._control = control
        self._guard = guard
        self._browser = BrowserProvider(flags=FLAGS)
        self._started: Chromium | None = None
        self._process: int | None = None
        self._kept: MiniWobEnvironment | None = None
        self._version = self._chromium().version

    @property
    def settings(self) -> dict[str, JsonValue]:
        """Whose pages in which browser; ``test`` is the mode that the published protocol has."""
        return {
            "miniwob": importlib.metadata.version("miniwob"),
            "chromium": self._version,
            "mode": "test",
            "device_scale": 1.0,
        }

    def environment(self, task: str) -> Environment:
        """The task's page."""
        self._chromium()
        if task in flight_tasks():
            return self._made(task)
        kept, self._kept = self._kept, None
        if kept is None:
            kept = self._made(task)
        kept.turn_to(task)
        return _ReturnedOnClose(kept, self._keep)

    def alive(self) -> bool:
        """Whether the browser's process runs."""
        return self._process is None or running(self._process)

    def close(self) -> None:
        """Close the browser."""
        self._process = self._kept = None
        self._browser.close()

    def _made(self, task: str) -> MiniWobEnvironment:
        from ...env.browser.miniwob import MiniWobEnvironment

        return MiniWobEnvironment(task, guard=self._guard, chromium=self._chromium(), control=self._control)

    def _keep(self, environment: MiniWobEnvironment) -> None:
        self._kept = environment

    def _chromium(self) -> Chromium:
        chromium = self._browser.chromium()
        if chromium is not self._started:
            self._started, self._process = chromium, chromium.process_id()
            self._kept = None
        return chromium


class _ReturnedOnClose(EnvironmentWrapper):
    """An environment that goes back to its provider when it is closed, unless something went wrong in it."""

    def __init__(self, environment: MiniWobEnvironment, return_it: Callable[[MiniWobEnvironment], None]) -> None:
        super().__init__(environment)
        self._inner = environment
        self._return = return_it
        self._broken = False
        self._closed = False

    def reset(self, seed: int | None = None) -> Observation:
        """Start an episode."""
        with self._watching():
            return super().reset(seed)

    def step(self, action: Action) -> StepResult:
        """Execute an action."""
        with self._watching():
            return super().step(action)

    def close(self) -> None:
        """Return it to the provider; may be called more than once."""
        if self._closed:
            return
        self._closed = True
        if self._broken:
            self._inner.close()
        else:
            self._return(self._inner)

    @contextmanager
    def _watching(self) -> Iterator[None]:
        """After an error, also one from outside, the page is in an unknown state."""
        try:
            yield
        except BaseException:
            self._broken = True
            raise
