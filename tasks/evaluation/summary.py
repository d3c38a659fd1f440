"""The summary of an evaluation: rates with intervals, errors by kind, latency by phase, tokens."""

from __future__ import annotations

import csv
import io
import statistics
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pydantic import BaseModel, ConfigDict, JsonValue, computed_field

from ..suites.base import Suite
from ..suites.registry import SUITES
from .folder import EvaluationConfig
from .price import Cost, Price, cost_of
from .records import EpisodeRecord
from .stats import Interval, clustered, wilson

Groups = Mapping[str, Sequence[float]]
"""Scores by task: what belongs to one task is not independent."""
_PER_STEP = ("forwards", "prompt_tokens", "reply_tokens", "accepted_tokens", "unreadable")
_NOT_IN_CSV = ("timings", "versions", "message", "scores", "labels", "reply", "actions")


class _Data(BaseModel):
    model_config = ConfigDict(frozen=True)


class Rate(_Data):
    """The mean of ``n`` scores, 0 to 1, None without any; with a 95 % interval where one is given."""

    n: int
    score: float | None
    interval: Interval | None = None


class TaskSummary(_Data):
    """One task: its episodes, the errors (no result) among them, and means over those with a result.

    ``interval`` is Wilson's, ``mean_reward`` of the raw rewards.
    """

    episodes: int
    errors: int
    success: float | None
    interval: Interval | None
    mean_reward: float | None
    steps: float | None


class Latency(_Data):
    """Milliseconds of one phase over all steps."""

    p50: float
    p90: float
    p99: float
    steps: int


class Summary(_Data):
    """An evaluation.

    Attributes:
        episodes: how many of those ``planned`` have a result or an error; ``scored`` have a result.
        success: the headline: the mean score of those scored; None without any.
        interval: of ``success``, by clusters of tasks.
        average: what ``success`` is the mean over: ``episodes``, ``samples``, ``task``, or a label's values.
        success_if_errors_fail: rate among all episodes, those without a result counted as failures.
        full_reward: rate of raw rewards of 1 among those scored.
        mean_reward: raw.
        errors: by kind; ``malformed`` counts rows of the suite's files as well.
        ends: why episodes ended, by reason.
        per_task: by name; screens that are no steps of a task are one task, named as the suite.
        by: rates by label and value.
        parts: further numbers of the suite's rule.
        tasks: recorded tasks of which every step was asked, and the rate of those with every step right.
        per_step: forwards, tokens and unreadable replies per prediction.
        tokens: of all scored episodes: ``prompt``, as often as they were sent, and ``reply``.
        cost: of these tokens, where a price was given.
    """

    suite: str
    planned: int
    episodes: int
    scored: int
    success: float | None
    interval: Interval | None
    average: str
    success_if_errors_fail: float | None
    full_reward: float | None
    mean_reward: float | None
    steps: float | None
    errors: dict[str, int]
    ends: dict[str, int]
    per_task: dict[str, TaskSummary]
    by: dict[str, dict[str, Rate]]
    parts: dict[str, Rate]
    tasks: Rate | None
    latency: dict[str, Latency]
    per_step: dict[str, float]
    tokens: dict[str, int]
    cost: Cost | None = None
    asked: dict[str, JsonValue]
    settings: dict[str, JsonValue]

    @computed_field  # type: ignore[prop-decorator]
    @property
    def samples(self) -> int:
        """The same as ``scored``, as scripts for recorded screens read it."""
        return self.scored

    @computed_field  # type: ignore[prop-decorator]
    @property
    def score(self) -> float | None:
        """The same as ``success``, as scripts for recorded screens read it."""
        return self.success


