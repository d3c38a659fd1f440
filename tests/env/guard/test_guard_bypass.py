"""Random actions through every entry, against random policies: what is denied is not done."""

from __future__ import annotations

import inspect
import json
import random
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest

from saccade.actions import schema
from saccade.actions.errors import DeniedError
from saccade.actions.geometry import Point, Size
from saccade.actions.schema import Action, action_adapter
from saccade.agent.policy import ScriptedPolicy
from saccade.env.browser.environment import BrowserEnvironment
from saccade.env.browser.navigation import Navigation
from saccade.env.browser.options import BrowserOptions
from saccade.env.desktop.environment import DesktopEnvironment
from saccade.env.desktop.scene import ScreenScene
from saccade.env.guard.asking import Answer, Question
from saccade.env.guard.guard import Guard, UnknownScene
from saccade.env.guard.intent import CONSEQUENCES, ActionIntent, Decision
from saccade.env.guard.judging import judge
from saccade.env.guard.policy import GuardPolicy, GuardRule, action_kinds
from saccade.env.memory import Button, MemoryEnvironment, MemoryScreen, Rectangle
from saccade.perception.observation import Screenshot
from saccade.tasks.adapters.guest import Guest

KINDS = get_args(get_args(Action)[0])
WORDS = ("Send", "Delete all", "Pay now", "Cancel", "Next", "Search", "Erlauben", "")
TEXTS = ("hello", "rm -rf /\n", "{{password}}", "a\tb\n", "\n", "Größe")
KEYS = ("enter", "a", "delete", "meta", "ctrl", "alt", "f2", "tab", "escape", "space", "v")
PAGE = """<!DOCTYPE html><meta charset=utf-8><body style='margin:0'>
<form method=post action=/sent><input name=text style='height:40px;width:190px'><br>{buttons}</form>
<a href='https://elsewhere.example/'>Elsewhere</a><canvas width=80 height=30></canvas>"""


def random_action(chance: random.Random, size: Size, kinds: tuple[Any, ...] = KINDS) -> Action:
    """One action with random fields."""
    kind = chance.choice(kinds)
    data: dict[str, Any] = {"kind": kind.model_fields["kind"].default}
    for name, field in kind.model_fields.items():
        spot = [chance.randrange(size.width), chance.randrange(size.height)]
        match name:
            case "start" | "end":
                data[name] = spot
            case "point" if field.is_required() or chance.random() < 0.5:
                data[name] = spot
            case "text" | "url" | "name":
                data[name] = chance.choice(TEXTS) if name == "text" else chance.choice(("about:blank", "xterm", "a.de"))
            case "key":
                data[name] = chance.choice(KEYS)
            case "keys":
                data[name] = chance.sample(KEYS, chance.randrange(1, 4))
            case "direction":
                data[name] = chance.choice(("up", "down"))
            case "seconds":
                data[name] = 0.01
    action: Action = action_adapter.validate_python(data)
    return action


def random_policy(chance: random.Random) -> GuardPolicy:
    """One that decides at random, by consequences and by rules."""

    def decision() -> Decision:
        return chance.choice(("allow", "ask", "deny"))

    rules = [
        GuardRule(decision=decision(), kinds=tuple(chance.sample(action_kinds(), 2)))
        for _ in range(chance.randrange(4))
    ]
    rules += [GuardRule(decision=decision(), text=chance.choice(("hello", "rm")))] if chance.random() < 0.5 else []
    return GuardPolicy(
        name="standard",
        consequences={each: decision() for each in CONSEQUENCES},
        unknown=decision(),
        rules=tuple(rules),
    )


class Watched:
    """A guard whose every permit and denial is counted beside it, with answers drawn at random.

    Attributes:
        answers: what was answered so far.
        denied: how often something was denied.
    """

    def __init__(self, policy: GuardPolicy, chance: random.Random) -> None:
        self.answers: list[Answer] = []
        self.denied = 0

        def ask(question: Question) -> Answer:
            self.answers.append(chance.choice(("once", "run", "no")))
            return self.answers[-1]

        self.guard = Guard(policy, ask=ask)
        self.guard.log = self._note

    def _note(self, kind: str, known: Any) -> None:
        if kind == "denied":
            self.denied += 1
        json.dumps(dict(known))  # what is noted can be written


