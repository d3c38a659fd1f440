"""How fast replies are decoded, method by method, next to what transformers takes for the same prompts."""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from ...actions.errors import ParseError, UsageError
from ...env.browser.chromium import Chromium
from ...env.browser.miniwob import MiniWobEnvironment
from ...env.browser.miniwob_pages import ALONE
from ...perception.observation import Observation

if TYPE_CHECKING:
    from ...agent.checkpoints.checkpoint import Checkpoint
    from ...agent.policy import Context

BASELINE = "transformers.generate"
TASKS = ("click-test", "click-test-2", "click-button", "click-dialog", "focus-text", "enter-text")


@dataclass(frozen=True)
class Screen:
    """What a task shows and asks."""

    instruction: str
    observation: Observation


@dataclass(frozen=True)
class Measured:
    """One reply and what it took.

    Attributes:
        text: as the model wrote it.
        tokens: in it.
        forwards: after the prompt's.
        accepted: tokens that came from drafts.
        decode: seconds from the prompt's forward to the last token.
        step: seconds of the whole model step.
    """

    text: str
    tokens: int
    forwards: int
    accepted: int
    decode: float
    step: float


def bench_decoding(
    model: str, threads: int = 1, prompts: int = 12, rounds: int = 3, screens: Sequence[Screen] | None = None
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


def record_screens(count: int) -> list[Screen]:
    """First screens of MiniWoB++ episodes, task by task, then with other seeds."""
    progress(f"rendering {count} screens")
    screens: dict[tuple[int, int], Screen] = {}
    with Chromium(flags=ALONE) as chromium:
        for number, task in enumerate(TASKS):
            with MiniWobEnvironment(task, chromium=chromium) as environment:
                for seed in range(-(-(count - number) // len(TASKS))):
                    first = environment.reset(seed)
                    screens[seed, number] = Screen(environment.instruction or "", first)
    return [screens[key] for key in sorted(screens)]


def _table(checkpoint: Checkpoint, screens: Sequence[Screen], rounds: int) -> list[dict[str, Any]]:
    from ...agent.local import LocalPolicy
    from .baseline import Baseline

    whole = LocalPolicy(checkpoint)
    baseline, found = Baseline(checkpoint, whole.rules), whole.decoding
    methods = ["plain", *found, "+".join(found)]
    runs: dict[str, list[list[Measured]]] = {name: [] for name in (BASELINE, *methods)}
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
    name: str, runs: Sequence[Sequence[Measured]], baseline: Sequence[Sequence[Measured]]
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


def _mean_ms(runs: Sequence[Sequence[Measured]], phase: Literal["decode", "step"]) -> float:
    """The mean over prompts of each one's fastest round."""
    prompts: list[tuple[Measured, ...]] = list(zip(*runs, strict=True))
    seconds = ([run.decode if phase == "decode" else run.step for run in prompt] for prompt in prompts)
    return 1000 * statistics.mean(min(times) for times in seconds)


def context_of(screen: Screen) -> Context:
    """The first step's context."""
    from ...agent.policy import Context

    return Context(screen.instruction, screen.observation)


def reply_of(policy: Any, context: Context) -> Measured:
    """One whole model step of a policy; replies that cannot be read took as long."""
    started = time.perf_counter()
    try:
        raw = policy.predict(context).raw
    except ParseError as error:
        raw = error.raw
    step = time.perf_counter() - started
    usage = policy.last_usage
    return Measured(
        raw, usage.reply_tokens, usage.forwards, usage.accepted_tokens, usage.timings["decode"], step
    )


@contextmanager
def torch_threads(count: int) -> Iterator[None]:
    """So many threads for torch, and as many as before afterwards."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def progress(message: str) -> None:
    """Say what is going on, away from the result."""
    sys.stderr.write(f"{message}\n")
