"""The screenshot after a step shows the finished picture, also of what the document itself does not tell."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from saccade.actions.geometry import Point, Size
from saccade.actions.schema import Click, Navigate, Wait
from saccade.env.browser.chromium import Chromium
from saccade.env.browser.environment import BrowserEnvironment
from saccade.env.browser.options import BrowserOptions
from saccade.env.guard.guard import Guard
from saccade.perception.observation import Screenshot
from saccade.perception.page_settle import PageLimits

BUTTON = "<button style='position:absolute;left:0;top:0;width:100px;height:60px'>Go</button>"
PRESS = Click(point=Point(50, 30))
FADES = f"""<style>p {{ position:absolute;left:0;top:60px;width:100px;height:60px;margin:0;background:#06c;opacity:0;
transition:opacity .5s linear }} p.on {{ opacity:1 }}</style>{BUTTON}<p></p>"""
COUNTS = f"{BUTTON}<p style='position:absolute;left:0;top:60px;font:60px sans-serif;margin:0'>0</p>"
FADE = "root.querySelector('button').onclick = () => root.querySelector('p').classList.add('on');"
COUNT = """let n = 0
const next = () => { root.querySelector('p').textContent = ++n; if (n < 30) setTimeout(next, 16) }
root.querySelector('button').onclick = next;"""
DRAW = """let n = 0; const c = document.querySelector('canvas').getContext('2d');
const next = () => { c.fillStyle = '#06c'; c.fillRect(0, 0, 5 * n, 80); if (n++ < 30) setTimeout(next, 16) };
document.querySelector('button').onclick = next;"""
CANVAS = "<canvas width=200 height=80 style='position:absolute;left:0;top:60px'></canvas>"
PDF = b"""%PDF-1.4
1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj
2 0 obj<</Type/Pages/Kids[3 0 R]/Count 1>>endobj
3 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 300 300]/Contents 4 0 R/Resources<<>>>>endobj
4 0 obj<</Length 35>>stream
0 0.4 0.8 rg 50 50 200 200 re f % 4
endstream endobj
trailer<</Root 1 0 R>>
%%EOF"""


def shadow(mode: str, inside: str, script: str) -> str:
    return (
        f"<x-box></x-box><script>customElements.define('x-box', class extends HTMLElement {{ connectedCallback() {{"
        f" const root = this.attachShadow({{mode: '{mode}'}}); root.innerHTML = `{inside}`; {script} }} }});</script>"
    )


@pytest.fixture(scope="module")
def browser(chromium: Chromium) -> Iterator[BrowserEnvironment]:
    with BrowserEnvironment(
        options=BrowserOptions(viewport=Size(400, 300)), chromium=chromium, guard=Guard.of("open")
    ) as environment:
        environment.reset()
        yield environment


@pytest.fixture
def goes(browser: BrowserEnvironment, site: Any) -> Callable[[str], tuple[Screenshot, Screenshot]]:
    """The screenshots after a press of the button, and a second later."""

    def goes_(html: str) -> tuple[Screenshot, Screenshot]:
        browser.step(Navigate(url=site.page("/picture", html)))
        then = browser.step(PRESS).observation.screenshot
        return then, browser.step(Wait(seconds=0.8)).observation.screenshot

    return goes_


def framed(address: str) -> str:
    return f"<iframe src={address} style='position:absolute;left:0;top:0;border:0;width:200px;height:200px'></iframe>"


@pytest.mark.parametrize(
    "html",
    [
        shadow("open", FADES, FADE),
        shadow("open", COUNTS, COUNT),
        shadow("closed", FADES, FADE),
        f"{BUTTON}{CANVAS}<script>{DRAW}</script>",
        framed("/inner"),
        framed("//localhost:PORT/inner"),
    ],
    ids=["shadow-animation", "shadow-script", "closed-shadow", "canvas", "frame", "frame-of-another-origin"],
)
def test_the_screenshot_shows_the_finished_picture(goes: Any, site: Any, html: str) -> None:
    site.page("/inner", FADES + f"<script>const root = document; {FADE}</script>")
    then, later = goes(html.replace("PORT", site.address.rpartition(":")[2]))
    assert then.digest == later.digest
    assert (then.pixels[90, 20:60] != 255).any()


def test_a_pdf_is_read_before_it_is_shown(goes: Any, site: Any) -> None:
    site.file("/blue.pdf", PDF, "application/pdf")
    then, _ = goes(f"<a href=/blue.pdf>{BUTTON}</a>")
    assert (then.pixels == (0, 102, 204)).all(axis=2).sum() > 1000


def test_endless_motion_is_waited_for_once_and_then_looked_past(browser: BrowserEnvironment, site: Any) -> None:
    endless = """<canvas id=e width=80 height=60 style='position:absolute;left:300px;top:0'></canvas><script>{
    let n = 0; const c = document.querySelector('#e').getContext('2d');
    setInterval(() => { c.fillStyle = `hsl(${n++ * 9} 90% 50%)`; c.fillRect(0, 0, 80, 60) }, 30) }</script>"""
    browser.step(Navigate(url=site.page("/picture", f"{CANVAS}{BUTTON}{endless}<script>{DRAW}</script>")))
    begun = time.monotonic()
    then = browser.step(PRESS).observation.screenshot
    assert time.monotonic() - begun < PageLimits().motion + 2
    assert (then.pixels[100, 140] == (0, 102, 204)).all()
    still = [browser.step(Wait(seconds=0)).observation.timings["settle"] for _ in range(3)]
    assert min(still) < PageLimits().motion / 2


def test_a_quiet_page_is_asked_for_its_picture_and_for_popups_once(
    browser: BrowserEnvironment, site: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each question to the browser takes a step longer, however quiet the page is."""
    browser.step(Navigate(url=site.page("/picture", BUTTON)))
    browser.step(PRESS)
    assert browser._session is not None
    devtools = browser._session._tabs.front.devtools
    asked: list[str] = []
    send = devtools.send

    def counted(method: str, params: dict[str, Any] | None = None) -> dict[str, Any]:
        asked.append(method)
        return send(method, params)

    monkeypatch.setattr(devtools, "send", counted)
    browser.step(PRESS)
    assert asked == ["Page.captureScreenshot", "Runtime.evaluate"]


def test_a_font_that_never_loads_is_waited_for_once(chromium: Chromium, site: Any) -> None:
    site.file("/never.woff2", b"", "font/woff2", seconds=8.0)
    font = "<style>@font-face { font-family: X; src: url(/never.woff2) } body { font-family: X, sans-serif }</style>"
    address = site.page("/font", f"{font}<h1>Hello</h1>{BUTTON}")
    limits = PageLimits(motion=0.5, network=0.5, navigation=20.0)
    with BrowserEnvironment(
        address, BrowserOptions(limits=limits), chromium=chromium, guard=Guard.of("open")
    ) as environment:
        begun = time.monotonic()
        environment.reset()
        assert time.monotonic() - begun < 6
        assert environment.step(PRESS).observation.timings["settle"] < 0.4
