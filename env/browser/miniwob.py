"""MiniWoB++ tasks as environments, by the published protocol.

The page is loaded anew for every episode (a reused page leaks state into the next one), seeded, and started
with a time limit so long that thinking does not change the reward. The viewport is larger than the task,
because pages place dialogs relative to the window; the screenshot is cut to the task.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from ...actions.errors import EnvironmentFailure
from ...actions.schema import Action, Navigate, NavigateBack, OpenApp, PressBack, PressHome, Wait
from ...perception.observation import Observation
from ...perception.page_settle import PageLimits
from ..base import Preview, StepResult
from ..control import Control
from .miniwob_pages import ALONE, flight_tasks, miniwob_tasks, page_of, view_of, window_of, words

if TYPE_CHECKING:
    from .chromium import Chromium
    from .session import BrowserSession

__all__ = ["MiniWobEnvironment", "MiniWobReward", "flight_tasks", "miniwob_tasks"]

Mode = Literal["train", "test"]
EPISODE_MS = 3_600_000
LONGEST_WAIT = 1.0
"""Seconds after which a ``Wait`` ends here: the pages are local, and who needs longer waits again."""

# The page shows a START cover when an episode ends, and a click on it (the second of a double click, say)
# would begin an unseeded one and wipe the reward: so starting again is taken out of the page. What the page
# does again and again (a new price every tenth of a second) begins after the first look: otherwise the first
# screen would tell how fast the machine is, not which seed it was. A blinking caret tells the time as well.
_START = """
([seed, mode, limit]) => {
  const [repeat, end] = [window.setInterval, window.clearInterval];
  const held = new Map(), begun = new Map();
  window.setInterval = (...what) => { held.set(-held.size - 1, what); return -held.size; };
  window.clearInterval = id => { held.set(id, null); end(begun.get(id) ?? id); };
  core.saccadeLooked = () => {
    window.setInterval = repeat;
    for (const [id, what] of held) if (what) begun.set(id, repeat(...what));
    core.saccadeLooked = () => {};
  };
  const still = new CSSStyleSheet();
  still.replaceSync('* { caret-animation: manual !important }');
  document.adoptedStyleSheets = [...document.adoptedStyleSheets, still];
  Math.seedrandom(seed);
  core.setDataMode(mode);
  core.EPISODE_MAX_TIME = limit;
  core.startEpisodeReal();
  core.startEpisode = () => {};
}
"""
_STATE = """
() => ({
  done: WOB_DONE_GLOBAL, raw: WOB_RAW_REWARD_GLOBAL, scaled: WOB_REWARD_GLOBAL,
  reason: String(WOB_REWARD_REASON ?? '')
})
"""
_LOOKED = "() => core.saccadeLooked()"
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


class MiniWobEnvironment:
    """One MiniWoB++ task.

    Args:
        task: its name, such as ``click-test-2`` or ``flight.AA``.
        mode: which problems the page draws from, where it makes a difference.
        device_scale: screenshot pixels per CSS pixel; the published protocol has 1.
        headless: without a window.
        chromium: a running browser to share; by default one is started for this environment alone.
        limits: how long to wait for the page to come to rest.
        control: a person's hold on the run.

    Raises:
        UnknownTaskError: there is no such task; the message names the nearest.
        MissingPartError: the ``miniwob`` package is not installed.
    """

    def __init__(
        self,
        task: str,
        *,
        mode: Mode = "test",
        device_scale: float = 1.0,
        headless: bool = True,
        chromium: Chromium | None = None,
        limits: PageLimits = PageLimits(motion=1.0),
        control: Control | None = None,
    ) -> None:
        from .environment import BrowserProvider
        from .session import SessionOptions

        self.task = task
        self.seed: int | None = None
        self.outcome = MiniWobReward(False, 0.0, 0.0, "")
        self._mode = mode
        self._address = page_of(task).as_uri()
        self._options = SessionOptions(
            viewport=window_of(task),
            clip=view_of(task),
            device_scale=device_scale,
            allow_file=True,
            single_page=True,
            refused=(OpenApp, PressHome, Navigate, NavigateBack, PressBack),
            limits=limits,
            control=control or Control(),
        )
        self._provider = BrowserProvider(chromium, headless=headless, flags=ALONE)
        self._session: BrowserSession | None = None
        self._preview: Preview | None = None
        self._instruction: str | None = None

    @property
    def instruction(self) -> str | None:
        """What the page asks for; None before ``reset``."""
        return self._instruction

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
        session.evaluate(_START, [self.seed, self._mode, EPISODE_MS])
        session.wait_for("() => WOB_TASK_READY")
        self._instruction = words(session.evaluate("() => core.getUtterance()"))
        self.outcome = MiniWobReward(False, 0.0, 0.0, "")
        first = self._named(session.observe())
        session.evaluate(_LOOKED)
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

    def preview_to(self, show: Preview | None) -> None:
        """Give first looks; see ``SupportsPreview``."""
        self._preview = show
        if self._session is not None:
            self._session.preview = show

    def close(self) -> None:
        """Close the page, and the browser if it is this environment's own."""
        self._drop()
        self._provider.close()

    def __enter__(self) -> MiniWobEnvironment:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _named(self, observation: Observation) -> Observation:
        """With the page's name for its address: where the package lies is nobody's business."""
        return replace(observation, url=f"miniwob:{self.task}")

    def _ready_session(self) -> BrowserSession:
        from .session import BrowserSession

        chromium = self._provider.chromium()
        if self._session is not None and self._session.usable:
            self._session.retire()
        else:
            self._drop()
            self._session = BrowserSession(chromium, self._options)
        self._session.preview = self._preview
        return self._session

    def _drop(self) -> None:
        session, self._session = self._session, None
        self._instruction = None
        if session is not None:
            session.close()
