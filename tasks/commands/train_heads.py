"""``saccade train-heads``: a model replies to MiniWoB++ screens, and its heads learn to draft its replies."""

from __future__ import annotations

import json
import math
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast

from ...actions.errors import EnvironmentFailure, UsageError
from ...agent.checkpoints.loading import PLAINLY, LoadOptions
from ...env.guard.guard import Guard

if TYPE_CHECKING:
    from ...agent.checkpoints.checkpoint import Checkpoint
    from ...agent.decoding.heads.replies import RecordedReply, ReplyRecordingPolicy, ReplyStore
    from ...agent.decoding.heads.train_heads import HeadTrainer
    from ...agent.training_loop import TrainingProgress
    from ...env.browser.chromium import Chromium

FIRST_SEED: Final = 2_100_000_000
"""Of the episodes. Seeds below 2,000,000,000 are for measuring; the next ones trained the embedded policy."""
GROUP: Final = 4
"""Consecutive episodes of one task; the last one is sampled, the others are greedy."""
TEMPERATURE: Final = 0.7
STEPS: Final = 3
"""Maximum number of replies per episode."""
Say = Callable[[str], object]


@dataclass(frozen=True)
class HeadsRequest:
    """The options of ``saccade train-heads``.

    Attributes:
        out: folder of the heads; None for the one beside the checkpoint.
        prompts: replies to collect, for training and measuring.
        tasks: MiniWoB++ tasks to reply to; by default all, for the embedded policy those it was trained on.
        depth: tokens to draft.
        cache: folder of replies and training states.
        load: how the checkpoint is loaded.
    """

    model: str
    method: str
    out: Path | None = None
    steps: int = 400
    prompts: int = 600
    tasks: Sequence[str] = ()
    depth: int = 4
    resume: bool = False
    cache: Path = Path("runs/heads")
    load: LoadOptions = PLAINLY


def train_heads(request: HeadsRequest, say: Say) -> dict[str, Any]:
    """Collect replies, train, measure and save.

    Returns:
        ``{"method", "directory", "replies", "steps", "accuracies", "seconds"}``.

    Raises:
        UsageError: the checkpoint, the method or the state to resume from cannot be used.
        KeyboardInterrupt: training was stopped; its state is saved.
    """
    from ...agent.checkpoints.checkpoint import load_checkpoint, locate
    from ...agent.decoding.heads.checkpoint import METHODS, Fingerprint, heads_directory, save_heads
    from ...agent.decoding.heads.replies import ReplyStore
    from ...agent.decoding.heads.train_heads import HeadTrainer, HeadTrainingPlan

    if request.method not in METHODS:
        raise UsageError(f"unknown method {request.method!r}; use {' or '.join(METHODS)}")
    checkpoint = load_checkpoint(request.model, **asdict(request.load))
    base = Fingerprint.of(checkpoint)
    # Wider models diverge at the learning rate that narrow ones need.
    rate = min(3e-3, 0.05 / math.sqrt(base.hidden_size))
    plan = HeadTrainingPlan(cast("Any", request.method), request.steps, request.depth, rate=rate)
    work = request.cache / f"{checkpoint.name.replace('/', '_')}-{base.weights[:12]}"
    store, started = ReplyStore(work / "replies"), time.monotonic()
    collect(checkpoint, store, request.prompts, request.tasks or default_tasks(request.model), say)
    trainer = HeadTrainer(checkpoint, store.load()[: request.prompts], plan)
    _train(trainer, work / f"{request.method}.pt", request.resume, say)
    directory = request.out or heads_directory(locate(request.model), request.method)
    heads = trainer.trained()
    save_heads(directory, heads)
    return {
        "method": request.method,
        "directory": str(directory),
        "replies": request.prompts,
        "steps": trainer.step,
        "accuracies": [list(row) for row in heads.config.accuracies],
        "seconds": round(time.monotonic() - started, 1),
    }


