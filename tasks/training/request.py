"""What ``saccade train`` is asked for."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ...actions.choices import one_of
from ...actions.errors import UsageError
from ..terminal.folders import RUNS

FROM_DATA: Final = ("sft", "reflect", "dpo")
"""Methods that learn from a dataset alone."""
LIVE: Final = ("dagger", "reject", "grpo")
"""Methods that play tasks."""
RATES: Final[Mapping[str, float]] = {"lora": 2e-4, "all": 5e-5}
SLOWER: Final[Mapping[str, float]] = {"dpo": 0.25, "grpo": 0.25}
"""Rates of methods, as a share of that of supervised training."""
LIVE_STEPS: Final = 100
"""Updates of a method that plays, unless chosen otherwise."""


@dataclass(frozen=True)
class TrainRequest:
    """The options of ``saccade train``; see its ``--help``. None is what suits the model or the method.

    Attributes:
        heads: whether drafting heads are trained anew where the checkpoint has some.
        watched: episodes, of all tasks together, that are played for each measurement during training.
    """

    data: Path | None = None
    model: str = "embedded"
    method: str = "sft"
    weights: str | None = None
    rank: int = 16
    vision: bool = False
    epochs: float = 3.0
    steps: int | None = None
    batch: int = 8
    tokens: int = 16384
    rate: float | None = None
    precision: str | None = None
    checkpointing: bool = False
    measure_every: int | None = None
    patience: int = 5
    beta: float | None = None
    seed: int = 0
    tasks: str | None = None
    attempts: int = 8
    rounds: int = 3
    groups: int = 2
    max_steps: int = 10
    temperature: float = 1.0
    seeds: str = "0-9"
    watched: int = 40
    merge: bool = False
    heads: bool = False
    save_every: float = 120.0
    out: Path | None = None
    runs: Path = RUNS
    resume: bool = False
    device: str = "auto"
    quantize: str = "none"

    @property
    def names(self) -> list[str]:
        """The tasks, as environments are named."""
        given = (name.strip() for name in (self.tasks or "").split(",") if name.strip())
        return [name if name.startswith("miniwob:") else f"miniwob:{name}" for name in dict.fromkeys(given)]

    def check(self) -> None:
        """Raise UsageError where options do not go together, before anything is loaded."""
        one_of(self.method, (*FROM_DATA, *LIVE), "method", "--method")
        if self.method in FROM_DATA and self.data is None:
            raise UsageError(f"--method {self.method} learns from a dataset: name its folder, made by saccade collect")
        if self.method in LIVE and not self.names:
            raise UsageError(f"--method {self.method} plays tasks: name some, such as --tasks click-test,click-button")
        if self.method == "grpo" and self.data is not None:
            raise UsageError("--method grpo learns from its own attempts; train on the dataset first, with sft")
        if self.weights == "all" and self.quantize != "none":
            raise UsageError("--quantize keeps weights in few bits, which only --weights lora can train beside")
        if self.resume and self.out is None:
            raise UsageError("--resume needs the folder of the training: --out DIR")
        if os.environ.get("ACCELERATE_USE_FSDP", "false").lower() in ("1", "true"):
            raise UsageError("each process holds the whole model here; leave FSDP out, or use --quantize 4bit")
        if self.method in LIVE and int(os.environ.get("WORLD_SIZE", "1")) > 1:
            raise UsageError(f"--method {self.method} plays tasks, which one process does; start it without accelerate")
        if self.names:
            from ...env.browser.miniwob_pages import page_of

            for name in self.names:
                page_of(name.removeprefix("miniwob:"))
