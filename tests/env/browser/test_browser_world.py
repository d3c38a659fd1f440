"""What pages do on their own, and what happens when they break."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from places import SOURCE
from saccade.actions.errors import EnvironmentFailure, MissingPartError
from saccade.actions.geometry import Point, Size
from saccade.actions.schema import Action, Click, DoubleClick, KeyDown, LongPress, MouseDown, Navigate, Type, Wait
from saccade.env.browser.chromium import PROGRAMS, Chromium, find_browser
from saccade.env.browser.environment import BrowserEnvironment
from saccade.env.browser.miniwob_pages import ALONE
from saccade.env.browser.options import BrowserOptions
from saccade.env.check import check_environment
from saccade.env.guard.guard import Guard
from saccade.perception.observation import Screenshot
from saccade.perception.page_settle import PageLimits

OpenPage = Callable[..., BrowserEnvironment]
WHOLE = "position:absolute;left:0;top:0;width:300px;height:200px"
THERE = Click(point=Point(100, 100))
LOOK = Wait(seconds=0)


def title(environment: BrowserEnvironment) -> object:
    assert environment._session is not None
    return environment._session.evaluate("document.title")


def noted(environment: BrowserEnvironment, action: Action) -> tuple[str, ...]:
    """The notes of an action; a download that a busy machine is late with comes with a later step."""
    result = environment.step(action)
    assert result.error is None
    for _ in range(100):
        if result.notes:
            break
        result = environment.step(LOOK)
    return result.notes


@pytest.mark.parametrize(
    "opener",
    [
        "<a style='{}' target=_blank href=/popup></a>",
        "<div style='{}' onclick=\"window.open('/popup')\"></div>",
        "<div style='{}' onclick=\"window.open('/popup', 'x', 'width=400,height=300')\"></div>",
    ],
    ids=["link", "script", "window"],
)
def test_a_new_tab_comes_to_the_front_and_closing_it_leads_back(open_page: OpenPage, site: object, opener: str) -> None:
    popup = f"<title>popup</title><div style='{WHOLE}' onclick=window.close()>popup</div>"
    site.page("/popup", popup, seconds=0.3)  # type: ignore[attr-defined]
    environment = open_page("<title>opener</title>" + opener.format(WHOLE))
    opened = environment.step(THERE)
    assert opened.observation.url.endswith("/popup")  # type: ignore[union-attr]
    assert title(environment) == "popup"
    closed = environment.step(THERE)
    assert (closed.error, title(environment)) == (None, "opener")
    assert closed.observation.url.endswith("/page")  # type: ignore[union-attr]


@pytest.mark.parametrize("action", [THERE, DoubleClick(point=THERE.point), LongPress(point=THERE.point)])
def test_an_action_may_close_its_tab_before_it_is_over(open_page: OpenPage, site: object, action: Action) -> None:
    popup = f"<title>popup</title><div style='{WHOLE}' onmousedown=window.close()>popup</div>"
    site.page("/popup", popup)  # type: ignore[attr-defined]
    environment = open_page(f"<title>opener</title><a style='{WHOLE}' target=_blank href=/popup></a>")
    environment.step(THERE)
    assert title(environment) == "popup"
    closed = environment.step(action)
    assert (closed.error, title(environment)) == (None, "opener")


DIALOGS = f"""<div style='{WHOLE}' onclick="alert('careful'); document.title =
  confirm('sure?') + ' ' + prompt('name?', 'Ada')"></div>"""


@pytest.mark.parametrize(
    ("rule", "outcome", "with_ada"), [("accept", "true Ada", ' with "Ada"'), ("dismiss", "false null", "")]
)
def test_dialogs_are_answered_by_rule_and_noted(open_page: OpenPage, rule: str, outcome: str, with_ada: str) -> None:
    environment = open_page(DIALOGS, dialogs=rule)
    result = environment.step(THERE)
    assert (result.error, title(environment)) == (None, outcome)
    assert result.notes == (
        'alert dialog accepted: "careful"',
        f'confirm dialog {rule}ed: "sure?"',
        f'prompt dialog {rule}ed{with_ada}: "name?"',
    )
    assert environment.step(LOOK).notes == ()


