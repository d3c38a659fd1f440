"""A policy in someone else's loop keeps what it would keep in ours."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest

from made_runs import start_event
from saccade.actions.errors import UsageError
from saccade.actions.geometry import Size
from saccade.actions.schema import Action, CallUser, Click, Finished, OpenApp, PressHome
from saccade.agent.loop import Agent
from saccade.agent.policy import Context, Prediction, ScriptedPolicy, Turn
from saccade.env.guard.guard import Guard
from saccade.env.registry import make_environment
from saccade.env.trajectory.trajectory import TrajectoryWriter
from saccade.perception.observation import Screenshot
from saccade.tasks.adapters.guest import Guest, refuse_outside, refused

SCREEN = Screenshot(np.zeros((100, 200, 3), np.uint8))
CLICK = "Action: click(start_box='(500,500)')"


class Listening(ScriptedPolicy):
    """Reads from a list, and keeps what it was shown."""

    def __init__(self, *replies: str) -> None:
        super().__init__(replies)
        self.shown: list[Context] = []
        self.starts = 0

    def start(self) -> None:
        self.starts += 1
        super().start()

    def predict(self, context: Context) -> Prediction:
        self.shown.append(context)
        return super().predict(context)


def write(action: Action, size: Size) -> list[str]:
    refuse_outside(action, size)
    if isinstance(action, OpenApp | PressHome):
        raise refused(action)
    return [action.kind]


def said(turns: tuple[Turn, ...] | list[Turn]) -> list[tuple[str, str | None]]:
    return [(turn.reply, turn.feedback) for turn in turns]


def test_turns_are_those_of_our_own_loop(tmp_path: Path) -> None:
    """The same replies on the same screens: both loops show the policy the same."""
    replies = ["no action at all", CLICK, "Action: press_home()", "Action: jump()", CLICK, CLICK]
    ours, theirs = Listening(*replies), Listening(*replies)
    environment = make_environment("memory", guard=Guard.of("open"))
    first = environment.reset(seed=1)
    with TrajectoryWriter(tmp_path / "run", start_event()) as trajectory:
        Agent(ours, environment).run("Do it", first, trajectory)
    guest = Guest(theirs, write, guard=Guard.of("open"))
    guest.start()
    while not (decision := guest.decide("Do it", first.screenshot)).end:
        assert decision.written == ("click",)
    shown = [(context.instruction, said(context.turns)) for context in ours.shown]
    assert len(shown) == len(replies) + 1
    assert [(context.instruction, said(context.turns)) for context in theirs.shown] == shown
    assert [feedback for _, feedback in shown[-1][1]].count(None) == 3
    environment.close()


def test_a_useless_reply_is_told_and_asked_again_at_once() -> None:
    policy = Listening("what?", "Action: open_app(app_name='x')", CLICK)
    guest = Guest(policy, write, guard=Guard.of("open"))
    guest.start()
    decision = guest.decide("Do it", SCREEN)
    assert (decision.raw, decision.written, decision.exhausted) == (CLICK, ("click",), False)
    assert decision.useless == ("what?", "Action: open_app(app_name='x')")
    assert len(decision.usage) == 3
    unreadable, unsupported, done = (turn.feedback for turn in guest.turns)
    assert unreadable is not None
    assert unreadable.startswith("Your reply could not be read: ")
    assert unsupported == "this environment cannot execute open_app"
    assert done is None


@pytest.mark.parametrize("attempts", [1, 3])
def test_useless_replies_are_bounded(attempts: int) -> None:
    policy = Listening(*["what?"] * 9)
    guest = Guest(policy, write, attempts, guard=Guard.of("open"))
    guest.start()
    decision = guest.decide("Do it", SCREEN)
    assert decision.exhausted
    assert (decision.written, decision.end) == ((), None)
    assert len(policy.shown) == len(guest.turns) == attempts
    assert len(decision.useless) == attempts - 1
    with pytest.raises(UsageError, match="at least once"):
        Guest(policy, write, 0, guard=Guard.of("open"))


def test_what_comes_before_a_refused_action_is_done() -> None:
    calls = iter([(Click(point=(1, 1)), OpenApp(name="x"), Click(point=(2, 2)))])

    class Several(ScriptedPolicy):
        def predict(self, context: Context) -> Prediction:
            prediction = super().predict(context)
            reply = type(prediction.reply)("", next(calls))
            return Prediction(reply, prediction.raw)

    guest = Guest(Several([CLICK]), write, guard=Guard.of("open"))
    guest.start()
    decision = guest.decide("Do it", SCREEN)
    assert decision.written == ("click",)
    assert decision.problem == guest.turns[-1].feedback == "this environment cannot execute open_app"


def test_an_error_of_the_harness_is_told_with_the_turn_it_belongs_to() -> None:
    policy = Listening(CLICK, CLICK)
    guest = Guest(policy, write, guard=Guard.of("open"))
    guest.start()
    guest.failed("nothing was done yet")
    guest.decide("Do it", SCREEN)
    guest.failed("TimeoutError: no such button")
    guest.decide("Do it", SCREEN)
    assert said(policy.shown[1].turns) == [(CLICK, "TimeoutError: no such button")]
    guest.start()
    assert (guest.turns, policy.starts) == ((), 2)


@pytest.mark.parametrize(
    ("reply", "end"), [("Action: finished(content='42')", Finished(answer="42")), ("Action: call_user()", CallUser())]
)
def test_the_word_that_ends_an_episode_is_handed_on(reply: str, end: Action) -> None:
    guest = Guest(Listening(reply), write, guard=Guard.of("open"))
    guest.start()
    decision = guest.decide("Do it", SCREEN)
    assert (decision.end, decision.written, decision.exhausted) == (end, (), False)


def test_a_policy_sees_no_times() -> None:
    policy = Listening(CLICK, CLICK)
    guest = Guest(policy, write, clock=itertools.count(5.0).__next__, guard=Guard.of("open"))
    guest.start()
    for _ in range(2):
        guest.decide("Do it", SCREEN)
    assert [set(vars(context)) for context in policy.shown] == [{"instruction", "screenshot", "turns", "feedback"}] * 2
