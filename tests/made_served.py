"""Policies to be shared by workers: one that counts how often it is loaded, or kills its server."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from made_evaluations import SOLVES, MadePolicy, MadeSuite
from saccade.actions.errors import UsageError
from saccade.agent.policy import Context, Prediction
from saccade.tasks.evaluation.console import EvalProgress
from saccade.tasks.evaluation.evaluate import Evaluation, evaluate
from saccade.tasks.models.source import LoadedModel


class DeadlyPolicy(MadePolicy):
    """Kills its process when asked about the task ``slow``; only the first time, if a mark can be left."""

    mark: Path | None = None

    def predict(self, context: Context) -> Prediction:
        if context.instruction.startswith("slow") and not (self.mark and self.mark.exists()):
            if self.mark:
                self.mark.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return super().predict(context)


@dataclass(frozen=True)
class MadeShareable:
    """What solves the made form, loaded as models are.

    Attributes:
        marks: a file appears here with every load.
        kind: ``sound``; ``deadly-once`` and ``deadly`` as ``DeadlyPolicy``; ``missing`` cannot be loaded.
    """

    marks: Path
    kind: str = "sound"
    asked = {"model": "made"}  # noqa: RUF012

    def worth_sharing(self) -> bool:
        return True

    def open(self) -> MadePolicy:
        return self.load().open()

    def load(self) -> LoadedModel:
        (self.marks / f"loaded-{os.getpid()}").touch()
        if self.kind == "missing":
            raise UsageError("the made model is missing; make it")
        return LoadedModel(self._maker(), 2)

    def _maker(self) -> Callable[[], MadePolicy]:
        def make() -> MadePolicy:
            policy: MadePolicy = MadePolicy(SOLVES)
            if self.kind.startswith("deadly"):
                policy = DeadlyPolicy(SOLVES)
                policy.mark = self.marks / "died" if self.kind == "deadly-once" else None
            return policy

        return make


def served_evaluation(folder: Path, *tasks: str, kind: str = "sound", **changes: Any) -> Evaluation:
    """Two workers and one model for the made suite."""
    marks = folder / "marks"
    marks.mkdir(parents=True, exist_ok=True)
    options: dict[str, Any] = {"seeds": range(3), "workers": 2} | changes
    return Evaluation(
        folder / "eval", MadeSuite(marks), MadeShareable(marks, kind), tasks=tasks or ("form",), **options
    )


def main(folder: str, *tasks: str) -> None:
    """A runner to be killed."""
    with EvalProgress() as progress:
        evaluate(served_evaluation(Path(folder), *tasks, seeds=range(50)), progress)
