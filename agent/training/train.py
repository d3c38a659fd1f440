"""Train the embedded policy: ``python -m saccade.agent.training.train --out DIR [--resume]``."""

from __future__ import annotations

import argparse
import logging
import random
from functools import partial
from pathlib import Path

import torch

from ...env.private_files import private_folder
from ..training_loop import TrainingProgress, train_until
from .architecture import build_model, save_checkpoint
from .batches import Shards
from .command_line import DATA, parse_options
from .curriculum import SHARES, STAGES, Curriculum
from .tokenizer import build_tokenizer
from .trainer import PolicyTrainer

log = logging.getLogger(__name__)
STATE = "state.pt"
WARMUP = 40


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    """The command line's options."""
    return parse_options(
        __doc__,
        arguments,
        out={"type": Path, "required": True, "help": "folder for the state and the checkpoint"},
        data=DATA,
        pages={"nargs": "+", "default": ["*"], "help": "patterns of the names of shards"},
        stage={"choices": sorted(STAGES), "default": "ground"},
        history={"type": float, "default": 0.0, "help": "share of steps with two to four turns"},
        episodes={"type": float, "default": 0.0, "help": "share of steps with longer episodes"},
        silent={"type": float, "default": 0.0, "help": "share of replies learned without a thought"},
        spelling={"type": float, "default": 0.0, "help": "share of steps without images"},
        steps={"type": int, "default": 1000, "help": "train until this step, counted from the start"},
        rate=1e-3,
        final_rate={"type": float, "help": "reached at the last step, linearly; by default --rate"},
        resume={"action": "store_true", "help": "continue from the state in --out"},
        start_from={"type": Path, "help": "take the weights that fit from this state or checkpoint"},
        heads_first={"type": int, "default": 0, "help": "first train the heads alone for so many steps"},
        device="cuda" if torch.cuda.is_available() else "cpu",
        threads=2,
        compile={"action": "store_true", "help": "faster steps after some minutes of compiling"},
        save_every={"type": float, "default": 180.0, "help": "seconds between saved states"},
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
    if options.resume:
        learner.load(options.out / STATE, rng)
    elif options.start_from is not None:
        learner.start_from(options.start_from)
    if options.compile:
        learner.compile()
    shards = Shards(options.data, *options.pages, shares=SHARES)
    stage = STAGES[options.stage]
    lessons = Curriculum(shards, stage, options.history, options.episodes, options.silent, options.spelling)
    log.info("%d pages, from step %d to %d", len(shards), learner.step, options.steps)
    private_folder(options.out)
    if learner.stage[0] != options.stage:
        learner.stage = (options.stage, learner.step)

    def learn() -> dict[str, float]:
        batch = learner.encoder.encode(*lessons.draw(rng))
        rate = rate_at(learner.step, learner.stage[1], options)
        return learner.learn(batch, stage.weights, rate, learner.step < options.heads_first)

    save = partial(learner.save, options.out / STATE, rng)
    train_until(learner, options.steps, learn, _report, save, options.save_every)
    save_checkpoint(learner.model, tokenizer, options.out / "checkpoint")
    return learner


def _report(progress: TrainingProgress) -> None:
    if progress.step % 20 == 0:
        losses = " ".join(f"{name} {value:.3f}" for name, value in progress.losses.items())
        log.info("step %d, %.0f s left: %s", progress.step, progress.seconds_left, losses)


def main() -> None:
    """Run the command line."""
    train(parse())


if __name__ == "__main__":
    main()
