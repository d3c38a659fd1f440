"""A policy in another harness's loop: each of its screens is answered by steps of our own loop.

A harness asks once per screen and executes what it is given. So a reply that cannot be read, or that asks for
nothing which can be done there, becomes feedback, and the policy is asked again at once, within bounds.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Generic, TypeVar

from ...actions.errors import UsageError
from ...actions.geometry import Point, Size, clamp, inside
from ...actions.schema import Action, CallUser, Finished, points
from ...agent.episode import Episode
from ...agent.limits import Interruption, Limits
from ...agent.loop import Agent
from ...agent.policy import Policy, Turn, Usage
from ...env.base import StepResult
from ...env.guard.guard import Guard, UnknownScene
from ...env.trajectory.events import PredictionEvent
from ...env.trajectory.trajectory import EventT
from ...perception.observation import Observation, Screenshot

T = TypeVar("T")
Write = Callable[[Action, Size], Sequence[T]]
"""Puts an action on a screenshot of that size, whose pixels are those of the screen, into a harness's words.

It raises a ``UsageError`` for the policy where a point is off the screenshot, or the action cannot be done.
"""


@dataclass(frozen=True)
class Decision(Generic[T]):
    """What the policy made of one screen.

    Attributes:
        raw: its reply; the last one where it was asked more than once.
        thought: its reasoning.
        written: what the harness is to execute, in order.
        end: the action that ends the episode; None while it goes on.
        problem: why part of the reply is not executed, or why there is nothing to execute.
        exhausted: whether every reply to this screen was useless, so that the episode cannot go on.
        useless: the replies before ``raw`` that led to nothing.
        usage: what all replies to this screen cost.
    """

    raw: str
    thought: str = ""
    written: tuple[T, ...] = ()
    end: Finished | CallUser | None = None
    problem: str | None = None
    exhausted: bool = False
    useless: tuple[str, ...] = ()
    usage: tuple[Usage, ...] = ()


class _Harness(Generic[T]):
    """The harness's screen as an environment: it collects actions, which the harness executes later."""

    instruction = None

    def __init__(self, screen: Observation, write: Write[T], guard: Guard) -> None:
        self.guard = guard
        self.written: list[T] = []
        self._screen = screen
        self._write = write

    def reset(self, seed: int | None = None) -> Observation:
        return self._screen

    def step(self, action: Action) -> StepResult:
        try:
            permit = self.guard.admit(action, UnknownScene(self._screen.screenshot))
            self.written += self._write(permit.spend(), self._screen.screenshot.size)
        except UsageError as error:
            return StepResult(self._screen, error=str(error))
        return StepResult(self._screen)

    def close(self) -> None:
        pass


class _Predictions:
    """Records an episode's predictions; the harness keeps its own records of the rest."""

    def __init__(self) -> None:
        self.events: list[PredictionEvent] = []

    def observe(self, step: int, observation: Observation) -> None:
        pass

    def append(self, event: EventT) -> EventT:
        if isinstance(event, PredictionEvent):
            self.events.append(event)
        return event


class Guest(Generic[T]):
    """One policy and its current episode.

    Args:
        policy: decides.
        write: puts its actions into the harness's words.
        guard: decides which of them the harness is given; what they would hit there is not known.
        attempts: how often it is asked about one screen.
        clock: seconds since the epoch.
    """

    def __init__(
        self,
        policy: Policy,
        write: Write[T],
        attempts: int = Limits.unreadable,
        clock: Callable[[], float] = time.time,
        *,
        guard: Guard,
    ) -> None:
        if attempts < 1:
            raise UsageError(f"a policy has to be asked at least once, not {attempts} times")
        self._policy = policy
        self._guard = guard
        self._write = write
        # So often is it asked about one screen; everything else is for the harness to limit.
        self._limits = Limits(attempts, math.inf, attempts + 1, attempts + 1)
        self._clock = clock
        self._episode: Episode | None = None

    @property
    def turns(self) -> tuple[Turn, ...]:
        """What the policy may look back on."""
        return tuple(self._episode.turns) if self._episode else ()

    def start(self) -> None:
        """Begin a new episode."""
        self._episode = None
        self._policy.start()

    def failed(self, error: str) -> None:
        """Note that the harness could not execute what it was given last."""
        if self._episode is not None:
            self._episode.give_feedback(error)

    def decide(self, instruction: str, screenshot: Screenshot) -> Decision[T]:
        """Ask what to do on a screen, up to ``attempts`` times; other errors of the policy are not caught."""
        screen, log = Observation(screenshot, self._clock()), _Predictions()
        world = _Harness(screen, self._write, self._guard)
        self._episode = episode = Episode(instruction, screen, log, time.time, turns=list(self.turns))
        agent = Agent(self._policy, world, self._limits)
        with suppress(Interruption):
            while not world.written:
                agent.step(episode)
        *useless, last = log.events
        end = episode.last if isinstance(episode.last, Finished | CallUser) else None
        return Decision(
            last.raw,
            last.thought,
            tuple(world.written),
            end,
            episode.turns[-1].feedback,
            exhausted=end is None and not world.written,
            useless=tuple(event.raw for event in useless),
            usage=tuple(event.usage for event in log.events),
        )


def refuse_outside(action: Action, size: Size) -> None:
    """Refuse an action beyond the screenshot with a ``UsageError``, as the environments do."""
    for point in points(action):
        if not inside(point, size):
            raise UsageError(
                f"({point.x:g}, {point.y:g}) is outside the screenshot of {size.width} x {size.height} pixels"
            )


def pixel(point: Point, size: Size) -> tuple[int, int]:
    """Column and row of the pixel under a point of the screenshot; the far edges count as the last ones."""
    x, y = clamp(point, size)
    return int(x), int(y)


def refused(action: Action) -> UsageError:
    """The error for an action that a place has no means to execute."""
    return UsageError(f"this environment cannot execute {action.kind}")
