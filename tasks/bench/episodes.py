"""Whole model steps within episodes: the runtime's memory against recomputing the last screenshots."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import replace
from itertools import cycle, islice
from typing import TYPE_CHECKING, Any

from ...agent.local import LocalPolicy
from ...agent.policy import Context, Turn
from .baseline import TransformersBaseline
from .screens import PromptScreen, progress, reply_of

if TYPE_CHECKING:
    from ...agent.checkpoints.checkpoint import Checkpoint

IMAGES = 5
STEPS = 12
MIDDLE = range(5, 10)
EARLY, LATE = 2, 20
LEAST_ROUNDS = 3
"""A single step is timed only once a round; one disturbance must not decide."""


def bench_episodes(checkpoint: Checkpoint, screens: Sequence[PromptScreen], rounds: int) -> dict[str, Any]:
    """Play the screens as if they followed each other.

    The runtime may show the model up to ``IMAGES`` screenshots and keeps what it computed. The baseline shows
    it the last ``IMAGES`` and computes everything at every step. Both see the same earlier replies.

    Returns:
        ``{"images", "steps": [5, 9], "baseline_ms", "plain_ms", "auto_ms", "plain_ratio", "ratio",
        "step_2_ms", "step_20_ms", "late_ratio"}``: medians over steps 5 to 9 of each step's fastest round;
        then steps 2 and 20 of a long episode, and how many times as long the later takes.
    """
    card = checkpoint.card.model_copy(update={"max_images": IMAGES})
    checkpoint = replace(checkpoint, card=card)
    spent: dict[str, dict[int, list[float]]] = {"plain": {}, "auto": {}, "baseline": {}}
    rounds = max(rounds, LEAST_ROUNDS)
    for number in range(rounds):
        progress(f"episodes: round {number + 1} of {rounds}")
        for name in ("plain", "auto"):
            _play(checkpoint, name, screens, LATE, spent[name])
        _play_baseline(checkpoint, screens, spent["baseline"])
    middle = {
        name: 1000 * statistics.median(min(times[step]) for step in MIDDLE) for name, times in spent.items()
    }
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


def _play(
    checkpoint: Checkpoint,
    decoding: str,
    screens: Sequence[PromptScreen],
    steps: int,
    spent: dict[int, list[float]],
) -> None:
    policy = LocalPolicy(checkpoint, decoding=decoding)
    turns: list[Turn] = []
    for step, screen in enumerate(islice(cycle(screens), steps), start=1):
        measured = reply_of(policy, Context(screens[0].instruction, screen.observation, turns))
        spent.setdefault(step, []).append(measured.step)
        turns.append(Turn(screen.observation.screenshot, measured.text))


def _play_baseline(
    checkpoint: Checkpoint, screens: Sequence[PromptScreen], spent: dict[int, list[float]]
) -> None:
    policy = LocalPolicy(checkpoint, decoding="auto")
    baseline = TransformersBaseline(checkpoint, policy.limits)
    turns: list[Turn] = []
    for step, screen in enumerate(islice(cycle(screens), MIDDLE[-1]), start=1):
        context = Context(screens[0].instruction, screen.observation, turns)
        if step in MIDDLE:
            window = replace(context, turns=turns[-(IMAGES - 1) :])
            spent.setdefault(step, []).append(baseline.reply(policy.prompt(window)).step)
        text = reply_of(policy, context).text
        turns.append(Turn(screen.observation.screenshot, text))
