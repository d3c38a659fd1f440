"""``replay --exact``: the recorded actions again, each once the screen is as it was recorded. No model."""

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

LOOK_AGAIN = Wait(seconds=0.1)


@dataclass(frozen=True)
class Drift:
    """Where a live screen is not as recorded.

    Attributes:
        step: of the recording, from 0; its number of steps for the screen after the last one.
        recorded: what was expected.
        live: what was seen.
        box: left, top, right and bottom of what differs, in pixels; None where the sizes differ.
    """

    step: int
    recorded: Screenshot
    live: Screenshot
    box: tuple[int, int, int, int] | None

    def __str__(self) -> str:
        if self.box is None:
            sizes = [f"{shot.size.width} x {shot.size.height}" for shot in (self.live, self.recorded)]
            return f"step {self.step}: the screen has {sizes[0]} pixels, the recording {sizes[1]}"
        left, top, right, bottom = self.box
        return f"step {self.step}: the screen is not as recorded from ({left}, {top}) to ({right}, {bottom})"


def drift(step: int, recorded: Screenshot, live: Screenshot) -> Drift | None:
    """What separates two screens; None if nothing but perhaps a blinking caret does."""
    if same_but_caret(recorded.pixels, live.pixels):
        return None
    if recorded.size != live.size:
        return Drift(step, recorded, live, None)
    changed = (recorded.pixels != live.pixels).any(axis=2)
    rows, columns = np.flatnonzero(changed.any(axis=1)), np.flatnonzero(changed.any(axis=0))
    box = (int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1)
    return Drift(step, recorded, live, box)


class Drifted(EnvironmentFailure):
    """Raised when the screen does not become what was recorded; nothing further is executed."""

    def __init__(self, drift: Drift) -> None:
        super().__init__(str(drift))
        self.drift = drift


class AsRecorded(EnvironmentWrapper):
    """An environment that gives each screen the time to become the recorded one.

    Args:
        environment: what is really acted in.
        recording: what it should look like.
        redacted: regions that are black in the recording.
        patience: seconds to wait for a screen.
        clock: monotonic seconds.
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
        self._place = self._left = 0
        self.drift: Drift | None = None

    def reset(self, seed: int | None = None) -> Observation:
        """Start an episode and wait for the first recorded screen."""
        observation = self._environment.reset(seed)
        return self._await(0, StepResult(observation)).observation

    def step(self, action: Action) -> StepResult:
        """Execute an action; after the last one of a step, wait for what the next step was recorded on."""
        result = self._environment.step(action)
        self._left -= 1
        if self._left > 0 and result.error is None:
            return result
        return self._await(self._place + 1, result)

    def _await(self, place: int, result: StepResult) -> StepResult:
        """Look again and again until the screen is as recorded; ``drift`` says if it does not become so."""
        steps = self._recording.steps
        self._place = place
        self._left = len(steps[place].actions) if place < len(steps) else 0
        recorded = steps[place].screen if place < len(steps) else self._recording.last
        deadline = self._clock() + self._patience
        while recorded is not None and not result.terminated and not result.truncated:
            live = redact(result.observation.screenshot, self._redacted)
            self.drift = drift(place, recorded, live)
            if self.drift is None or self._clock() >= deadline:
                break
            result = replace(self._environment.step(LOOK_AGAIN), error=result.error)
        return result


class ExactPolicy:
    """Says what was recorded, in order, as long as the screens are as recorded.

    Args:
        recording: what to say.
        world: where it is said.
    """

    def __init__(self, recording: Recording, world: AsRecorded) -> None:
        self._recording = recording
        self._world = world
        self._place = 0

    @property
    def name(self) -> str:
        """Always ``recording``."""
        return "recording"

    def start(self) -> None:
        """Begin again with the first step."""
        self._place = 0

    def predict(self, context: Context) -> Prediction:
        """The next recorded step; at the end, that it is done.

        Raises:
            Drifted: the screen is not what it was recorded on.
        """
        if self._world.drift is not None:
            raise Drifted(self._world.drift)
        steps = self._recording.steps
        if self._place == len(steps):
            return Prediction(Reply("", (Finished(answer="the recording is at its end"),)), "")
        step, self._place = steps[self._place], self._place + 1
        return Prediction(Reply(step.thought, step.actions), step.raw)
