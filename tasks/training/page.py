"""A training as one HTML page in the report's design: no script, no network, plots as SVG."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from ..evaluation.page import escape
from ..report.html_page import content_policy, fill, part, write_atomically

TRAINING_PAGE: Final = "training.html"
Row = Mapping[str, float]
_NAMES: Final = {
    "loss": "Loss",
    "reward": "Mean reward of the attempts",
    "preferred": "Share of pairs in which the better reply gained more",
    "margin": "By how much more the better reply gained",
    "divergence": "Divergence from the model before training",
    "norm": "Norm of the gradient",
    "rate": "Learning rate",
    "scale": "Scale of the loss",
}
_SKIPPED: Final = ("step", "skipped")
_SMOOTH: Final = 0.9


@dataclass(frozen=True)
class TrainingFacts:
    """What the page says besides the curves; ``state`` is ``running``, ``stopped`` or ``done``."""

    title: str
    state: str
    steps: int
    facts: Mapping[str, object] = field(default_factory=dict)
    settings: Mapping[str, object] = field(default_factory=dict)
    data: Mapping[str, object] = field(default_factory=dict)


def write_training_page(folder: Path, about: TrainingFacts, history: Sequence[Row]) -> Path:
    """Write the page of a training's folder, from the numbers of its steps."""
    style = part("report.css") + part("evaluation.css") + part("training.css")
    tone = {"done": "good", "running": "open"}.get(about.state, "bad")
    held = [row["held_out"] for row in history if "held_out" in row]
    last = [row["loss"] for row in history if "loss" in row]
    shown = held or last
    best = f"best loss on what is held out; {held[0]:.4g} before training" if held else "loss of the last update"
    values = {
        "policy": content_policy(style, ""),
        "style": style,
        "title": escape(about.title),
        "state": f'<span class="badge {tone}">{about.state.capitalize()}</span> <span>Training</span>',
        "number": f"{min(shown) if held else shown[-1]:.4g}" if shown else "-",
        "denominator": escape(f"{best if shown else 'nothing is known yet'}, {about.steps} steps"),
        "facts": _terms(about.facts),
        "settings": _terms(about.settings),
        "plots": "".join(_plots(history)),
        "data": _table("What was learned from", about.data),
    }
    write_atomically(folder / TRAINING_PAGE, [fill(part("training.html"), values)])
    return folder / TRAINING_PAGE


def _plots(history: Sequence[Row]) -> Iterable[str]:
    """A curve for each number that steps have, with that of held-out items in the same plot."""
    names = dict.fromkeys(name for row in history for name in row if not name.startswith("held_out"))
    for name in names:
        if name in _SKIPPED:
            continue
        key = "held_out" if name == "loss" else f"held_out_{name}"
        yield _plot(_NAMES.get(name, name), _points(history, name), _points(history, key))


def _points(history: Sequence[Row], name: str) -> list[tuple[float, float]]:
    return [(row["step"], row[name]) for row in history if name in row and math.isfinite(row[name])]


def _plot(title: str, curve: list[tuple[float, float]], held: list[tuple[float, float]]) -> str:
    """One curve, thin as it is and thick as a moving average, and dots of what was held out."""
    everything = [*curve, *held]
    if not curve:
        return ""
    right = max(1.0, max(step for step, _ in everything))
    low, high = min(value for _, value in everything), max(value for _, value in everything)
    span = high - low or 1.0

    def place(points: Iterable[tuple[float, float]]) -> str:
        return " ".join(f"{1000 * step / right:.1f},{260 * (1 - (value - low) / span):.1f}" for step, value in points)

    lines = [f'<polyline class="raw" points="{place(curve)}"/>', f'<polyline points="{place(_smoothed(curve))}"/>']
    if held:
        lines.append(f'<polyline class="held" points="{place(held)}"/>')
        spots = (place([each]).split(",") for each in held)
        lines += [f'<line class="dot" x1="{x}" x2="{x}" y1="{y}" y2="{y}"/>' for x, y in spots]
    label = escape(f"{title}: from {curve[0][1]:.4g} to {curve[-1][1]:.4g}")
    picture = f'<svg viewBox="0 0 1000 260" preserveAspectRatio="none" role="img" aria-label="{label}">'
    key = " Thin: each update; thick: their moving average; dots: what is held out." if held else ""
    ends = f"<span>step 0</span><span>{low:.4g} to {high:.4g}</span><span>step {right:.0f}</span>"
    return (
        f'<section><h2>{escape(title)}</h2><p class="key">{label}.{key}</p><div class="curve">{picture}'
        f'{"".join(lines)}</svg><div class="ends">{ends}</div></div></section>\n'
    )


def _smoothed(curve: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    found, mean = [], curve[0][1]
    for step, value in curve:
        mean = _SMOOTH * mean + (1 - _SMOOTH) * value
        found.append((step, mean))
    return found


def _terms(terms: Mapping[str, object]) -> str:
    return "".join(f"<div><dt>{escape(name)}</dt><dd>{escape(str(value))}</dd></div>" for name, value in terms.items())


def _table(title: str, rows: Mapping[str, object]) -> str:
    if not rows:
        return ""
    body = "".join(
        f'<tr><th scope="row">{escape(name)}</th><td class="number">{escape(str(value))}</td></tr>'
        for name, value in rows.items()
    )
    return f"<section><h2>{escape(title)}</h2><table><tbody>{body}</tbody></table></section>\n"
