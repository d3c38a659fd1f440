"""A person in the loop: they pause an episode, and it hands over to them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import replace

from ..actions.errors import Stopped
from ..actions.schema import Action, CallUser, Wait
from ..env.base import Environment
from ..env.control import Control
from .episode import Episode
from .limits import Interruption, check_result

_SCREENSHOT = Wait(seconds=0.0)
_NOT_DONE = "The user paused before this was done; look at the screen again."
_NO_WORDS = "The user has acted on the screen; go on."


class PauseGate:
    """Waits for the person and takes a new screenshot afterwards, because they may have changed the screen.

    The time that a person takes does not count as the episode's.
    """

    def __init__(self, control: Control, environment: Environment) -> None:
        self._control = control
        self._environment = environment

    def gate(self, episode: Episode) -> None:
        """Wait while the run is paused; raises ``Interruption`` if the environment ended the episode meanwhile."""
        taking_over = self._control.take_over(episode.instruction) if self._control.paused else nullcontext()
        with _clock_stopped(episode), taking_over:
            paused = self._control.gate()
        if paused:
            result = self._environment.step(_SCREENSHOT)
            episode.update(result)
            check_result(result)

    def refuse(self, episode: Episode, action: Action) -> str | None:
        """Skip an action that was predicted before the person paused; returns the reason, for the policy."""
        if not self._control.pausing:
            return None
        episode.acted(action, error=_NOT_DONE)
        return _NOT_DONE

    @contextmanager
    def acting(self, episode: Episode, action: Action) -> Iterator[None]:
        """Record an action that a stop interrupts."""
        self._control.check()
        try:
            yield
        except (Stopped, KeyboardInterrupt):
            why = "the time was over" if self._control.timed_out else "the run was stopped"
            episode.acted(action, error=f"broken off: {why}")
            raise

    def hand_over(self, episode: Episode, action: CallUser) -> str:
        """Ask the person and record their answer; returns it as feedback for the policy.

        Without a person present, handing over ends the episode.

        Raises:
            Stopped: it was stopped.
            Interruption: nobody is present, or meanwhile the environment ended the episode.
        """
        if not self._control.attended:
            episode.acted(action)
            raise Interruption("call_user", action.message)
        try:
            with _clock_stopped(episode), self._control.take_over(episode.instruction):
                answer = self._control.ask(action.message)
        except (Stopped, KeyboardInterrupt):
            episode.acted(action)
            raise
        feedback = f"The user answered: {answer}" if answer else _NO_WORDS
        result = self._environment.step(_SCREENSHOT)
        episode.acted(action, replace(result, error=feedback))
        check_result(result)
        return feedback


@contextmanager
def _clock_stopped(episode: Episode) -> Iterator[None]:
    before = episode.clock()
    try:
        yield
    finally:
        episode.started += episode.clock() - before
