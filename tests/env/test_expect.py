"""What must hold at the end: read, refused, and checked on real pages and windows."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from saccade.actions.errors import UsageError
from saccade.actions.geometry import Point, Size
from saccade.actions.schema import Click, Type, Wait
from saccade.env.base import SupportsVerdict
from saccade.env.browser.environment import BrowserEnvironment
from saccade.env.desktop.environment import DesktopEnvironment
from saccade.env.expect import Expecting, SupportsEvidence, parse_expectations
from saccade.env.guard.guard import Guard
from saccade.env.memory import demo
from saccade.env.places import EVIDENCE

PAGE = """<title>Shop — Order 7</title><h1>Order
   <b>pla</b>ced</h1><p style="text-transform: uppercase">thank you</p>
<input value="Ada"><input type=password value="hunter2"><textarea>By the door</textarea>
<select><option>Lisbon</option><option selected>Paris</option></select>
<p hidden>not shown</p><p style="visibility: hidden">nor this</p><script>"nor a script"</script>
<div id=host></div><iframe srcdoc="<p>inside a frame</p>"></iframe>
<iframe style="display: none" srcdoc="<p>in a hidden frame</p>"></iframe>
<script>host.attachShadow({mode: "open"}).innerHTML = "<p>in a shadow</p><slot></slot>"</script>
<script>host.append("slotted")</script>
"""


def verdict_of(environment: object, *expected: str) -> tuple[bool, str]:
    judging = Expecting(environment, parse_expectations(expected))  # type: ignore[arg-type]
    assert isinstance(judging, SupportsVerdict)
    verdict = judging.judge(None)
    assert verdict.reward == float(verdict.success)
    return verdict.success, verdict.reason


@pytest.mark.parametrize(
    "text", ["", "Order placed", "text=", "text=  ", "=x", "Text=x", "texts=x", "file=a\0b", "html=x"]
)
def test_a_malformed_one_is_refused_with_the_kinds_that_there_are(text: str) -> None:
    with pytest.raises(UsageError, match=r"expect \(--expect\) takes text=…, url=…, title=…, file=…, not "):
        parse_expectations([text])


def test_what_an_environment_cannot_tell_is_refused() -> None:
    with pytest.raises(UsageError, match=r"url=x \(--expect\) cannot be checked .* it knows text=…, title=…, file=…"):
        Expecting(demo(guard=Guard.of("open")), parse_expectations(["title=x", "url=x"]), "memory")


@pytest.mark.parametrize(
    ("expected", "holds"),
    [
        *(("text=order placed", True), ("text=THANK YOU Ada", True), ("text=thank\tyou", True), ("text=Paris", True)),
        *(("text=By the door", True), ("text=in a shadow", True), ("text=slotted", True), ("text=a frame", True)),
        *(("text=hunter2", False), ("text=Lisbon", False), ("text=not shown", False), ("text=nor", False)),
        *(("text=hidden frame", False), ("text=placedthank", False), ("text=Order * placed", False)),
        *(("title=Shop — Order 7", True), ("title=*order*", True), ("title=Order", False), ("title=*8", False)),
        *(("url=*/page", True), ("url=http://*/page", True), ("url=*/PAGE", False), ("url=/page", False)),
        *(("url=*p*a*g*e", True), ("url=*page*page", False)),
    ],
)
def test_a_page_is_read_as_a_person_reads_it(
    open_page: Callable[..., BrowserEnvironment], expected: str, holds: bool
) -> None:
    environment = open_page(PAGE)
    reason = f"{'met' if holds else 'not met'}: {expected}"
    assert verdict_of(environment, expected) == (holds, reason)


def test_all_must_hold_and_those_that_do_not_are_named(
    open_page: Callable[..., BrowserEnvironment], tmp_path: Path
) -> None:
    environment = open_page("<title>A</title>done")
    there, missing = tmp_path, tmp_path / "invoice.pdf"
    assert verdict_of(environment, "text=done", "title=A", f"file={there}") == (
        True,
        f"met: text=done; title=A; file={there}",
    )
    assert verdict_of(environment, "text=done", "title=B", f"file={missing}") == (
        False,
        f"not met: title=B; file={missing}",
    )
    missing.touch()
    assert verdict_of(environment, f"file={missing}") == (True, f"met: file={missing}")


def test_a_page_nested_beyond_reason_and_hostile_patterns_cost_little(
    open_page: Callable[..., BrowserEnvironment],
) -> None:
    deep = "<script>let at = document.body; for (let i = 0; i < 1000; i++) at = at.appendChild(document.createElement("
    environment = open_page(deep + "'b')); at.append('at the bottom');</script>")
    started = time.process_time()
    assert verdict_of(environment, "text=at the bottom", "title=" + "*a" * 1000)[1].startswith("not met: title=*a*a")
    assert time.process_time() - started < 2


def test_where_the_environment_judges_too_both_must_agree() -> None:
    judging = Expecting(demo(guard=Guard.of("open")), parse_expectations(["title=Saved."]))
    judging.reset(0)
    judging.step(Wait())
    assert judging.judge(None) == (0.0, False, "the environment gave no reward; not met: title=Saved.")
    judging.step(Click(point=Point(80, 60)))
    judging.step(Type(text="Ada"))
    judging.step(Click(point=Point(80, 170)))
    assert judging.judge(None) == (0.0, True, "met: title=Saved."), "its reward has been given at the step"


def test_on_a_desktop_any_window_has_the_title(tmp_path: Path) -> None:
    (tmp_path / "Grüße.txt").touch()
    with DesktopEnvironment(
        ["mousepad", str(tmp_path / "Grüße.txt")], size=Size(800, 600), guard=Guard.of("open")
    ) as desktop:
        desktop.reset()
        assert desktop.evidence_kinds == EVIDENCE["desktop"]
        assert verdict_of(desktop, "title=*Grüße.txt - Mousepad")[0]
        assert verdict_of(desktop, "title=*Paint*") == (False, "not met: title=*Paint*")
        with pytest.raises(UsageError, match="text=x"):
            Expecting(desktop, parse_expectations(["text=x"]))


def test_what_is_said_of_each_kind_is_what_it_has(open_page: Callable[..., BrowserEnvironment]) -> None:
    environment = open_page("")
    assert isinstance(environment, SupportsEvidence)
    assert environment.evidence_kinds == EVIDENCE["browser"] == EVIDENCE["miniwob"]
    assert demo(guard=Guard.of("open")).evidence_kinds == EVIDENCE["memory"]
