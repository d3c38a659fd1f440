"""Synthetic pages: what MiniWoB++ does not show, such as other words, styles, sizes, and ends of jobs."""

from __future__ import annotations

import html
import logging
import random
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, cast

from .command_line import DATA, parse_options
from .native import asking_page, buttons_page, covered_page, ending_page, loading_page, look
from .rendering import SCAN_JS, PageRecord, PageSketch, Picture, open_page, save_shard, screenshot
from .words import ASKING, ENDINGS, name, names, sentence, word

log = logging.getLogger(__name__)

SIZES = ((160, 210), (160, 210), (240, 180), (320, 240), (240, 320), (480, 360))
SHEET_WIDTH, SHEET_HEIGHT = 1600, 1050

COLOURS = (("#06c", "#fff"), ("#eee", "#222"), ("#2a2", "#fff"), ("#c22", "#fff"), ("#fc3", "#000"))
FONTS = ("Arial", "Arial", "Arial", "Liberation Sans", "DejaVu Sans", "Liberation Serif", "sans-serif")

SHEET_JS = (
    SCAN_JS
    + r"""
window.scanAll = () => Array.from(document.querySelectorAll('.cell')).map((cell) => {
  const r = cell.getBoundingClientRect();
  return scanPage(window, {x: r.x, y: r.y, w: r.width, h: r.height, root: cell});
});
"""
)


def button(rng: random.Random, text: str, style: str = "") -> str:
    """A button: plain, coloured, or a link made to look like one."""
    pick, look = rng.random(), ""
    if pick > 0.5:
        fill, ink = rng.choice(COLOURS)
        look = f"background:{fill};color:{ink};border:1px solid #888;border-radius:{rng.choice((0, 3, 8))}px;"
        look += f"padding:{rng.randint(1, 8)}px {rng.randint(4, 16)}px;"
    if rng.random() < 0.3:
        look += f"font-size:{rng.choice((10, 11, 12, 14, 16))}px;"
    return f'<button style="{look}{style}">{html.escape(text)}</button>'


def form_page(rng: random.Random, size: tuple[int, int]) -> PageSketch:
    """A page of text, fields, links and buttons in reading order, as click-button has them."""
    parts: list[str] = []
    for text in names(rng, rng.randint(3, 8)):
        kind = rng.random()
        if kind < 0.2:
            parts.append(f"<div>{sentence(rng)}</div>")
        elif kind < 0.35:
            label = f"<span>{sentence(rng, 3)} </span>" if rng.random() < 0.5 else ""
            parts.append(f'{label}<input type="text" style="width:{rng.randint(40, size[0] - 40)}px"><br>')
        elif kind < 0.5:
            parts.append(f'{word(rng)} <a href="#" onclick="return false">{html.escape(text)}</a> {sentence(rng, 4)} ')
        elif kind < 0.6:
            parts.append(f'<label data-role="checkbox"><input type="checkbox">{html.escape(text)}</label><br>')
        else:
            parts.append(button(rng, text) + rng.choice(("", " ", "<br>")))
    return PageSketch("".join(parts), "form")


def scatter_page(rng: random.Random, size: tuple[int, int]) -> PageSketch:
    """Return buttons and fields anywhere on the page, possibly over one another."""
    parts: list[str] = []
    for text in names(rng, rng.randint(1, 5)):
        x, y = rng.randint(0, size[0] - 70), rng.randint(45, size[1] - 40)
        place = f"position:absolute;left:{x}px;top:{y}px;"
        if rng.random() < 0.2:
            parts.append(f'<input type="text" style="{place}width:{rng.randint(40, 130)}px">')
        else:
            square = f"width:{rng.randint(40, 100)}px;height:{rng.randint(20, 80)}px;" if rng.random() < 0.5 else ""
            parts.append(button(rng, text, place + square))
    return PageSketch("".join(parts), "scatter")


