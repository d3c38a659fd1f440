"""Synthetic pages: what MiniWoB++ does not show, such as other words, styles, sizes, and ends of jobs."""

from __future__ import annotations

import html
import random
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from .command_line import DATA, parse_options
from .rendering import Pages, Sheet, add_scripts, labels, open_page, save_shards
from .words import ASKING, ENDINGS, FORWARD, LOADING, NAMES, REQUESTS, name, names, sentence, word

SIZES = ((160, 210), (160, 210), (240, 180), (320, 240), (240, 320), (480, 360))
SHEET_WIDTH, SHEET_HEIGHT = 1600, 1050
COLOURS = (("#06c", "#fff"), ("#eee", "#222"), ("#2a2", "#fff"), ("#c22", "#fff"), ("#fc3", "#000"))
FONTS = ("Arial", "Arial", "Arial", "Liberation Sans", "DejaVu Sans", "Liberation Serif", "sans-serif")
NATIVE_FONTS = ("Arial", "sans-serif", "Liberation Sans", "DejaVu Sans", "Georgia", "monospace", "serif")
GAPS = (" ", " ", " ", "<br>", "<br><br>", "&nbsp; ", "<p></p>")
CLOSE_MARKS = ("×", "✕", "x", "X", "✖")
CLOSERS = ("OK", "OK", "Close", "Close", "×", "×", "Got it", "Dismiss")
"""What closes a dialog."""

Sketch = tuple[str, dict[str, Any]]
"""The HTML of a page to be, and its part of the record."""
Maker = Callable[[random.Random, tuple[int, int]], Sketch]
"""Makes a page of a size."""


def button(rng: random.Random, text: str, style: str = "") -> str:
    """A button: plain, coloured, or a link made to look like one."""
    pick, look = rng.random(), ""
    if pick > 0.5:
        look = _filled(rng) + f"padding:{rng.randint(1, 8)}px {rng.randint(4, 16)}px;"
    if rng.random() < 0.3:
        look += f"font-size:{rng.choice((10, 11, 12, 14, 16))}px;"
    return f'<button style="{look}{style}">{html.escape(text)}</button>'


def _filled(rng: random.Random) -> str:
    fill, ink = rng.choice(COLOURS)
    return f"background:{fill};color:{ink};border:1px solid #888;border-radius:{rng.choice((0, 3, 8))}px;"


def form_page(rng: random.Random, size: tuple[int, int]) -> Sketch:
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
    return "".join(parts), labels("form")


def scatter_page(rng: random.Random, size: tuple[int, int]) -> Sketch:
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
    return "".join(parts), labels("scatter")


