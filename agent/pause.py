"""A person's part in an episode: they hold it up, and it hands over to them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from ..actions.errors import Stopped
from ..actions.schema import Action, CallUser, Wait
from ..env.base import Environment
from ..env.control import Control
from .episode import Episode
from .limits import Interruption, check_result

_LOOK = Wait(seconds=0.0)
_NOT_DONE = "The user paused before this was done; look at the screen again."
_NO_WORDS = "The user has acted on the screen; go on."


class PauseGate:
    """Waits for the person and looks again afterwards, because they may have changed the screen.

    The time that a person takes is not the agent's: no limit counts it.

    Args:
        control: what the person wishes.
        environment: where the agent acts.
    """

    def __init__(self, control: Control, environment: Environment) -> None:
        self._control = control
        self._environment = environment

    def gate(self, episode: Episode) -> None:
        """Wait while the run is paused.

        Raises:
            Stopped: it was stopped.
            Interruption: meanwhile the environment ended the episode.
        """
        with _off_the_clock(episode):
            held = self._control.gate()
        if held:
            result = self._environment.step(_LOOK)
            episode.update(result)
            check_result(result)

    def refuse(self, episode: Episode, action: Action) -> str | None:
        """Leave an action undone that was decided before the person paused; returns why, for the policy."""
        if not self._control.pausing:
            return None
        episode.acted(action, error=_NOT_DONE)
        return _NOT_DONE

    @contextmanager
    def acting(self, episode: Episode, action: Action) -> Iterator[None]:
        """Record an action that a stop breaks off.

        Raises:
            Stopped: it was stopped.
        """
        self._control.check()
        try:
            yield
        except (Stopped, KeyboardInterrupt):
            episode.acted(action, error="broken off: the run was stopped")
            raise

    def hand_over(self, episode: Episode, action: CallUser) -> str:
        """Ask the person who is there and record their answer; returns it in words for the policy.

        Without anybody there, handing over is the policy's last word.

        Raises:
            Stopped: it was stopped.
            Interruption: nobody is there, or meanwhile the environment ended the episode.
        """
        if not self._control.attended:
            episode.acted(action)
            raise Interruption("call_user", action.message)
        try:
            with _off_the_clock(episode):
                answer = self._control.ask(action.message)
        except (Stopped, KeyboardInterrupt):
            episode.acted(action)
            raise
        told = f"The user answered: {answer}" if answer else _NO_WORDS
        result = self._environment.step(_LOOK)
        episode.acted(action, replace(result, error=told))
        check_result(result)
        return told


@contextmanager
def _off_the_clock(episode: Episode) -> Iterator[None]:
    before = episode.clock()
    try:
        yield
    finally:
        episode.started += episode.clock() - before
