"""``saccade bench replay``: what a verified replay saves over running the agent again.

The recorded screens are shown in order, with the recorded history, to policies with the same weights. One
writes its replies without drafts, one with all drafters, and one verifies the recorded replies.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from pydantic import JsonValue

from ...actions.errors import UsageError
from ...actions.untrusted import one_line
from ...agent.checkpoints.checkpoint import EMBEDDED, Checkpoint, load_checkpoint
from ...agent.checkpoints.loading import PLAINLY, LoadOptions
from ...agent.local import LocalPolicy
from ...agent.policy import Context, Turn
from ...agent.replay.expected import ExpectedReply
from ...agent.replay.recording import recording
from ...env.trajectory.trajectory import Trajectory
from .screens import reply_of, torch_threads


def bench_replay(
    directory: Path, model: str | None, threads: int, rounds: int, load: LoadOptions = PLAINLY
) -> dict[str, JsonValue]:
    """Measure a recording; the fastest round of each way counts.

    ``model`` is a checkpoint, None for the one that made the recording.

    Raises:
        UsageError: a person made the recording, so it has no replies to verify.
        TrajectoryError: it is incomplete.
    """
    trajectory = Trajectory.load(directory)
    made = recording(trajectory)
    raws = [step.raw for step in made.steps]
    if not all(raws):
        raise UsageError(f"{directory} has no replies, a person made it; replay it with --update first")
    named = trajectory.start.policy
    if model is None and named != EMBEDDED and not trajectory.own:
        raise UsageError(
            f"{directory} was not recorded by you on this computer; to load its model, "
            f"name it: --model {one_line(named)}"
        )
    checkpoint = load_checkpoint(model or named, **asdict(load))
    turns = [Turn(step.screen, step.raw) for step in made.steps]
    contexts = [Context(made.instruction, step.screen, tuple(turns[:index])) for index, step in enumerate(made.steps)]
    ways: dict[str, list[tuple[float, int]]] = {"plain": [], "auto": [], "verified": []}
    with torch_threads(threads):
        for _ in range(rounds):
            for name, results in ways.items():
                results.append(_measure(checkpoint, name, contexts, raws))
    fastest = {name: min(results) for name, results in ways.items()}
    return {
        "steps": len(contexts),
        "threads": threads,
        "ways": [
            {
                "name": name,
                "model_ms": round(seconds * 1000 / len(contexts), 2),
                "forwards": round(forwards / len(contexts), 2),
                "ratio": round(seconds / fastest["verified"][0], 2),
            }
            for name, (seconds, forwards) in fastest.items()
        ],
    }


def _measure(checkpoint: Checkpoint, name: str, contexts: Sequence[Context], raws: Sequence[str]) -> tuple[float, int]:
    """Seconds and forwards of the model, prefills included, for a whole recording."""
    policy = LocalPolicy(checkpoint, decoding="auto" if name == "auto" else "plain")
    seconds, forwards = 0.0, 0
    for context, raw in zip(contexts, raws, strict=True):
        if name == "verified":
            verdict = policy.verify(context, [ExpectedReply(raw)])
            seconds += sum(verdict.usage.timings.values())
            forwards += 1
            if verdict.index is not None:
                continue
        reply_of(policy, context)  # a replay, too, has the model write a reply where it disagrees
        seconds += sum(policy.last_usage.timings.values())
        forwards += 1 + policy.last_usage.forwards
    return seconds, forwards