def dialog_page(rng: random.Random, size: tuple[int, int]) -> Sketch:
    """A dialog box with a title, a close mark and perhaps buttons."""
    width, height = rng.randint(100, size[0] - 20), rng.randint(60, 120)
    x, y = rng.randint(0, size[0] - width), rng.randint(45, max(46, size[1] - height))
    fill = rng.choice(("#e9e9e9", "#06c", "#ddd", "#fff", "#444"))
    ink = "#fff" if fill in ("#06c", "#444") else "#222"
    close = (
        '<span data-role="close" data-name="Close" style="float:right;border:1px solid #aaa;'
        f"border-radius:3px;padding:0 {rng.randint(2, 5)}px;line-height:14px;color:#444;"
        f'background:#f6f6f6;font-size:12px">{rng.choice(CLOSE_MARKS)}</span>'
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
    return body, labels("dialog")


def wizard_page(rng: random.Random, size: tuple[int, int]) -> Sketch:
    """A page that asks for one click itself."""
    choices = names(rng, rng.randint(2, 5))
    wanted = rng.choice(choices)
    utterance = rng.choice(ASKING).format(wanted)
    gap = rng.choice((" ", "<br>", "<div style='height:6px'></div>", "&nbsp; "))
    buttons = gap.join(button(rng, text) for text in choices)
    heading = f"<h3 style='margin:4px 0'>{rng.choice(('Step', 'Page'))} {rng.randint(1, 9)}</h3>"
    filler = f"<div>{sentence(rng)}</div>" if rng.random() < 0.3 else ""
    asked = f"<p style='margin:6px 0'>{html.escape(utterance)}</p>"
    body = (heading if rng.random() < 0.5 else "") + asked + filler + buttons
    return body, labels("wizard", utterance, wanted=wanted, bare=True)


def done_page(rng: random.Random, size: tuple[int, int]) -> Sketch:
    """A page that says the job is done."""
    style = f"text-align:{rng.choice(('left', 'center'))};margin:{rng.randint(2, 60)}px 4px"
    return _heading(rng, rng.choice(ENDINGS), style) + _filler(rng, 0.4), labels("done", done=True, bare=True)


def buttons_page(rng: random.Random, size: tuple[int, int]) -> Sketch:
    """A page of buttons that asks for nothing, in the browser's own style."""
    return _page(rng, "", _choices(rng, rng.randint(1, 5))), labels("buttons", bare=True)


def asking_page(rng: random.Random, size: tuple[int, int]) -> Sketch:
    """A page that asks for one of its buttons, in the browser's own style."""
    choices = _choices(rng, rng.randint(2, 4))
    wanted = rng.choice(choices)
    utterance = rng.choice(REQUESTS).format(wanted)
    return _page(rng, utterance, choices), labels("wizard", utterance, wanted=wanted, bare=True)


def ending_page(rng: random.Random, size: tuple[int, int]) -> Sketch:
    """A page that says that the job is done, in the browser's own style."""
    return _heading(rng, rng.choice(ENDINGS)) + _filler(rng, 0.25), labels("done", done=True, bare=True)


def loading_page(rng: random.Random, size: tuple[int, int]) -> Sketch:
    """A page that is still loading."""
    return _heading(rng, rng.choice(LOADING)), labels("loading", loading=True, bare=True)


def covered_page(rng: random.Random, size: tuple[int, int]) -> Sketch:
    """A page with a dialog over it."""
    closer = rng.choice(CLOSERS)
    dialog = [closer] if rng.random() < 0.75 or closer == "×" else [closer, "Cancel"]
    below = _page(rng, "", [name for name in _choices(rng, rng.randint(1, 4)) if name not in dialog])
    rng.shuffle(dialog)
    known = {text: "Close" if text == "×" else text for text in dialog}
    body = below + _dialog(rng, size, dialog)
    return body, labels("covered", bare=True, over=list(known.values()), dismiss=known[closer])


def _heading(rng: random.Random, text: str, style: str = "") -> str:
    tag = rng.choice(("h1", "h2", "h3", "p", "div"))
    return f'<{tag} style="{style}">{html.escape(text)}</{tag}>'


def _filler(rng: random.Random, share: float) -> str:
    return f"<p>{sentence(rng)}</p>" if rng.random() < share else ""


def _choices(rng: random.Random, count: int) -> list[str]:
    """Different button names: ordinary words, mostly one that leads on, sometimes made-up ones."""
    first = [rng.choice(FORWARD)] if rng.random() < 0.6 else []
    others = names(rng, count) if rng.random() < 0.25 else rng.sample(NAMES, count)
    found = list(dict.fromkeys(first + others))[:count]
    rng.shuffle(found)
    return found


def _page(rng: random.Random, request: str, choices: list[str]) -> str:
    """A title, a request, filler, perhaps a field, and buttons that look alike."""
    count = rng.randint(1, 14)
    title = rng.choice((f"Page {count}", f"Step {count}", f"Step {count} of {count + rng.randint(0, 9)}", ""))
    parts = [_heading(rng, title or sentence(rng, 2))] if rng.random() < 0.7 else []
    parts += [_heading(rng, request) if rng.random() < 0.3 else f"<p>{html.escape(request)}</p>"] if request else []
    parts.append(_filler(rng, 0.2))
    if rng.random() < 0.15:
        kind = rng.choice(("text", "checkbox"))
        parts.append(f'<label>{sentence(rng, 2)} <input type="{kind}" size="12"></label><br>')
    style = _native_style(rng)
    row = rng.choice(GAPS).join(f'<button style="{style}">{html.escape(text)}</button>' for text in choices)
    parts.append(f"<p>{row}</p>" if rng.random() < 0.2 else row)
    return "".join(parts)


def _native_style(rng: random.Random) -> str:
    """The style of a page's buttons: mostly the browser's own."""
    if rng.random() < 0.6:
        return ""
    style = f"font-size:{rng.choice((12, 14, 16))}px;padding:{rng.randint(1, 8)}px {rng.randint(4, 14)}px;"
    return style + (_filled(rng) if rng.random() < 0.6 else "") + ("margin:3px;" if rng.random() < 0.3 else "")


def _dialog(rng: random.Random, size: tuple[int, int], choices: list[str]) -> str:
    """A box over the page, perhaps with the page behind it dimmed."""
    shade = rng.choice(("", "rgba(0,0,0,.1)", "rgba(0,0,0,.5)", "rgba(0,0,0,.4)"))
    backdrop = f'<div style="position:absolute;inset:0;background:{shade}"></div>' if shade else ""
    width = rng.randint(90, size[0] - 16)
    x, y = rng.randint(4, size[0] - width - 4), rng.randint(4, size[1] - 110)
    style = _native_style(rng)
    row = " ".join(
        f'<button data-role="close" data-name="Close" style="{style}">{rng.choice(CLOSE_MARKS)}</button>'
        if text == "×"
        else f'<button style="{style}">{text}</button>'
        for text in choices
    )
    text, corner = f"<p>{sentence(rng, 5)}</p>", choices == ["×"] or rng.random() < 0.15
    body = f'<div style="text-align:right">{row}</div>{text}' if corner else text + row
    edge = rng.choice(("1px solid #888", "2px solid #000", "1px solid #ccc;box-shadow:0 2px 8px #888", "solid"))
    return backdrop + (
        f'<div style="position:absolute;left:{x}px;top:{y}px;width:{width}px;box-sizing:border-box;'
        f"background:#fff;padding:{rng.choice((6, 8, 12))}px;border:{edge};"
        f'font-size:{rng.choice((13, 16))}px">{body}</div>'
    )


def styled(rng: random.Random, body: str, bare: bool) -> tuple[str, str]:
    """A page's style, and its HTML; unless it is bare, a bar on top asks for something."""
    plain = rng.random() < 0.4
    font = "Arial" if plain else rng.choice(FONTS)
    points = 10 if plain and not bare else rng.choice((10, 11, 12, 13, 14))
    back = "#fff" if plain else rng.choice(("#fff", "#fff", "#f4f4f8", "#eef", "#ffe", "#ddd", "#efe"))
    bar = ""
    if not bare and rng.random() < 0.7:
        fill = "#ff0" if plain else rng.choice(("#ff0", "#cde", "#fff", "#eee"))
        asked = rng.choice(ASKING).format(name(rng)) if rng.random() < 0.6 else sentence(rng)
        bar = f'<div style="background:{fill};height:44px;padding:3px;font-size:10px">{html.escape(asked)}</div>'
    ink, padding = rng.choice(("000", "222", "333")), rng.choice((2, 2, 6, 12))
    style = f"background:{back};font-family:'{font}';font-size:{points}px;color:#{ink}"
    return style, f'{bar}<div style="padding:{padding}px">{body}</div>'


def native(rng: random.Random, body: str, bare: bool) -> tuple[str, str]:
    """A page's style, and its HTML, as a browser lays out a page with little style or none."""
    back = rng.choice(("#eee", "#ffe", "#eef", "#dfd", "#fafafa")) if rng.random() < 0.2 else "#fff"
    style = f"margin:{rng.choice((8, 8, 8, 8, 0, 4, 16))}px;"
    if rng.random() < 0.4:
        style += f"font-family:{rng.choice(NATIVE_FONTS)};"
    if rng.random() < 0.3:
        style += f"font-size:{rng.choice((12, 13, 14, 18))}px;"
    if rng.random() < 0.15:
        style += "text-align:center;"
    if rng.random() < 0.15:
        style += f"color:{rng.choice(('#222', '#333', '#036'))};"
    return f"background:{back}", f'<div style="{style}">{body}</div>'


@dataclass(frozen=True)
class Series:
    """Which pages to make and how often, in which style and sizes."""

    kinds: Mapping[Maker, float]
    style: Callable[[random.Random, str, bool], tuple[str, str]]
    sizes: tuple[tuple[int, int], ...]


MIXED: dict[Maker, float] = {form_page: 0.3, scatter_page: 0.25, dialog_page: 0.15, wizard_page: 0.22, done_page: 0.08}
NATIVE: dict[Maker, float] = {buttons_page: 0.42, asking_page: 0.32, covered_page: 0.14, ending_page: 0.08}
NATIVE[loading_page] = 0.04
SERIES = {"pages": Series(MIXED, styled, SIZES), "native": Series(NATIVE, native, ((160, 210),))}


def synthesize(rounds: int, seed: int, series: Series = SERIES["pages"]) -> Iterator[Pages]:
    """Yield per round one sheet of labelled pages of one size."""
    rng = random.Random(seed)
    with open_page(SHEET_WIDTH, SHEET_HEIGHT) as page:
        for number in range(rounds):
            width, height = size = series.sizes[number % len(series.sizes)]
            sheet = Sheet(SHEET_WIDTH // width, SHEET_HEIGHT // height, width, height)
            makers = rng.choices(list(series.kinds), list(series.kinds.values()), k=len(sheet.places))
            sketches = [make(rng, size) for make in makers]
            page.set_content(sheet.html(series.style(rng, body, "bare" in known["extra"]) for body, known in sketches))
            add_scripts(page)
            yield sheet.read(page, "scanCells", [known for _, known in sketches])


def main() -> None:
    """Write shards of synthetic pages."""
    series = {"choices": sorted(SERIES), "default": "pages"}
    options = parse_options(__doc__, out=DATA, series=series, rounds=300, seed=1)
    pages = synthesize(options.rounds, options.seed, SERIES[options.series])
    save_shards(options.out, options.series, options.seed, pages)


if __name__ == "__main__":
    main()
