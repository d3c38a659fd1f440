"""Wrappers of environments: the same contract, one thing changed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ..actions.schema import Action
from ..perception.capture import blank
from ..perception.observation import Observation
from ..perception.redact import redacted, without
from ..perception.screen import Region
from .base import Environment, Preview, StepResult, SupportsPreview
from .guard.guard import Guard, guard_of


class EnvironmentWrapper:
    """Passes everything on; subclasses change one thing."""

    def __init__(self, environment: Environment) -> None:
        self._environment = environment

    @property
    def guard(self) -> Guard | None:
        """The guard that the wrapped environment acts through, if it has one."""
        return guard_of(self._environment)

    @property
    def instruction(self) -> str | None:
        """The task of the wrapped environment."""
        return self._environment.instruction

    def reset(self, seed: int | None = None) -> Observation:
        """Start an episode."""
        return self._environment.reset(seed)

    def step(self, action: Action) -> StepResult:
        """Execute an action."""
        return self._environment.step(action)

    def preview_to(self, show: Preview | None) -> None:
        """Previews of the wrapped environment, if it gives any."""
        if isinstance(self._environment, SupportsPreview):
            self._environment.preview_to(show)

    def close(self) -> None:
        """Close the wrapped environment."""
        self._environment.close()


class BlankScreen(EnvironmentWrapper):
    """Shows one colour (RGB) instead of the screen: an agent that does as well with it ignores the screenshot."""

    def __init__(self, environment: Environment, colour: tuple[int, int, int] = (127, 127, 127)) -> None:
        super().__init__(environment)
        self._colour = colour

    def reset(self, seed: int | None = None) -> Observation:
        """Start an episode and hide its screen."""
        return self._hide(self._environment.reset(seed))

    def step(self, action: Action) -> StepResult:
        """Execute the action and hide the screen."""
        result = self._environment.step(action)
        return replace(result, observation=self._hide(result.observation))

    def preview_to(self, show: Preview | None) -> None:
        """Previews are hidden too."""
        super().preview_to(show and (lambda screenshot: show(blank(screenshot, self._colour))))

    def _hide(self, observation: Observation) -> Observation:
        return replace(observation, screenshot=blank(observation.screenshot, self._colour))


class RedactedScreen(EnvironmentWrapper):
    """Shows some regions, in input points of the screen, black."""

    def __init__(self, environment: Environment, regions: Sequence[Region]) -> None:
        super().__init__(environment)
        self._regions = regions

    def reset(self, seed: int | None = None) -> Observation:
        """Start an episode, with the regions black."""
        return without(self._environment.reset(seed), self._regions)

    def step(self, action: Action) -> StepResult:
        """Execute the action; the regions are black afterwards, too."""
        result = self._environment.step(action)
        return replace(result, observation=without(result.observation, self._regions))

    def preview_to(self, show: Preview | None) -> None:
        """Previews have the regions black, too."""
        super().preview_to(show and (lambda screenshot: show(redacted(screenshot, self._regions))))
