"""``replay --exact``: the recorded actions, each executed once the screen matches the recording. No model."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import takewhile

from ...actions.dialects import Reply
from ...actions.errors import EnvironmentFailure
from ...actions.geometry import Point
from ...actions.schema import Action, Finished, KeyDown, KeyUp, MouseDown, MouseUp, Move, Wait, points
from ...agent.policy import Context, Prediction
from ...agent.replay.recording import Recording
from ...env.base import Environment, StepResult
from ...env.wrappers import EnvironmentWrapper
from ...perception.observation import Observation
from ...perception.screen import Region
from .screens import Drift, away_from, between, box_of, differing, without_masks

_SCREENSHOT = Wait(seconds=0.1)
_HOVER_SECONDS = 1.2
"""For how long the pointer rests between two tries of what it changes: until a hint would be shown."""


class DriftError(EnvironmentFailure):
    """Raised when the screen does not match the recording in time; nothing further is executed."""

    def __init__(self, drift: Drift) -> None:
        super().__init__(str(drift))
        self.drift = drift


class AwaitRecordedScreens(EnvironmentWrapper):
    """Waits after each step until the screen matches the recording, if need be with the pointer where it was.

    Args:
        environment: executes the actions.
        recording: holds the screens to wait for.
        redacted: regions that are black in the recording, or not to be compared, in input points.
        patience: seconds to wait for a screen.
        clock: monotonic seconds.
        variables: names of variables with other values than recorded, by the index of the step that types them:
            what differs after it is no drift.

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
        variables: Mapping[int, tuple[str, ...]] | None = None,
    ) -> None:
        super().__init__(environment)
        self._recording = recording
        self._redacted = tuple(redacted)
        self._patience = patience
        self._clock = clock
        self._variables = variables or {}
        self._index = self._left = 0
        self._held: set[str] = set()
        self._acted: Point | None = None
        self.drift: Drift | None = None

    def reset(self, seed: int | None = None) -> Observation:
        """Start an episode and wait for the first recorded screen."""
        self._held.clear()
        observation = self._environment.reset(seed)
        return self._await(0, StepResult(observation)).observation

    def step(self, action: Action) -> StepResult:
        """Execute an action; after the last one of a step, wait for the next recorded screen."""
        self._acted = next(iter(points(action)[-1:]), self._acted)
        self._note_held(action)
        result = self._environment.step(action)
        self._left -= 1
        if self._left > 0 and result.error is None:
            return result
        return self._await(self._index + 1, result)

    def _await(self, index: int, result: StepResult) -> StepResult:
        """Take screenshots until one matches the recording or ``patience`` is over."""
        steps, looks = self._recording.steps, self._recording.looks
        self._index = index
        self._left = len(steps[index].actions) if index < len(steps) else 0
        expected = looks[index] if index < len(looks) else None
        deadline, next_try = self._clock() + self._patience, -math.inf
        placed = thorough = False
        while expected is not None and not _over(result):
            self.drift = self._compare(index, expected, [result.observation])
            if self.drift is not None and expected.pointer is not None and not placed:
                # Only now: in the recording it may have been on its way, with a menu still open where it was before.
                placed, result = True, self._look(result, Move(point=expected.pointer))
                continue
            if self.drift is not None and self._clock() >= next_try:
                result = self._try_pointer(result, index, expected, deadline if thorough else -math.inf)
                thorough, next_try = True, self._clock() + _HOVER_SECONDS
            if self.drift is None or self._clock() >= deadline:
                break
            result = self._look(result, _SCREENSHOT)
        return result

    def _look(self, result: StepResult, action: Action) -> StepResult:
        """The result of a step with a newer screen; what happened beside it is not lost."""
        shown = self._environment.step(action)
        return replace(
            shown, error=result.error, reward=result.reward + shown.reward, notes=(*result.notes, *shown.notes)
        )

    def _try_pointer(self, result: StepResult, index: int, expected: Observation, until: float) -> StepResult:
        """Whether the screen differs only by what the pointer does to it, on its way or somewhere else.

        It goes away, to where something was done last, to where it was done next, to where the difference is, ``until``
        some moment along the ways between, and back.
        """
        pointer = expected.pointer
        if pointer is None or self._held:
            return result
        seen = [result.observation]
        for place in self._places(index, pointer, result.observation, until):
            if self.drift is None or self.drift.box is None:
                break
            result = self._look(result, Move(point=place))
            seen.append(result.observation)
            self.drift = self._compare(index, expected, seen)
            if _over(result):
                return result
        if self._acted is not None:  # the way that it came: a menu may be open for as long as it is there
            result = self._look(result, Move(point=self._acted))
        return self._look(result, Move(point=pointer))

    def _places(self, index: int, pointer: Point, live: Observation, until: float) -> Iterator[Point]:
        """Where the pointer may have been instead; the picture may be older or newer than where it is known to be."""
        steps = self._recording.steps
        ahead = points(steps[index].actions[0])[:1] if index < len(steps) else ()
        behind = () if self._acted is None else (self._acted,)
        yield away_from(pointer, live.screenshot)
        yield from (*behind, *ahead)
        for _ in range(2):  # only now is it known what is left
            if self.drift is not None and self.drift.box is not None:
                left, top, right, bottom = self.drift.box
                yield Point((left + right) / 2, (top + bottom) / 2)
        for end in (*behind, *ahead):
            yield from takewhile(lambda _: self._clock() < until, between(pointer, end))

    def _compare(self, index: int, expected: Observation, seen: Sequence[Observation]) -> Drift | None:
        """How the recorded screen differs from a live one, which is seen with the pointer at several places."""
        regions = (*self._redacted, *expected.masked, *(region for each in seen for region in each.masked))
        recorded, *lives = (without_masks(each, regions) for each in (expected, *seen))
        typed = tuple(dict.fromkeys(name for step in range(index) for name in self._variables.get(step, ())))
        if any(live.size != recorded.size for live in lives):
            return Drift(index, recorded, lives[0], None)
        changed = differing(recorded, lives)
        return None if changed is None else Drift(index, recorded, lives[0], box_of(changed), typed)

    def _note_held(self, action: Action) -> None:
        """Moving the pointer while something is held is no mere look."""
        match action:
            case MouseDown():
                self._held.add(action.button)
            case MouseUp():
                self._held.discard(action.button)
            case KeyDown():
                self._held.add(action.key)
            case KeyUp():
                self._held.discard(action.key)


def _over(result: StepResult) -> bool:
    return result.terminated or result.truncated


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