class CountingDevice:
    """Mouse and keyboard that do nothing but count."""

    def __init__(self) -> None:
        self.events = 0
        self.held: tuple[str, ...] = ()
        self.keyboard = self
        self.position = Point(0.0, 0.0)

    def __getattr__(self, name: str) -> Callable[..., None]:
        def count(*_: object, **__: object) -> None:
            self.events += name not in ("release_all", "close", "retire")

        return count


def checked(watched: Watched, error: str | None, done: int, action: Action) -> None:
    """What was denied was not done."""
    refused = error is not None and error.startswith("not done:")
    assert not (refused and done), f"{action} was denied ({error}) and done"


def test_no_device_sees_what_is_denied(scale: int) -> None:
    """Devices of screens: through the seam that ``act``, desktops and OSWorld share."""
    from saccade.env.input import perform

    chance, denials, permits = random.Random(1), 0, 0
    for _ in range(100 * scale):
        device, watched = CountingDevice(), Watched(random_policy(chance), chance)
        scene = ScreenScene(None, device, lambda: Screenshot(np.zeros((100, 100, 3), np.uint8)))
        for _ in range(chance.randrange(1, 8)):
            action = random_action(chance, Size(100, 100))
            before, asked = device.events, len(watched.answers)
            ruling = watched.guard._ruling(scene.intent(action))
            try:
                perform(device, watched.guard.admit(action, scene), lambda point: point)
            except DeniedError:
                denials += 1
                assert device.events == before
                assert ruling.decision == "deny" or watched.answers[asked:] == ["no"]
            else:
                permits += 1
                assert ruling.decision == "allow" or (ruling.decision == "ask" and watched.answers[asked] != "no")
    assert min(denials, permits) > 50


def test_memory_does_nothing_that_is_denied(scale: int) -> None:
    chance, refused = random.Random(2), 0
    for _ in range(60 * scale):
        spots = [Rectangle(20, 20 + 30 * n, 150, 45 + 30 * n) for n in range(4)]
        buttons = tuple(Button(word, box, to="two") for word, box in zip(chance.sample(WORDS, 4), spots, strict=True))
        screens = {"one": MemoryScreen("One", buttons, Rectangle(200, 20, 300, 60)), "two": MemoryScreen("Two")}
        watched = Watched(random_policy(chance), chance)
        world = MemoryEnvironment(screens, "one", guard=watched.guard, instruction="Go.")
        world.reset()
        for _ in range(5):
            action = random_action(chance, Size(320, 240))
            before = (world.screen, world.text)
            error = world.step(action).error
            if error is not None and error.startswith("not done:"):
                refused += 1
                assert (world.screen, world.text) == before
    assert refused > 30


