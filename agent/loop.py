"""The agent loop: observe, predict, act; everything is appended to the trajectory."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator

from ..actions.errors import EnvironmentFailure, Fault, ParseError, PolicyFailure, Stopped, TrajectoryError
from ..actions.schema import Action, CallUser, Finished, Type
from ..env.base import Environment, SupportsVerdict
from ..env.control import Control
from ..env.guard.guard import guard_of
from ..env.secrets import Secrets
from ..env.trajectory.events import EndEvent, EndReason
from ..env.trajectory.trajectory import TrajectoryWriter
from ..perception.observation import Observation
from .episode import Episode
from .limits import Interruption, Limits, RepeatCounter, check_result
from .pause import PauseGate
from .policy import Policy, Prediction, SupportsImageLimit, SupportsTolerance
from .prefetch import Prefetcher


class Agent:
    """Runs a policy in an environment, which was reset, until it is done or a limit is reached.

    ``control`` lets a person pause and stop the run; the environment needs the same one. With one, the signals that
    end a program stop the run through it. Where an action types the marker of one of the ``secrets``, the keyboard gets
    the secret; policy and trajectory keep the marker.
    """

    def __init__(
        self,
        policy: Policy,
        environment: Environment,
        limits: Limits | None = None,
        clock: Callable[[], float] = time.time,
        control: Control | None = None,
        secrets: Secrets | None = None,
    ) -> None:
        self._policy = policy
        self._environment = environment
        self._limits = limits or Limits()
        self._clock = clock
        self._control = control or Control()
        self._secrets = secrets or Secrets()
        guard = guard_of(environment)
        self._fills = guard is None
        if guard is not None:
            guard.secrets = self._secrets
        self._signals = self._control.stop_signals if control else contextlib.nullcontext
        self._pause = PauseGate(self._control, environment)
        self._prefetcher = Prefetcher(policy, environment)

    def run(self, instruction: str, first: Observation, trajectory: TrajectoryWriter) -> EndEvent:
        """Work on ``instruction`` from the first observation on; returns how it ended.

        A person's stop, Ctrl-C, and an environment or policy that breaks end the episode and are recorded.
        Any other error is recorded and raised again.

        Raises:
            TrajectoryError: the trajectory cannot be written; nothing goes on unrecorded.
        """
        episode = Episode(instruction, first, trajectory, self._clock, secrets=self._secrets)
        if isinstance(self._policy, SupportsTolerance):
            episode.repeats = RepeatCounter(self._policy.tolerance)
        with self._signals():
            return self._run(episode)

    def _run(self, episode: Episode) -> EndEvent:
        try:
            with self._within_time():
                episode.deciding = True
                self._policy.start()
                episode.deciding = False
                while True:
                    self.step(episode)
        except Interruption as stop:
            return self._judge(episode, stop)
        except (Stopped, KeyboardInterrupt) as stop:
            reason = self._control.reason or str(stop) or "stopped by Ctrl-C"
            return self._end(episode, "interrupted", reason)
        except (EnvironmentFailure, PolicyFailure) as error:
            return self._end(episode, "error", str(error), error.fault)
        except Exception as error:
            fault: Fault = "policy" if episode.deciding else "environment"
            with contextlib.suppress(TrajectoryError):
                self._end(episode, "error", f"{type(error).__name__}: {error}", fault)
            raise

    def step(self, episode: Episode) -> None:
        """Observe, predict once, and execute the actions; waits first while a person pauses.

        ``run`` is made of these. Whoever has a loop of their own starts the policy and calls this instead.

        Raises:
            Interruption: the episode is over.
            Stopped: a person stopped it.
            EnvironmentFailure: the environment broke.
            PolicyFailure: the policy gives no reply.
        """
        self._pause.gate(episode)
        self._limits.check_budget(episode.steps, self._clock() - episode.started)
        if isinstance(self._policy, SupportsImageLimit):
            episode.forget(self._policy.max_images)
        before = episode.observation.screenshot
        self._prefetcher.known(episode.context)  # recording the screen takes a while
        episode.observe()
        prediction = self._predict(episode)
        if prediction is None:
            return
        if (feedback := self._act(episode, prediction.reply.actions)) is not None:
            episode.give_feedback(feedback)
        after = episode.observation.screenshot
        repeats = episode.repeats.record(prediction.reply.actions, before, after)
        self._limits.check_repeats(repeats)

    @contextlib.contextmanager
    def _within_time(self) -> Iterator[None]:
        """Break off what is under way when the time is over, in the middle of an action, too."""
        with self._control.within(self._limits.seconds):
            try:
                yield
            except (Stopped, KeyboardInterrupt) as stop:
                if self._control.timed_out:
                    raise self._limits.time_is_over() from stop
                raise

    def _predict(self, episode: Episode) -> Prediction | None:
        """Ask the policy; None for a reply that cannot be read."""
        started = self._clock()
        episode.deciding = True
        try:
            with self._control.interrupting():
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
        """Execute actions up to the first that has no effect; returns the reason. During the last, prefetch."""
        for left, action in zip(range(len(actions) - 1, -1, -1), actions, strict=True):
            if isinstance(action, Finished):
                episode.acted(action)
                raise Interruption("finished", action.answer)
            if isinstance(action, CallUser):
                return self._pause.hand_over(episode, action)
            if (refused := self._pause.refuse(episode, action)) is not None:
                return refused
            prefetch = contextlib.nullcontext() if left else self._prefetcher.after(episode.context)
            with self._pause.acting(episode, action), prefetch:
                result = self._environment.step(self._typed(action))
            episode.acted(action, result)
            check_result(result)
            if result.error is not None:
                return result.error
        return None

    def _typed(self, action: Action) -> Action:
        """The action as an environment gets it: with secrets in place of markers where no guard fills them in."""
        if not self._fills or not isinstance(action, Type) or not self._secrets:
            return action
        return action.model_copy(update={"text": self._secrets.fill(action.text)})

    def _judge(self, episode: Episode, stop: Interruption) -> EndEvent:
        """Ask the environment for its verdict, where it gives one; without it the episode has no result."""
        if isinstance(self._environment, SupportsVerdict):
            try:
                episode.judged(self._environment.judge(episode.last))
            except EnvironmentFailure as error:
                return episode.end("error", str(error), rewarded=False, fault=error.fault)
            except Stopped as stopped:
                return self._end(episode, "interrupted", str(stopped))
        return self._end(episode, stop.end, stop.message)

    def _end(self, episode: Episode, reason: EndReason, message: str, fault: Fault | None = None) -> EndEvent:
        return episode.end(reason, message, self._environment.instruction is not None, fault)
