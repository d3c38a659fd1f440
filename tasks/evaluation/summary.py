"""What an evaluation comes to: rates with intervals, errors by kind, latency by phase, tokens."""

from __future__ import annotations

import csv
import io
import statistics
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence

from pydantic import BaseModel, ConfigDict, JsonValue

from .folder import EvaluationConfig
from .price import Cost, Price, cost_of
from .records import EpisodeRecord
from .stats import Interval, clustered, wilson


class _Data(BaseModel):
    model_config = ConfigDict(frozen=True)


class TaskSummary(_Data):
    """One task.

    Attributes:
        episodes: that have a result or an error.
        errors: among them.
        success: rate among those with a result; None without any.
        interval: Wilson's.
        mean_reward: raw.
        steps: mean.
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
        planned: episodes asked for.
        episodes: that have a result or an error.
        scored: that have a result.
        success: rate among those scored; None without any.
        interval: of ``success``, by clusters of tasks.
        success_if_errors_fail: rate among all episodes, errors counted as failures.
        full_reward: rate of raw rewards of 1 among those scored.
        mean_reward: raw.
        steps: mean.
        errors: by kind.
        ends: why episodes ended, by reason.
        per_task: by name.
        latency: by phase.
        per_step: forwards, tokens and unreadable replies per prediction.
        tokens: of all scored episodes: ``prompt``, as often as they were sent, and ``reply``.
        cost: of these tokens, where a price was given.
        asked: for what.
        settings: it was run with.
    """

    planned: int
    episodes: int
    scored: int
    success: float | None
    interval: Interval | None
    success_if_errors_fail: float | None
    full_reward: float | None
    mean_reward: float | None
    steps: float | None
    errors: dict[str, int]
    ends: dict[str, int]
    per_task: dict[str, TaskSummary]
    latency: dict[str, Latency]
    per_step: dict[str, float]
    tokens: dict[str, int]
    cost: Cost | None = None
    asked: dict[str, JsonValue]
    settings: dict[str, JsonValue]


def summarise(
    pinned: EvaluationConfig, records: Sequence[EpisodeRecord], price: Price | None = None
) -> Summary:
    """A pure function of the records and the price; their order does not matter."""
    tasks = list(dict.fromkeys(key.task for key in pinned.keys))
    by_task: dict[str, list[EpisodeRecord]] = {task: [] for task in tasks}
    for record in records:
        by_task[record.task].append(record)
    scored = _scored(records)
    verdicts = {task: _verdicts(found) for task, found in by_task.items()}
    wins = sum(map(sum, verdicts.values()))
    tokens = {
        "prompt": sum(record.prompt_tokens for record in scored),
        "reply": sum(record.reply_tokens for record in scored),
    }
    return Summary(
        planned=len(pinned.keys),
        episodes=len(records),
        scored=len(scored),
        success=_share(wins, len(scored)),
        interval=rate_interval(verdicts),
        success_if_errors_fail=_share(wins, len(records)),
        full_reward=_share(sum(record.reward == 1 for record in scored), len(scored)),
        mean_reward=_mean(record.reward or 0.0 for record in scored),
        steps=_mean(record.steps for record in scored),
        errors=dict(sorted(Counter(record.error for record in records if record.error).items())),
        ends=dict(sorted(Counter(record.end for record in scored if record.end).items())),
        per_task={task: _task(found) for task, found in by_task.items()},
        latency=_latency(scored),
        per_step=_per_step(scored),
        tokens=tokens,
        cost=cost_of(price, tokens, len(scored), wins) if price else None,
        asked=pinned.asked,
        settings=pinned.settings,
    )


def rate_interval(verdicts: Mapping[str, Sequence[bool]]) -> Interval | None:
    """The 95 % interval of a success rate: by clusters of tasks, or Wilson's of a single one."""
    tried = {task: found for task, found in verdicts.items() if found}
    if not tried:
        return None
    if len(tried) == 1:
        (found,) = tried.values()
        return _rounded(wilson(sum(found), len(found)))
    return _rounded(clustered(tried))


def as_csv(records: Iterable[EpisodeRecord]) -> str:
    """The episodes as a table with a header line, one per line."""
    columns = [name for name in EpisodeRecord.model_fields if name not in ("timings", "versions", "message")]
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow([*columns, "message"])
    for record in records:
        writer.writerow([*(getattr(record, name) for name in columns), record.message])
    return stream.getvalue()


def _task(records: Sequence[EpisodeRecord]) -> TaskSummary:
    scored, verdicts = _scored(records), _verdicts(records)
    rate = _share(sum(verdicts), len(verdicts))
    return TaskSummary(
        episodes=len(records),
        errors=len(records) - len(scored),
        success=rate,
        interval=rate_interval({"": verdicts}),
        mean_reward=_mean(record.reward or 0.0 for record in scored),
        steps=_mean(record.steps for record in scored),
    )


def _scored(records: Iterable[EpisodeRecord]) -> list[EpisodeRecord]:
    return [record for record in records if record.error is None]


def _verdicts(records: Iterable[EpisodeRecord]) -> list[bool]:
    return [record.success is True for record in _scored(records)]


def _latency(records: Iterable[EpisodeRecord]) -> dict[str, Latency]:
    spent: dict[str, list[float]] = defaultdict(list)
    for record in records:
        for phase, seconds in record.timings.items():
            spent[phase].extend(seconds)
    return {
        phase: Latency(
            p50=_percentile(seconds, 50),
            p90=_percentile(seconds, 90),
            p99=_percentile(seconds, 99),
            steps=len(seconds),
        )
        for phase, seconds in sorted(spent.items())
        if seconds
    }


def _percentile(seconds: Sequence[float], percent: int) -> float:
    ordered = sorted(seconds)
    place = min(len(ordered) - 1, len(ordered) * percent // 100)
    return round(1000 * ordered[place], 2)


def _per_step(records: Sequence[EpisodeRecord]) -> dict[str, float]:
    names = ("forwards", "prompt_tokens", "reply_tokens", "accepted_tokens", "unreadable")
    steps = sum(record.steps for record in records)
    return {
        name: round(sum(getattr(record, name) for record in records) / steps, 3) for name in names if steps
    }


def _share(part: int, whole: int) -> float | None:
    return round(part / whole, 6) if whole else None


def _mean(values: Iterable[float]) -> float | None:
    given = list(values)
    return round(statistics.fmean(given), 6) if given else None


def _rounded(interval: Interval) -> Interval:
    return Interval(round(interval.low, 6), round(interval.high, 6))