def dialog_page(rng: random.Random, size: tuple[int, int]) -> PageSketch:
    """A dialog box with a title, a close mark and perhaps buttons."""
    width, height = rng.randint(100, size[0] - 20), rng.randint(60, 120)
    x, y = rng.randint(0, size[0] - width), rng.randint(45, max(46, size[1] - height))
    fill = rng.choice(("#e9e9e9", "#06c", "#ddd", "#fff", "#444"))
    ink = "#fff" if fill in ("#06c", "#444") else "#222"
    mark = rng.choice(("×", "✕", "x", "X", "✖"))
    close = (
        '<span data-role="close" data-name="Close" style="float:right;border:1px solid #aaa;'
        f"border-radius:3px;padding:0 {rng.randint(2, 5)}px;line-height:14px;color:#444;"
        f'background:#f6f6f6;font-size:12px">{mark}</span>'
    )
    buttons = " ".join(button(rng, text) for text in names(rng, rng.randint(0, 2)))
    title = sentence(rng, 2) if rng.random() < 0.6 else "&nbsp;"
    body = (
        f'<div style="position:absolute;left:{x}px;top:{y}px;width:{width}px;min-height:{height}px;'
        f'background:#fff;border:1px solid #999;border-radius:{rng.choice((0, 3, 6))}px">'
        f'<div style="background:{fill};color:{ink};margin:2px;padding:2px;height:16px;'
        f'white-space:nowrap;overflow:hidden">{close}{title}</div><p style="margin:6px">{sentence(rng)}</p>'
        f'<div style="text-align:right;margin:4px">{buttons}</div></div>'
    )
    return PageSketch(body, "dialog")


def wizard_page(rng: random.Random, size: tuple[int, int]) -> PageSketch:
    """A page that asks for one click itself."""
    choices = names(rng, rng.randint(2, 5))
    wanted = rng.choice(choices)
    utterance = rng.choice(ASKING).format(wanted)
    buttons = [button(rng, text) for text in choices]
    gap = rng.choice((" ", "<br>", "<div style='height:6px'></div>", "&nbsp; "))
    heading = f"<h3 style='margin:4px 0'>{rng.choice(('Step', 'Page'))} {rng.randint(1, 9)}</h3>"
    ask_it = f"<p style='margin:6px 0'>{html.escape(utterance)}</p>"
    filler = f"<div>{sentence(rng)}</div>" if rng.random() < 0.3 else ""
    body = (heading if rng.random() < 0.5 else "") + ask_it + filler + gap.join(buttons)
    return PageSketch(body, "wizard", utterance, {"wanted": wanted, "bare": True})


def done_page(rng: random.Random, size: tuple[int, int]) -> PageSketch:
    """A page that says the job is done."""
    tag, text = rng.choice(("h1", "h2", "h3", "p", "div")), rng.choice(ENDINGS)
    align = rng.choice(("left", "center"))
    filler = f"<p>{sentence(rng)}</p>" if rng.random() < 0.4 else ""
    body = f'<{tag} style="text-align:{align};margin:{rng.randint(2, 60)}px 4px">{text}</{tag}>{filler}'
    return PageSketch(body, "done", "", {"done": True, "bare": True})


@dataclass(frozen=True)
class Series:
    """Which pages to make, how often, and in which sizes."""

    kinds: Mapping[Callable[[random.Random, tuple[int, int]], PageSketch], float]
    sizes: tuple[tuple[int, int], ...]


SERIES = {
    "pages": Series({form_page: 0.3, scatter_page: 0.25, dialog_page: 0.15, wizard_page: 0.22, done_page: 0.08}, SIZES),
    "native": Series(
        {buttons_page: 0.42, asking_page: 0.32, covered_page: 0.14, ending_page: 0.08, loading_page: 0.04},
        ((160, 210),),
    ),
}