class CountingPages:
    """Counts what reaches the mouse, the keyboard and the address bar of a browser profile."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.events = 0
        from saccade.env.browser.input import PageInput
        from saccade.env.browser.keyboard import Keyboard

        for owner, names in (
            (PageInput, ("click", "move", "down", "up", "drag", "long_press", "scroll")),
            (Keyboard, ("down", "up", "chord", "type")),
            (Navigation, ("_open_address", "back")),
        ):
            for name in names:
                self._count(monkeypatch, owner, name)

    def _count(self, monkeypatch: pytest.MonkeyPatch, owner: type, name: str) -> None:
        original = getattr(owner, name)

        def counted(device: Any, *given: Any, **named: Any) -> Any:
            self.events += 1
            return original(device, *given, **named)

        monkeypatch.setattr(owner, name, counted)


def test_no_page_sees_what_is_denied(chromium: Any, site: Any, scale: int, monkeypatch: pytest.MonkeyPatch) -> None:
    chance, refused, done = random.Random(3), 0, 0
    pages = CountingPages(monkeypatch)
    for _ in range(3 * scale):
        buttons = "".join(f"<button style='height:30px'>{word}</button><br>" for word in chance.sample(WORDS, 4))
        address = site.page("/guarded", PAGE.format(buttons=buttons))
        watched = Watched(random_policy(chance), chance)
        options = BrowserOptions(viewport=Size(300, 260))
        with BrowserEnvironment(address, options, guard=watched.guard, chromium=chromium) as world:
            world.reset()
            for _step in range(6):
                action = random_action(chance, Size(300, 260))
                before = pages.events
                error = world.step(action).error
                checked(watched, error, pages.events - before, action)
                refused += error is not None and error.startswith("not done:")
                done += pages.events > before
    assert refused
    assert done


def test_no_desktop_sees_what_is_denied(scale: int, monkeypatch: pytest.MonkeyPatch) -> None:
    from saccade.env.desktop.private_display import PrivateDisplay

    chance, refused, device = random.Random(4), 0, CountingDevice()
    opened: list[str] = []
    with PrivateDisplay(Size(320, 240)) as display:
        for _ in range(2 * scale):
            watched = Watched(random_policy(chance), chance)
            with DesktopEnvironment(display=display.name, guard=watched.guard, device=device) as world:  # type: ignore[arg-type]
                monkeypatch.setattr(world._target, "open_app", lambda permit: opened.append(permit.spend().name))
                world.reset()
                for _ in range(4):
                    action = random_action(chance, Size(320, 240))
                    before = device.events + len(opened)
                    error = world.step(action).error
                    checked(watched, error, device.events + len(opened) - before, action)
                    refused += error is not None and error.startswith("not done:")
    assert refused


def _written(written: list[Action], action: Action, size: Size) -> list[Action]:
    written.append(action)
    return [action]


def test_no_harness_is_given_what_is_denied(scale: int) -> None:
    chance, given, refused = random.Random(5), 0, 0
    for _ in range(30 * scale):
        watched = Watched(random_policy(chance), chance)
        replies = [f"Action: {text}" for text in ("click(start_box='(5,5)')", "type(content='hello')", "wait()")]
        written: list[Action] = []
        write = partial(_written, written)
        guest = Guest(ScriptedPolicy(chance.choices(replies, k=3)), write, guard=watched.guard)
        decision = guest.decide("Go.", Screenshot(np.zeros((50, 50, 3), np.uint8)))
        assert len(written) == len(decision.written)
        refused += watched.denied
        given += len(written)
    assert min(given, refused) > 3


def test_every_kind_of_action_is_judged() -> None:
    """A new kind of action must be named where consequences are judged; until then nobody can tell what it does."""
    source = Path(inspect.getfile(judge)).read_text(encoding="utf-8")
    assert [kind.__name__ for kind in KINDS if f"schema.{kind.__name__}()" not in source] == []

    class Teleport(schema._Action):
        kind: str = "teleport"

    made = ActionIntent.model_construct(kind="teleport", action=Teleport(), targets=())
    assert judge(made).judged is False
    assert Guard.of("standard").policy.rule(made).decision == "ask"


def test_a_permit_is_for_one_action_of_a_guard() -> None:
    from saccade.env.guard.guard import Permit

    with pytest.raises(TypeError, match="only a guard"):
        Permit(schema.Wait(), None)
    scene = UnknownScene(Screenshot(np.zeros((8, 8, 3), np.uint8)))
    permit = Guard.of("open").admit(schema.Press(key="a"), scene)
    assert permit.spend() == schema.Press(key="a")
    with pytest.raises(DeniedError, match="one action"):
        permit.spend()
    typed = Guard.of("open").admit(schema.Type(text="x", point=Point(1, 2)), scene)
    assert [part.spend().kind for part in typed.parts()] == ["click", "type"]
    with pytest.raises(DeniedError):
        typed.parts()
