"""From what ``saccade train`` was asked for to a trainer that is ready: model, data, tasks, method."""

from __future__ import annotations

import math
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch

from ...actions.errors import UsageError
from ...agent.checkpoints.checkpoint import Checkpoint, load_checkpoint
from ...agent.local import LocalPolicy
from ...agent.training.dataset.folder import Dataset
from ...agent.training.demonstrations import FIRST_SEED
from ...agent.training.methods.dataset_items import DatasetItems, Kind
from ...agent.training.methods.group_policy import GroupPolicy, GroupSettings
from ...agent.training.methods.lessons import LessonReader
from ...agent.training.methods.rounds import ROUND_STEPS, Rounds
from ...agent.training.methods.supervised import Preferring, Supervised
from ...agent.training.tuning.items import Method, TrainingItem
from ...agent.training.tuning.lora import TunedModel
from ...agent.training.tuning.plan import SMALL, Precision, TuningPlan, Weights, parse_precision, parse_weights
from ...agent.training.tuning.scoring import ItemScorer
from ...agent.training.tuning.tuner import Row, Tuner
from ..models.source import parameters
from ..terminal.narrator import plural
from .live import LiveTasks, TaskSource
from .request import LIVE, LIVE_STEPS, RATES, SLOWER, TrainRequest

_KINDS: Mapping[str, Kind] = {"reflect": "reflections", "dpo": "reflected pairs"}


@dataclass
class PreparedTraining:
    """A trainer and what it learns from.

    Attributes:
        tuner: ready to train.
        dataset: what was given; None where all is played.
        learned: what is learned of it.
        live: the tasks that are played.
    """

    tuner: Tuner
    dataset: Dataset | None
    learned: DatasetItems | None
    live: LiveTasks | None


