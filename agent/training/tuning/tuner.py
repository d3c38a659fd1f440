"""The trainer: updates, measurements on held-out items, and a state that continues with the same weights."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, cast

import torch
from torch import Tensor

from ....actions.errors import UsageError
from ....actions.extras import need_package
from ....env.private_files import private_folder
from ....env.signals import deferred_signals
from ...training_loop import save_state
from .batches import within_budget
from .items import ItemLoss, Method, TrainingItem
from .lora import TunedModel
from .loss_scale import LossScale
from .plan import TuningPlan
from .scoring import ItemScorer

Row = dict[str, float]
"""Numbers of one step: always ``step``, and ``loss`` or ``held_out``."""
STATE_FILE: Final = "state.pt"


class Tuner:
    """A checkpoint in training.

    Everything that an update depends on is the weights, the step and what is saved, so that a training that was killed
    and goes on ends with the same weights, bit for bit, as one that was not.

    Args:
        tuned: the model.
        method: what is learned.
        plan: how.
        watch: measures the weights as they are in further ways; its ``held_out`` takes the place of the loss's.

    Attributes:
        step: updates made.
        history: numbers of every update and every measurement.
        seconds: spent in updates.
        scale: of the loss.
    """

    def __init__(
        self, tuned: TunedModel, method: Method, plan: TuningPlan, watch: Callable[[int], Row] | None = None
    ) -> None:
        self.tuned, self.method, self.plan = tuned, method, plan
        self._watch = watch
        self.step = 0
        self.history: list[Row] = []
        self.seconds = 0.0
        self.scale = LossScale.of(plan.precision)
        self._best: tuple[float, int, dict[str, Tensor]] | None = None
        self._stale = 0
        self._measured_at = -1
        device = tuned.checkpoint.model.device
        accelerate: Any = need_package("accelerate")
        self._accelerator: Any = accelerate.Accelerator(cpu=device.type == "cpu", device_placement=False)
        matrices = [each for each in tuned.trained.values() if each.ndim >= 2]
        vectors = [each for each in tuned.trained.values() if each.ndim < 2]
        groups = [{"params": matrices, "weight_decay": plan.decay}, {"params": vectors, "weight_decay": 0.0}]
        optimizer = torch.optim.AdamW([each for each in groups if each["params"]], lr=plan.rate, betas=(0.9, 0.95))
        forward, self._optimizer = self._accelerator.prepare(tuned.scorer, optimizer)
        self._score = ItemScorer(tuned, plan, forward)

    @property
    def finished(self) -> bool:
        """Whether the last step was made and measured, or held-out items have not got better for too long."""
        enough = bool(self.plan.patience and self._stale >= self.plan.patience)
        return not self._due and (self.step >= self.plan.steps or enough)

    @property
    def _due(self) -> bool:
        """Whether the weights as they are should be measured."""
        last = self.step == self.plan.steps
        return self._measured_at != self.step and (last or self.step % self.plan.measure_every == 0)

    @property
    def best(self) -> tuple[float, int] | None:
        """The smallest loss on held-out items, and after which step."""
        return None if self._best is None else self._best[:2]

    def train(self, report: Callable[[Row], object], save: Callable[[], object], seconds: float) -> bool:
        """Train to the end, or until Ctrl-C or SIGTERM; returns whether the end was reached.

        Args:
            report: called with the numbers of each step.
            save: saves the state.
            seconds: between saved states.
        """
        saved = time.monotonic()
        with deferred_signals() as caught, suppress(KeyboardInterrupt):  # raised where a policy acts
            while not self.finished and not self._anyone(caught):
                if (row := self._advance()) is not None:
                    report(row)
                if time.monotonic() - saved > seconds:
                    save()
                    saved = time.monotonic()
        save()
        return self.finished

    @property
    def main(self) -> bool:
        """Whether this process writes what comes of it; of several, one does."""
        return bool(self._accelerator.is_main_process)

    def _anyone(self, caught: Sequence[int]) -> bool:
        """Whether any process was asked to stop: all stop after the same step."""
        if self._accelerator.num_processes == 1:
            return bool(caught)
        return bool(self._accelerator.reduce(torch.tensor(len(caught), device=self._accelerator.device), "sum"))

    def _advance(self) -> Row | None:
        """A measurement where one is due, else an update; returns its numbers."""
        started = time.monotonic()
        row = self._measure() if self._due else self.learn()
        if row is not None:
            self.history.append(row)
        self.seconds += time.monotonic() - started
        return row

    def learn(self) -> Row:
        """One update; returns its numbers."""
        items = self.method.draw(self.step)
        for group in self._optimizer.param_groups:
            group["lr"] = self.plan.rate_at(self.step)
        torch.manual_seed(self.plan.seed * 1_000_003 + self.step)  # for dropout
        self.tuned.learning(True)
        self._optimizer.zero_grad(set_to_none=True)
        found = self._learn_from(items) if items else {"loss": 0.0}
        norm = self._clipped() if items else 0.0
        if items and self.scale.update(norm < float("inf")):
            self._optimizer.step()
        rate = self.plan.rate_at(self.step)
        self.step += 1
        return {"step": self.step, **found, **self.method.numbers, "norm": norm, "rate": rate, **self._scaling()}

    def _learn_from(self, items: Sequence[TrainingItem]) -> Row:
        """Add up gradients; returns the mean loss and what else the method reports."""
        size, sums = self.method.size(items), defaultdict[str, float](float)
        for group, counts in self._groups(items):
            found = self._loss(group)
            loss = found.loss / size * counts
            (loss * (self.scale.scale * self._accelerator.num_processes)).backward()
            for name, value in {"loss": found.loss, **found.sums}.items():
                sums[name] += float(value.detach()) / size * counts
        if self._accelerator.num_processes > 1:
            whole = self._accelerator.reduce(torch.tensor(list(sums.values()), device=self._accelerator.device), "sum")
            sums.update(zip(sums, whole.tolist(), strict=True))
        return dict(sums)

    def _groups(self, items: Sequence[TrainingItem]) -> Iterator[tuple[list[TrainingItem], float]]:
        """This process's part of the items, by forwards, and 1; or 0 where it only keeps pace with other processes."""
        longest = [max(map(len, item.sequences)) * len(item.sequences) for item in items]
        groups = list(within_budget(longest, self.plan.tokens))
        processes, mine = self._accelerator.num_processes, self._accelerator.process_index
        for start in range(0, len(groups), processes):
            there = start + mine < len(groups)
            yield [items[index] for index in groups[start + mine if there else start]], float(there)

    def _loss(self, items: Sequence[TrainingItem]) -> ItemLoss:
        before = self._score.before(items) if self.method.needs_reference else ()
        return self.method.loss(items, self._score.now(items), before)

    def _clipped(self) -> float:
        """Take the scale of the loss out of the gradients and clip them; returns their norm, infinite if broken."""
        weights = [each for each in self.tuned.trained.values() if each.grad is not None]
        for each in weights:
            cast("Tensor", each.grad).div_(self.scale.scale)
        norm = self._accelerator.clip_grad_norm_(weights, self.plan.clip)
        return float(norm) if norm.isfinite() else float("inf")

    def _scaling(self) -> Row:
        return {"scale": self.scale.scale, "skipped": self.scale.skipped} if self.scale.dynamic else {}

    def _measure(self) -> Row | None:
        """Measure what is held out, and keep the weights if they are the best so far."""
        row: Row = {}
        if self.method.held_out:
            found = self.measure(self.method.held_out)
            row = {f"held_out_{name}": value for name, value in found.items() if name != "loss"}
            row["held_out"] = found["loss"]
        if self._watch is not None:
            self.tuned.learning(False)
            row |= self._watch(self.step)
        if self._accelerator.num_processes > 1:  # what follows must be the same everywhere
            (row,) = need_package("accelerate.utils").broadcast_object_list([row])
        self._measured_at = self.step
        if "held_out" in row:
            self._compare(row["held_out"])
        return {"step": self.step, **row} if row else None

    def _compare(self, found: float) -> None:
        """Keep the weights if none were better; of equals, as success often is, those that learned more."""
        before = float("inf") if self._best is None else self._best[0]
        self._stale = 0 if found < before else self._stale + 1
        if found <= before:
            weights = {name: each.detach().cpu().clone() for name, each in self.tuned.trained.items()}
            self._best = found, self.step, weights

    @torch.no_grad()
    def measure(self, items: Sequence[TrainingItem]) -> Row:
        """The mean loss of items, and what else the method reports of them."""
        self.tuned.learning(False)
        size, sums = self.method.size(items), defaultdict[str, float](float)
        longest = [max(map(len, item.sequences)) * len(item.sequences) for item in items]
        for group in within_budget(longest, self.plan.tokens):
            found = self._loss([items[index] for index in group])
            for name, value in {"loss": found.loss, **found.sums}.items():
                sums[name] += float(value) / size
        return dict(sums)

    def take_best(self) -> None:
        """Go back to the weights that were best on held-out items, where there are any."""
        if self._best is not None:
            self._take(self._best[2])

    def save(self, path: Path) -> None:
        """Write the state; a crash while writing leaves the previous file intact."""
        if not self.main:
            return
        private_folder(path.parent)
        state = {"plan": self.plan.model_dump(), "step": self.step, "history": self.history, "seconds": self.seconds}
        state |= {"weights": {name: each.detach() for name, each in self.tuned.trained.items()}}
        state |= {"optimizer": self._optimizer.state_dict(), "scale": self.scale.state_dict()}
        state |= {"best": self._best, "stale": self._stale, "measured_at": self._measured_at}
        save_state(state | {"method": self.method.state_dict()}, path)

    def resume(self, path: Path) -> None:
        """Go on from a state.

        Raises:
            UsageError: it is broken, or of another plan.
        """
        try:
            state: Any = torch.load(path, map_location="cpu", weights_only=True)
            plan = TuningPlan.model_validate(state["plan"])
        except Exception as error:
            raise UsageError(f"{path} cannot be resumed from ({error}); train without --resume") from error
        if differing := [n for n, value in plan if value != getattr(self.plan, n)]:
            raise UsageError(f"{path} is of a training with another {differing[0]}; repeat it, or name another --out")
        self._take(state["weights"])
        self._optimizer.load_state_dict(state["optimizer"])
        self.scale.load_state_dict(state["scale"])
        self.method.load_state_dict(state["method"])
        self.step, self.history, self.seconds = state["step"], state["history"], state["seconds"]
        self._best, self._stale, self._measured_at = state["best"], state["stale"], state["measured_at"]

    @torch.no_grad()
    def _take(self, weights: Mapping[str, Tensor]) -> None:
        for name, each in self.tuned.trained.items():
            each.copy_(weights[name])
