"""Policies, questions, answers and grants."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest

from places import SOURCE
from saccade.actions.errors import DeniedError, Stopped, UsageError
from saccade.actions.geometry import Point
from saccade.actions.schema import Action, Click, Hotkey, Navigate, Press, Type
from saccade.env.guard.asking import Answer, Question, unattended
from saccade.env.guard.grants import Grants
from saccade.env.guard.guard import Guard
from saccade.env.guard.intent import ActionIntent, Target
from saccade.env.guard.policy import profile, read_guard_policy
from saccade.perception.observation import Region, Screenshot

CLICK = Click(point=Point(50, 50))
SEND = Target(role="button", name="Send", active=True, box=Region(40, 40, 20, 20))


class Stage:
    """A scene whose target and picture a test changes."""

    def __init__(self, target: Target = SEND, address: str = "https://mail.example.org/") -> None:
        self.target, self.address = target, address
        self.pixels = np.full((100, 100, 3), 200, np.uint8)

    def intent(self, action: Action) -> ActionIntent:
        text = action.text if isinstance(action, Type) else ""
        targets = (self.target,)
        return ActionIntent(kind=action.kind, action=action, text=text, targets=targets, address=self.address)

    def picture(self, *, fresh: bool = True) -> Screenshot:
        return Screenshot(self.pixels.copy())


class Answers:
    """Gives answers in order, and keeps the questions."""

    def __init__(self, *answers: Answer) -> None:
        self.left = list(answers)
        self.asked: list[Question] = []

    def __call__(self, question: Question) -> Answer:
        self.asked.append(question)
        return self.left.pop(0)


def test_an_answer_lasts_as_long_as_it_says(tmp_path: Path) -> None:
    grants, stage = Grants(tmp_path / "grants.json"), Stage()
    answers = Answers("once", "no", "run")
    guard = Guard(profile("standard"), ask=answers, grants=grants)
    guard.begin("https://mail.example.org/")
    assert guard.admit(CLICK, stage).spend() == CLICK
    with pytest.raises(DeniedError, match="sends something"):
        guard.admit(CLICK, stage)
    for _ in range(3):
        guard.admit(CLICK, stage)
    assert len(answers.asked) == 3
    assert str(answers.asked[0]) == 'The agent wants to click at "Send" on example.org. This sends something.'
    guard.begin("https://mail.example.org/")  # another run
    guard.ask = answers = Answers("always")
    guard.admit(CLICK, stage)
    later = Guard(profile("standard"), grants=Grants(tmp_path / "grants.json"))
    later.begin("https://mail.example.org/")
    later.admit(CLICK, stage)
    with pytest.raises(DeniedError):  # another consequence
        later.admit(CLICK, Stage(SEND.model_copy(update={"name": "Delete"})))
    later.begin("https://other.example/")
    with pytest.raises(DeniedError):  # another site
        later.admit(CLICK, Stage(address="https://other.example/"))
    (grant,) = grants.all()
    assert (grant.what, grant.place) == ("send", "example.org")
    grants.revoke(grant.id)
    later.begin("https://mail.example.org/")
    with pytest.raises(DeniedError):
        later.admit(CLICK, stage)
    with pytest.raises(UsageError, match="no grant"):
        grants.revoke(grant.id)


def test_a_target_that_changes_is_asked_about_anew() -> None:
    stage = Stage()

    def swap(question: Question) -> Answer:
        asked.append(question)
        if len(asked) == 1:
            stage.pixels[45:55, 45:55] = 0  # while the person looks, something else is drawn there
        return "once"

    asked: list[Question] = []
    guard = Guard(profile("standard"), ask=swap)
    guard.admit(CLICK, stage)
    assert [question.again for question in asked] == [False, True]

    def rename(question: Question) -> Answer:
        asked.append(question)
        stage.target = SEND.model_copy(update={"name": f"Pay {len(asked)}"})
        return "once"

    asked.clear()
    guard.ask = rename
    with pytest.raises(DeniedError, match="kept changing"):
        guard.admit(CLICK, stage)
    assert len(asked) == 3

    def elsewhere(question: Question) -> Answer:
        stage.pixels[0:5, 0:5] = 7  # a clock in the corner
        return "once"

    guard.ask = elsewhere
    guard.admit(CLICK, stage)


def test_the_ring_is_around_the_target() -> None:
    question = Question(Stage().intent(CLICK), profile("standard").rule(Stage().intent(CLICK)), "", Stage().picture())
    seen = Screenshot.from_png(question.png()).pixels
    changed = (seen != 200).any(axis=2)
    assert changed[50 - 22 : 50 + 23, 28:33].any()
    assert not changed[45:56, 45:56].any(), "the target itself can be seen"
    key = Press(key="enter")
    framed = Question(Stage().intent(key), profile("standard").rule(Stage().intent(key)), "", Stage().picture())
    assert (Screenshot.from_png(framed.png()).pixels != 200).any()


def test_nobody_there_means_no_yes_or_the_end() -> None:
    with pytest.raises(DeniedError):
        Guard.of("standard").admit(CLICK, Stage())
    Guard(profile("standard"), ask=unattended("allow")).admit(CLICK, Stage())
    with pytest.raises(Stopped, match="the guard would have asked"):
        Guard(profile("standard"), ask=unattended("exit")).admit(CLICK, Stage())
    with pytest.raises(DeniedError, match="the guard denies it"):
        Guard(profile("strict"), ask=unattended("allow")).admit(CLICK, Stage(SEND.model_copy(update={"name": "Buy"})))


def test_what_the_guard_did_is_told() -> None:
    told: list[tuple[str, dict[str, object]]] = []
    guard = Guard(profile("standard"), ask=Answers("no"))
    guard.log = lambda kind, known: told.append((kind, dict(known)))
    with pytest.raises(DeniedError):
        guard.admit(CLICK, Stage())
    assert [kind for kind, _ in told] == ["intent", "question", "answer", "denied"]
    assert told[0][1]["consequences"] == ["send"]


POLICY = """
profile = "standard"
unknown = "deny"
[consequences]
send = "allow"
[[rules]]
decision = "deny"
domain = "evil.example"
[[rules]]
decision = "allow"
kinds = ["press", "hotkey"]
chord = "Ctrl+Enter"
[[rules]]
decision = "deny"
text = "(?i)iban"
hours = "18:00-08:00"
[[rules]]
decision = "ask"
window = "*bank*"
"""


def test_a_file_says_what_is_allowed(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text(POLICY, encoding="utf-8")
    policy = read_guard_policy(file)
    noon, night = datetime(2026, 1, 1, 12), datetime(2026, 1, 1, 23)

    def decided(action: Action, address: str = "https://a.example/", now: datetime = noon, **more: str) -> str:
        stage = Stage(Target(role="textbox", editable=True) if isinstance(action, Type) else SEND, address)
        return policy.rule(stage.intent(action).model_copy(update=more), (), now).decision

    assert decided(CLICK) == "allow"
    assert decided(CLICK, "https://www.evil.example/") == "deny"
    assert decided(Navigate(url="evil.example")) == "deny"
    assert decided(CLICK, "https://notevil.example/") == "allow"
    assert decided(Hotkey(keys=("ctrl", "enter"))) == "allow"
    assert decided(Type(text="my IBAN"), now=night) == "deny"
    assert decided(Type(text="my IBAN")) == "allow"
    assert decided(CLICK, window="My Bank - Firefox") == "ask"
    assert policy.stated["guard"] != profile("standard").stated["guard"]
    assert profile("open").stated == {}


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("profile = 'lax'", "lax"),
        ("[consequences]\nfly = 'ask'", "fly"),
        ("unknown = 'perhaps'", "unknown"),
        ("[[rules]]\ndecision = 'ask'\nkinds = ['clik']", "clik"),
        ("[[rules]]\ndecision = 'ask'\ntext = '('", "pattern"),
        ("[[rules]]\ndecision = 'ask'\nchord = 'ctrl+foo'", "foo"),
        ("[[rules]]\ndecision = 'ask'\nhours = '8-18'", "08:00"),
        ("[[rules]]\ndecision = 'ask'\ndomian = 'x'", "domian"),
        ("profile = ", "mine.toml"),
    ],
)
def test_a_wrong_file_is_refused(tmp_path: Path, text: str, named: str) -> None:
    (tmp_path / "mine.toml").write_text(text, encoding="utf-8")
    with pytest.raises(UsageError, match=r"mine\.toml") as refused:
        read_guard_policy(tmp_path / "mine.toml")
    assert named in str(refused.value)


def test_a_profile_that_does_not_exist_is_refused() -> None:
    with pytest.raises(UsageError, match="no profile 'lax'"):
        read_guard_policy("lax")


WRITER = """
import sys
from pathlib import Path
from saccade.env.guard.grants import Grants
grants = Grants(Path(sys.argv[1]))
print("ready", flush=True)
number = 0
while True:
    grants.add("send", f"site-{number % 50}.example")
    print(number, flush=True)
    number += 1
    if number % 50 == 0:
        grants.revoke()
        print("revoked", flush=True)
