"""Synthetic pages in the browser's own style, as plain jobs of many pages show them."""

from __future__ import annotations

import html
import random

from .rendering import PageSketch
from .words import ENDINGS, FORWARD, LOADING, NAMES, REQUESTS, names, sentence

FONTS = ("Arial", "sans-serif", "Liberation Sans", "DejaVu Sans", "Georgia", "monospace", "serif")
COLOURS = (("#06c", "#fff"), ("#2a2", "#fff"), ("#c22", "#fff"), ("#fc3", "#000"), ("#eee", "#222"))
GAPS = (" ", " ", " ", "<br>", "<br><br>", "&nbsp; ", "<p></p>")
# What closes a dialog, and what else it may offer.
CLOSERS = ("OK", "OK", "Close", "Close", "×", "×", "Got it", "Dismiss")


def buttons_page(rng: random.Random, size: tuple[int, int]) -> PageSketch:
    """A page of buttons that asks for nothing."""
    choices = _choices(rng, rng.randint(1, 5))
    return PageSketch(_page(rng, "", choices), "buttons", "", _extra(rng))


def asking_page(rng: random.Random, size: tuple[int, int]) -> PageSketch:
    """A page that asks for one of its buttons."""
    choices = _choices(rng, rng.randint(2, 4))
    wanted = rng.choice(choices)
    utterance = rng.choice(REQUESTS).format(wanted)
    return PageSketch(_page(rng, utterance, choices), "wizard", utterance, _extra(rng) | {"wanted": wanted})


def ending_page(rng: random.Random, size: tuple[int, int]) -> PageSketch:
    """A page that says that the job is done."""
    more = f"<p>{sentence(rng)}</p>" if rng.random() < 0.25 else ""
    return PageSketch(_headed(rng, rng.choice(ENDINGS)) + more, "done", "", _extra(rng) | {"done": True})


def loading_page(rng: random.Random, size: tuple[int, int]) -> PageSketch:
    """A page that says that it is not there yet."""
    return PageSketch(_headed(rng, rng.choice(LOADING)), "loading", "", _extra(rng) | {"loading": True})


def covered_page(rng: random.Random, size: tuple[int, int]) -> PageSketch:
    """A page with a dialog over it."""
    closer = rng.choice(CLOSERS)
    dialog = [closer] if rng.random() < 0.75 or closer == "×" else [closer, "Cancel"]
    below = _page(rng, "", [name for name in _choices(rng, rng.randint(1, 4)) if name not in dialog])
    rng.shuffle(dialog)
    extra = _extra(rng) | {"over": [_known(text) for text in dialog], "dismiss": _known(closer)}
    return PageSketch(below + _dialog(rng, size, dialog), "covered", "", extra)


def look(rng: random.Random) -> str:
    """The style of a page's body: mostly none at all."""
    style = f"margin:{rng.choice((8, 8, 8, 8, 0, 4, 16))}px;"
    if rng.random() < 0.4:
        style += f"font-family:{rng.choice(FONTS)};"
    if rng.random() < 0.3:
        style += f"font-size:{rng.choice((12, 13, 14, 18))}px;"
    if rng.random() < 0.15:
        style += "text-align:center;"
    if rng.random() < 0.15:
        style += f"color:{rng.choice(('#222', '#333', '#036'))};"
    return style


def _extra(rng: random.Random) -> dict[str, bool | str]:
    back = rng.choice(("#eee", "#ffe", "#eef", "#dfd", "#fafafa")) if rng.random() < 0.2 else "#fff"
    return {"bare": True, "native": True, "back": back}


def _known(text: str) -> str:
    """The name by which an element's label calls it."""
    return "Close" if text == "×" else text


def _choices(rng: random.Random, count: int) -> list[str]:
    """Different button names: ordinary words, mostly one that leads on, sometimes made-up ones."""
    first = [rng.choice(FORWARD)] if rng.random() < 0.6 else []
    others = names(rng, count) if rng.random() < 0.25 else rng.sample(NAMES, count)
    found = list(dict.fromkeys(first + others))[:count]
    rng.shuffle(found)
    return found


def _headed(rng: random.Random, text: str) -> str:
    tag = rng.choice(("h1", "h2", "h3", "p", "div"))
    return f"<{tag}>{html.escape(text)}</{tag}>"


def _page(rng: random.Random, request: str, choices: list[str]) -> str:
    """A title, a request, filler, perhaps a field, and buttons that look alike."""
    count = rng.randint(1, 14)
    title = rng.choice((f"Page {count}", f"Step {count}", f"Step {count} of {count + rng.randint(0, 9)}", ""))
    parts = [_headed(rng, title or sentence(rng, 2))] if rng.random() < 0.7 else []
    parts += [_headed(rng, request) if rng.random() < 0.3 else f"<p>{html.escape(request)}</p>"] if request else []
    parts += [f"<p>{sentence(rng)}</p>"] if rng.random() < 0.2 else []
    if rng.random() < 0.15:
        kind = rng.choice(("text", "checkbox"))
        parts.append(f'<label>{sentence(rng, 2)} <input type="{kind}" size="12"></label><br>')
    style = _buttons(rng)
    row = rng.choice(GAPS).join(f'<button style="{style}">{html.escape(text)}</button>' for text in choices)
    parts.append(f"<p>{row}</p>" if rng.random() < 0.2 else row)
    return "".join(parts)


def _buttons(rng: random.Random) -> str:
    """The style of a page's buttons: mostly the browser's own."""
    if rng.random() < 0.6:
        return ""
    fill, ink = rng.choice(COLOURS)
    style = f"font-size:{rng.choice((12, 14, 16))}px;padding:{rng.randint(1, 8)}px {rng.randint(4, 14)}px;"
    if rng.random() < 0.6:
        style += f"background:{fill};color:{ink};border:1px solid #888;border-radius:{rng.choice((0, 3, 8))}px;"
    return style + ("margin:3px;" if rng.random() < 0.3 else "")


def _dialog(rng: random.Random, size: tuple[int, int], choices: list[str]) -> str:
    """A box over the page, perhaps with the page behind it dimmed."""
    shade = rng.choice(("", "rgba(0,0,0,.1)", "rgba(0,0,0,.5)", "rgba(0,0,0,.4)"))
    backdrop = f'<div style="position:absolute;inset:0;background:{shade}"></div>' if shade else ""
    width = rng.randint(90, size[0] - 16)
    x, y = rng.randint(4, size[0] - width - 4), rng.randint(4, size[1] - 110)
    style = _buttons(rng)
    row = " ".join(_closer(rng, text, style) for text in choices)
    text, corner = f"<p>{sentence(rng, 5)}</p>", choices == ["×"] or rng.random() < 0.15
    body = f'<div style="text-align:right">{row}</div>{text}' if corner else text + row
    edge = rng.choice(("1px solid #888", "2px solid #000", "1px solid #ccc;box-shadow:0 2px 8px #888", "solid"))
    return backdrop + (
        f'<div style="position:absolute;left:{x}px;top:{y}px;width:{width}px;box-sizing:border-box;'
        f"background:#fff;padding:{rng.choice((6, 8, 12))}px;border:{edge};"
        f'font-size:{rng.choice((13, 16))}px">'
        f"{body}</div>"
    )


def _closer(rng: random.Random, text: str, style: str) -> str:
    if text != "×":
        return f'<button style="{style}">{text}</button>'
    mark = rng.choice(("×", "✕", "x", "X", "✖"))
    return f'<button data-role="close" data-name="Close" style="{style}">{mark}</button>'
