"""Train the embedded policy: ``python -m saccade.agent.training.train --out DIR [--resume]``."""

from __future__ import annotations

import argparse
import logging
import random
import time
from pathlib import Path

import torch

from ..interrupts import deferred_interrupts
from .architecture import build_model, save_checkpoint
from .batches import Shards
from .curriculum import SHARES, STAGES, Curriculum, Stage
from .tokenizer import build_tokenizer
from .trainer import PolicyTrainer

log = logging.getLogger(__name__)
STATE = "state.pt"
WARMUP = 40


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    """Return the command line's options."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="folder for the state and the checkpoint")
    parser.add_argument("--data", type=Path, default=Path("runs/embedded/data"))
    parser.add_argument("--pages", nargs="+", default=["*"], help="which shards, as patterns of their names")
    parser.add_argument("--stage", choices=sorted(STAGES), default="ground")
    parser.add_argument("--history", type=float, default=0.0, help="share of steps with two to four turns")
    parser.add_argument("--episodes", type=float, default=0.0, help="share of steps with longer episodes")
    parser.add_argument(
        "--silent", type=float, default=0.0, help="share of replies learned without a thought"
    )
    parser.add_argument("--spelling", type=float, default=0.0, help="share of steps without pictures")
    parser.add_argument(
        "--steps", type=int, default=1000, help="train until this step, counted from the start"
    )
    parser.add_argument("--rate", type=float, default=1e-3)
    parser.add_argument(
        "--final-rate", type=float, default=None, help="reached at the last step, along a line"
    )
    parser.add_argument("--resume", action="store_true", help="go on from the state in --out")
    parser.add_argument(
        "--start-from", type=Path, help="take over the weights that fit from this state or checkpoint"
    )
    parser.add_argument("--heads-first", type=int, default=0, help="so many steps teach the heads alone")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--compile", action="store_true", help="faster steps after some minutes of compiling")
    parser.add_argument("--save-every", type=float, default=180.0, help="seconds between saved states")
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args(arguments)


def rate_at(step: int, start: int, options: argparse.Namespace) -> float:
    """Return the learning rate: a warm-up, then a line from ``--rate`` to ``--final-rate``."""
    final = options.rate if options.final_rate is None else options.final_rate
    share = (step - start) / max(1, options.steps - start)
    rate: float = options.rate + (final - options.rate) * share
    return rate * min(1.0, (step - start + 1) / WARMUP)


def train(options: argparse.Namespace) -> PolicyTrainer:
    """Run one stage of the curriculum and leave a checkpoint in ``--out``."""
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
    options.out.mkdir(parents=True, exist_ok=True)
    with deferred_interrupts() as caught:
        _run(learner, lessons, stage, rng, options, caught)
    learner.save(options.out / STATE, rng)
    save_checkpoint(learner.model, tokenizer, options.out / "checkpoint")
    return learner


def _run(
    learner: PolicyTrainer,
    lessons: Curriculum,
    stage: Stage,
    rng: random.Random,
    options: argparse.Namespace,
    caught: list[int],
) -> None:
    if learner.stage[0] != options.stage:
        learner.stage = (options.stage, learner.step)
    begin, saved, first = time.monotonic(), time.monotonic(), learner.step
    means: dict[str, float] = {}
    while learner.step < options.steps and not caught:
        batch = learner.encoder.encode(*lessons.draw(rng))
        rate = rate_at(learner.step, learner.stage[1], options)
        losses = learner.learn(batch, stage.weights, rate, learner.step < options.heads_first)
        for name, value in losses.items():
            means[name] = 0.95 * means.get(name, value) + 0.05 * value
        now = time.monotonic()
        if learner.step % 20 == 0:
            left = (now - begin) / (learner.step - first) * (options.steps - learner.step)
            shown = " ".join(f"{name} {value:.3f}" for name, value in means.items())
            log.info("step %d, %.0f s, %.0f s left: %s", learner.step, now - begin, left, shown)
        if now - saved > options.save_every:
            learner.save(options.out / STATE, rng)
            saved = now


def main() -> None:
    """Run the command line."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    train(parse())


if __name__ == "__main__":
    main()
