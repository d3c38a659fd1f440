"""Train the embedded policy: ``python -m saccade.agent.training.train --out DIR [--resume]``."""

from __future__ import annotations

import argparse
import json
import logging
import random
from functools import partial
from pathlib import Path

import torch

from ...env.private_files import open_private, private_folder
from ..training_loop import TrainingProgress, train_until
from .architecture import SACCADE_JSON, build_model, save_checkpoint
from .batches import Shards
from .command_line import DATA, parse_options
from .curriculum import Curriculum, DemonstrationFolder
from .held_back import right_replies
from .tokenizer import build_tokenizer
from .trainer import LossWeights, PolicyTrainer

log = logging.getLogger(__name__)
STATE = "state.pt"
MEASURED = "held_back.jsonl"
WARMUP = 40
READING = LossWeights(words=0.0, chars=1.0)


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    """The command line's options."""
    return parse_options(
        __doc__,
        arguments,
        out={"type": Path, "required": True, "help": "folder for the state and the checkpoint"},
        data=DATA,
        plain={"type": Path, "help": "folder of synthetic pages to ask questions about"},
        plain_share={"type": float, "default": 0.1, "help": "share of steps with those"},
        questions={"type": float, "default": 0.5, "help": "further questions per picture, on average"},
        practice={"type": float, "default": 0.5, "help": "examples of typing alone per picture"},
        pictures={"type": int, "default": 32, "help": "per step"},
        read={"action": "store_true", "help": "train the tower alone, on reading"},
        steps={"type": int, "default": 1000, "help": "train until this step, counted from the start"},
        rate=1e-3,
        final_rate={"type": float, "help": "reached at the last step, linearly; by default --rate"},
        resume={"action": "store_true", "help": "continue from the state in --out, if there is one"},
        start_from={"type": Path, "help": "take the weights that fit from this state or checkpoint"},
        heads_first={"type": int, "default": 0, "help": "first train the heads alone for so many steps"},
        device="cuda" if torch.cuda.is_available() else "cpu",
        threads=2,
        compile={"action": "store_true", "help": "faster steps after some minutes of compiling"},
        save_every={"type": float, "default": 180.0, "help": "seconds between saved states"},
        measure_every={"type": int, "default": 500, "help": "steps between measurements on held-back episodes"},
        seed=0,
    )


def rate_at(step: int, start: int, options: argparse.Namespace) -> float:
    """The learning rate: a warm-up, then linear from ``--rate`` to ``--final-rate``."""
    final = options.rate if options.final_rate is None else options.final_rate
    share = (step - start) / max(1, options.steps - start)
    rate: float = options.rate + (final - options.rate) * share
    return rate * min(1.0, (step - start + 1) / WARMUP)


def train(options: argparse.Namespace) -> PolicyTrainer:
    """Run one stage of the curriculum and write a checkpoint to ``--out``."""
    torch.set_num_threads(options.threads)
    torch.manual_seed(options.seed)
    rng = random.Random(options.seed)
    tokenizer = build_tokenizer()
    learner = PolicyTrainer(build_model(tokenizer), tokenizer, torch.device(options.device))
    if options.resume and (options.out / STATE).exists():
        learner.load(options.out / STATE, rng)
    elif options.start_from is not None:
        learner.start_from(options.start_from)
    if options.compile:
        learner.compile()
    data = DemonstrationFolder(options.data, SACCADE_JSON["max_replies"])
    data.refresh()
    plain = None if options.plain is None else Shards(options.plain)
    questions, practice = (0.0, 0.0) if options.read else (options.questions, options.practice)
    lessons = Curriculum(
        data, options.pictures, questions, practice=practice, plain=plain, plain_share=options.plain_share
    )
    weights = READING if options.read else LossWeights()
    log.info("%d demonstrations, from step %d to %d", len(data), learner.step, options.steps)
    private_folder(options.out)
    stage = "read" if options.read else "act"
    if learner.stage[0] != stage:
        learner.stage = (stage, learner.step)

    def learn() -> dict[str, float]:
        if learner.step % options.measure_every == options.measure_every - 1:
            data.refresh()
            _measure(learner, data, options)
        batch = learner.encoder.encode(*lessons.draw(rng))
        rate = rate_at(learner.step, learner.stage[1], options)
        return learner.learn(batch, weights, rate, learner.step < options.heads_first)

    save = partial(learner.save, options.out / STATE, rng)
    train_until(learner, options.steps, learn, _report, save, options.save_every)
    save_checkpoint(learner.model, tokenizer, options.out / "checkpoint")
    return learner


def _measure(learner: PolicyTrainer, data: DemonstrationFolder, options: argparse.Namespace) -> None:
    found = right_replies(learner, data.held_back)
    by_task = {task: {"right": round(right, 3), "steps": count} for task, (right, count) in found.items()}
    mean = sum(right for right, _ in found.values()) / max(1, len(found))
    row = {"step": learner.step, "demonstrations": len(data), "mean": round(mean, 4), "tasks": by_task}
    with open_private(options.out / MEASURED, "a") as file:
        file.write(json.dumps(row) + "\n")
    log.info("step %d: %.3f of held-back replies are right", learner.step, mean)
    save_checkpoint(learner.model, learner.tokenizer, options.out / "checkpoint")


def _report(progress: TrainingProgress) -> None:
    if progress.step % 20 == 0:
        losses = " ".join(f"{name} {value:.3f}" for name, value in progress.losses.items())
        log.info("step %d, %.0f s left: %s", progress.step, progress.seconds_left, losses)


def main() -> None:
    """Run the command line."""
    train(parse())


if __name__ == "__main__":
    main()
