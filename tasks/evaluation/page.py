"""An evaluation as one HTML page in the report's design: no script, no network, plots as SVG."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from html import escape as escape_html
from pathlib import Path
from urllib.parse import quote

from ...actions.untrusted import unturned
from ..report import REPORT_NAME
from ..report.html_page import content_policy, fill, part
from .console import headline, percent, span
from .folder import write_file
from .records import EpisodeRecord
from .stats import Interval
from .summary import Latency, Rate, Summary, TaskSummary

PAGE_NAME = "index.html"
_PLOT = '<svg viewBox="0 0 100 18" preserveAspectRatio="none" role="img" aria-label="{}">{}</svg>'


def escape(text: str, *, quote: bool = True) -> str:
    """A text for the page, with what would turn it around made visible."""
    return escape_html(unturned(text), quote)


def write_page(root: Path, summary: Summary, records: Sequence[EpisodeRecord]) -> Path:
    """Write ``index.html`` into an evaluation's folder; each episode leads to its report where there is one."""
    style = part("report.css") + part("evaluation.css")
    missing = summary.planned - summary.episodes
    values = {
        "policy": content_policy(style, ""),
        "style": style,
        "title": escape(f"{summary.suite}: {summary.settings.get('policy', summary.asked.get('model'))}"),
        "state": f'<span class="badge {"open" if missing else "good"}">{"Unfinished" if missing else "Done"}'
        "</span> <span>Evaluation</span>",
        "success": percent(summary.success),
        "headline": escape(said := headline(summary)),
        "denominator": escape(said.removeprefix(f"success {percent(summary.success)} ")),
        "facts": _terms(_facts(summary)),
        "settings": _terms((name, _word(each)) for name, each in {**summary.asked, **summary.settings}.items()),
        "rates": "".join([*_rates(summary), _latency_table(summary.latency)]),
        "episodes": "".join(_episodes(root, summary, records)),
    }
    write_file(root / PAGE_NAME, fill(part("evaluation.html"), values))
    return root / PAGE_NAME


def _facts(summary: Summary) -> Iterator[tuple[str, str]]:
    yield "success, errors counted as failures", percent(summary.success_if_errors_fail)
    if not summary.by:
        yield "full reward", percent(summary.full_reward)
        yield "mean raw reward", _number(summary.mean_reward)
    yield "mean steps", _number(summary.steps)
    yield from ((f"errors: {kind}", str(count)) for kind, count in summary.errors.items())
    yield from ((f"ended: {reason.replace('_', ' ')}", str(count)) for reason, count in summary.ends.items())
    yield from ((f"{name.replace('_', ' ')} per step", _number(each)) for name, each in summary.per_step.items())
    if summary.cost is not None:
        yield from ((f"cost, {name.replace('_', ' ')}", _number(each)) for name, each in summary.cost)


def _rates(summary: Summary) -> Iterator[str]:
    """A table of rates per breakdown: tasks, labels, parts of the rule."""
    if not summary.by:
        tasks = {name: _task_rate(task) for name, task in summary.per_task.items() if task.success is not None}
        best = sorted(tasks.items(), key=lambda row: (-(row[1].score or 0.0), row[0]))
        yield _rate_table("Success by task", "task", best)
    for label, values in summary.by.items():
        yield _rate_table(f"Success by {label}", label, values.items())
    rules = dict(summary.parts) if summary.tasks is None else summary.parts | {"whole tasks": summary.tasks}
    if rules:
        yield _rate_table("Other scores", "score", rules.items())


def _task_rate(task: TaskSummary) -> Rate:
    return Rate(n=task.episodes - task.errors, score=task.success, interval=task.interval)


def _rate_table(title: str, what: str, rates: Iterable[tuple[str, Rate]]) -> str:
    rows = ((name, _whisker(rate), percent(rate.score), span(rate.interval), str(rate.n)) for name, rate in rates)
    return _section(title, (what, "rate", "95 %", "n"), rows)


def _whisker(rate: Rate) -> str:
    """A dot at the rate, on a line for the interval."""
    marks = [f'<line class="tick" x1="{x}" x2="{x}" y1="0" y2="18"/>' for x in (0, 50, 100)]
    if rate.interval is not None:
        marks.append(_line("", rate.interval))
    if rate.score is not None:
        marks.append(_line("dot", Interval(rate.score, rate.score)))
    return _PLOT.format(f"{percent(rate.score)} {span(rate.interval)}", "".join(marks))