def test_a_page_that_asks_before_it_is_left_is_left(open_page: OpenPage, site: object) -> None:
    environment = open_page("<input id=q><script>onbeforeunload = e => { e.preventDefault(); }</script>")
    environment.step(Type(text="x", point=Point(30, 10)))
    address = site.page("/next", "<h1>next")  # type: ignore[attr-defined]
    result = environment.step(Navigate(url=address))
    assert (result.error, result.observation.url) == (None, address)
    assert result.notes == ("beforeunload dialog accepted",)


def test_downloads_are_saved_without_overwriting(open_page: OpenPage, site: object, tmp_path: Path) -> None:
    site.file("/data.bin", b"\x00\x01saccade", "application/octet-stream")  # type: ignore[attr-defined]
    folder = tmp_path / "downloads"
    environment = open_page(f"<a style='{WHOLE}' href=/data.bin download='report.bin'></a>", downloads=folder)
    notes = []
    for action in (THERE, THERE, Navigate(url=site.address + "/data.bin")):  # type: ignore[attr-defined]
        notes += noted(environment, action)
    assert notes == [f'download saved: "{name}", 9 bytes' for name in ("report.bin", "report (1).bin", "data.bin")]
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == dict.fromkeys(
        ("report.bin", "report (1).bin", "data.bin"), b"\x00\x01saccade"
    )


def test_downloads_are_refused_where_there_is_no_folder(open_page: OpenPage) -> None:
    environment = open_page(f"<a style='{WHOLE}' href=/data.bin download='report.bin'></a>")
    refused = 'download refused, as there is no downloads folder: "report.bin"'
    assert noted(environment, THERE) == (refused,)


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    path = tmp_path / "secret.html"
    path.write_text("<title>secret</title>secret", encoding="utf-8")
    return path


@pytest.mark.parametrize(
    "way",
    [
        "<a style='{w}' href='{f}'></a>",
        "<div style='{w}' onclick=\"location.href='{f}'\"></div>",
        "<div style='{w}' onclick=\"window.open('{f}')\"></div>",
        "<a style='{w}' href='/leads-to-file'></a>",
        "<iframe style='{w}' src='{f}'></iframe>",
    ],
    ids=["link", "script", "window", "frame-page", "frame"],
)
def test_no_page_gets_to_a_file(open_page: OpenPage, site: object, secret: Path, way: str) -> None:
    site.page("/leads-to-file", f"<meta http-equiv=refresh content='0;{secret.as_uri()}'>")  # type: ignore[attr-defined]
    environment = open_page(way.format(w=WHOLE, f=secret.as_uri()))
    environment.step(THERE)
    result = environment.step(LOOK)
    session = environment._session
    assert session is not None
    assert not str(result.observation.url).startswith("file:")
    assert not [frame.url for frame in session.page.frames if frame.url.startswith("file:")]
    assert not [page.url for page in session.page.context.pages if page.url.startswith("file:")]


def test_files_open_where_they_are_allowed(chromium: Chromium, secret: Path) -> None:
    with BrowserEnvironment(
        secret.as_uri(), BrowserOptions(allow_file=True), chromium=chromium, guard=Guard.of("open")
    ) as environment:
        environment.reset()
        assert title(environment) == "secret"
    with (
        BrowserEnvironment(secret.as_uri(), chromium=chromium, guard=Guard.of("open")) as refusing,
        pytest.raises(EnvironmentFailure, match="allow_file"),
    ):
        refusing.reset()


def test_an_address_nobody_serves_is_named(chromium: Chromium) -> None:
    with BrowserEnvironment("http://127.0.0.1:2", chromium=chromium, guard=Guard.of("open")) as environment:
        with pytest.raises(EnvironmentFailure, match=r"cannot open http://127.0.0.1:2: net::ERR_CONNECTION"):
            environment.reset()
        with pytest.raises(EnvironmentFailure, match="reset before step"):
            environment.step(LOOK)


