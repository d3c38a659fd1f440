"""``gymnasium.Env`` around an environment of ours; ``gym.register`` makes it known by name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces
from pydantic import ValidationError

from ...actions.errors import EnvironmentFailure, UsageError, first_problem
from ...actions.geometry import Point, Size
from ...actions.schema import Action, Click, action_adapter
from ...env.base import Environment
from ...env.browser.miniwob_pages import view_of
from ...env.guard.guard import Guard
from ...env.registry import DesktopOptions, make_environment
from ...perception.observation import Observation

ActionData = str | Mapping[str, Any]
ObservationData = dict[str, Any]


class _Texts(spaces.Space[Any]):
    """A space that cannot be flattened to an array, because texts have no fixed length."""

    is_np_flattenable = False
    __hash__ = None  # type: ignore[assignment]

    def __init__(self, seed: int | None = None) -> None:
        super().__init__(shape=None, dtype=None, seed=seed)

    def __eq__(self, other: object) -> bool:
        return repr(other) == repr(self)


class AnyText(_Texts):
    """Every text; ``spaces.Text`` holds only texts of listed characters up to some length."""

    def sample(self, mask: Any = None, probability: Any = None) -> str:
        """A short text."""
        return str(self.np_random.integers(2**31))

    def contains(self, x: object) -> bool:
        """Whether it is a text."""
        return isinstance(x, str)

    def __repr__(self) -> str:
        return "AnyText()"


class ActionSpace(_Texts):
    """Every ``Action``, as JSON text or its object; ``size`` is the screenshot's, in pixels."""

    def __init__(self, size: Size, seed: int | None = None) -> None:
        super().__init__(seed)
        self.size = size

    def sample(self, mask: Any = None, probability: Any = None) -> str:
        """A click somewhere on the screenshot, as JSON."""
        x, y = (int(self.np_random.integers(side)) for side in self.size)
        return Click(point=Point(x, y)).model_dump_json()

    def contains(self, x: object) -> bool:
        """Whether it can be read as an action; its points may lie off the screenshot."""
        try:
            read_action(x)
        except UsageError:
            return False
        return True

    def __repr__(self) -> str:
        return f"ActionSpace({self.size.width} x {self.size.height})"


def read_action(data: object) -> Action:
    """An action from JSON text or from a dictionary; raises a ``UsageError`` that says why if it is none."""
    try:
        if isinstance(data, str):
            return action_adapter.validate_json(data)
        return action_adapter.validate_python(dict(data) if isinstance(data, Mapping) else data)
    except ValidationError as error:
        raise UsageError(f"this is no action: {first_problem(error, 'the action')}") from error


class SaccadeEnv(gymnasium.Env[ObservationData, ActionData]):
    """An environment of ours, reset and stepped as Gymnasium has it.

    An observation is ``goal`` (text), ``screenshot`` (height x width x 3, uint8, RGB), ``url`` (text, empty
    where there is none) and ``last_action_error`` (why the last action had no effect; else empty). An action
    is an ``Action`` as JSON text or dictionary, with points in pixels of the screenshot. ``info`` is empty.

    Args:
        environment: what to act in; closed by ``close``.
        size: of its screenshots, in pixels.
        goal: the task, where the environment sets none itself.
        render_mode: ``rgb_array`` makes ``render`` give the newest screenshot.
    """

    metadata: dict[str, Any] = {"render_modes": ["rgb_array"], "render_fps": 1}  # noqa: RUF012

    def __init__(self, environment: Environment, size: Size, goal: str = "", render_mode: str | None = None) -> None:
        self.environment = environment
        self.render_mode = render_mode
        self.action_space = ActionSpace(size)
        self.observation_space = spaces.Dict(
            goal=AnyText(),
            screenshot=spaces.Box(0, 255, (size.height, size.width, 3), np.uint8),
            url=AnyText(),
            last_action_error=AnyText(),
        )
        self._goal = goal
        self._seen: Observation | None = None

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[ObservationData, dict[str, Any]]:
        """Start an episode; without a seed, one is drawn from the generator that the last seed set up.

        Raises:
            EnvironmentFailure: it cannot be started.
            UsageError: there are options, which none of these environments has.
        """
        super().reset(seed=seed)
        if options:
            raise UsageError(f"there are no options to reset with, such as {', '.join(options)}")
        number = int(self.np_random.integers(2**31)) if seed is None else seed
        return self._look(self.environment.reset(number), None), {}

    def step(self, action: ActionData) -> tuple[ObservationData, float, bool, bool, dict[str, Any]]:
        """Execute one action and wait until the screen has settled.

        Raises:
            UsageError: it is no action.
            EnvironmentFailure: the environment broke, or no episode is running.
        """
        result = self.environment.step(read_action(action))
        look = self._look(result.observation, result.error)
        return look, result.reward, result.terminated, result.truncated, {}

    def render(self) -> Any:
        """The newest screenshot, where ``render_mode`` asks for it; raises ``EnvironmentFailure`` before ``reset``."""
        if self.render_mode is None:
            return None
        if self._seen is None:
            raise EnvironmentFailure("there is nothing to show yet; call reset first")
        return self._seen.screenshot.pixels.copy()

    def close(self) -> None:
        """End the environment and all that it started; may be called more than once."""
        self.environment.close()

    def _look(self, seen: Observation, error: str | None) -> ObservationData:
        self._seen = seen
        return {
            "goal": self.environment.instruction or self._goal,
            "screenshot": seen.screenshot.pixels.copy(),
            "url": seen.url or "",
            "last_action_error": error or "",
        }


class MiniWobEnv(SaccadeEnv):
    """``saccade/miniwob-TASK-v0``: a MiniWoB++ task; the reward is the page's raw one, -1 to 1.

    Raises:
        UnknownTaskError: there is no such task.
    """

    def __init__(self, task: str, render_mode: str | None = None, guard: str = "open") -> None:
        super().__init__(
            make_environment(f"miniwob:{task}", guard=Guard.of(guard)), view_of(task), render_mode=render_mode
        )


class BrowserEnv(SaccadeEnv):
    """``saccade/browser-v0``: a web page without a reward; ``viewport`` is its area, in CSS pixels.

    ``guard`` is a profile or the file of a policy; nobody is there to be asked, so that what is asked about is denied.
    """

    def __init__(
        self,
        url: str | None = None,
        goal: str = "",
        viewport: tuple[int, int] = (1280, 720),
        render_mode: str | None = None,
        guard: str = "standard",
    ) -> None:
        size = Size(*viewport)
        super().__init__(
            make_environment("browser", guard=Guard.of(guard), url=url, viewport=size), size, goal, render_mode
        )


class DesktopEnv(SaccadeEnv):
    """``saccade/desktop-v0``: a program on a private desktop that nobody sees (Linux only).

    Args:
        app: command of the program.
        goal: the task.
        size: width and height of the screen, in pixels.
        sandbox: ``strict`` locks the program in; see ``docs/desktop.md``.
        render_mode: see ``SaccadeEnv``.
        guard: see ``BrowserEnv``.
    """

    def __init__(
        self,
        app: str | None = None,
        goal: str = "",
        size: tuple[int, int] = (1280, 720),
        sandbox: str = "none",
        render_mode: str | None = None,
        guard: str = "open",
    ) -> None:
        options = DesktopOptions(app=app, sandbox=sandbox)
        if not options.private:
            raise UsageError("saccade/desktop-v0 is a private desktop, and only Linux has those")
        environment = make_environment("desktop", guard=Guard.of(guard), viewport=Size(*size), desktop=options)
        super().__init__(environment, Size(*size), goal, render_mode)
