"""Verified replay: the recorded reply of each step is a draft that the model verifies in one forward.

Where the model agrees, the recorded actions are executed. Where it does not, its own reply is taken and the
recording is healed. After a reply of its own, the step that it may have replaced and the next ones are all
drafts, in one trie and one forward; the one that the model agrees with tells where the run is.

As long as the same weights see the same pixels as when they made the recording, their replies are known and
nothing is computed. At the first different pixel the whole history is prefilled at once.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass, replace
from itertools import takewhile
from typing import Literal

from ...actions.dialects import Reply
from ...actions.errors import UsageError
from ...actions.schema import Action, Finished, Wait, points
from ..policy import Context, Prediction, SupportsImageLimit, UnreadableReply, Usage
from ..prefetch import SupportsPrefetch
from .alignment import Alignment, matched
from .expected import ExpectedReply, VerifyingPolicy
from .point_tolerance import farthest, room_around, same_but_points
from .recording import MARK, Recording

StepOutcome = Literal["known", "agreed", "near", "own", "unreadable", "end"]
"""Where a step's reply came from: the recorded reply, known to be the model's; the recorded reply, verified;
the model's own, equal within the tolerance; the model's own, different; the model's own, which cannot be read, so
that nothing was done; the end of a recording that does not finish the task itself."""


@dataclass(frozen=True)
class ReplayStep:
    """One step of a replay.

    Attributes:
        step: its index in the replay.
        recorded: index of the recorded step that was repeated, or of the expected one where the model replied
            differently; None at the end.
        outcome: where the reply came from.
        forwards: of the target model, prefill included.
        tolerance: the largest distance of points along an axis, in pixels, at which they counted as the same.
    """

    step: int
    recorded: int | None
    outcome: StepOutcome
    forwards: int
    tolerance: float = 0.0


class ReplayPolicy:
    """Repeats a recording as far as a model agrees with it, and takes the model's reply where it does not.

    With tolerance 0 it does exactly what the model alone would do, greedily, on the same screens.

    Args:
        policy: the model.
        recording: the steps to repeat.
        tolerance: the largest distance of points along an axis, as a share of the screenshot's longer side; by
            default the one measured for the model.
        measure: measure it on each recorded screen where the model has none: how far the element reaches around the
            recorded point.

    Attributes:
        outcomes: of all steps so far.
    """

    def __init__(
        self, policy: VerifyingPolicy, recording: Recording, tolerance: float | None = None, measure: bool = False
    ) -> None:
        self._policy = policy
        self._recording = recording
        share = policy.tolerance if tolerance is None else tolerance
        self._tolerance = None if measure and not share else share
        self._own: dict[int, tuple[Action, ...]] = {}
        self.outcomes: list[ReplayStep] = []
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
        """Verify the recorded reply; where the model does not agree, ask it for its own.

        Raises:
            ParseError: the model's own reply cannot be parsed.
        """
        candidates = self._alignment.candidates(context.screenshot)
        if self._knows(context):
            return self._known(context)
        if candidates[0] == self._alignment.end and not self._recording.ends_itself:
            return self._end(len(context.turns))
        drafts = {index: draft for index in candidates if (draft := self._draft(context, index)) is not None}
        usage, forwards = Usage(), 0
        if drafts:
            pixels = min(self._pixels(index) for index in drafts)
            verified = self._policy.verify(context, list(drafts.values()), pixels)
            usage, forwards = verified.usage, 1
            if verified.prediction is not None and verified.index is not None:
                index = list(drafts)[verified.index]
                self._alignment.advance(index)
                self._note(context, index, "agreed", forwards)
                return verified.prediction
        try:
            own = self._policy.predict(context)
        except UnreadableReply as error:
            self._note(context, min(candidates), "unreadable", forwards + 1 + error.usage.forwards)
            raise
        self._judge(context, own, min(candidates), forwards + 1 + own.usage.forwards)
        return replace(own, usage=own.usage.after(usage))

    @property
    def max_images(self) -> int:
        """The model's; see ``SupportsImageLimit``."""
        return self._policy.max_images if isinstance(self._policy, SupportsImageLimit) else sys.maxsize

    def paired(self) -> tuple[ReplayStep, ...]:
        """The outcomes once the replay is over: steps that were healed in a row, each with the one it replaced."""
        steps = list(self.outcomes)
        places = {step.index: place for place, step in enumerate(self._recording.steps)}
        number = 0
        while number < len(steps):
            row = list(takewhile(lambda each: steps[each].outcome in ("own", "unreadable"), range(number, len(steps))))
            number += len(row) + 1
            healed = [each for each in row if each in self._own]
            if not healed:
                continue
            before = [steps[each].recorded for each in range(row[0]) if steps[each].outcome != "end"]
            first = max((places[index] + 1 for index in before if index is not None), default=0)
            after = steps[row[-1] + 1].recorded if row[-1] + 1 < len(steps) else None
            last = len(places) if after is None else places[after]
            recorded = self._recording.steps[first:last]
            found = matched([self._own[each] for each in healed], [step.actions for step in recorded])
            for each, place in zip(healed, found, strict=True):
                steps[each] = replace(steps[each], recorded=None if place is None else recorded[place].index)
        return tuple(steps)

    def prefetch(self, context: Context, *, certain: bool = False) -> None:
        """Let the model prefill the next screen, unless the reply to it is known; see ``agent.prefetch``."""
        if isinstance(self._policy, SupportsPrefetch) and not self._knows(context):
            self._policy.prefetch(context, certain=certain)

    def prefetch_history(self, context: Context) -> None:
        """Let the model prefill what it will be asked, unless its replies are known; see ``agent.prefetch``."""
        if isinstance(self._policy, SupportsPrefetch) and not self._recorded_its_own:
            self._policy.prefetch_history(context)

    @property
    def _recorded_its_own(self) -> bool:
        """Whether the model made the recording itself."""
        return self._recording.fingerprint == self._policy.fingerprint is not None

    def _knows(self, context: Context) -> bool:
        """Whether the recording holds the model's reply: the same weights, pixels and history."""
        recording, index = self._recording, len(context.turns)
        if not self._recorded_its_own:
            return False
        if recording.instruction != context.instruction or context.feedback or index >= len(recording.steps):
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
        index = len(context.turns)
        step = self._recording.steps[index]
        self._alignment.advance(index)
        self._note(context, index, "known", 0)
        return Prediction(Reply(step.thought, step.actions), step.raw)

    def _restart(self) -> None:
        steps = self._recording.steps
        self._alignment = Alignment([*(step.screen for step in steps), self._recording.last])
        self.outcomes.clear()
        self._own.clear()
        self._room: dict[int, float] = {}

    def _draft(self, context: Context, index: int) -> ExpectedReply | None:
        """The expected reply; None at the end, or if the model's dialect cannot express it."""
        if index >= self._alignment.end:
            return None
        step = self._recording.steps[index]
        if step.raw:
            return ExpectedReply(step.raw, _marks(step.raw, 0))
        try:
            silent = self._policy.expect(context, step.actions)
        except UsageError:
            return None
        begin = silent.unverified[-1][1] if silent.unverified else 0
        return ExpectedReply(silent.raw, (*silent.unverified, *_marks(silent.raw, begin)))

    def _pixels(self, index: int) -> float:
        """How far points may be from those of a recorded step, in pixels."""
        if index >= self._alignment.end:
            return 0.0
        step = self._recording.steps[index]
        if self._tolerance is not None:
            return self._tolerance * max(step.screen.size)
        if index not in self._room:
            places = [point for action in step.actions for point in points(action)]
            self._room[index] = min((room_around(step.screen.pixels, place) for place in places), default=0.0)
        return self._room[index]

    def _judge(self, context: Context, own: Prediction, expected: int, forwards: int) -> None:
        """Align the run with the recording after a reply of the model's own."""
        actions = own.reply.actions
        for index in self._alignment.window():
            recorded = self._recording.steps[index].actions
            if same_but_points(actions, recorded) and farthest(actions, recorded) <= self._pixels(index):
                self._alignment.advance(index)
                self._note(context, index, "near", forwards)
                return
        if not all(isinstance(action, Wait) for action in actions):
            self._alignment.diverge()
        self._own[len(self.outcomes)] = actions
        self._note(context, expected, "own", forwards)

    def _end(self, step: int) -> Prediction:
        self.outcomes.append(ReplayStep(step, None, "end", 0))
        return Prediction(Reply("", (Finished(answer="the recording is at its end"),)), "")

    def _note(self, context: Context, index: int, outcome: StepOutcome, forwards: int) -> None:
        steps = self._recording.steps
        recorded = steps[index].index if index < len(steps) else None
        self.outcomes.append(ReplayStep(len(context.turns), recorded, outcome, forwards, self._pixels(index)))


def _marks(raw: str, begin: int) -> tuple[tuple[int, int], ...]:
    """The spans of a reply that name secrets, which the model does not know."""
    return tuple(match.span() for match in MARK.finditer(raw, begin))
