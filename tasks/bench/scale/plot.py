"""A plot of decoding by context length, as SVG."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import Final

from ....env.private_files import private_part, write_private
from .rows import ScaleRow

_WIDTH: Final = 720
_HEIGHT: Final = 320
_LEFT: Final = 64
_RIGHT: Final = 200
_COLOURS: Final = ("#1b6ca8", "#d1495b", "#3a7d44", "#8d5a97", "#b8860b", "#555555", "#e07b39", "#2a9d8f", "#000000")


def write_plot(rows: Sequence[ScaleRow], path: Path) -> Path:
    """Milliseconds per token by cached tokens, a panel per model and a line per way of decoding."""
    decoding = [row for row in rows if row.part == "decode"]
    models = list(dict.fromkeys(row.model for row in decoding))
    panels = [_panel([row for row in decoding if row.model == model], place) for place, model in enumerate(models)]
    height = _HEIGHT * max(len(models), 1)
    svg = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" font-family="sans-serif" '
        f'font-size="11">\n<rect width="{_WIDTH}" height="{height}" fill="white"/>\n{"".join(panels)}</svg>\n'
    )
    with private_part(path) as part:
        write_private(part, svg)
    return path


def _panel(rows: Sequence[ScaleRow], place: int) -> str:
    top = place * _HEIGHT
    widest, slowest = max(row.context for row in rows), max(row.seconds for row in rows)
    inner, height = _WIDTH - _LEFT - _RIGHT, _HEIGHT - 90

    def spot(row: ScaleRow) -> tuple[float, float]:
        across, up = row.context / max(widest, 1), row.seconds / max(slowest, 1e-9)
        return _LEFT + inner * across, top + 40 + height * (1 - up)

    base = top + 40 + height
    parts = [
        f'<text x="{_LEFT}" y="{top + 22}" font-size="14">{escape(rows[0].model)}: ms per token</text>',
        f'<path d="M{_LEFT} {top + 40}V{base}H{_LEFT + inner}" fill="none" stroke="#888"/>',
        f'<text x="{_LEFT - 6}" y="{top + 44}" text-anchor="end">{1000 * slowest:.0f}</text>',
        f'<text x="{_LEFT - 6}" y="{base}" text-anchor="end">0</text>',
    ]
    for context in sorted({row.context for row in rows}):
        x = _LEFT + inner * context / max(widest, 1)
        parts.append(f'<text x="{x:.1f}" y="{base + 16}" text-anchor="middle">{context}</text>')
    for number, name in enumerate(dict.fromkeys(row.name for row in rows)):
        colour = _COLOURS[number % len(_COLOURS)]
        spots = [spot(row) for row in rows if row.name == name]
        line = " ".join(f"{x:.1f},{y:.1f}" for x, y in spots)
        dots = "".join(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="2.5" fill="{colour}"/>' for x, y in spots)
        label = f'<text x="{_WIDTH - _RIGHT + 14}" y="{top + 44 + 16 * number}" fill="{colour}">{escape(name)}</text>'
        parts.append(f'<polyline points="{line}" fill="none" stroke="{colour}" stroke-width="1.5"/>{dots}{label}')
    return "\n".join(parts) + "\n"
