"""The loop: look, think, act, look again; every arrow is appended to the trajectory."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable

from ..actions.errors import EnvironmentFailure, ParseError, TrajectoryError
from ..actions.schema import Action, CallUser, Finished
from ..env.base import Environment
from ..env.events import EndEvent, EndReason
from ..env.trajectory import TrajectoryWriter
from ..perception.observation import Observation
from .episode import Episode
from .limits import Interruption, Limits, RepeatCounter
from .policy import Policy, Prediction, Turn


class Agent:
    """Runs a policy in an environment until it is done or a limit is reached.

    Args:
        policy: decides.
        environment: executes; must have been reset.
        limits: when to stop.
        clock: seconds since the epoch.
    """

    def __init__(
        self,
        policy: Policy,
        environment: Environment,
        limits: Limits | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._policy = policy
        self._environment = environment
        self._limits = limits or Limits()
        self._clock = clock

    def run(self, instruction: str, first: Observation, trajectory: TrajectoryWriter) -> EndEvent:
        """Work on ``instruction`` from the first observation on; returns how it ended.

        Ctrl-C and a broken environment end the episode and are recorded. Any other error is recorded and
        raised again.

        Raises:
            TrajectoryError: the trajectory cannot be written; nothing goes on unrecorded.
        """
        episode = Episode(instruction, first, trajectory, self._clock)
        repeats = RepeatCounter(self._limits.repeats)
        self._policy.start()
        try:
            while True:
                self._step(episode, repeats)
        except Interruption as stop:
            return self._end(episode, stop.end, stop.message)
        except KeyboardInterrupt:
            return self._end(episode, "interrupted", "stopped by Ctrl-C")
        except EnvironmentFailure as error:
            return self._end(episode, "error", str(error))
        except Exception as error:
            with contextlib.suppress(TrajectoryError):
                self._end(episode, "error", f"{type(error).__name__}: {error}")
            raise

    def _step(self, episode: Episode, repeats: RepeatCounter) -> None:
        """One look, one prediction, its actions."""
        self._limits.check_budget(episode.steps, self._clock() - episode.started)
        before = episode.observation.screenshot
        episode.observe()
        prediction = self._predict(episode)
        if prediction is None:
            return
        feedback = self._act(episode, prediction.reply.actions)
        episode.turns.append(Turn(before, prediction.raw, feedback))
        repeats.record(prediction.reply.actions, before.digest, episode.observation.screenshot.digest)

    def _predict(self, episode: Episode) -> Prediction | None:
        """Ask the policy; None for a reply that cannot be read."""
        started = self._clock()
        try:
            prediction = self._policy.predict(episode.context)
        except ParseError as error:
            episode.misread(error, self._clock() - started)
            if episode.unreadable >= self._limits.unreadable:
                message = f"{episode.unreadable} replies in a row could not be read"
                raise Interruption("unreadable", message) from error
            return None
        episode.predicted(prediction, self._clock() - started)
        return prediction

    def _act(self, episode: Episode, actions: tuple[Action, ...]) -> str | None:
        """Execute actions in order up to the first that has no effect; returns why it has none."""
        for action in actions:
            if isinstance(action, Finished | CallUser):
                episode.acted(action)
                raise _closing(action)
            result = self._environment.step(action)
            episode.acted(action, result)
            if result.terminated or result.truncated:
                raise Interruption("terminated" if result.terminated else "truncated")
            if result.error is not None:
                return result.error
        return None

    def _end(self, episode: Episode, reason: EndReason, message: str) -> EndEvent:
        return episode.end(reason, message, judged=self._environment.instruction is not None)


def _closing(action: Finished | CallUser) -> Interruption:
    """What the policy's own last word means."""
    if isinstance(action, Finished):
        return Interruption("finished", action.answer)
    return Interruption("call_user", action.message)
