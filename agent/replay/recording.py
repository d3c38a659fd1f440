"""A recorded run as steps to repeat, without the replies that could not be read."""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import chain

from ...actions.errors import TrajectoryError
from ...actions.schema import Action, ends_episode, points
from ...env.trajectory.events import ObservationEvent
from ...env.trajectory.trajectory import FILE_NAME, Step, Trajectory
from ...perception.observation import Observation, Screenshot

MARK = re.compile(r"\{\{([A-Za-z][\w-]*)\}\}")
"""``{{name}}`` in a recorded text is a variable, filled in when it is repeated."""


@dataclass(frozen=True)
class RecordedStep:
    """One step to repeat.

    Attributes:
        index: of the step in the recording.
        raw: the policy's reply; empty for a person's step.
        thought: the policy's reasoning, if it gave any.
        actions: the actions, in pixels of the recorded screenshot.
        screen: the recorded screenshot.
    """

    index: int
    raw: str
    thought: str
    actions: tuple[Action, ...]
    screen: Screenshot


@dataclass(frozen=True)
class Recording:
    """A complete run to repeat.

    Attributes:
        steps: in order, without replies that could not be read and without a person's last, ending step.
        last: the last screen; None where the last step ended the run.
        looks: the screens of the steps and, where there is one, the last, with the pointer and what is masked.
        ends_itself: whether the last step finishes the task or hands over to a person.
        instruction: the task.
        fingerprint: of the policy that made it (``VerifyingPolicy.fingerprint``).
    """

    steps: tuple[RecordedStep, ...]
    last: Screenshot | None
    ends_itself: bool
    instruction: str = ""
    fingerprint: str | None = None
    looks: tuple[Observation, ...] = ()


def recording(trajectory: Trajectory) -> Recording:
    """Read and check a recording.

    Raises:
        TrajectoryError: it was cut off, changed by hand, or its parts do not fit together.
    """
    if trajectory.end is None:
        raise _bad(trajectory, "was cut off (it has no end); record it again")
    if trajectory.end.steps != sum(step.prediction is not None for step in trajectory.steps):
        raise _bad(trajectory, f"says that it has {trajectory.end.steps} steps, but does not hold as many")
    read = [found for step in trajectory.steps if (found := _step(trajectory, step)) is not None]
    steps = tuple(step for step in read if step.raw or not all(map(ends_episode, step.actions)))
    trajectory.check_seal()
    if not steps:
        raise _bad(trajectory, "holds no action")
    last = trajectory.screenshot(trajectory.final) if trajectory.final is not None else None
    start = trajectory.start
    shown = {step.index: step.observation for step in trajectory.steps}
    looks = [_look(shown[step.index], step.screen) for step in steps]
    looks += [_look(trajectory.final, last)] if trajectory.final is not None and last is not None else []
    return Recording(
        steps,
        last,
        ends_itself=any(map(ends_episode, steps[-1].actions)),
        instruction=start.instruction,
        fingerprint=start.policy_settings.fingerprint,
        looks=tuple(looks),
    )


def _look(event: ObservationEvent, screen: Screenshot) -> Observation:
    return Observation(screen, event.time, event.url, pointer=event.pointer, masked=event.masked)


def _step(trajectory: Trajectory, step: Step) -> RecordedStep | None:
    screen = trajectory.screenshot(step.observation)
    prediction = step.prediction
    if prediction is None or prediction.error is not None:
        return None
    done = tuple(event.action for event in step.actions)
    if done != prediction.actions[: len(done)]:
        raise _bad(trajectory, f"did something else in step {step.index + 1} than was predicted")
    size = step.observation.size
    for point in chain.from_iterable(map(points, prediction.actions)):
        if not (0 <= point.x <= size.width and 0 <= point.y <= size.height):
            raise _bad(trajectory, f"has a point of step {step.index + 1} outside its screenshot")
    return RecordedStep(step.index, prediction.raw, prediction.thought, prediction.actions, screen)


def _bad(trajectory: Trajectory, what: str) -> TrajectoryError:
    return TrajectoryError(f"{trajectory.directory / FILE_NAME}: the recording {what}")