"""


def test_grants_survive_a_kill(tmp_path: Path, scale: int) -> None:
    """Whatever was said to be granted before the kill is, and the file is whole."""
    chance = random.Random(1)
    for number in range(2 * scale):
        file = tmp_path / f"{number}" / "grants.json"
        environment = {**os.environ, "PYTHONPATH": str(SOURCE)}
        writer = subprocess.Popen(
            [sys.executable, "-P", "-c", WRITER, str(file)], stdout=subprocess.PIPE, text=True, env=environment
        )
        assert writer.stdout is not None
        assert writer.stdout.readline() == "ready\n"
        time.sleep(chance.random() * 0.2)
        writer.send_signal(signal.SIGKILL)
        said = writer.communicate()[0].splitlines()
        granted = said[len(said) - said[::-1].index("revoked") :] if "revoked" in said else said
        kept = {grant.place for grant in Grants(file).all()}
        wanted = {f"site-{int(each) % 50}.example" for each in granted}
        assert wanted <= kept or (len(granted) == 50 and not kept), "a grant that was given is lost"
        assert len(kept) <= len(wanted) + 1 or not granted
        Grants(file).add("pay", "later.example")  # the lock of the one that was killed is gone
        assert Grants(file).has("pay", "later.example")


def test_grants_of_two_programs_are_kept(tmp_path: Path) -> None:
    script = "import sys; from pathlib import Path; from saccade.env.guard.grants import Grants\n"
    script += "[Grants(Path(sys.argv[1])).add('send', f'{sys.argv[2]}{n}.example') for n in range(20)]"
    environment = {**os.environ, "PYTHONPATH": str(SOURCE)}
    words = [sys.executable, "-P", "-c", script, str(tmp_path / "g.json")]
    both = [subprocess.Popen([*words, name], env=environment) for name in ("a", "b")]
    assert [each.wait(60) for each in both] == [0, 0]
    assert len(Grants(tmp_path / "g.json").all()) == 40


def test_a_file_that_is_no_file_of_grants_grants_nothing(tmp_path: Path) -> None:
    file = tmp_path / "grants.json"
    file.write_text('{"version": 1, "grants": [{"what": "pay"}]}', encoding="utf-8")
    assert not Grants(file).has("pay", "example.org")
    with pytest.raises(UsageError, match="delete it"):
        Grants(file).all()


def test_secrets_belong_to_windows_that_a_policy_names() -> None:
    from saccade.env.secrets import Secrets

    class Window(Stage):
        def intent(self, action: Action) -> ActionIntent:
            return super().intent(action).model_copy(update={"window": "Vault - KeePass", "program": "keepass"})

    stage, typed = Window(address=""), Type(text="{{pin}}")
    for places, fits in ((("*KeePass*",), True), (("keepass",), True), (("*Firefox*",), False), (None, True)):
        named = {} if places is None else {"pin": places}
        guard = Guard(profile("open").model_copy(update={"secrets": named}))
        guard.secrets = Secrets({"pin": "493817"})
        if fits:
            assert guard.admit(typed, stage).spend() == Type(text="493817")
        else:
            with pytest.raises(DeniedError, match="does not belong"):
                guard.admit(typed, stage)
