"""``saccade train-heads``: a model replies to MiniWoB++ screens, and its heads learn to draft that."""

from __future__ import annotations

import json
import math
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast

from ...actions.errors import EnvironmentFailure, ParseError, UsageError
from ...actions.schema import CallUser, Finished
from ...agent.policy import Context, Turn

if TYPE_CHECKING:
    from ...agent.checkpoints.checkpoint import Checkpoint
    from ...agent.decoding.heads.replies import RecordedReply, ReplyRecordingPolicy, ReplyStore
    from ...agent.decoding.heads.train_heads import HeadTrainer, HeadTrainingPlan, HeadTrainingProgress
    from ...env.browser.chromium import Chromium
    from ...env.browser.miniwob import MiniWobEnvironment

FIRST_SEED: Final = 2_100_000_000
"""Of the episodes; measurements use seeds below 2,000,000,000, the embedded policy learned from the next."""
GROUP: Final = 4
"""Episodes of one task in a row; the last of them is sampled, the others are greedy."""
TEMPERATURE: Final = 0.7
STEPS: Final = 3
"""Replies per episode at most."""
Say = Callable[[str], None]


@dataclass(frozen=True)
class HeadsRequest:
    """What ``saccade train-heads`` is asked for.

    Attributes:
        model: a checkpoint.
        method: ``medusa`` or ``mtp``.
        out: folder of the heads; None for the one beside the checkpoint.
        steps: updates.
        prompts: replies to learn from and to measure with.
        tasks: MiniWoB++ tasks to reply to, by default all, for the embedded policy those it knows.
        depth: tokens to draft.
        resume: whether to go on with an interrupted training.
        cache: folder of replies and states.
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


def train_heads(request: HeadsRequest, say: Say) -> dict[str, Any]:
    """Collect replies, train, measure and save.

    Returns:
        ``{"method", "directory", "replies", "steps", "accuracies", "seconds"}``.

    Raises:
        UsageError: the checkpoint, the method or the state to resume from cannot be used.
        KeyboardInterrupt: it was stopped; all that is needed to go on is saved.
    """
    from ...agent.checkpoints.checkpoint import load_checkpoint, locate
    from ...agent.decoding.heads.checkpoint import METHODS, Fingerprint, heads_directory
    from ...agent.decoding.heads.replies import ReplyStore
    from ...agent.decoding.heads.train_heads import HeadTrainer, HeadTrainingPlan

    if request.method not in METHODS:
        raise UsageError(f"unknown method {request.method!r}; use {' or '.join(METHODS)}")
    checkpoint = load_checkpoint(request.model)
    base = Fingerprint.of(checkpoint)
    # Wider models diverge at a rate that narrow ones want.
    rate = min(3e-3, 0.05 / math.sqrt(base.hidden_size))
    plan = HeadTrainingPlan(cast("Any", request.method), request.steps, request.depth, rate=rate)
    work = request.cache / f"{checkpoint.name.replace('/', '_')}-{base.weights[:12]}"
    store, begun = ReplyStore(work / "replies"), time.monotonic()
    collect(checkpoint, store, request.prompts, request.tasks or default_tasks(request.model), say)
    trainer = HeadTrainer(checkpoint, store.load()[: request.prompts], plan)
    out = request.out or heads_directory(locate(request.model), request.method)
    _train(trainer, plan, work / f"{request.method}.pt", request.resume, say)
    return _finish(trainer, out, request.prompts) | {"seconds": round(time.monotonic() - begun, 1)}


def default_tasks(model: str) -> Sequence[str]:
    """What the embedded policy learned; all of MiniWoB++ for others."""
    from ...agent.checkpoints.checkpoint import EMBEDDED
    from ...agent.training.demonstrations import FURTHER, REQUIRED
    from ...env.browser.miniwob import miniwob_tasks

    return (*REQUIRED, *FURTHER) if model == EMBEDDED else miniwob_tasks()


def _train(trainer: HeadTrainer, plan: HeadTrainingPlan, state: Path, resume: bool, say: Say) -> None:
    if resume:
        if not state.is_file():
            raise UsageError(f"there is nothing to resume from ({state}); train without --resume")
        trainer.resume(state)
    told = time.monotonic()

    def tell(progress: HeadTrainingProgress) -> None:
        nonlocal told
        if time.monotonic() - told > 5 or progress.step in (1, progress.steps):
            told = time.monotonic()
            say(
                f"step {progress.step}/{progress.steps}, loss {progress.loss:.3f}, {progress.left:.0f} s left"
            )

    if not trainer.train(tell, state):
        say(f"stopped at step {trainer.step}; go on with --resume")
        raise KeyboardInterrupt


def _finish(trainer: HeadTrainer, out: Path, prompts: int) -> dict[str, Any]:
    from ...agent.decoding.heads.checkpoint import save_heads

    learned = trainer.learned()
    save_heads(out, learned)
    return {
        "method": learned.config.method,
        "directory": str(out),
        "replies": prompts,
        "steps": trainer.step,
        "accuracies": [list(row) for row in learned.config.accuracies],
    }


def collect(checkpoint: Checkpoint, store: ReplyStore, prompts: int, tasks: Sequence[str], say: Say) -> None:
    """Let the model act in training episodes until there are enough replies; goes on where it stopped."""
    from ...agent.decoding.heads.replies import ReplyRecordingPolicy
    from ...env.browser.chromium import Chromium
    from ...env.browser.miniwob_pages import ALONE, page_of

    for task in tasks:
        page_of(task)
    count = first = store.count()
    if count >= prompts:
        say(f"{count} replies are there already")
        return
    teachers = ReplyRecordingPolicy(checkpoint), ReplyRecordingPolicy(checkpoint, TEMPERATURE)
    begun = time.monotonic()
    with Chromium(flags=ALONE) as chromium:
        while count < prompts:
            group = store.episodes // GROUP
            written = _group(teachers, tasks[group % len(tasks)], group, chromium)
            store.add(group * GROUP, (group + 1) * GROUP, written)
            count += len(written)
            left = (time.monotonic() - begun) / max(count - first, 1) * (prompts - count)
            say(f"{count}/{prompts} replies, {max(left, 0):.0f} s left")


def _group(
    teachers: tuple[ReplyRecordingPolicy, ReplyRecordingPolicy], task: str, group: int, chromium: Chromium
) -> list[RecordedReply]:
    """The replies of some episodes of a task; those of an episode that breaks are left out."""
    from ...env.browser.miniwob import MiniWobEnvironment

    written: list[RecordedReply] = []
    with MiniWobEnvironment(task, mode="train", chromium=chromium) as environment:
        for number in range(GROUP):
            teacher = teachers[number == GROUP - 1]
            try:
                written += _episode(teacher, environment, FIRST_SEED + group * GROUP + number)
            except EnvironmentFailure:
                continue
    return written


def _episode(
    teacher: ReplyRecordingPolicy, environment: MiniWobEnvironment, seed: int
) -> list[RecordedReply]:
    observation = environment.reset(seed)
    teacher.start()
    turns: list[Turn] = []
    written: list[RecordedReply] = []
    for _ in range(STEPS):
        context = Context(environment.instruction or "", observation, turns)
        try:
            prediction = teacher.predict(context)
        except ParseError as error:
            turns.append(Turn(observation.screenshot, error.raw, str(error)))
            written.append(teacher.written)
            continue
        written.append(teacher.written)
        turns.append(Turn(observation.screenshot, prediction.raw))
        for action in prediction.reply.actions:
            if isinstance(action, Finished | CallUser):
                return written
            result = environment.step(action)
            observation = result.observation
            if result.terminated or result.truncated:
                return written
    return written


def train_and_print(request: HeadsRequest, json_output: bool) -> None:
    """Train, with progress on stderr and the result on stdout."""

    def say(line: str) -> None:
        sys.stderr.write(line + "\n")

    result = train_heads(request, say)
    if json_output:
        sys.stdout.write(json.dumps(result) + "\n")
        return
    sys.stdout.write(f"{result['method']} heads of {result['steps']} steps in {result['directory']}\n")
    for depth, row in enumerate(result["accuracies"]):
        shares = " ".join(f"{share:.3f}" for share in row[:5])
        sys.stdout.write(f"token {depth + 1} after the next: guesses by rank came true {shares}\n")