def cell(rng: random.Random, sketch: PageSketch, size: tuple[int, int]) -> str:
    """A page's HTML in a style of its own; unless it is bare, a bar on top asks for something."""
    if sketch.extra.get("native"):
        return native_cell(rng, sketch, size)
    plain = rng.random() < 0.4
    font = "Arial" if plain else rng.choice(FONTS)
    points = 10 if plain and not sketch.extra.get("bare") else rng.choice((10, 11, 12, 13, 14))
    back = "#fff" if plain else rng.choice(("#fff", "#fff", "#f4f4f8", "#eef", "#ffe", "#ddd", "#efe"))
    bar = ""
    if not sketch.extra.get("bare") and rng.random() < 0.7:
        fill = "#ff0" if plain else rng.choice(("#ff0", "#cde", "#fff", "#eee"))
        asked = rng.choice(ASKING).format(name(rng)) if rng.random() < 0.6 else sentence(rng)
        look = f"background:{fill};height:44px;padding:3px;font-size:10px"
        bar = f'<div style="{look}">{html.escape(asked)}</div>'
    ink, padding = rng.choice(("000", "222", "333")), rng.choice((2, 2, 6, 12))
    return (
        f'<div class="cell" style="position:absolute;overflow:clip;width:{size[0]}px;height:{size[1]}px;'
        f"background:{back};font-family:'{font}';font-size:{points}px;color:#{ink};"
        f'left:LEFTpx;top:TOPpx">{bar}<div style="padding:{padding}px">{sketch.body}</div></div>'
    )


def native_cell(rng: random.Random, sketch: PageSketch, size: tuple[int, int]) -> str:
    """A page's HTML as a browser lays it out that is given no style, or little."""
    return (
        f'<div class="cell" style="position:absolute;overflow:clip;width:{size[0]}px;height:{size[1]}px;'
        f'background:{sketch.extra["back"]};left:LEFTpx;top:TOPpx">'
        f'<div style="{look(rng)}">{sketch.body}</div></div>'
    )


def sheet_of(
    rng: random.Random, size: tuple[int, int], series: Series
) -> tuple[str, list[PageSketch], list[tuple[int, int]]]:
    """A sheet's HTML, what its pages are, and where they lie."""
    width, height = size
    places = [
        (x, y) for y in range(0, SHEET_HEIGHT - height + 1, height) for x in range(0, SHEET_WIDTH - width + 1, width)
    ]
    makers = rng.choices(list(series.kinds), list(series.kinds.values()), k=len(places))
    sketches = [make(rng, size) for make in makers]
    cells = [
        cell(rng, sketch, size).replace("LEFT", str(x), 1).replace("TOP", str(y), 1)
        for sketch, (x, y) in zip(sketches, places, strict=True)
    ]
    return f"<!DOCTYPE html><body style='margin:0'>{''.join(cells)}</body>", sketches, places


def synthesize(
    rounds: int, seed: int, series: Series = SERIES["pages"]
) -> Iterator[tuple[tuple[int, int], list[Picture], list[PageRecord]]]:
    """Yield per round one sheet of labelled pages of one size."""
    rng = random.Random(seed)
    with open_page(SHEET_WIDTH, SHEET_HEIGHT) as page:
        for number in range(rounds):
            width, height = series.sizes[number % len(series.sizes)]
            content, sketches, places = sheet_of(rng, (width, height), series)
            page.set_content(content)
            page.add_script_tag(content=SHEET_JS)
            found = cast("list[dict[str, Any]]", page.evaluate("scanAll()"))
            records = [
                cast("PageRecord", labels | sketch.labels) for sketch, labels in zip(sketches, found, strict=True)
            ]
            sheet = screenshot(page)
            yield (width, height), [sheet[y : y + height, x : x + width] for x, y in places], records


def main() -> None:
    """Write shards of synthetic pages, one series per size."""
    series = {"choices": sorted(SERIES), "default": "pages"}
    options = parse_options(__doc__, out=DATA, series=series, rounds=300, seed=1)
    drawn: dict[tuple[int, int], tuple[list[Picture], list[PageRecord]]] = {}
    for size, new_pictures, new_records in synthesize(options.rounds, options.seed, SERIES[options.series]):
        pictures, records = drawn.setdefault(size, ([], []))
        pictures += new_pictures
        records += new_records
    for (width, height), (pictures, records) in drawn.items():
        save_shard(options.out, f"{options.series}-{width}x{height}-{options.seed}", pictures, records)
        log.info("%d pages of %dx%d", len(records), width, height)


if __name__ == "__main__":
    main()
