"""MiniWoB++ tasks as environments, by the published protocol.

The page is loaded anew for every episode (a reused page leaks state into the next one), seeded, and started
with a time limit so long that thinking does not change the reward. The viewport is larger than the task,
because pages place dialogs relative to the window; the screenshot is cut to the task.
"""

from __future__ import annotations

import difflib
import importlib.util
import random
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Any, Literal

from ..actions.errors import EnvironmentFailure, MissingPartError, UnknownTaskError
from ..actions.geometry import Size
from ..actions.schema import Action
from ..perception.observation import Observation
from ..perception.page_settle import PageLimits
from .base import StepResult
from .browser import BrowserPlace
from .browser_session import BrowserSession, SessionOptions
from .chromium import UNCAPPED_FRAMES, Chromium

Mode = Literal["train", "test"]

TASK_VIEW, TASK_WINDOW = Size(160, 210), Size(500, 320)
FLIGHT_VIEW, FLIGHT_WINDOW = Size(375, 667), Size(600, 800)
EPISODE_MS = 3_600_000
FLAGS = (UNCAPPED_FRAMES, "--allow-file-access-from-files")

# The page shows a START cover when an episode ends, and a click on it (the second of a double click, say)
# would begin an unseeded one and wipe the reward: so starting again is taken out of the page.
_START = """
([seed, mode, limit]) => {
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
_READY = "() => typeof core !== 'undefined' && core.cover_div !== null"


@dataclass(frozen=True)
class Outcome:
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


def miniwob_tasks() -> list[str]:
    """All tasks of the installed ``miniwob`` package, sorted; the four ``flight.*`` tasks are extra.

    Raises:
        MissingPartError: the package is not installed.
    """
    return sorted(page.stem for page in (_pages() / "miniwob").glob("*.html"))


def flight_tasks() -> list[str]:
    """The FlightWoB tasks, such as ``flight.AA``."""
    return sorted(f"flight.{page.parent.name}" for page in (_pages() / "flight").glob("*/wrapper.html"))


class MiniWobEnvironment:
    """One MiniWoB++ task.

    Args:
        task: its name, such as ``click-test-2`` or ``flight.AA``.
        mode: which problems the page draws from, where it makes a difference.
        device_scale: screenshot pixels per CSS pixel; the published protocol has 1.
        headless: without a window.
        chromium: a running browser to share; by default one is started for this environment alone.
        limits: how long to wait for the page to come to rest.

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
    ) -> None:
        self.task = task
        self.seed: int | None = None
        self.outcome = Outcome(False, 0.0, 0.0, "")
        self._mode = mode
        self._address = _page_of(task).as_uri()
        flight = task.startswith("flight.")
        self._options = SessionOptions(
            viewport=FLIGHT_WINDOW if flight else TASK_WINDOW,
            clip=FLIGHT_VIEW if flight else TASK_VIEW,
            device_scale=device_scale,
            allow_file=True,
            limits=limits,
        )
        self._place = BrowserPlace(chromium, headless=headless, flags=FLAGS)
        self._session: BrowserSession | None = None
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
        self._instruction = _words(session.evaluate("() => core.getUtterance()"))
        self.outcome = Outcome(False, 0.0, 0.0, "")
        return session.observe()

    def step(self, action: Action) -> StepResult:
        """Execute one action; the reward is the page's raw one, given by the step that ends the episode.

        Raises:
            EnvironmentFailure: the browser broke; or there is no episode to act in.
        """
        if self._session is None or self._instruction is None:
            raise EnvironmentFailure("no episode is running; call reset before step")
        if self.outcome.done:
            raise EnvironmentFailure("the episode is over; call reset before the next step")
        result = self._session.step(action)
        self.outcome = Outcome(**self._session.evaluate(_STATE))
        reward = float(self.outcome.raw) if self.outcome.done else 0.0
        return replace(result, terminated=self.outcome.done, reward=reward)

    def close(self) -> None:
        """Close the page, and the browser if it is this environment's own."""
        self._drop()
        self._place.close()

    def __enter__(self) -> MiniWobEnvironment:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _ready_session(self) -> BrowserSession:
        chromium = self._place.chromium()
        if self._session is not None and self._session.usable:
            self._session.release()
        else:
            self._drop()
            self._session = BrowserSession(chromium, self._options)
        return self._session

    def _drop(self) -> None:
        session, self._session = self._session, None
        self._instruction = None
        if session is not None:
            session.close()


def _pages() -> Path:
    # find_spec does not import the package, which would pull in selenium and gymnasium.
    spec = importlib.util.find_spec("miniwob")
    if spec is None or not spec.submodule_search_locations:
        raise MissingPartError("the MiniWoB++ pages are not installed; run `pip install miniwob`")
    return Path(spec.submodule_search_locations[0]) / "html"


def _page_of(task: str) -> Path:
    known = [*miniwob_tasks(), *flight_tasks()]
    if task not in known:
        near = difflib.get_close_matches(task, known, n=3)
        hint = f"; nearest: {', '.join(near)}" if near else f"; there are {len(known)}, such as click-test-2"
        raise UnknownTaskError(f"MiniWoB++ has no task {task!r}{hint}")
    if task.startswith("flight."):
        return _pages() / "flight" / task.removeprefix("flight.") / "wrapper.html"
    return _pages() / "miniwob" / f"{task}.html"


def _words(utterance: Any) -> str:
    """An utterance is a sentence, or an object with the sentence and its fields."""
    return str(utterance["utterance"] if isinstance(utterance, dict) else utterance)
