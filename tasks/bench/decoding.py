"""How fast replies are decoded, method by method, next to what transformers takes for the same prompts."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

from ...actions.errors import UsageError
from .screens import PromptScreen, TimedReply, context_of, progress, record_screens, reply_of, torch_threads

if TYPE_CHECKING:
    from ...agent.checkpoints.checkpoint import Checkpoint

BASELINE = "transformers.generate"


def bench_decoding(
    model: str,
    threads: int = 1,
    prompts: int = 12,
    rounds: int = 3,
    screens: Sequence[PromptScreen] | None = None,
) -> dict[str, Any]:
    """Decode the same prompts with every method that the checkpoint has, in turns.

    Each round begins with drafters that remember nothing; of each prompt the fastest round counts.

    Args:
        model: what ``load_checkpoint`` takes.
        threads: of torch.
        prompts: MiniWoB++ screens to reply to.
        rounds: how often.
        screens: instead of those of MiniWoB++.

    Returns:
        ``{"baseline", "prompts", "methods": [{"name", "forwards_per_reply", "accepted_length", "decode_ms",
        "step_ms", "decode_ratio", "step_ratio", "identical"}], "episodes": {...}}``. Times are means over
        prompts, ratios the baseline's time by the method's: 2 is twice as fast.

    Raises:
        MissingPartError: the checkpoint or the browser is missing.
        UsageError: there is nothing to measure.
    """
    if min(threads, prompts, rounds) < 1:
        raise UsageError("a benchmark needs at least one thread, one prompt and one round")
    from ...agent.checkpoints.checkpoint import load_checkpoint
    from .episodes import bench_episodes

    checkpoint = load_checkpoint(model)
    screens = screens or record_screens(prompts)
    with torch_threads(threads):
        table = _table(checkpoint, screens[:prompts], rounds)
        episodes = bench_episodes(checkpoint, screens, rounds)
    return {"baseline": BASELINE, "prompts": len(screens[:prompts]), "methods": table, "episodes": episodes}


def _table(checkpoint: Checkpoint, screens: Sequence[PromptScreen], rounds: int) -> list[dict[str, Any]]:
    from ...agent.local import LocalPolicy
    from .baseline import TransformersBaseline

    whole = LocalPolicy(checkpoint)
    baseline, found = TransformersBaseline(checkpoint, whole.limits), whole.decoding
    methods = ["plain", *found, "+".join(found)]
    runs: dict[str, list[list[TimedReply]]] = {name: [] for name in (BASELINE, *methods)}
    for number in range(rounds):
        progress(f"round {number + 1} of {rounds}: {', '.join(runs)}")
        policies = {name: LocalPolicy(checkpoint, decoding=name) for name in methods}
        for replies in runs.values():
            replies.append([])
        for screen in screens:
            context = context_of(screen)
            prompt = whole.prompt(context)
            runs[BASELINE][-1].append(baseline.reply(prompt))
            for name, policy in policies.items():
                policy.start()
                runs[name][-1].append(reply_of(policy, context))
    return [_row(name, runs[name], runs[BASELINE]) for name in methods]


def _row(
    name: str, runs: Sequence[Sequence[TimedReply]], baseline: Sequence[Sequence[TimedReply]]
) -> dict[str, Any]:
    decode, step = _mean_ms(runs, "decode"), _mean_ms(runs, "step")
    replies = runs[-1]
    forwards = sum(reply.forwards for reply in replies)
    written = sum(reply.forwards + reply.accepted for reply in replies)
    pairs = zip(
        (reply for run in runs for reply in run), (reply for run in baseline for reply in run), strict=True
    )
    same = all(mine.text == its.text for mine, its in pairs)
    return {
        "name": name,
        "forwards_per_reply": round(forwards / len(replies), 2),
        "accepted_length": round(written / max(forwards, 1), 2),
        "decode_ms": round(decode, 2),
        "step_ms": round(step, 2),
        "decode_ratio": round(_mean_ms(baseline, "decode") / decode, 2),
        "step_ratio": round(_mean_ms(baseline, "step") / step, 2),
        "identical": same,
    }


def _mean_ms(runs: Sequence[Sequence[TimedReply]], phase: Literal["decode", "step"]) -> float:
    """The mean over prompts of each one's fastest round."""
    prompts: list[tuple[TimedReply, ...]] = list(zip(*runs, strict=True))
    seconds = ([run.decode if phase == "decode" else run.step for run in prompt] for prompt in prompts)
    return 1000 * statistics.mean(min(times) for times in seconds)
