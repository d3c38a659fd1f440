"""What the records of a suite come to: a pure function, with every denominator and 95 % intervals."""

from __future__ import annotations

import statistics
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ...suites.base import Suite
from ..stats import clustered, wilson
from .records import FAILED, SampleRecord

Json = dict[str, Any]


def summarise(suite: Suite[Any], records: Sequence[SampleRecord], malformed: int, whole: bool) -> Json:
    """Sum up.

    Samples on which the policy itself broke are in no score; they are counted in ``errors``.

    Args:
        suite: says what the headline is the mean of.
        records: one per sample.
        malformed: rows and pictures that could not be used.
        whole: whether all samples were asked for, so that a task's missing steps are missing in the files.

    Returns:
        ``suite``, ``samples``; ``score``, the headline, with its ``interval`` and what it is the ``average``
        of; ``by`` label and value, and ``parts`` of the rule, each with ``n`` and ``score``; ``tasks``, how
        many are there with all their steps, and the share of those with every step right; ``errors`` by kind;
        ``tokens`` in all. ``episodes`` (samples with a record), ``success`` (the score) and ``per_task`` are
        named as in evaluations where the agent acts; a suite that grounds is a single task.
    """
    judged = [record for record in records if record.error != FAILED]
    errors = Counter(record.error for record in records if record.error)
    if malformed:
        errors["malformed"] = malformed
    values = _by_task(judged, padded=suite.absent_is_wrong and whole)
    score, interval = _headline(suite, judged, values)
    return {
        "suite": suite.name,
        "samples": len(judged),
        "score": score,
        "interval": interval,
        "average": suite.average,
        "by": _by_label(judged),
        "parts": _parts(suite, judged, whole),
        "tasks": _tasks(judged),
        "errors": dict(sorted(errors.items())),
        "episodes": len(records),
        "success": score,
        "per_task": _per_task(suite, records),
        "tokens": {
            "prompt": sum(record.prompt_tokens for record in records),
            "reply": sum(record.reply_tokens for record in records),
        },
    }


def _headline(
    suite: Suite[Any], judged: Sequence[SampleRecord], values: Mapping[str, Sequence[float]]
) -> tuple[float | None, list[float] | None]:
    if not judged:
        return None, None
    if suite.average == "task":
        means = {task: [statistics.fmean(scores)] for task, scores in values.items()}
        return _mean(each for scores in means.values() for each in scores), _interval(means)
    if suite.average == "samples":
        return _mean(record.value for record in judged), _interval(values)
    return _over_label(judged, suite.average)


def _over_label(judged: Sequence[SampleRecord], label: str) -> tuple[float, list[float]]:
    """The mean of the means of a label's values; each sample's deviation counts by its weight in that."""
    groups = _grouped(judged, label)
    means = {value: statistics.fmean(record.value for record in group) for value, group in groups.items()}
    mean = statistics.fmean(means.values())
    deviations: dict[str, list[float]] = defaultdict(list)
    for value, group in groups.items():
        weight = len(judged) / (len(groups) * len(group))
        for record in group:
            deviations[record.task].append(mean + weight * (record.value - means[value]))
    return round(mean, 6), _rounded(clustered(deviations))


def _by_label(judged: Sequence[SampleRecord]) -> Json:
    labels = dict.fromkeys(label for record in judged for label in record.labels)
    return {
        label: {value: _cell(group) for value, group in sorted(_grouped(judged, label).items())}
        for label in labels
    }


def _cell(group: Sequence[SampleRecord]) -> Json:
    score = _mean(record.value for record in group)
    return {"n": len(group), "score": score, "interval": _interval(_by_task(group))}


def _parts(suite: Suite[Any], judged: Sequence[SampleRecord], whole: bool) -> Json:
    """The mean of each part over the samples it applies to, averaged over tasks where the headline is."""
    found: Json = {}
    for name in dict.fromkeys(name for record in judged for name in record.parts):
        group = [record for record in judged if name in record.parts]
        values = [record.parts[name] for record in group]
        found[name] = {"n": len(group), "score": _mean(values)}
        if suite.average == "task":
            tasks = _by_task(group, part=name, padded=suite.absent_is_wrong and whole)
            found[name]["score"] = _mean(statistics.fmean(scores) for scores in tasks.values())
    return found


def _per_task(suite: Suite[Any], records: Sequence[SampleRecord]) -> Json:
    """Each task's samples, with Wilson's interval as of independent ones."""
    found: dict[str, list[SampleRecord]] = defaultdict(list)
    for record in records:
        found[suite.name if suite.family == "grounding" else record.task].append(record)
    return {task: _one_task(group) for task, group in found.items()}


def _one_task(records: Sequence[SampleRecord]) -> Json:
    values = [record.value for record in records if record.error != FAILED]
    return {
        "episodes": len(records),
        "errors": len(records) - len(values),
        "success": _mean(values) if values else None,
        "interval": _rounded(wilson(sum(values), len(values))) if values else None,
    }


def _tasks(judged: Sequence[SampleRecord]) -> Json | None:
    """Episodes of which every step was judged, and those with every step right; None where there are none."""
    steps = {record.task: record.steps for record in judged if record.steps}
    values = _by_task(judged)
    whole = [values[task] for task, count in steps.items() if len(values[task]) == count]
    if not steps:
        return None
    won = sum(all(value == 1 for value in scores) for scores in whole)
    score = round(won / len(whole), 6) if whole else None
    return {"n": len(whole), "success": score, "interval": _rounded(wilson(won, len(whole)))}


def _by_task(
    records: Iterable[SampleRecord], part: str | None = None, padded: bool = False
) -> dict[str, list[float]]:
    """Scores by task; ``padded`` with a 0 for each step that a task has and the files leave out."""
    found: dict[str, list[float]] = defaultdict(list)
    steps: dict[str, int] = {}
    for record in records:
        found[record.task].append(record.value if part is None else record.parts[part])
        steps[record.task] = record.steps
    if padded:
        for task, scores in found.items():
            scores += [0.0] * (steps[task] - len(scores))
    return dict(found)


def _grouped(records: Iterable[SampleRecord], label: str) -> dict[str, list[SampleRecord]]:
    found: dict[str, list[SampleRecord]] = defaultdict(list)
    for record in records:
        values = record.labels.get(label, ())
        for value in (values,) if isinstance(values, str) else values:
            found[value].append(record)
    return found


def _interval(values: Mapping[str, Sequence[float]]) -> list[float]:
    """Wilson's where each sample stands for itself and is right or wrong; else by clusters of tasks."""
    scores = [score for group in values.values() for score in group]
    if len(scores) == len(values) and set(scores) <= {0.0, 1.0}:
        return _rounded(wilson(sum(scores), len(scores)))
    return _rounded(clustered(values))


def _mean(values: Iterable[float]) -> float:
    return round(statistics.fmean(values), 6)


def _rounded(interval: Sequence[float]) -> list[float]:
    return [round(edge, 6) for edge in interval]