def summarise(config: EvaluationConfig, records: Sequence[EpisodeRecord], price: Price | None = None) -> Summary:
    """A pure function of the records and the price; their order does not matter."""
    suite = None if config.samples is None else SUITES.get(str(config.asked["suite"]))
    scored = [record for record in records if record.scored]
    errors = Counter(str(record.error) for record in records if record.error)
    if config.malformed_rows:
        errors["malformed"] += config.malformed_rows
    tokens = {
        "prompt": sum(record.prompt_tokens for record in scored),
        "reply": sum(record.reply_tokens for record in scored),
    }
    wins = sum(record.score for record in scored)
    success, interval = _headline(suite, scored, config)
    return Summary(
        suite=str(config.asked["suite"]),
        planned=len(config.keys),
        episodes=len(records),
        scored=len(scored),
        success=success,
        interval=interval,
        average="episodes" if suite is None else suite.average,
        success_if_errors_fail=_share(wins, len(records)),
        full_reward=_share(sum(record.reward == 1 for record in scored), len(scored)),
        mean_reward=_mean(record.reward or 0.0 for record in scored),
        steps=_mean(record.steps for record in scored),
        errors=dict(sorted(errors.items())),
        ends=dict(sorted(Counter(record.end for record in scored if record.end).items())),
        per_task=_per_task(config, records),
        by=_by_label(scored),
        parts=_parts(suite, scored, config),
        tasks=_whole_tasks(scored),
        latency=_latency(scored),
        per_step=_per_step(scored),
        tokens=tokens,
        cost=cost_of(price, tokens, len(scored), round(wins) if suite is None else None) if price else None,
        asked=config.asked,
        settings=config.settings,
    )


def rate_interval(groups: Groups) -> Interval | None:
    """The 95 % interval of a success rate of episodes: by clusters of tasks, or Wilson's of one task."""
    tried = {task: scores for task, scores in groups.items() if scores}
    if not tried:
        return None
    if len(tried) > 1:
        return _rounded(clustered(tried))
    (scores,) = tried.values()
    return _rounded(wilson(sum(scores), len(scores)))


def as_csv(records: Iterable[EpisodeRecord]) -> str:
    """The episodes as a table with a header line, one per line."""
    columns = [*(name for name in EpisodeRecord.model_fields if name not in _NOT_IN_CSV), "message"]
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows([getattr(record, name) for name in columns] for record in records)
    return stream.getvalue()


def _headline(
    suite: Suite[Any] | None, scored: Sequence[EpisodeRecord], config: EvaluationConfig
) -> tuple[float | None, Interval | None]:
    groups = _by_task(scored, _padded(suite, config))
    if suite is None:
        return _mean(record.score for record in scored), rate_interval(groups)
    if not scored:
        return None, None
    if suite.average == "task":
        means = {task: [statistics.fmean(scores)] for task, scores in groups.items()}
        return _mean(score for (score,) in means.values()), _screens_interval(means)
    if suite.average == "samples":
        return _mean(record.score for record in scored), _screens_interval(groups)
    return _over_label(scored, suite.average)


def _over_label(scored: Sequence[EpisodeRecord], label: str) -> tuple[float, Interval]:
    """The mean of the means of a label's values; each score's deviation counts by its weight in that."""
    groups = _by_value(scored, label)
    means = {value: statistics.fmean(record.score for record in group) for value, group in groups.items()}
    mean = statistics.fmean(means.values())
    deviations: dict[str, list[float]] = defaultdict(list)
    for value, group in groups.items():
        weight = len(scored) / (len(groups) * len(group))
        for record in group:
            deviations[record.task].append(mean + weight * (record.score - means[value]))
    return round(mean, 6), _rounded(clustered(deviations))


def _per_task(config: EvaluationConfig, records: Sequence[EpisodeRecord]) -> dict[str, TaskSummary]:
    """Each task's episodes, with Wilson's interval as of independent ones."""
    planned = [key.task for key in config.keys] if config.samples is None else []
    found: dict[str, list[EpisodeRecord]] = {task: [] for task in planned}
    for record in records:
        alone = record.task == record.sample
        found.setdefault(str(config.asked["suite"]) if alone else record.task, []).append(record)
    return {task: _task(group) for task, group in found.items()}


def _task(records: Sequence[EpisodeRecord]) -> TaskSummary:
    scored = [record for record in records if record.scored]
    scores = [record.score for record in scored]
    return TaskSummary(
        episodes=len(records),
        errors=len(records) - len(scored),
        success=_mean(scores),
        interval=rate_interval({"": scores}),
        mean_reward=_mean(record.reward or 0.0 for record in scored),
        steps=_mean(record.steps for record in scored),
    )


def _by_label(scored: Sequence[EpisodeRecord]) -> dict[str, dict[str, Rate]]:
    labels = dict.fromkeys(label for record in scored for label in record.labels)
    return {
        label: {value: _rate(group) for value, group in sorted(_by_value(scored, label).items())} for label in labels
    }


