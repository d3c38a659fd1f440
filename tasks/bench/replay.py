"""``saccade bench replay``: what a verified replay saves over running the agent afresh, in one run.

The recorded screens are shown in order, with the recorded history, to policies with the same weights: one
writes its replies token by token, one with all drafters there are, and one verifies the recorded replies.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pydantic import JsonValue

from ...actions.errors import UsageError
from ...agent.checkpoints.checkpoint import Checkpoint, load_checkpoint
from ...agent.local import LocalPolicy
from ...agent.policy import Context, Turn, UnreadableReply, Usage
from ...agent.replay.expected import ExpectedReply
from ...agent.replay.recording import Recording, recording
from ...env.trajectory.trajectory import Trajectory
from ...perception.observation import Observation


def bench_replay(directory: Path, model: str | None, threads: int, rounds: int) -> dict[str, JsonValue]:
    """Measure a recording; of each way the fastest round counts.

    Args:
        directory: the recording's folder.
        model: a checkpoint; None is the one that made the recording.
        threads: of torch.
        rounds: how often.

    Raises:
        UsageError: a person made the recording, so it has no replies to verify.
        TrajectoryError: it is not whole.
    """
    import torch

    trajectory = Trajectory.load(directory)
    made = recording(trajectory)
    if not all(step.raw for step in made.steps):
        raise UsageError(f"{directory} has no replies, a person made it; replay it with --update first")
    checkpoint = load_checkpoint(model or trajectory.start.policy)
    torch.set_num_threads(threads)
    contexts = _contexts(made)
    raws = [step.raw for step in made.steps]
    found: dict[str, list[tuple[float, int]]] = {"plain": [], "auto": [], "verified": []}
    for _ in range(rounds):
        for name, results in found.items():
            results.append(_measure(checkpoint, name, contexts, raws))
    best = {name: min(results) for name, results in found.items()}
    verified = best["verified"][0]
    return {
        "steps": len(contexts),
        "threads": threads,
        "ways": [
            {
                "name": name,
                "model_ms": round(seconds * 1000 / len(contexts), 2),
                "forwards": round(forwards / len(contexts), 2),
                "ratio": round(seconds / verified, 2),
            }
            for name, (seconds, forwards) in best.items()
        ],
    }


def _contexts(made: Recording) -> list[Context]:
    """What the policy was asked at each step, with the recorded history."""
    turns = [Turn(step.screen, step.raw) for step in made.steps]
    return [
        Context(made.instruction, Observation(step.screen, 0.0), tuple(turns[:index]))
        for index, step in enumerate(made.steps)
    ]


def _measure(
    checkpoint: Checkpoint, name: str, contexts: Sequence[Context], raws: Sequence[str]
) -> tuple[float, int]:
    """Seconds of the model and its forwards, prefills included, for a whole recording."""
    policy = LocalPolicy(checkpoint, decoding="auto" if name == "auto" else "plain")
    seconds, forwards = 0.0, 0
    for context, raw in zip(contexts, raws, strict=True):
        usage, count = _verified(policy, context, raw) if name == "verified" else _written(policy, context)
        seconds += sum(usage.timings.values())
        forwards += count
    return seconds, forwards


def _written(policy: LocalPolicy, context: Context) -> tuple[Usage, int]:
    try:
        usage = policy.predict(context).usage
    except UnreadableReply as error:
        usage = error.usage
    return usage, 1 + usage.forwards


def _verified(policy: LocalPolicy, context: Context, raw: str) -> tuple[Usage, int]:
    """Verify, and write where the model does not agree, as a replay does."""
    verdict = policy.verify(context, [ExpectedReply(raw)])
    if verdict.index is not None:
        return verdict.usage, 1
    usage, forwards = _written(policy, context)
    return usage.after(verdict.usage), 1 + forwards
