"""MiniWoB++ tasks as environments, by the published protocol.

Every episode loads the page anew (a reused page leaks state into the next episode), seeds it, and starts it
with a time limit so long that thinking does not change the reward. The viewport is larger than the task,
because pages position dialogs relative to the window; the screenshot is cut to the task.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, replace
from importlib import resources
from typing import Any, Literal

from ...actions.errors import EnvironmentFailure
from ...actions.schema import Action, Navigate, NavigateBack, OpenApp, PressBack, PressHome, Wait
from ...perception.observation import Observation
from ...perception.page_settle import PageLimits
from ..base import StepResult
from ..control import Control
from ..guard.guard import Guard
from .chromium import Chromium
from .environment import BrowserProvider, SessionEnvironment
from .miniwob_pages import ALONE, page_of, view_of, window_of, words
from .options import BrowserOptions
from .session import BrowserSession

Mode = Literal["train", "test"]
EPISODE_MS = 3_600_000
LONGEST_WAIT = 1.0
"""Most seconds of one ``Wait``: the pages are local, and a policy that needs longer can wait again."""

_STATE = (
    "() => ({done: WOB_DONE_GLOBAL, raw: WOB_RAW_REWARD_GLOBAL, scaled: WOB_REWARD_GLOBAL, "
    "reason: String(WOB_REWARD_REASON ?? '')})"
)
_READY = "() => typeof core !== 'undefined' && core.cover_div !== null"


@dataclass(frozen=True)
class MiniWobReward:
    """How the page judged the episode so far.

    Attributes:
        done: whether it is over.
        raw: the page's own reward, -1 to 1, without regard to time.
        scaled: the same scaled by time, as the page shows it.
        reason: why, where the page says so.
    """

    done: bool
    raw: float
    scaled: float
    reason: str


class MiniWobEnvironment(SessionEnvironment):
    """One MiniWoB++ task.

    Args:
        task: its name, such as ``click-test-2`` or ``flight.AA``.
        guard: decides what may be done; the pages are toys, so ``open`` is what evaluations have.
        mode: which problems the page draws from, where it makes a difference.
        device_scale: screenshot pixels per CSS pixel; the published protocol has 1.
        headless: without a window.
        chromium: a running browser to share; by default one is started for this environment alone.
        limits: how long to wait for the page to be stable.
        control: lets a person pause and stop the run.

    Raises:
        UnknownTaskError: there is no such task; the message names the nearest.
        MissingPartError: the ``miniwob`` package is not installed.
    """

    def __init__(
        self,
        task: str,
        *,
        guard: Guard,
        mode: Mode = "test",
        device_scale: float = 1.0,
        headless: bool = True,
        chromium: Chromium | None = None,
        limits: PageLimits = PageLimits(motion=1.0),
        control: Control | None = None,
    ) -> None:
        options = BrowserOptions(
            viewport=window_of(task),
            clip=view_of(task),
            device_scale=device_scale,
            allow_file=True,
            single_page=True,
            refused=(OpenApp, PressHome, Navigate, NavigateBack, PressBack),
            limits=limits,
            control=control or Control(),
        )
        super().__init__(options, BrowserProvider(chromium, headless=headless, flags=ALONE), guard)
        self.task = task
        self.seed: int | None = None
        self.outcome = MiniWobReward(False, 0.0, 0.0, "")
        self._mode = mode
        self._address = page_of(task).as_uri()
        self._instruction: str | None = None

    @property
    def instruction(self) -> str | None:
        """What the page asks for; None before ``reset`` and after ``close``."""
        return self._instruction if self._session else None

    def reset(self, seed: int | None = None) -> Observation:
        """Load the page anew and start an episode; without a seed, one is drawn and kept in ``seed``.

        Raises:
            EnvironmentFailure: the page does not start.
            MissingPartError: there is no browser.
        """
        self.seed = random.SystemRandom().randrange(2**31) if seed is None else seed
        self._instruction = None
        session = self._ready_session()
        session.open(self._address)
        session.wait_for(_READY)
        start = resources.files(__package__).joinpath("miniwob_start.js").read_text(encoding="utf-8")
        session.evaluate(start, [self.seed, self._mode, EPISODE_MS])
        session.wait_for("() => WOB_TASK_READY")
        self._instruction = words(session.evaluate("() => core.getUtterance()"))
        self.outcome = MiniWobReward(False, 0.0, 0.0, "")
        first = self._named(session.look())
        session.evaluate("() => core.saccadeObserved()")
        return first

    def step(self, action: Action) -> StepResult:
        """Execute one action; the reward is the page's raw one, given by the step that ends the episode.

        Raises:
            EnvironmentFailure: the browser broke; or there is no episode to act in.
        """
        if self._session is None or self._instruction is None:
            raise EnvironmentFailure("no episode is running; call reset before step")
        if self.outcome.done:
            raise EnvironmentFailure("the episode is over; call reset before the next step")
        if isinstance(action, Wait):
            action = Wait(seconds=min(action.seconds, LONGEST_WAIT))
        result = self._session.step(action)
        self.outcome = MiniWobReward(**self._session.evaluate(_STATE))
        reward = float(self.outcome.raw) if self.outcome.done else 0.0
        observation = self._named(result.observation)
        return replace(result, observation=observation, terminated=self.outcome.done, reward=reward)

    def evaluate(self, script: str, argument: object = None) -> Any:
        """Run a script in the page, which no policy may do: for experts that training data comes from.

        Raises:
            EnvironmentFailure: the browser broke; or there is no episode.
        """
        if self._session is None or self._instruction is None:
            raise EnvironmentFailure("no episode is running; call reset first")
        return self._session.evaluate(script, argument)

    def turn_to(self, task: str) -> None:
        """Let the next episode be one of another task, in the same profile; ``reset`` starts it.

        Raises:
            UnknownTaskError: there is no such task.
            ValueError: it needs another window.
        """
        if (window_of(task), view_of(task)) != (self._options.viewport, self._options.clip):
            raise ValueError(f"{task} needs another window than {self.task}")
        self._address = page_of(task).as_uri()
        self.task, self._instruction = task, None

    def _named(self, observation: Observation) -> Observation:
        """With the page's name for its address: where the package is installed does not matter."""
        return replace(observation, url=f"miniwob:{self.task}")

    def _ready_session(self) -> BrowserSession:
        """The profile of the episode before, if it still works; else a new one."""
        self._provider.chromium()  # starts it again after a crash, and refuses a closed environment
        if self._session is None or not self._session.usable:
            return self._new_session()
        self._session.retire()
        return self._session
