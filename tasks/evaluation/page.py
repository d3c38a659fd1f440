"""The result of an evaluation as one HTML page: no script, no network, plots as SVG."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from html import escape
from pathlib import Path
from urllib.parse import quote

from ...env.trajectory.trajectory import FILE_NAME
from .console import headline, percent, span
from .folder import write_file
from .records import EpisodeRecord
from .stats import Interval
from .summary import Latency, Summary, TaskSummary

PAGE_NAME = "index.html"
_POLICY = "default-src 'none'; style-src 'unsafe-inline'"
_STYLE = """
:root { color-scheme: light dark; --good: #2f7d4f; --bad: #b3402a; --soft: #8886; }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.4rem; } h2 { font-size: 1.1rem; margin-top: 2rem; }
table { border-collapse: collapse; } td, th { padding: .15rem .8rem .15rem 0; text-align: left; }
td.n { text-align: right; font-variant-numeric: tabular-nums; }
svg text { font: 11px system-ui, sans-serif; fill: currentColor; }
.good { color: var(--good); } .bad { color: var(--bad); } small, .dim { opacity: .7; }
details > a { display: inline-block; margin-right: .7rem; }
"""
_LEFT, _WIDTH, _ROW = 210, 420, 16


def write_page(root: Path, summary: Summary, records: Sequence[EpisodeRecord]) -> Path:
    """Write ``index.html`` into an evaluation's folder.

    Raises:
        TrajectoryError: it cannot be written.
    """
    write_file(root / PAGE_NAME, "".join(_page(summary, records)))
    return root / PAGE_NAME


def _page(summary: Summary, records: Sequence[EpisodeRecord]) -> Iterator[str]:
    title = f"{summary.asked.get('suite')}: {summary.settings.get('policy', summary.asked.get('model'))}"
    yield "<!DOCTYPE html><html lang=en><meta charset=utf-8>"
    yield f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
    yield f"<title>{escape(title)}</title><style>{_STYLE}</style><h1>{escape(title)}</h1>"
    yield f"<p><b>{escape(headline(summary))}</b></p>"
    yield _numbers(summary)
    yield "<h2>Success by task, with Wilson's 95 % intervals</h2>"
    yield task_plot(summary.per_task)
    yield "<h2>Time per step, by phase</h2>"
    yield latency_plot(summary.latency)
    yield "<h2>Episodes</h2><p class=dim>Links lead to the trajectories; "
    yield "<code>saccade view TASK/SEED</code> in this folder makes a report of one.</p>"
    yield from _episodes(summary.per_task, records)
    yield "<h2>Configuration</h2>"
    yield _table([(name, _word(value)) for name, value in {**summary.asked, **summary.settings}.items()])
    yield "</html>\n"


def _numbers(summary: Summary) -> str:
    rows = [
        ("success, errors counted as failures", percent(summary.success_if_errors_fail)),
        ("full reward", percent(summary.full_reward)),
        ("mean raw reward", _number(summary.mean_reward)),
        ("mean steps", _number(summary.steps)),
        *((f"errors: {kind}", str(count)) for kind, count in summary.errors.items()),
        *((f"ended: {reason}", str(count)) for reason, count in summary.ends.items()),
        *((f"{name.replace('_', ' ')} per step", _number(each)) for name, each in summary.per_step.items()),
    ]
    if summary.cost is not None:
        rows += [(f"cost, {name.replace('_', ' ')}", _number(each)) for name, each in summary.cost]
    return _table(rows)


def task_plot(tasks: dict[str, TaskSummary]) -> str:
    """A dot and a whisker per task, the best at the top."""
    shown = [(name, each) for name, each in tasks.items() if each.success is not None]
    shown.sort(key=lambda row: (-(row[1].success or 0.0), row[0]))
    parts = [_axis(len(shown), [(f"{tick} %", tick / 100) for tick in (0, 25, 50, 75, 100)])]
    for number, (name, each) in enumerate(shown):
        y = _ROW * number + 28
        parts.append(f'<text x="{_LEFT - 8}" y="{y + 4}" text-anchor="end">{escape(name)}</text>')
        if each.interval is not None and each.success is not None:
            parts.append(_whisker(each.interval, each.success, y, f"{name} {percent(each.success)}"))
    return _svg(parts, len(shown))


def latency_plot(phases: dict[str, Latency]) -> str:
    """A bar to the median and a line to the 90th percentile per phase."""
    longest = max((each.p90 for each in phases.values()), default=0.0) or 1.0
    parts = [_axis(len(phases), [(f"{longest * share:.3g} ms", share) for share in (0, 0.5, 1)])]
    for number, (name, each) in enumerate(phases.items()):
        y = _ROW * number + 28
        label = f"{name} {each.p50:.3g} ms, 90 %: {each.p90:.3g} ms"
        parts.append(f'<text x="{_LEFT - 8}" y="{y + 4}" text-anchor="end">{escape(name)}</text>')
        parts.append(
            f'<g><title>{escape(label)}</title><rect x="{_LEFT}" y="{y - 5}" height="10" fill="#6b7fc4" '
            f'width="{_WIDTH * each.p50 / longest:.1f}"/><line x1="{_LEFT}" x2="{_x(each.p90 / longest)}" '
            f'y1="{y}" y2="{y}" stroke="#6b7fc4" stroke-width="2"/></g>'
        )
    return _svg(parts, len(phases))


def _whisker(interval: Interval, rate: float, y: int, label: str) -> str:
    low, high = interval
    return (
        f'<g stroke="#6b7fc4" fill="#6b7fc4"><title>{escape(label)} {span(interval)}</title>'
        f'<line x1="{_x(low)}" x2="{_x(high)}" y1="{y}" y2="{y}" stroke-width="2"/>'
        f'<circle cx="{_x(rate)}" cy="{y}" r="4"/></g>'
    )


def _axis(rows: int, ticks: Sequence[tuple[str, float]]) -> str:
    bottom = _ROW * rows + 24
    return "".join(
        f'<line x1="{_x(at)}" x2="{_x(at)}" y1="18" y2="{bottom}" stroke="#8886"/>'
        f'<text x="{_x(at)}" y="12" text-anchor="middle">{escape(label)}</text>'
        for label, at in ticks
    )


def _svg(parts: Iterable[str], rows: int) -> str:
    width, height = _LEFT + _WIDTH + 40, _ROW * rows + 30
    return f'<svg viewBox="0 0 {width} {height}" width="{width}" height="{height}">{"".join(parts)}</svg>'


def _x(share: float) -> str:
    return f"{_LEFT + _WIDTH * share:.1f}"


def _episodes(tasks: dict[str, TaskSummary], records: Sequence[EpisodeRecord]) -> Iterator[str]:
    by_task: dict[str, list[EpisodeRecord]] = {task: [] for task in tasks}
    for record in records:
        by_task[record.task].append(record)
    for task, found in by_task.items():
        if found:
            rate = f"{percent(tasks[task].success)} of {len(found)}"
            yield f"<details><summary>{escape(task)}: {rate}</summary>"
            yield from map(_link, sorted(found, key=lambda record: record.seed))
            yield "</details>\n"


def _link(record: EpisodeRecord) -> str:
    shown = record.error or record.end or ""
    style = "good" if record.success else "bad"
    target = f"{quote(record.task)}/{record.seed}/{FILE_NAME}"
    hint = escape(f"{shown}, {record.steps} steps. {record.message}", quote=True)
    return f'<a class={style} href="{target}" title="{hint}">{record.seed}</a>'


def _table(rows: Iterable[tuple[str, str]]) -> str:
    cells = (f"<tr><td>{escape(name)}</td><td class=n>{escape(value)}</td></tr>" for name, value in rows)
    return f"<table>{''.join(cells)}</table>"


def _word(value: object) -> str:
    if isinstance(value, list):
        shown = ", ".join(map(str, value[:8]))
        return f"{shown}, ... ({len(value)})" if len(value) > 8 else shown
    return str(value)


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3g}"
