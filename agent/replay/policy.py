"""Replay that looks: a recording is what the model is expected to say, and at each step it is asked.

Where the model agrees, in one forward, the recorded actions are done at once. Where it does not, its own
answer is taken and the recording is healed. After an answer of its own, the step that it may have replaced
and those after it are all drafts, in one trie and one forward; the one it agrees with says where the run is.

While the same weights see, pixel for pixel, what they saw when they made the recording, their answers are
known and nothing is computed; the first different pixel ends that, and the history is read in one go.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from ...actions.dialects import Reply
from ...actions.errors import UsageError
from ...actions.schema import Finished, Wait
from ..policy import Context, Prediction, UnreadableReply, Usage
from ..prefetch import SupportsPrefetch
from .alignment import Alignment
from .expected import ExpectedReply, VerifyingPolicy
from .point_tolerance import farthest, same_but_points
from .recording import MARK, Recording

StepOutcome = Literal["known", "agreed", "near", "own", "end"]
"""How a step came about: the recorded reply, known to be the model's; the recorded reply, verified; the
model's own, which does the same up to the tolerance; its own, which does something else; the end of a
recording that does not say when it is done."""


@dataclass(frozen=True)
class ReplayStep:
    """One step of a replay.

    Attributes:
        step: of the replay.
        recorded: the step of the recording that was repeated; of an answer of the model's own, the one that
            was expected; None at the end.
        outcome: how it came about.
        forwards: of the target model, prefill included.
    """

    step: int
    recorded: int | None
    outcome: StepOutcome
    forwards: int


class ReplayPolicy:
    """Repeats a recording as far as a model agrees with it, and goes the model's way where it does not.

    With tolerance 0 it does exactly what the model alone would do, greedily, on the same screens.

    Args:
        policy: the model.
        recording: what to repeat.
        tolerance: how far a point may be off along an axis, as a share of the screenshot's longer side; by
            default what was measured for the model.
    """

    def __init__(self, policy: VerifyingPolicy, recording: Recording, tolerance: float | None = None) -> None:
        self._policy = policy
        self._recording = recording
        self._tolerance = policy.tolerance if tolerance is None else tolerance
        self.looked: list[ReplayStep] = []
        self._restart()

    @property
    def name(self) -> str:
        """The model's."""
        return self._policy.name

    def start(self) -> None:
        """Begin again with the first step."""
        self._policy.start()
        self._restart()

    def predict(self, context: Context) -> Prediction:
        """Ask the model for what the recording expects, and where it would say other things, for those.

        Raises:
            ParseError: the model's own reply cannot be read.
        """
        pixels = self._tolerance * max(context.screenshot.size)
        places = self._alignment.places(context.screenshot)
        if self._knows(context):
            return self._known(context)
        if places[0] == self._alignment.end and not self._recording.says_done:
            return self._end(len(context.turns))
        drafts = {place: draft for place in places if (draft := self._draft(context, place)) is not None}
        usage, forwards = Usage(), 0
        if drafts:
            verdict = self._policy.verify(context, list(drafts.values()), pixels)
            usage, forwards = verdict.usage, 1
            if verdict.prediction is not None and verdict.index is not None:
                place = list(drafts)[verdict.index]
                self._alignment.passed(place)
                self._note(context, place, "agreed", forwards)
                return verdict.prediction
        try:
            own = self._policy.predict(context)
        except UnreadableReply as error:
            self._note(context, min(places), "own", forwards + 1 + error.usage.forwards)
            raise
        self._judge(context, own, min(places), pixels, forwards + 1 + own.usage.forwards)
        return replace(own, usage=own.usage.after(usage))

    def read_ahead(self, context: Context) -> None:
        """The model may begin to read the next screen; see ``agent.prefetch``."""
        if isinstance(self._policy, SupportsPrefetch):
            self._policy.read_ahead(context)

    def _knows(self, context: Context) -> bool:
        """Whether the recording holds the model's answer: the same weights, pixels and history."""
        recording, place = self._recording, len(context.turns)
        if recording.fingerprint is None or recording.fingerprint != self._policy.fingerprint:
            return False
        if recording.instruction != context.instruction or place >= len(recording.steps):
            return False
        seen = [*(turn.screenshot for turn in context.turns), context.screenshot]
        return all(
            step.index == index and step.screen.digest == screen.digest
            for index, (step, screen) in enumerate(zip(recording.steps, seen, strict=False))
        ) and all(
            turn.reply == step.raw and turn.feedback is None
            for turn, step in zip(context.turns, recording.steps, strict=False)
        )

    def _known(self, context: Context) -> Prediction:
        place = len(context.turns)
        step = self._recording.steps[place]
        self._alignment.passed(place)
        self._note(context, place, "known", 0)
        return Prediction(Reply(step.thought, step.actions), step.raw)

    def _restart(self) -> None:
        steps = self._recording.steps
        self._alignment = Alignment([*(step.screen for step in steps), self._recording.last])
        self.looked.clear()

    def _draft(self, context: Context, place: int) -> ExpectedReply | None:
        """What the recording expects at a place; None at its end, or if the model has no words for it."""
        if place >= self._alignment.end:
            return None
        step = self._recording.steps[place]
        if step.raw:
            return ExpectedReply(step.raw, _marks(step.raw, 0))
        try:
            silent = self._policy.expect(context, step.actions)
        except UsageError:
            return None
        begin = silent.unasked[-1][1] if silent.unasked else 0
        return ExpectedReply(silent.raw, (*silent.unasked, *_marks(silent.raw, begin)))

    def _judge(self, context: Context, own: Prediction, expected: int, pixels: float, forwards: int) -> None:
        """Note what the model's own answer means for where the run is."""
        actions = own.reply.actions
        for place in self._alignment.nearby():
            recorded = self._recording.steps[place].actions
            if same_but_points(actions, recorded) and farthest(actions, recorded) <= pixels:
                self._alignment.passed(place)
                self._note(context, place, "near", forwards)
                return
        if not all(isinstance(action, Wait) for action in actions):
            self._alignment.strayed()
        self._note(context, expected, "own", forwards)

    def _end(self, step: int) -> Prediction:
        self.looked.append(ReplayStep(step, None, "end", 0))
        return Prediction(Reply("", (Finished(answer="the recording is at its end"),)), "")

    def _note(self, context: Context, place: int, outcome: StepOutcome, forwards: int) -> None:
        steps = self._recording.steps
        recorded = steps[place].index if place < len(steps) else None
        self.looked.append(ReplayStep(len(context.turns), recorded, outcome, forwards))


def _marks(raw: str, begin: int) -> tuple[tuple[int, int], ...]:
    """Where a reply names secrets, which the model does not know."""
    return tuple(match.span() for match in MARK.finditer(raw, begin))