def _rate(group: Sequence[EpisodeRecord]) -> Rate:
    score = _mean(record.score for record in group)
    return Rate(n=len(group), score=score, interval=_screens_interval(_by_task(group)))


def _parts(suite: Suite[Any] | None, scored: Sequence[EpisodeRecord], config: EvaluationConfig) -> dict[str, Rate]:
    """The mean of each part over the screens it applies to, averaged over tasks where the headline is."""
    found = {}
    for name in dict.fromkeys(name for record in scored for name in record.scores):
        group = [record for record in scored if name in record.scores]
        score = _mean(record.scores[name] for record in group)
        if suite is not None and suite.average == "task":
            tasks = _by_task(group, _padded(suite, config), part=name)
            score = _mean(statistics.fmean(scores) for scores in tasks.values())
        found[name] = Rate(n=len(group), score=score)
    return found


def _whole_tasks(scored: Sequence[EpisodeRecord]) -> Rate | None:
    """Tasks of which every step was asked, and those with every step right; None where there are none."""
    steps = {record.task: record.task_steps for record in scored if record.task_steps}
    if not steps:
        return None
    groups = _by_task(scored)
    whole = [groups[task] for task, count in steps.items() if len(groups[task]) == count]
    won = sum(all(score == 1 for score in scores) for scores in whole)
    return Rate(n=len(whole), score=_share(won, len(whole)), interval=_rounded(wilson(won, len(whole))))


def _padded(suite: Suite[Any] | None, config: EvaluationConfig) -> bool:
    """Whether steps that the files leave out count as wrong: not where a limit left them out."""
    return suite is not None and suite.absent_is_wrong and config.limit is None


def _by_task(records: Iterable[EpisodeRecord], padded: bool = False, part: str | None = None) -> dict[str, list[float]]:
    """Scores by task; ``padded`` with a 0 for each step that a task has and the files leave out."""
    found: dict[str, list[float]] = defaultdict(list)
    steps: dict[str, int] = {}
    for record in records:
        found[record.task].append(record.score if part is None else record.scores[part])
        steps[record.task] = record.task_steps
    if padded:
        for task, scores in found.items():
            scores += [0.0] * (steps[task] - len(scores))
    return dict(found)


def _by_value(records: Iterable[EpisodeRecord], label: str) -> dict[str, list[EpisodeRecord]]:
    found: dict[str, list[EpisodeRecord]] = defaultdict(list)
    for record in records:
        values = record.labels.get(label, ())
        for value in (values,) if isinstance(values, str) else values:
            found[value].append(record)
    return found


def _screens_interval(groups: Groups) -> Interval:
    """Wilson's where each screen is a task of its own and right or wrong; else by clusters of tasks."""
    scores = [score for group in groups.values() for score in group]
    if len(scores) == len(groups) and set(scores) <= {0.0, 1.0}:
        return _rounded(wilson(sum(scores), len(scores)))
    return _rounded(clustered(groups))


def _latency(records: Iterable[EpisodeRecord]) -> dict[str, Latency]:
    spent: dict[str, list[float]] = defaultdict(list)
    for record in records:
        for phase, seconds in record.timings.items():
            spent[phase].extend(seconds)
    return {phase: _percentiles(sorted(seconds)) for phase, seconds in sorted(spent.items()) if seconds}


def _percentiles(ordered: Sequence[float]) -> Latency:
    count = len(ordered)
    p50, p90, p99 = (round(1000 * ordered[count * percent // 100], 2) for percent in (50, 90, 99))
    return Latency(p50=p50, p90=p90, p99=p99, steps=count)


def _per_step(records: Sequence[EpisodeRecord]) -> dict[str, float]:
    steps = sum(record.steps for record in records)
    if not steps:
        return {}
    return {name: round(sum(getattr(record, name) for record in records) / steps, 3) for name in _PER_STEP}


def _share(part: float, whole: int) -> float | None:
    return round(part / whole, 6) if whole else None


def _mean(values: Iterable[float]) -> float | None:
    given = list(values)
    return round(statistics.fmean(given), 6) if given else None


def _rounded(interval: Interval) -> Interval:
    return Interval(round(interval.low, 6), round(interval.high, 6))