def default_tasks(model: str) -> Sequence[str]:
    """The tasks that the embedded policy was trained on; all of MiniWoB++ for other models."""
    from ...agent.checkpoints.checkpoint import EMBEDDED
    from ...agent.training.demonstrations import FURTHER, REQUIRED
    from ...env.browser.miniwob_pages import miniwob_tasks

    return (*REQUIRED, *FURTHER) if model == EMBEDDED else miniwob_tasks()


def _train(trainer: HeadTrainer, state: Path, resume: bool, say: Say) -> None:
    if resume:
        if not state.is_file():
            raise UsageError(f"there is nothing to resume from ({state}); train without --resume")
        trainer.resume(state)
    reported = time.monotonic()

    def report(progress: TrainingProgress) -> None:
        nonlocal reported
        if time.monotonic() - reported > 5 or progress.step in (1, progress.steps):
            reported = time.monotonic()
            loss, left = progress.losses["loss"], progress.seconds_left
            say(f"step {progress.step}/{progress.steps}, loss {loss:.3f}, {left:.0f} s left")

    if not trainer.train(report, state):
        say(f"stopped at step {trainer.step}; continue with --resume")
        raise KeyboardInterrupt


def collect(checkpoint: Checkpoint, store: ReplyStore, prompts: int, tasks: Sequence[str], say: Say) -> None:
    """Let the model act in training episodes until there are enough replies; continues where it stopped."""
    from ...agent.decoding.heads.replies import ReplyRecordingPolicy
    from ...env.browser.chromium import Chromium
    from ...env.browser.miniwob_pages import ALONE, page_of

    for task in tasks:
        page_of(task)
    count = first = store.count()
    if count >= prompts:
        say(f"{count} replies are already stored")
        return
    policies = ReplyRecordingPolicy(checkpoint), ReplyRecordingPolicy(checkpoint, TEMPERATURE)
    started = time.monotonic()
    with Chromium(flags=ALONE) as chromium:
        while count < prompts:
            group = store.episodes // GROUP
            replies = _group(policies, tasks[group % len(tasks)], group, chromium)
            store.add(group * GROUP, (group + 1) * GROUP, replies)
            count += len(replies)
            left = (time.monotonic() - started) / max(count - first, 1) * (prompts - count)
            say(f"{count}/{prompts} replies, {max(left, 0):.0f} s left")


def _group(
    policies: tuple[ReplyRecordingPolicy, ReplyRecordingPolicy], task: str, group: int, chromium: Chromium
) -> list[RecordedReply]:
    """The replies of a group of episodes; those of an episode that breaks are left out."""
    from ...agent.training.rollout import rollout
    from ...env.browser.miniwob import MiniWobEnvironment

    replies: list[RecordedReply] = []
    with MiniWobEnvironment(task, mode="train", chromium=chromium, guard=Guard.of("open")) as environment:
        for number in range(GROUP):
            policy = policies[number == GROUP - 1]
            try:
                observation = environment.reset(FIRST_SEED + group * GROUP + number)
                instruction = environment.instruction or ""
                steps = rollout(policy, environment, instruction, observation, STEPS)
                replies += [policy.last_reply for _ in steps]
            except EnvironmentFailure:
                continue
    return replies


def train_and_print(request: HeadsRequest, json_output: bool) -> None:
    """Train, with progress on stderr and the result on stdout."""
    result = train_heads(request, lambda line: sys.stderr.write(line + "\n"))
    if json_output:
        sys.stdout.write(json.dumps(result) + "\n")
        return
    sys.stdout.write(f"{result['method']} heads of {result['steps']} steps in {result['directory']}\n")
    for depth, row in enumerate(result["accuracies"]):
        shares = " ".join(f"{share:.3f}" for share in row[:5])
        sys.stdout.write(f"token {depth + 1} after the next: accuracy of the guesses by rank {shares}\n")