def test_a_failed_navigation_is_said_to_the_policy(open_page: OpenPage) -> None:
    result = open_page("<h1>here").step(Navigate(url="127.0.0.1:2"))
    assert result.error is not None
    assert "net::ERR_CONNECTION_REFUSED" in result.error


def test_a_slow_link_is_waited_for(open_page: OpenPage, site: object) -> None:
    site.page("/slow", "<title>slow</title><h1>slow", seconds=0.6)  # type: ignore[attr-defined]
    environment = open_page(f"<a style='{WHOLE}' href=/slow></a>")
    assert environment.step(THERE).observation.url.endswith("/slow")  # type: ignore[union-attr]


SETTLES = f"""<body style='margin:0'><div id=box style='{WHOLE};background:#00f' onclick="START"></div>
<script>const done = () => {{ box.style.background = '#0f0'; document.title = 'done'; }}</script>"""


@pytest.mark.parametrize(
    "start",
    [
        "let n = 0; const timer = setInterval(() => { box.style.left = ++n + 'px';"
        " if (n == 20) { clearInterval(timer); done(); } }, 13)",
        "box.animate([{left: 0}, {left: '100px'}], 300).onfinish = done",
        "box.style.transition = 'left .3s'; box.style.left = '90px'; box.ontransitionend = done",
        "fetch('/answer').then(done)",
    ],
    ids=["timer", "animation", "transition", "request"],
)
def test_a_step_ends_when_the_page_has_come_to_rest(open_page: OpenPage, site: object, start: str) -> None:
    site.page("/answer", "", seconds=0.3)  # type: ignore[attr-defined]
    environment = open_page(SETTLES.replace("START", start))
    result = environment.step(THERE)
    assert result.observation.screenshot.pixels[100, 150].tolist() == [0, 255, 0]


def test_a_page_that_rests_while_it_loads_gives_a_first_look(open_page: OpenPage, site: object) -> None:
    site.file("/late", b"late", "text/plain", seconds=0.5)  # type: ignore[attr-defined]
    environment = open_page(f"<button style='{WHOLE}' onclick=\"fetch('/late')\">press</button>")
    looks: list[Screenshot] = []
    begun: list[float] = []
    environment.preview_to(lambda look: begun.append(time.monotonic()) or looks.append(look))
    settled = environment.step(THERE).observation.screenshot
    assert time.monotonic() - begun[0] > 0.3, "while it still loads"
    assert [look.digest for look in looks] == [settled.digest] * 2
    assert looks[1] is settled, "the last look is what the step returns"
    environment.preview_to(None)
    environment.step(THERE)
    assert len(looks) == 2


def test_suggestions_appear_before_the_step_ends(open_page: OpenPage) -> None:
    environment = open_page("<input id=q role=combobox oninput='setTimeout(() => document.title = q.value, 250)'>")
    environment.step(Type(text="par", point=Point(30, 10)))
    assert title(environment) == "par"


def test_a_page_that_never_rests_is_left_at_its_limit(open_page: OpenPage) -> None:
    environment = open_page("<p id=p>0<script>setInterval(() => p.textContent++, 5)</script>")
    begun = time.monotonic()
    result = environment.step(LOOK)
    assert result.error is None
    assert 1.5 < time.monotonic() - begun < 10


def test_a_fresh_profile_for_every_episode(open_page: OpenPage) -> None:
    environment = open_page("<script>document.title = document.cookie; document.cookie = 'seen=1'</script>")
    assert title(environment) == ""
    environment.step(KeyDown(key="shift"))
    environment.step(MouseDown(point=Point(5, 5)))
    environment.reset()
    assert title(environment) == ""


def test_a_browser_that_hangs_is_killed_at_last_and_started_again(site: object) -> None:
    """A page cannot do that to it; the process is stopped from outside."""
    address = site.page("/plain", "<h1>here")  # type: ignore[attr-defined]
    options = BrowserOptions(patience=1.0, limits=PageLimits(navigation=1.0))
    with BrowserEnvironment(address, options, guard=Guard.of("open")) as environment:
        environment.reset()
        os.kill(environment._provider.chromium().process_id(), signal.SIGSTOP)
        with pytest.raises(EnvironmentFailure, match="did not answer for 2 s, so it was killed"):
            environment.step(THERE)
        environment.reset()
        assert environment.step(Click(point=Point(400, 400))).error is None
    environment.close()