class Preparation:
    """Makes the parts of a training.

    Args:
        request: what was asked for.
        out: the training's folder.
        source: where live tasks come from.
    """

    def __init__(self, request: TrainRequest, out: Path, source: TaskSource) -> None:
        self._request = request
        self._out = out
        self._source = source
        self._weights, self._precision, self._checkpoint = _loaded(request)
        self._dataset = None if request.data is None else Dataset(request.data)
        self._learned = self._held_out = None
        if self._dataset is not None:
            self._learned = self._items(self._dataset, self._dataset.training())
            self._held_out = self._items(self._dataset, self._dataset.held_out_episodes())
            _say_left_out(self._learned)
            if not self._learned and request.method not in LIVE:
                wanted = "pairs of a right and a wrong reply" if request.method == "dpo" else "right replies"
                raise UsageError(f"{request.data} has no {wanted} to learn from")

    def training(self) -> PreparedTraining:
        """The whole of it."""
        request, plan = self._request, self._plan()
        tuned = TunedModel(self._checkpoint, plan, keep_reference=request.method in ("dpo", "grpo"))
        live = None
        if request.names:
            live = LiveTasks(
                self._source, request.names, tuned.checkpoint, request.max_steps, request.temperature, request.seed
            )
        method = self._method(plan, live, ItemScorer(tuned, plan))
        tuner = Tuner(tuned, method, plan, self._watch(live))
        return PreparedTraining(tuner, self._dataset, self._learned, live)

    def _items(self, dataset: Dataset, episodes: Any) -> DatasetItems:
        reader = LessonReader(LocalPolicy(self._checkpoint, decoding="plain"), lru_cache(256)(dataset.picture))
        return DatasetItems(dataset, episodes, reader, _KINDS.get(self._request.method, "replies"))

    def _plan(self) -> TuningPlan:
        request, count = self._request, len(self._learned or ())
        live = request.method in LIVE
        steps = request.steps or (LIVE_STEPS if live else max(1, math.ceil(request.epochs * count / request.batch)))
        local = Path(request.model).expanduser()
        settings: dict[str, Any] = {"quantize": request.quantize, "beta": request.beta}
        if request.names:
            names = ("attempts", "rounds", "groups", "max_steps", "temperature")
            settings |= {"tasks": request.names, **{name: getattr(request, name) for name in names}}
            settings[ROUND_STEPS] = math.ceil(steps / request.rounds)
        known = [each.fingerprint for each in (self._learned, self._held_out) if each is not None]
        return TuningPlan(
            model=str(local.resolve()) if local.is_dir() else request.model,
            method=request.method,
            data="-".join(known),
            weights=self._weights,
            rank=request.rank,
            alpha=2.0 * request.rank,
            vision=request.vision,
            steps=steps,
            batch=request.batch,
            tokens=request.tokens,
            rate=request.rate or RATES[self._weights] * SLOWER.get(request.method, 1.0),
            precision=self._precision,
            checkpointing=request.checkpointing,
            measure_every=request.measure_every or max(1, steps // 10),
            patience=request.patience,
            seed=request.seed,
            settings=settings,
        )

    def _watch(self, live: LiveTasks | None) -> Any:
        """What measures success on seeds that nothing learns from."""
        if live is None:
            return None
        episodes = max(1, self._request.watched // len(live.tasks))
        only = not self._held_out

        def watch(step: int) -> Row:
            success = live.success(episodes)
            return {"held_out_success": success} | ({"held_out": 1 - success} if only else {})

        return watch

    def _method(self, plan: TuningPlan, live: LiveTasks | None, scorer: ItemScorer) -> Method:
        request, held_out = self._request, self._held_out or ()
        if request.method == "grpo":
            assert live is not None
            beta = 0.02 if request.beta is None else request.beta
            settings = GroupSettings(tuple(live.tasks), FIRST_SEED, request.groups, request.attempts, beta=beta)
            return GroupPolicy(settings, live.attempts, scorer.of)
        if live is not None and request.method in LIVE:
            return Rounds(self._learned or (), held_out, plan, lambda number: self._round(live, number))
        assert self._learned is not None
        if request.method == "dpo":
            return Preferring(self._learned, held_out, plan, 0.1 if request.beta is None else request.beta)
        return Supervised(self._learned, held_out, plan)

    def _round(self, live: LiveTasks, number: int) -> Sequence[TrainingItem]:
        """What a round collects, or collected before: all of it is learned from, as its seeds are for training."""
        episodes = self._request.attempts
        first = FIRST_SEED + number * episodes * len(live.tasks)
        with Dataset(self._out / "rounds" / f"{number:03}", create=True) as dataset:
            collect = live.collect_corrections if self._request.method == "dagger" else live.collect_successes
            collect(dataset, first, episodes)
            return self._items(dataset, list(dataset.episodes()) if len(dataset) else ())


def _loaded(request: TrainRequest) -> tuple[Weights, Precision, Checkpoint]:
    """The checkpoint, in the format that suits which of its weights are trained."""
    small = parameters(request.model) <= SMALL
    weights: Weights = parse_weights(request.weights) if request.weights else "all" if small else "lora"
    on_gpu = request.device.startswith("cuda") or (request.device == "auto" and torch.cuda.is_available())
    best: Precision = "bfloat16" if on_gpu and torch.cuda.is_bf16_supported() else "float16" if on_gpu else "float32"
    precision = parse_precision(request.precision) if request.precision else best
    if small and not on_gpu:
        torch.set_num_threads(1)  # forwards are over before a second thread is awake
    dtype = "float32" if weights == "all" else precision
    device = request.device
    if on_gpu and "LOCAL_RANK" in os.environ:  # one of several processes, each with a GPU of its own
        device = f"cuda:{os.environ['LOCAL_RANK']}"
    return weights, precision, load_checkpoint(request.model, device, dtype, "sdpa", request.quantize)


def _say_left_out(items: DatasetItems) -> None:
    if items.left_out:
        reason, _ = items.left_out.most_common(1)[0]
        sys.stderr.write(f"{plural(items.left_out.total(), 'episode')} left out, such as: {reason}\n")