def _line(kind: str, interval: Interval) -> str:
    low, high = (f"{100 * edge:.1f}" for edge in interval)
    return f'<line class="{kind}" x1="{low}" x2="{high}" y1="9" y2="9"/>'


def _latency_table(phases: Mapping[str, Latency]) -> str:
    """A bar to the median and a line to the 90th percentile per phase."""
    longest = max((each.p90 for each in phases.values()), default=0.0) or 1.0
    rows = []
    for name, each in phases.items():
        middle, most = each.p50 / longest, each.p90 / longest
        bar = f'<rect x="0" y="4" height="10" width="{100 * middle:.1f}"/>{_line("", Interval(0, most))}'
        p50, p90 = f"{each.p50:.3g} ms", f"{each.p90:.3g} ms"
        rows.append((name, _PLOT.format(f"{p50}, 90 %: {p90}", bar), p50, p90, str(each.steps)))
    return _section("Time per step", ("phase", "median", "90 %", "steps"), rows)


def _section(title: str, heads: Sequence[str], rows: Iterable[tuple[str, str, str, str, str]]) -> str:
    """A table of a name, a plot and three numbers per row; nothing without rows."""
    body = "".join(
        f'<tr><th scope="row">{escape(name)}</th><td class="plot">{plot}</td>'
        + "".join(f'<td class="number">{number}</td>' for number in numbers)
        + "</tr>"
        for name, plot, *numbers in rows
    )
    first, *others = map(escape, heads)
    head = f'<th scope="col">{first}</th><td></td>'
    head += "".join(f'<th scope="col" class="number">{other}</th>' for other in others)
    table = f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
    return f"<section><h2>{escape(title)}</h2>{table}</section>\n" if body else ""


def _episodes(root: Path, summary: Summary, records: Sequence[EpisodeRecord]) -> Iterator[str]:
    by_task: dict[str, list[EpisodeRecord]] = defaultdict(list)
    for record in records:
        by_task[summary.suite if record.task == record.sample else record.task].append(record)
    for task, found in by_task.items():
        rate = f"{percent(summary.per_task[task].success)} of {len(found)}"
        yield f'<details><summary>{escape(task)}<span class="note">{rate}</span></summary>'
        if found[0].sample is None:
            seeds = sorted(found, key=lambda record: record.seed or 0)
            yield f'<div class="seeds">{"".join(_seed(root, record) for record in seeds)}</div>'
        else:
            yield f'<ol class="answers">{"".join(map(_answer, found))}</ol>'
        yield "</details>\n"


def _seed(root: Path, record: EpisodeRecord) -> str:
    """An episode that acts: its seed, as a link to its report."""
    hint = escape(f"{record.error or record.end or ''}, {record.steps} steps. {record.message}", quote=True)
    shown = f'class="{_tone(record)}" title="{hint}"'
    if not (record.key.folder(root) / REPORT_NAME).is_file():
        return f"<span {shown}>{record.seed}</span>"
    return f'<a {shown} href="{quote(record.task)}/{record.seed}/{REPORT_NAME}">{record.seed}</a>'


def _answer(record: EpisodeRecord) -> str:
    """A recorded screen: its score, its id, and what the model said."""
    score = f"{record.score:.3g}" if record.scored else "error"
    note = " ".join(filter(None, (record.error, record.message)))
    return (
        f'<li><span class="badge {_tone(record)}">{score}</span><span>{escape(str(record.key))}'
        f'<span class="note"> {escape(note)}</span></span><pre>{escape(record.reply)}</pre></li>'
    )


def _tone(record: EpisodeRecord) -> str:
    return "good" if record.success else "bad" if record.scored else "open"


def _terms(terms: Iterable[tuple[str, str]]) -> str:
    return "".join(f"<div><dt>{escape(name)}</dt><dd>{escape(value)}</dd></div>" for name, value in terms)


def _word(value: object) -> str:
    if isinstance(value, list):
        shown = ", ".join(map(str, value[:8]))
        return f"{shown}, ... ({len(value)})" if len(value) > 8 else shown
    return str(value)


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3g}"
