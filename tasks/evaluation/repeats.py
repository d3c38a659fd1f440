"""The same evaluation several times: even greedy policies do not always do the same, as pages and machines do not.

Repeats are in ``DIR/repeats/2``, ``3`` and so on; the evaluation itself is the first.
"""

from __future__ import annotations

import statistics
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, JsonValue

from ...actions.errors import UsageError
from ...agent.checkpoints.loading import LoadOptions
from ..models.source import PolicySource, policy_source
from ..suites.registry import interactive_suite
from .evaluate import Evaluation, Watcher, evaluate
from .folder import EVAL_NAME, read_config
from .records import EpisodeRecord, Key

FOLDER: Final = "repeats"
_OWN: Final = ("suite", "tasks", "seeds", "max_steps")


class RepeatSpread(BaseModel):
    """How much the rate of the same evaluation differs from one time to the next.

    Attributes:
        rates: of each time, over the episodes that were compared.
        deviation: their standard deviation; None for a single time.
    """

    model_config = ConfigDict(frozen=True)

    rates: list[float]
    deviation: float | None


def repeats_of(root: Path) -> list[Path]:
    """An evaluation's folder and those of its repeats, in order."""
    found = [path for path in (root / FOLDER).glob("*") if path.name.isdigit() and (path / EVAL_NAME).is_file()]
    return [root, *sorted(found, key=lambda path: int(path.name))]


def repeat(root: Path, times: int, watching: Callable[[], AbstractContextManager[Watcher]]) -> list[Path]:
    """Run an evaluation again until it was run so many times; what is done already is not done again.

    Args:
        root: of the evaluation.
        times: in all.
        watching: makes what is told how each time goes.

    Raises:
        UsageError: there is no evaluation, or it is not of a suite and a model that can be run from its folder alone.
        KeyboardInterrupt: Ctrl-C; what is done stays.
    """
    config = read_config(root)
    if config is None:
        raise UsageError(f"{root} holds no evaluation; name the folder that saccade eval wrote")
    if times > 1 and config.samples is not None:
        raise UsageError(f"{root} is on recorded screens, which do not change; --repeat is for interactive suites")
    for number in range(2, times + 1):
        folder = root / FOLDER / str(number)
        with watching() as watcher:
            evaluate(_planned(config.asked, folder), watcher, resume=(folder / EVAL_NAME).is_file())
    return repeats_of(root)[:times]


def _planned(asked: Mapping[str, JsonValue], folder: Path) -> Evaluation:
    values: dict[str, Any] = dict(asked)
    return Evaluation(
        root=folder,
        suite=interactive_suite(values["suite"]),
        source=_source({name: value for name, value in values.items() if name not in _OWN}),
        tasks=values["tasks"],
        seeds=values["seeds"],
        max_steps=values["max_steps"],
    )


def _source(asked: dict[str, Any]) -> PolicySource:
    load = LoadOptions(**asked.pop("load_options", {}))
    if asked.get("model") in (None, "scripted"):
        raise UsageError("the evaluation is of a policy of a program's own; run it again there, into another folder")
    return policy_source(**asked, load=load)


def mean_scores(times: Sequence[Iterable[EpisodeRecord]]) -> dict[Key, float]:
    """The mean score of each episode over the times that it has a result."""
    found: dict[Key, list[float]] = defaultdict(list)
    for records in times:
        for record in records:
            if record.scored:
                found[record.key].append(record.score)
    return {key: statistics.fmean(scores) for key, scores in found.items()}


def spread(times: Sequence[Iterable[EpisodeRecord]], common: Iterable[Key]) -> RepeatSpread:
    """The rate of each time over some episodes, and how much they differ."""
    keys = set(common)
    scores = ([record.score for record in records if record.scored and record.key in keys] for records in times)
    rates = [statistics.fmean(each) for each in scores if each]
    return RepeatSpread(rates=rates, deviation=statistics.stdev(rates) if len(rates) > 1 else None)
