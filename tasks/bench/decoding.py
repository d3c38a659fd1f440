"""Times every decoding method, next to transformers on the same prompts."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from ...actions.errors import UsageError
from ...agent.checkpoints.loading import PLAINLY, LoadOptions
from .screens import TimedReply, progress, record_screens, reply_of, torch_threads

if TYPE_CHECKING:
    from ...agent.checkpoints.checkpoint import Checkpoint
    from ...agent.policy import Context

BASELINE = "transformers.generate"
Rounds = Sequence[Sequence[TimedReply]]
"""Rounds x prompts."""


def bench_decoding(
    model: str,
    threads: int = 1,
    prompts: int = 12,
    rounds: int = 3,
    screens: Sequence[Context] | None = None,
    acceptance: str = "exact",
    load: LoadOptions = PLAINLY,
) -> dict[str, Any]:
    """Decode the same prompts with every method that the checkpoint has, in turns.

    In each round drafters start without memory; the fastest round of each prompt counts. ``screens`` are used
    instead of those of MiniWoB++.

    Returns:
        ``{"baseline", "prompts", "methods": [{"name", "forwards_per_reply", "accepted_length", "decode_ms",
        "step_ms", "decode_ratio", "step_ratio", "identical"}], "episodes": {...}}``. Times are means over
        prompts; a ratio is the baseline's time divided by the method's: 2 is twice as fast.

    Raises:
        MissingPartError: the checkpoint or the browser is missing.
        UsageError: there is nothing to measure, or the acceptance rule is unknown.
    """
    if min(threads, prompts, rounds) < 1:
        raise UsageError("a benchmark needs at least one thread, one prompt and one round")
    from ...agent.checkpoints.checkpoint import load_checkpoint
    from .episodes import bench_episodes

    checkpoint = load_checkpoint(model, **asdict(load))
    screens = screens or record_screens(prompts)
    with torch_threads(threads):
        table = _table(checkpoint, screens[:prompts], rounds, acceptance)
        episodes = bench_episodes(checkpoint, screens, rounds)
    return {"baseline": BASELINE, "prompts": len(screens[:prompts]), "methods": table, "episodes": episodes}


def _table(checkpoint: Checkpoint, screens: Sequence[Context], rounds: int, acceptance: str) -> list[dict[str, Any]]:
    from ...agent.local import LocalPolicy
    from .baseline import TransformersBaseline

    auto = LocalPolicy(checkpoint)
    baseline = TransformersBaseline(checkpoint, auto.limits)
    methods = ["plain", *auto.decoding, "+".join(auto.decoding)]
    runs: dict[str, list[list[TimedReply]]] = {name: [] for name in (BASELINE, *methods)}
    for number in range(rounds):
        progress(f"round {number + 1} of {rounds}: {', '.join(runs)}")
        policies = {name: LocalPolicy(checkpoint, decoding=name, acceptance=acceptance) for name in methods}
        for replies in runs.values():
            replies.append([])
        for context in screens:
            runs[BASELINE][-1].append(baseline.reply(auto.prompt(context)))
            for name, policy in policies.items():
                policy.start()
                runs[name][-1].append(reply_of(policy, context))
    return [_row(name, runs[name], runs[BASELINE]) for name in methods]


def _row(name: str, runs: Rounds, baseline: Rounds) -> dict[str, Any]:
    decode, step = _mean_ms(runs)
    baseline_decode, baseline_step = _mean_ms(baseline)
    forwards = sum(reply.forwards for reply in runs[-1])
    tokens = sum(reply.forwards + reply.accepted for reply in runs[-1])
    texts, expected = ([[reply.text for reply in each] for each in rounds] for rounds in (runs, baseline))
    return {
        "name": name,
        "forwards_per_reply": round(forwards / len(runs[-1]), 2),
        "accepted_length": round(tokens / max(forwards, 1), 2),
        "decode_ms": round(decode, 2),
        "step_ms": round(step, 2),
        "decode_ratio": round(baseline_decode / decode, 2),
        "step_ratio": round(baseline_step / step, 2),
        "identical": texts == expected,
    }


def _mean_ms(runs: Rounds) -> tuple[float, float]:
    """Milliseconds of decoding and of the whole step: the mean over prompts of each one's fastest round."""
    prompts = list(zip(*runs, strict=True))
    decode = statistics.mean(min(reply.decode for reply in prompt) for prompt in prompts)
    step = statistics.mean(min(reply.step for reply in prompt) for prompt in prompts)
    return 1000 * decode, 1000 * step
