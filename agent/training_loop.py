"""The loop around a training: progress, saved states, and Ctrl-C between steps."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from ..env.private_files import private_part
from ..env.signals import deferred_signals


class Trainer(Protocol):
    """What counts its steps."""

    step: int


class TrainingProgress(NamedTuple):
    """Steps done and in all, moving averages of the losses, and the estimated seconds left."""

    step: int
    steps: int
    losses: Mapping[str, float]
    seconds_left: float


def train_until(
    trainer: Trainer,
    steps: int,
    learn: Callable[[], Mapping[str, float]],
    report: Callable[[TrainingProgress], object],
    save: Callable[[], object],
    seconds: float,
) -> bool:
    """Take steps to the last one or until Ctrl-C, and save at the end; returns whether the end was reached.

    Args:
        trainer: counts its steps from 0.
        steps: the last step.
        learn: takes a step; returns its losses.
        report: called after every step.
        save: saves the state.
        seconds: between saved states.
    """
    started = saved = time.monotonic()
    first, means = trainer.step, dict[str, float]()
    with deferred_signals() as caught:
        while trainer.step < steps and not caught:
            for name, value in learn().items():
                means[name] = 0.95 * means.get(name, value) + 0.05 * value
            now = time.monotonic()
            left = (now - started) / (trainer.step - first) * (steps - trainer.step)
            report(TrainingProgress(trainer.step, steps, means, left))
            if now - saved > seconds:
                save()
                saved = now
    save()
    return trainer.step >= steps


def save_state(state: Mapping[str, Any], file: Path) -> None:
    """Write a state; a crash while writing leaves the previous file intact."""
    import torch

    with private_part(file) as fresh:
        torch.save(dict(state), fresh)