def test_the_contract_is_kept(chromium: Chromium, site: object) -> None:
    address = site.page("/contract", "<h1>contract")  # type: ignore[attr-defined]
    environment = BrowserEnvironment(
        address, BrowserOptions(viewport=Size(320, 200)), chromium=chromium, guard=Guard.of("open")
    )
    assert check_environment(environment) == []
    with pytest.raises(EnvironmentFailure, match="closed"):
        environment.reset()


EPISODE = """
import sys
from saccade.actions.schema import Wait
from saccade.env.browser.environment import BrowserEnvironment
from saccade.env.guard.guard import Guard
with BrowserEnvironment("data:text/html,<h1>here", guard=Guard.of("open")) as environment:
    environment.reset()
    print("ready", flush=True)
    if sys.argv[1] == "wait":
        environment.step(Wait(seconds=60))
"""


def processes_with(text: str) -> list[str]:
    """Command lines of running processes that contain a text."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = path.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        found += [line] if text in line else []
    return found


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="reads /proc")
@pytest.mark.parametrize("way", ["return", "interrupt"])
def test_nothing_is_left_behind(tmp_path_factory: pytest.TempPathFactory, way: str) -> None:
    source, tmp_path = SOURCE, tmp_path_factory.mktemp("b")  # short: Chromium's socket lies below it
    program = subprocess.Popen(
        [sys.executable, "-c", EPISODE, "wait" if way == "interrupt" else "return"],
        env={"PYTHONPATH": str(source), "TMPDIR": str(tmp_path), "PATH": "/usr/bin:/bin", "HOME": str(tmp_path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    with program:
        assert program.stdout is not None
        assert program.stdout.readline() == "ready\n"
        if way == "interrupt":
            assert processes_with(str(tmp_path))
            program.send_signal(signal.SIGINT)
        program.wait(30)
    deadline = time.monotonic() + 10
    while processes_with(str(tmp_path)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert processes_with(str(tmp_path)) == []
    assert [path.name for path in tmp_path.iterdir() if "playwright" in path.name] == []


def test_a_browser_is_found_in_order(tmp_path: Path) -> None:
    mine, bundled = tmp_path / "mine", tmp_path / "bundled"
    for path in (mine, bundled):
        path.write_text("", encoding="utf-8")

    def which(name: str) -> str | None:
        return f"/opt/{name}" if name in PROGRAMS[1:] else None

    chosen = {"SACCADE_BROWSER": str(mine)}
    assert find_browser(chosen, str(bundled), which) == mine
    assert find_browser({}, str(bundled), which) == bundled
    assert find_browser({}, str(tmp_path / "absent"), which) == Path(f"/opt/{PROGRAMS[1]}")


def test_a_missing_browser_says_how_to_get_one(tmp_path: Path) -> None:
    with pytest.raises(MissingPartError, match="apt install chromium"):
        find_browser({}, None, lambda _: None)
    with pytest.raises(MissingPartError, match="SACCADE_BROWSER"):
        find_browser({"SACCADE_BROWSER": str(tmp_path / "absent")}, None, lambda _: None)


def test_a_window_needs_a_display(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    with pytest.raises(MissingPartError, match="display"):
        Chromium(headless=False)


def test_a_program_that_is_no_browser_does_not_start() -> None:
    with pytest.raises(EnvironmentFailure, match="does not start"):
        Chromium(executable=Path("/bin/true"))


def test_closing_a_killed_browser_is_quiet() -> None:
    from saccade.env.browser.watchdog import kill

    browser = Chromium(flags=ALONE)
    environment = BrowserEnvironment(chromium=browser, guard=Guard.of("open"))
    environment.reset()
    kill(browser.process_id())
    with pytest.raises(EnvironmentFailure):
        environment.step(LOOK)
    environment.close()
    browser.close()
    browser.close()
    with pytest.raises(EnvironmentFailure, match="closed"):
        browser.new_context()
