"""Environments around environments: the same contract, one thing changed."""

from __future__ import annotations

from dataclasses import replace

from ..actions.schema import Action
from ..perception.capture import blank
from ..perception.observation import Observation
from .base import Environment, StepResult


class BlankScreen:
    """Shows one colour instead of the screen: an agent that does as well with it never looked.

    Args:
        environment: what is really acted in.
        colour: red, green, blue.
    """

    def __init__(self, environment: Environment, colour: tuple[int, int, int] = (127, 127, 127)) -> None:
        self._environment = environment
        self._colour = colour

    @property
    def instruction(self) -> str | None:
        """The task of the environment within."""
        return self._environment.instruction

    def reset(self, seed: int | None = None) -> Observation:
        """Start an episode and hide its screen."""
        return self._hide(self._environment.reset(seed))

    def step(self, action: Action) -> StepResult:
        """Execute for real, and hide what it led to."""
        result = self._environment.step(action)
        return replace(result, observation=self._hide(result.observation))

    def close(self) -> None:
        """Close the environment within."""
        self._environment.close()

    def _hide(self, observation: Observation) -> Observation:
        return replace(observation, screenshot=blank(observation.screenshot, self._colour))
