"""``replay --exact``: the recorded actions, each executed once the screen matches the recording. No model."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from ...actions.dialects import Reply
from ...actions.errors import EnvironmentFailure
from ...actions.schema import Action, Finished, Wait
from ...agent.policy import Context, Prediction
from ...agent.replay.recording import Recording
from ...env.base import Environment, StepResult
from ...env.wrappers import EnvironmentWrapper
from ...perception.observation import Observation, Screenshot
from ...perception.redact import redacted as redact
from ...perception.screen import Region
from ...perception.settle import same_but_caret

_SCREENSHOT = Wait(seconds=0.1)


@dataclass(frozen=True)
class Drift:
    """Where a live screen differs from the recorded one.

    Attributes:
        step: index among the recorded steps, from 0; their number for the screen after the last one.
        recorded: the expected screen.
        live: the screen that was seen.
        box: left, top, right and bottom of the difference, in pixels; None where the sizes differ.
    """

    step: int
    recorded: Screenshot
    live: Screenshot
    box: tuple[int, int, int, int] | None

    def __str__(self) -> str:
        if self.box is None:
            sizes = [f"{shot.size.width} x {shot.size.height}" for shot in (self.live, self.recorded)]
            return f"step {self.step + 1}: the screen has {sizes[0]} pixels, the recording {sizes[1]}"
        left, top, right, bottom = self.box
        return f"step {self.step + 1}: the screen is not as recorded from ({left}, {top}) to ({right}, {bottom})"


def find_drift(step: int, recorded: Screenshot, live: Screenshot) -> Drift | None:
    """Compare two screens; None if they are equal apart from a blinking caret."""
    if same_but_caret(recorded.pixels, live.pixels):
        return None
    if recorded.size != live.size:
        return Drift(step, recorded, live, None)
    changed = (recorded.pixels != live.pixels).any(axis=2)
    rows, columns = np.flatnonzero(changed.any(axis=1)), np.flatnonzero(changed.any(axis=0))
    box = (int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1)
    return Drift(step, recorded, live, box)


class DriftError(EnvironmentFailure):
    """Raised when the screen does not match the recording in time; nothing further is executed."""

    def __init__(self, drift: Drift) -> None:
        super().__init__(str(drift))
        self.drift = drift


class AwaitRecordedScreens(EnvironmentWrapper):
    """Waits after each step until the screen matches the recording.

    Args:
        environment: executes the actions.
        recording: holds the screens to wait for.
        redacted: regions that are black in the recording.
        patience: seconds to wait for a screen.
        clock: monotonic seconds.

    Attributes:
        drift: how the newest screen differs; None where it matches.
    """

    def __init__(
        self,
        environment: Environment,
        recording: Recording,
        redacted: Sequence[Region] = (),
        patience: float = 10.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(environment)
        self._recording = recording
        self._redacted = redacted
        self._patience = patience
        self._clock = clock
        self._index = self._left = 0
        self.drift: Drift | None = None

    def reset(self, seed: int | None = None) -> Observation:
        """Start an episode and wait for the first recorded screen."""
        observation = self._environment.reset(seed)
        result = self._await(0, StepResult(observation, notes=observation.notes))
        return replace(result.observation, notes=result.notes)

    def step(self, action: Action) -> StepResult:
        """Execute an action; after the last one of a step, wait for the next recorded screen."""
        result = self._environment.step(action)
        self._left -= 1
        if self._left > 0 and result.error is None:
            return result
        return self._await(self._index + 1, result)

    def _await(self, index: int, result: StepResult) -> StepResult:
        """Take screenshots until one matches the recording or ``patience`` is over."""
        steps = self._recording.steps
        self._index = index
        self._left = len(steps[index].actions) if index < len(steps) else 0
        recorded = steps[index].screen if index < len(steps) else self._recording.last
        deadline = self._clock() + self._patience
        while recorded is not None and not result.terminated and not result.truncated:
            live = redact(result.observation.screenshot, self._redacted)
            self.drift = find_drift(index, recorded, live)
            if self.drift is None or self._clock() >= deadline:
                break
            seen = self._environment.step(_SCREENSHOT)
            result = replace(seen, error=result.error, notes=(*result.notes, *seen.notes))
        return result


class ExactPolicy:
    """Replies with the recorded steps, in order, as long as the environment's screens match."""

    def __init__(self, recording: Recording, environment: AwaitRecordedScreens) -> None:
        self._recording = recording
        self._environment = environment
        self._index = 0

    @property
    def name(self) -> str:
        """Always ``recording``."""
        return "recording"

    def start(self) -> None:
        """Begin again with the first step."""
        self._index = 0

    def predict(self, context: Context) -> Prediction:
        """Reply with the next recorded step, and after the last one that the task is finished.

        Raises:
            DriftError: the screen does not match.
        """
        if self._environment.drift is not None:
            raise DriftError(self._environment.drift)
        steps = self._recording.steps
        if self._index == len(steps):
            return Prediction(Reply("", (Finished(answer="the recording is at its end"),)), "")
        step, self._index = steps[self._index], self._index + 1
        return Prediction(Reply(step.thought, step.actions), step.raw)
