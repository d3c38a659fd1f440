"""Times model steps within episodes: with the KV cache, and with the last screenshots recomputed."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import replace
from itertools import cycle, islice
from typing import TYPE_CHECKING, Any

from ...agent.local import LocalPolicy
from ...agent.policy import Context, Turn
from .baseline import TransformersBaseline
from .screens import progress, reply_of

if TYPE_CHECKING:
    from ...agent.checkpoints.checkpoint import Checkpoint

IMAGES = 5
MIDDLE = range(5, 10)
EARLY, LATE = 2, 20
MIN_ROUNDS = 3
"""Each step is timed once per round; a single disturbed round must not decide."""


def bench_episodes(checkpoint: Checkpoint, screens: Sequence[Context], rounds: int) -> dict[str, Any]:
    """Play the screens as one conversation.

    Saccade shows the model up to ``IMAGES`` screenshots and keeps what it computed. The baseline shows the
    last ``IMAGES`` and computes everything at every step. Both see the same earlier replies.

    Returns:
        ``{"images", "steps": [5, 9], "baseline_ms", "plain_ms", "auto_ms", "plain_ratio", "ratio",
        "step_2_ms", "step_20_ms", "late_ratio"}``: medians over steps 5 to 9 of each step's fastest round;
        then steps 2 and 20 of a long episode, and how many times as long the later one takes.
    """
    card = checkpoint.card.model_copy(update={"max_images": IMAGES})
    checkpoint = replace(checkpoint, card=card)
    spent: dict[str, dict[int, list[float]]] = {"plain": {}, "auto": {}, "baseline": {}}
    rounds = max(rounds, MIN_ROUNDS)
    for number in range(rounds):
        progress(f"episodes: round {number + 1} of {rounds}")
        for name, seconds in spent.items():
            _play(checkpoint, name, screens, seconds)
    middle = {name: 1000 * statistics.median(min(times[step]) for step in MIDDLE) for name, times in spent.items()}
    early, late = (1000 * min(spent["auto"][step]) for step in (EARLY, LATE))
    return {
        "images": IMAGES,
        "steps": [MIDDLE[0], MIDDLE[-1]],
        **{f"{name}_ms": round(time, 2) for name, time in middle.items()},
        "plain_ratio": round(middle["baseline"] / middle["plain"], 2),
        "ratio": round(middle["baseline"] / middle["auto"], 2),
        "step_2_ms": round(early, 2),
        "step_20_ms": round(late, 2),
        "late_ratio": round(late / early, 2),
    }


def _play(checkpoint: Checkpoint, name: str, screens: Sequence[Context], spent: dict[int, list[float]]) -> None:
    """Play one episode and add the seconds of each step; the baseline is timed in the middle steps only."""
    policy = LocalPolicy(checkpoint, decoding="plain" if name == "plain" else "auto")
    baseline = TransformersBaseline(checkpoint, policy.limits) if name == "baseline" else None
    turns: list[Turn] = []
    steps = LATE if baseline is None else MIDDLE[-1]
    for step, screen in enumerate(islice(cycle(screens), steps), start=1):
        context = Context(screens[0].instruction, screen.screenshot, turns)
        if baseline and step in MIDDLE:
            window = replace(context, turns=turns[-(IMAGES - 1) :])
            spent.setdefault(step, []).append(baseline.reply(policy.prompt(window)).step)
        reply = reply_of(policy, context)
        if not baseline:
            spent.setdefault(step, []).append(reply.step)
        turns.append(Turn(screen.screenshot, reply.text))
