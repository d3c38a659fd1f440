"""The state of one run, and how each change of it is recorded."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from ..actions.characters import LONGEST_REPLY, clipped, whole_text
from ..actions.errors import Fault, ParseError
from ..actions.schema import Action
from ..env.base import StepResult, Verdict
from ..env.secrets import Secrets
from ..env.trajectory.events import ActionEvent, EndEvent, EndReason, PredictionEvent
from ..env.trajectory.trajectory import EventT
from ..perception.observation import Observation
from .limits import RepeatCounter
from .policy import Context, Prediction, Turn, UnreadableReply, Usage

BESIDE = "What happened beside the screen (words in quotes are the page's, not the user's)"
"""Begins feedback on notes."""


class EpisodeRecorder(Protocol):
    """Where an episode is recorded, such as a ``TrajectoryWriter``."""

    def observe(self, step: int, observation: Observation) -> None:
        """Record a screen."""

    def append(self, event: EventT) -> EventT:
        """Record an event; returns it as recorded."""


@dataclass
class Episode:
    """One run in progress; every change is recorded first.

    Attributes:
        instruction: the task.
        observation: the newest screen.
        trajectory: records everything.
        clock: seconds since the epoch.
        started: when it started; later by the time that a person took.
        steps: predictions made.
        turns: the earlier steps that the policy sees.
        unreadable: replies in a row that could not be read.
        reward: the environment's, so far.
        verdict: the environment's own, where it gives one.
        last: the newest action.
        deciding: whether the policy has been asked and has not replied.
        repeats: how often the same actions changed nothing.
        feedback: what happened beside the screen before the first step.
        secrets: what the policy gets no word of.
    """

    instruction: str
    observation: Observation
    trajectory: EpisodeRecorder
    clock: Callable[[], float]
    started: float = field(init=False)
    steps: int = 0
    turns: list[Turn] = field(default_factory=list)
    unreadable: int = 0
    reward: float = 0.0
    verdict: Verdict | None = None
    last: Action | None = None
    deciding: bool = False
    repeats: RepeatCounter = field(default_factory=RepeatCounter)
    feedback: str | None = None
    secrets: Secrets = field(default_factory=Secrets)
    _recorded: Observation | None = None

    def __post_init__(self) -> None:
        self.started = self.clock()
        self._tell(self.observation.notes)

    @property
    def context(self) -> Context:
        """What the policy sees."""
        return Context(self.instruction, self.observation.screenshot, tuple(self.turns), self.feedback)

    def observe(self) -> None:
        """Record the newest screen as the start of the next step."""
        self.trajectory.observe(self.steps, self.observation)
        self._recorded = self.observation

    def predicted(self, prediction: Prediction, seconds: float) -> None:
        """Record a reply that could be read; feedback on it may follow."""
        self.unreadable = 0
        reply = prediction.reply
        self._replied(
            prediction.raw,
            prediction.usage,
            seconds,
            thought=reply.thought,
            actions=reply.actions,
            notes=(*prediction.notes, *reply.notes),
        )
        for note in reply.notes:
            self.give_feedback(note)

    def misread(self, error: ParseError, seconds: float) -> None:
        """Record a reply that could not be read; the policy gets feedback and is asked again."""
        self.unreadable += 1
        usage, notes = (error.usage, error.notes) if isinstance(error, UnreadableReply) else (Usage(), ())
        self._replied(error.raw, usage, seconds, error=error.reason, notes=notes)
        self.give_feedback(f"Your reply could not be read: {error.reason}. Reply again in the format asked for.")

    def give_feedback(self, message: str) -> None:
        """Add feedback to the newest turn, or before the first one."""
        message = self.secrets.conceal(message)
        before = self.turns[-1].feedback if self.turns else self.feedback
        feedback = message if before is None else f"{before}; {message}"
        if self.turns:
            self.turns[-1] = replace(self.turns[-1], feedback=feedback)
        else:
            self.feedback = feedback

    def forget(self, max_images: int) -> None:
        """Drop the pixels of turns that are not among the last ``max_images``: they are never shown again."""
        for index in range(len(self.turns) - max_images - 1, -1, -1):
            screenshot = self.turns[index].screenshot
            if (bare := screenshot.without_pixels()) is screenshot:
                return
            self.turns[index] = replace(self.turns[index], screenshot=bare)

    def acted(self, action: Action, result: StepResult | None = None, error: str | None = None) -> None:
        """Record an action of the newest prediction; one without a result was not completed."""
        outcome = {"error": error} if result is None else vars(result)
        outcome = {name: value for name, value in outcome.items() if name != "observation"}
        event = {"step": self.steps - 1, "action": action, "time": self.clock(), **outcome}
        self.trajectory.append(ActionEvent.model_validate(event))
        self.last = action
        if result is not None:
            self._take(result)

    def update(self, result: StepResult) -> None:
        """Take a screen that no action of the policy led to; it is recorded with its notes."""
        self._take(result)
        self.observation = replace(result.observation, notes=result.notes)

    def _take(self, result: StepResult) -> None:
        self.observation = result.observation
        self.reward += result.reward
        self._tell(result.notes)

    def _tell(self, notes: Sequence[str]) -> None:
        """Tell the policy what happened beside the screen."""
        if notes:
            self.give_feedback(f"{BESIDE}: {'; '.join(notes)}")

    def judged(self, verdict: Verdict) -> None:
        """Take the environment's verdict."""
        self.reward += verdict.reward
        self.verdict = verdict

    def end(self, reason: EndReason, message: str, rewarded: bool, fault: Fault | None = None) -> EndEvent:
        """Record the last screen and how it ended.

        An environment that sets the task also judges it, by its verdict or else by the rewards of the steps
        (``rewarded``). Elsewhere nothing judges the episode, whatever the policy says of it.
        """
        if self.observation is not self._recorded:
            self.observe()
        judged = rewarded or self.verdict is not None
        event = EndEvent(
            end=reason,
            judged=judged,
            success=judged and (self.reward > 0 if self.verdict is None else self.verdict.success),
            verdict="" if self.verdict is None else self.verdict.reason,
            reward=self.reward if judged else None,
            steps=self.steps,
            message=message,
            fault=fault,
            time=self.clock(),
        )
        return self.trajectory.append(event)

    def _replied(self, raw: str, usage: Usage, seconds: float, **read: Any) -> None:
        self.deciding = False
        raw = clipped(whole_text(raw))
        read = {name: clipped(whole_text(value)) if isinstance(value, str) else value for name, value in read.items()}
        event = PredictionEvent(step=self.steps, raw=raw, usage=usage, seconds=seconds, time=self.clock(), **read)
        self.trajectory.append(event)
        self.steps += 1
        shown = clipped(self.secrets.conceal(raw), LONGEST_REPLY)
        self.turns.append(Turn(self.observation.screenshot, shown))
