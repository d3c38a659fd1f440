"""``replay --offline``: what a policy would do now on the recorded screens. Nothing is executed.

Each step is predicted with the recorded history before it, so that one different reply does not change the
next: a regression test for a new model, prompt or dialect.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ...actions.errors import ParseError, UsageError
from ...actions.schema import Action
from ...agent.policy import Context, Turn, UnreadableReply
from ...agent.replay.expected import ExpectedReply, VerifyingPolicy
from ...agent.replay.point_tolerance import farthest, same_but_points
from ...agent.replay.recording import RecordedStep, Recording
from ...env.secrets import Secrets
from ...env.trajectory.concealing import concealed


@dataclass(frozen=True)
class OfflineComparison:
    """One recorded step and what the policy would do now.

    Attributes:
        step: index in the recording, from 0.
        agrees: whether it would do the same, with points within the tolerance.
        kind: whether the actions are at least of the same kinds.
        distance: largest distance of points along an axis, in pixels; None where the actions differ otherwise.
        recorded: the recorded actions.
        now: the policy's actions; empty for a reply that cannot be read.
        error: why it cannot be read.
        forwards: of the model, with prefill.
        seconds: of the model.
        prompt_tokens: of the prompt.
        left_out_tokens: what the prompt was spared of older screenshots.
    """

    step: int
    agrees: bool
    kind: bool
    distance: float | None
    recorded: tuple[Action, ...]
    now: tuple[Action, ...]
    error: str | None
    forwards: int
    seconds: float
    prompt_tokens: int = 0
    left_out_tokens: int = 0


def compare(
    policy: VerifyingPolicy,
    recording: Recording,
    instruction: str,
    tolerance: float,
    on_step: Callable[[OfflineComparison], None] = lambda comparison: None,
    secrets: Secrets | None = None,
) -> list[OfflineComparison]:
    """Ask a policy about every recorded step; ``on_step`` is called with each as it is done.

    ``tolerance`` is the largest distance of points along an axis, as a share of the screenshot's longer side. A reply
    that spells out one of the ``secrets`` is compared, and told, with its marker.
    """
    conceal = (secrets or Secrets()).conceal
    policy.start()
    turns: list[Turn] = []
    found: list[OfflineComparison] = []
    for step in recording.steps:
        context = Context(instruction, step.screen, tuple(turns))
        found.append(_compare(policy, context, step, tolerance * max(step.screen.size), conceal))
        on_step(found[-1])
        turns.append(Turn(step.screen, step.raw or _as_reply(policy, context, step)))
    return found


def _compare(
    policy: VerifyingPolicy, context: Context, step: RecordedStep, pixels: float, conceal: Callable[[str], str]
) -> OfflineComparison:
    """One forward where the policy would write the same reply; its own reply where it would not."""
    forwards, seconds, sizes = 0, 0.0, (0, 0)
    if step.raw:
        verdict = policy.verify(context, [ExpectedReply(step.raw)])
        forwards, seconds = 1, sum(verdict.usage.timings.values())
        sizes = (verdict.usage.prompt_tokens, verdict.usage.left_out_tokens)
        if verdict.index is not None:
            done = step.actions
            return OfflineComparison(step.index, True, True, 0.0, done, done, None, forwards, seconds, *sizes)
    try:
        own = policy.predict(context)
    except ParseError as error:
        usage = error.usage if isinstance(error, UnreadableReply) else None
        forwards += 1 + (usage.forwards if usage else 0)
        return OfflineComparison(
            step.index, False, False, None, step.actions, (), conceal(error.reason), forwards, seconds, *sizes
        )
    forwards += 1 + own.usage.forwards
    seconds += sum(own.usage.timings.values())
    sizes = (own.usage.prompt_tokens, own.usage.left_out_tokens)
    now = tuple(concealed(action, conceal) for action in own.reply.actions)
    distance = farthest(now, step.actions) if same_but_points(now, step.actions) else None
    agrees = distance is not None and distance <= pixels
    kind = [action.kind for action in now] == [action.kind for action in step.actions]
    return OfflineComparison(step.index, agrees, kind, distance, step.actions, now, None, forwards, seconds, *sizes)


def _as_reply(policy: VerifyingPolicy, context: Context, step: RecordedStep) -> str:
    """A person's step as the policy would have written it."""
    try:
        return policy.expect(context, step.actions).raw
    except UsageError:
        return ""
