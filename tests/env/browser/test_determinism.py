"""A page recorded with its network, and repeated without a server."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from saccade.actions.geometry import Point, Size
from saccade.actions.schema import Click
from saccade.env.browser.chromium import Chromium
from saccade.env.browser.determinism import HAR_NAME, DeterminismSettings
from saccade.env.browser.environment import BrowserEnvironment
from saccade.env.browser.options import BrowserOptions
from saccade.env.guard.guard import Guard
from saccade.perception.observation import Observation

NOW = 1_700_000_000.0
PAGE = """
<button style='position:absolute;left:0;top:0;width:200px;height:60px' onclick="load()">load</button>
<pre id=out style='margin-top:80px;font-size:20px'></pre><script src='/code.js'></script>
<script>
const out = document.getElementById('out');
const say = text => { out.textContent += text + '\\n'; };
say(new Date().toISOString() + ' ' + Math.random().toFixed(6) + ' ' + Math.random().toFixed(6));
const load = () => fetch('/data').then(answer => answer.text()).then(say, () => say('no server'));
</script>
"""
LOAD = Click(point=Point(100, 30))
Visit = Callable[..., list[Observation]]


@pytest.fixture
def visit(chromium: Chromium, site: object) -> Visit:
    def go(determinism: DeterminismSettings | None, url: str) -> list[Observation]:
        options = BrowserOptions(viewport=Size(400, 200), determinism=determinism)
        with BrowserEnvironment(url, options, chromium=chromium, guard=Guard.of("open")) as world:
            return [world.reset(), world.step(LOAD).observation]

    return go


def test_the_second_time_nobody_is_asked_and_all_is_as_before(visit: Visit, site: object, tmp_path: Path) -> None:
    url = site.page("/rehearsed", PAGE)  # type: ignore[attr-defined]
    site.file("/data", b"what the server says", "text/plain")  # type: ignore[attr-defined]
    site.file("/code.js", b"document.title = 'coded'", "text/javascript")  # type: ignore[attr-defined]
    har = tmp_path / HAR_NAME
    first = visit(DeterminismSettings(har, recorded=False, now=NOW, seed=5), url)
    assert har.is_file()
    site.asked.clear()  # type: ignore[attr-defined]
    site.file("/data", b"something else now", "text/plain")  # type: ignore[attr-defined]
    again = visit(DeterminismSettings(har, recorded=True, now=NOW, seed=5), url)
    assert site.asked == []  # type: ignore[attr-defined]
    digests = [[look.screenshot.digest for look in looks] for looks in (first, again)]
    assert digests[0] == digests[1]
    assert digests[0][0] != digests[0][1], "the answer of the server is on the screen"
    other = visit(DeterminismSettings(har, recorded=True, now=NOW, seed=6), url)
    assert other[0].screenshot.digest != first[0].screenshot.digest, "another seed, other dice"


def test_what_was_not_recorded_fails_instead_of_reaching_out(visit: Visit, site: object, tmp_path: Path) -> None:
    quiet = PAGE.replace("onclick", "data-onclick")
    url = site.page("/quiet", quiet)  # type: ignore[attr-defined]
    har = tmp_path / HAR_NAME
    visit(DeterminismSettings(har, recorded=False, now=NOW), url)
    site.page("/quiet", PAGE)  # type: ignore[attr-defined]
    text = har.read_text(encoding="utf-8")
    har.write_text(text.replace("data-onclick", "onclick"), encoding="utf-8")
    site.asked.clear()  # type: ignore[attr-defined]
    visit(DeterminismSettings(har, recorded=True, now=NOW), url)
    assert site.asked == []  # type: ignore[attr-defined]
