"""The guard on real pages: what it is told of a target, also where the page would rather hide it, and what it stops."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from saccade.actions.geometry import Point, Size
from saccade.actions.schema import Action, Click, Hotkey, KeyDown, MouseDown, MouseUp, Navigate, Press, Scroll, Type
from saccade.env.browser.chromium import Chromium
from saccade.env.browser.environment import BrowserEnvironment
from saccade.env.browser.options import BrowserOptions
from saccade.env.guard.asking import Answer, Question
from saccade.env.guard.guard import Guard
from saccade.env.guard.intent import ActionIntent, Target
from saccade.env.guard.policy import profile

ROW = "<div style='height:40px;overflow:hidden'>{}</div>"
LIES = """<script>
Document.prototype.elementFromPoint = () => document.body;
Element.prototype.getAttribute = () => 'Search';
Object.defineProperty(HTMLElement.prototype, 'innerText', {get: () => 'Search'});
</script>"""
CLOSED = """<my-box></my-box><script>customElements.define('my-box', class extends HTMLElement {
  constructor() { super(); this.attachShadow({mode: 'closed'}).innerHTML = '<button>Publish</button>'; } });</script>"""


class Asked:
    """Answers questions, and keeps them."""

    def __init__(self, answer: Answer = "no") -> None:
        self.answer: Answer = answer
        self.questions: list[Question] = []
        self.meanwhile: Callable[[], None] = lambda: None

    def __call__(self, question: Question) -> Answer:
        self.questions.append(question)
        self.meanwhile()
        return self.answer


class Guarded:
    """A page in a browser with a guard."""

    def __init__(self, environment: BrowserEnvironment, asked: Asked) -> None:
        self.environment, self.asked = environment, asked

    def intent(self, action: Action) -> ActionIntent:
        assert self.environment._session is not None
        return self.environment._session._scene.intent(action)

    def target(self, row: float, x: float = 20) -> Target:
        (found,) = self.intent(Click(point=Point(x, 40 * row + 15))).targets
        return found

    def do(self, action: Action) -> str | None:
        return self.environment.step(action).error

    def evaluate(self, script: str) -> Any:
        assert self.environment._session is not None
        return self.environment._session.evaluate(script)


@pytest.fixture
def guarded(chromium: Chromium, site: Any, tmp_path: Path) -> Iterator[Callable[..., Guarded]]:
    opened: list[BrowserEnvironment] = []

    def open_(*rows: str, answer: Answer = "no", policy: str = "standard", **options: Any) -> Guarded:
        url = site.page("/guard", "".join(map(ROW.format, rows)))
        asked = Asked(answer)
        guard = Guard(profile(policy), ask=asked)  # type: ignore[arg-type]
        made = BrowserOptions(viewport=Size(400, 400), downloads=tmp_path / "downloads", **options)
        environment = BrowserEnvironment(url, made, guard=guard, chromium=chromium)
        opened.append(environment)
        environment.reset()
        return Guarded(environment, asked)

    yield open_
    for environment in opened:
        environment.close()


def test_what_lies_under_a_point_is_told_whatever_the_page_says(guarded: Callable[..., Guarded], site: Any) -> None:
    other = site.address.replace("127.0.0.1", "localhost")
    site.page("/inner", "<button style='height:30px'>Delete account</button>")
    page = guarded(
        f"<button>Send</button>{LIES}",
        CLOSED,
        f"<iframe src='{other}/inner' style='border:0;height:40px'></iframe>",
        "<iframe sandbox srcdoc='<body style=margin:0><button>Pay now</button>' style='border:0;height:40px'></iframe>",
        "<canvas width=100 height=30></canvas>",
        "<div role=button aria-label='Search' style='height:30px'>Install</div>",
        "<label>Allow<input type=checkbox></label>",
        "<span style='cursor:pointer'><b>Buy</b> now</span>",
        "<div style='height:900px'></div>",
    )
    names = [page.target(row).name for row in range(4)]
    assert names == ["Send", "Publish", "Delete account", "Pay now"]
    assert not page.target(4).known
    assert page.target(5).shown == "Install"
    assert page.target(7).name == "Buy now"
    assert page.target(7).active
    wanted = ["sends", "publishes", "deletes", "pays", "cannot be judged", "installs", "permission", "pays"]
    for row, words in enumerate(wanted):
        error = page.do(Click(point=Point(20, 40 * row + 15)))
        assert error is not None, words
        assert words in error
    assert len(page.asked.questions) == len(wanted)


def test_points_are_those_of_the_window_after_scrolling(guarded: Callable[..., Guarded]) -> None:
    page = guarded("<button>Send</button>", "<div></div>")
    page.evaluate("() => { document.body.insertAdjacentHTML('beforeend', '<div style=\"height:2000px\"></div>"
                  "<my-box></my-box><div style=\"height:350px\"></div>') }")  # fmt: skip
    page.evaluate(f"() => {{ {CLOSED.partition('<script>')[2].partition('</script>')[0]} }}")
    page.do(Scroll(direction="down", amount=100, point=Point(200, 200)))
    box = page.evaluate(
        "() => { const b = document.querySelector('my-box').getBoundingClientRect(); return [b.x, b.y] }"
    )
    (found,) = page.intent(Click(point=Point(box[0] + 10, box[1] + 8))).targets
    assert found.name == "Publish"


def test_what_is_denied_does_not_happen(guarded: Callable[..., Guarded]) -> None:
    page = guarded(
        "<button onclick='window.sent = (window.sent ?? 0) + 1'>Send</button>",
        "<input placeholder=Search>",
        "<form method=post action=/sent><input name=a><button>Submit</button></form>",
    )
    press = (MouseDown(point=Point(20, 15)), MouseUp(point=Point(20, 15)))
    for action in (Click(point=Point(20, 15)), *press):
        page.do(action)
    assert page.evaluate("() => window.sent ?? 0") == 0
    assert page.do(Type(text="blue\n", point=Point(20, 55))) is None
    assert page.evaluate("() => document.querySelector('input').value") == "blue"
    assert page.do(Click(point=Point(20, 95))) is None
    error = page.do(Type(text="hello\n"))
    assert error is not None
    assert "sends" in error
    assert page.evaluate("() => location.pathname") == "/guard"
    assert page.do(Type(text="hello")) is None
    for enter in (Press(key="enter"), KeyDown(key="enter"), Hotkey(keys=("enter",))):
        assert page.do(enter) is not None
    assert page.do(Navigate(url="localhost:1/x")) is not None
    page.asked.answer = "once"
    assert page.do(Click(point=Point(20, 15))) is None
    assert page.evaluate("() => window.sent") == 1


def test_a_button_that_is_swapped_while_a_person_looks_is_asked_about_anew(guarded: Callable[..., Guarded]) -> None:
    page = guarded("<button onclick='window.sent = this.textContent'>Send</button>", answer="once")

    def swap() -> None:
        if len(page.asked.questions) == 1:
            page.evaluate("() => { document.querySelector('button').textContent = 'Pay now'; }")

    page.asked.meanwhile = swap
    assert page.do(Click(point=Point(20, 15))) is None
    assert [question.again for question in page.asked.questions] == [False, True]
    assert "pays" in str(page.asked.questions[1])
    assert page.evaluate("() => window.sent") == "Pay now"


def test_dialogs_and_downloads_are_asked_about(guarded: Callable[..., Guarded], site: Any, tmp_path: Path) -> None:
    site.file("/file.bin", b"x" * 100, "application/octet-stream")
    rows = (
        "<button onclick=\"window.said = confirm('Delete all 3 files?')\">Next</button>",
        "<a href=/file.bin download>File</a>",
        "<button onclick=\"window.said = confirm('Show the next page?')\">More</button>",
    )
    page = guarded(*rows)
    result = page.environment.step(Click(point=Point(20, 15)))
    assert result.notes == ('confirm dialog dismissed, as the guard does not allow it: "Delete all 3 files?"',)
    assert page.evaluate("() => window.said") is False
    result = page.environment.step(Click(point=Point(20, 55)))
    assert any("download refused, as the guard" in note for note in result.notes)
    assert not (tmp_path / "downloads").exists()
    page.environment.step(Click(point=Point(20, 95)))
    assert page.evaluate("() => window.said") is True
    page.asked.answer = "once"
    page.environment.step(Click(point=Point(20, 15)))
    assert page.evaluate("() => window.said") is True
    result = page.environment.step(Click(point=Point(20, 55)))
    assert any("download saved" in note for note in result.notes)


def test_secrets_stay_markers_until_they_are_permitted(guarded: Callable[..., Guarded]) -> None:
    from saccade.env.secrets import Secrets

    page = guarded("<input type=password>", "<input placeholder=Note>")
    page.environment.guard.secrets = Secrets({"password": "hunter2"})
    assert page.do(Type(text="{{password}}", point=Point(20, 15))) is None
    assert page.evaluate("() => document.querySelector('input').value") == "hunter2"
    assert page.do(Type(text="hunter3")) is not None
    assert "hunter2" not in str(page.asked.questions[0].intent)


def test_a_secret_is_typed_where_it_belongs_only(guarded: Callable[..., Guarded], site: Any) -> None:
    from saccade.env.secrets import Secrets

    other = site.address.replace("127.0.0.1", "localhost")
    field = "<input style='height:20px'>"
    site.page("/field", field)
    rows = (
        field,
        f"<iframe src='{other}/field' style='border:0;height:40px'></iframe>",
        f"<iframe sandbox srcdoc=\"<body style=margin:0>{field}\" style='border:0;height:40px'></iframe>",
        "<iframe src=/field style='border:0;height:40px'></iframe>",
    )
    page = guarded(*rows, policy="open")
    guard = page.environment.guard
    guard.secrets = Secrets({"password": "hunter2"})
    typed = Type(text="{{password}}")
    for row, fits in enumerate((True, False, False, True)):
        page.do(Click(point=Point(20, 40 * row + 10)))
        for action in (typed, Type(text="{{password}}", point=Point(20, 40 * row + 10))):
            error = page.do(action)
            assert (error is None) == fits, (row, error)
            assert fits or (error is not None and "where it does not belong" in error)
        assert page.do(Type(text="x")) is None
    guard.policy = guard.policy.model_copy(update={"secrets": {"password": ("localhost:1", "bank.example")}})
    page.do(Click(point=Point(20, 10)))
    assert page.do(typed) is not None
    guard.policy = guard.policy.model_copy(update={"secrets": {"password": (site.address.removeprefix("http://"),)}})
    assert page.do(typed) is None
    page.do(Navigate(url=f"{other}/field"))
    page.do(Click(point=Point(20, 10)))
    assert page.do(typed) is not None
    assert page.evaluate("() => document.querySelector('input').value") == ""
