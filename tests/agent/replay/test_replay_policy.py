"""Repeating a recording as far as a model agrees: who decides, where the run is, and what is noted.

The model here sees through the pixels of a little program in memory: it knows what the policy alone would do
on each screen, so that a replay can be held against it.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from saccade.actions.dialects import Reply, get_dialect
from saccade.actions.errors import ParseError, TrajectoryError
from saccade.actions.geometry import Point, Size
from saccade.actions.schema import Action, Click, Press, Type, Wait
from saccade.agent.limits import Limits
from saccade.agent.loop import Agent
from saccade.agent.policy import Context, Prediction, UnreadableReply, Usage
from saccade.agent.replay.alignment import Alignment, difference, matched
from saccade.agent.replay.expected import ExpectedReply, Verification, VerifyingPolicy
from saccade.agent.replay.point_tolerance import room_around
from saccade.agent.replay.policy import ReplayPolicy
from saccade.agent.replay.recording import Recording, recording
from saccade.env.guard.guard import Guard
from saccade.env.memory import Button, MemoryEnvironment, MemoryScreen, Rectangle
from saccade.env.trajectory.events import EndEvent, StartEvent
from saccade.env.trajectory.trajectory import FILE_NAME, Trajectory, TrajectoryWriter

SIZE = Size(320, 240)
DIALECT = get_dialect("uitars-1.0")
PAGES = 6


def pages(shift: int = 0, dialog: int | None = None, drop: int | None = None) -> MemoryEnvironment:
    """A wizard of pages with a button each; moved, with a further page, or with one page less."""
    names = [f"page{number}" for number in range(PAGES) if number != drop]
    if dialog is not None:
        names.insert(dialog, "dialog")
    screens = {}
    for place, name in enumerate(names):
        last = place + 1 == len(names)
        left, top = 20 + 30 * (hash_of(name) % 5) + shift, 150 if name == "dialog" else 60
        button = Button("Next", Rectangle(left, top, left + 60, top + 40), "end" if last else names[place + 1])
        screens[name] = MemoryScreen(name, (replace(button, reward=1.0, ends=True) if last else button,))
    screens["end"] = MemoryScreen("The end")
    return MemoryEnvironment(screens, names[0], instruction="Go to the end.", size=SIZE, guard=Guard.of("open"))


def hash_of(name: str) -> int:
    return sum(map(ord, name))


class Seer:
    """A model that always finds the button, and agrees with exactly the replies that it would give."""

    def __init__(self, world: MemoryEnvironment, tolerance: float = 0.0, jitter: float = 0.0) -> None:
        self._world = world
        self.tolerance = tolerance
        self._jitter = jitter
        self.asked: list[int] = []
        self.own = 0

    @property
    def name(self) -> str:
        return "seer"

    @property
    def fingerprint(self) -> str:
        return "seer"

    def start(self) -> None:
        self.asked.clear()

    def predict(self, context: Context) -> Prediction:
        self.own += 1
        middle = self._world.button("Next").box.middle
        actions: tuple[Action, ...] = (Click(point=Point(middle.x + self._jitter, middle.y)),)
        raw = DIALECT.render(Reply("Go on.", actions), SIZE)
        return Prediction(DIALECT.parse(raw, SIZE), raw, Usage(forwards=4))

    def verify(self, context: Context, expected: Sequence[ExpectedReply], tolerance: float = 0.0) -> Verification:
        self.asked.append(len(expected))
        would = self.predict(context)
        self.own -= 1
        for index, each in enumerate(expected):
            said = each.raw
            for begin, end in each.unverified:
                said = would.raw[:begin] + said[begin:end] + said[end:]
            same = said.partition("Action:")[2] == would.raw.partition("Action:")[2]
            if same and (each.unverified or said == would.raw):
                return Verification(index, Prediction(DIALECT.parse(each.raw, SIZE), each.raw), Usage())
        return Verification(None, None, Usage())

    def expect(self, context: Context, actions: Sequence[Action]) -> ExpectedReply:
        raw = DIALECT.render(Reply("", tuple(actions)), SIZE)
        return ExpectedReply(raw, ((0, raw.index("click")),))


def run(policy: object, world: MemoryEnvironment, folder: Path) -> tuple[EndEvent, Trajectory]:
    start = StartEvent(saccade_version="0", instruction="Go to the end.", environment="memory", policy="seer", time=0.0)
    first = world.reset(0)
    with TrajectoryWriter(folder, start) as writer:
        end = Agent(policy, world, Limits(steps=20)).run("Go to the end.", first, writer)  # type: ignore[arg-type]
    return end, Trajectory.load(folder)


@pytest.fixture
def recorded(tmp_path: Path) -> Recording:
    world = pages()
    return recording(run(Seer(world), world, tmp_path / "recorded")[1])


Replay = Callable[..., tuple[EndEvent, ReplayPolicy, Seer, Trajectory]]


@pytest.fixture
def repeat(recorded: Recording, tmp_path: Path) -> Replay:
    numbers = itertools.count()

    def start(
        world: MemoryEnvironment, steps: Recording | None = None, **options: float
    ) -> tuple[EndEvent, ReplayPolicy, Seer, Trajectory]:
        seer = Seer(world, **options)
        assert isinstance(seer, VerifyingPolicy)
        policy = ReplayPolicy(seer, steps or recorded)
        end, trajectory = run(policy, world, tmp_path / f"again-{next(numbers)}")
        return end, policy, seer, trajectory

    return start


def outcomes(policy: ReplayPolicy) -> list[tuple[str, int | None]]:
    return [(step.outcome, step.recorded) for step in policy.outcomes]


def test_what_has_not_changed_costs_one_forward_a_step(repeat: Replay) -> None:
    end, policy, seer, _ = repeat(pages())
    assert (end.end, end.success, end.steps) == ("terminated", True, PAGES)
    assert outcomes(policy) == [("agreed", step) for step in range(PAGES)]
    assert [step.forwards for step in policy.outcomes] == [1] * PAGES
    assert (seer.own, seer.asked) == (0, [1] * PAGES)


def test_what_the_same_model_saw_the_same_way_is_known(recorded: Recording, repeat: Replay) -> None:
    sealed = replace(recorded, fingerprint="seer")
    end, policy, seer, _ = repeat(pages(), sealed)
    assert (end.success, {step.outcome for step in policy.outcomes}) == (True, {"known"})
    assert (seer.own, seer.asked) == (0, [])
    end, policy, seer, _ = repeat(pages(dialog=2), sealed)
    assert [outcome for outcome, _ in outcomes(policy)] == ["known", "known", "own", *["agreed"] * 4]
    assert end.success
    end, policy, seer, _ = repeat(pages(), replace(recorded, fingerprint="another"))
    assert {step.outcome for step in policy.outcomes} == {"agreed"}
    other = replace(sealed, instruction="Do something else.")
    assert {step.outcome for step in repeat(pages(), other)[1].outcomes} == {"agreed"}


def test_moved_buttons_are_healed_step_by_step(repeat: Replay) -> None:
    end, policy, _, _ = repeat(pages(shift=40))
    assert (end.success, end.steps) == (True, PAGES)
    assert {step.outcome for step in policy.outcomes} == {"own"}


def test_a_page_more_is_done_and_the_recording_found_again(repeat: Replay) -> None:
    end, policy, seer, _ = repeat(pages(dialog=2))
    assert (end.success, end.steps) == (True, PAGES + 1)
    assert outcomes(policy)[2][0] == "own"
    assert [place for _, place in outcomes(policy)[3:]] == [2, 3, 4, 5]
    assert seer.own == 1


def test_a_page_less_is_skipped(repeat: Replay) -> None:
    end, policy, _, _ = repeat(pages(drop=2))
    assert (end.success, end.steps) == (True, PAGES - 1)
    assert [place for _, place in outcomes(policy)] == [0, 1, 3, 4, 5]
    assert outcomes(policy)[2] == ("near", 3)


def test_within_the_tolerance_a_point_counts_as_the_same(repeat: Replay) -> None:
    _, policy, _, _ = repeat(pages(), tolerance=0.02, jitter=4.0)
    assert {step.outcome for step in policy.outcomes} == {"near"}
    _, policy, _, _ = repeat(pages(), tolerance=0.005, jitter=4.0)
    assert {step.outcome for step in policy.outcomes} == {"own"}


class Mumbler(Seer):
    """A model whose first reply to a screen cannot be read."""

    mumbled = False

    def predict(self, context: Context) -> Prediction:
        self.mumbled = not self.mumbled
        if self.mumbled:
            raise UnreadableReply(ParseError("no action", "hm"), Usage(forwards=3))
        return super().predict(context)

    def verify(self, context: Context, expected: Sequence[ExpectedReply], tolerance: float = 0.0) -> Verification:
        return Verification(None, None, Usage())


def test_a_reply_that_cannot_be_read_heals_nothing(recorded: Recording, tmp_path: Path) -> None:
    world = pages(shift=40)
    policy = ReplayPolicy(Mumbler(world), recorded)
    end, trajectory = run(policy, world, tmp_path / "again")
    assert (end.success, len(trajectory.steps)) == (True, 2 * PAGES)
    assert [step.outcome for step in policy.outcomes] == ["unreadable", "own"] * PAGES
    assert [step.forwards for step in policy.outcomes[:2]] == [5, 6], "a forward to verify, and the reply's own"
    healed = [step for step in policy.paired() if step.outcome == "own"]
    assert [(step.step, step.recorded) for step in healed] == [(2 * page + 1, page) for page in range(PAGES)]


def test_steps_healed_in_a_row_pair_with_those_that_they_replaced(repeat: Replay) -> None:
    _, policy, _, _ = repeat(pages(shift=40))
    assert [step.recorded for step in policy.paired()] == list(range(PAGES))
    _, policy, _, _ = repeat(pages(dialog=2))
    assert [step.recorded for step in policy.paired()] == [0, 1, None, 2, 3, 4, 5], "nothing recorded was replaced"


def test_what_is_done_tells_which_step_was_replaced() -> None:
    click, moved, other = (Click(point=Point(x, 9)) for x in (5, 8, 50))
    typed, escape, enter = Type(text="Rome"), Press(key="escape"), Press(key="enter")
    recorded = [(click,), (typed,), (enter,)]
    assert matched([(escape,), (moved,), (typed,), (enter,)], recorded) == [None, 0, 1, 2], "one more before"
    assert matched([(typed,), (enter,)], recorded) == [1, 2], "one less"
    assert matched([(moved,), (other,), (enter,)], [(other,), (enter,)]) == [None, 0, 1], "the same, not the first"
    assert matched([(moved,), (Type(text="Oslo"),)], recorded) == [0, 1]
    assert matched([], recorded) == []
    assert matched([(click,)], []) == [None]


def test_a_model_without_a_tolerance_has_one_measured_on_the_recording(recorded: Recording, tmp_path: Path) -> None:
    def again(jitter: float, measure: bool, tolerance: float = 0.0) -> list[tuple[str, float]]:
        world = pages()
        policy = ReplayPolicy(Seer(world, tolerance, jitter), recorded, measure=measure)
        run(policy, world, tmp_path / f"again {jitter} {measure} {tolerance}")
        return [(step.outcome, step.tolerance) for step in policy.outcomes]

    assert again(4.0, measure=True) == [("near", 6.0)] * PAGES, "2 % of 320 pixels, as the buttons reach further"
    assert {outcome for outcome, _ in again(9.0, measure=True)} == {"own"}
    assert again(4.0, measure=False) == [("own", 0.0)] * PAGES
    assert again(4.0, measure=True, tolerance=0.005)[0] == ("own", 1.6), "the model's own counts"


def test_the_room_around_a_point_ends_where_its_element_ends() -> None:
    screen = np.full((600, 800, 3), 240, np.uint8)
    screen[100:120, 200:280] = (40, 90, 160)
    screen[108:112, 230:250] = 255
    assert room_around(screen, Point(240, 110)) == 9, "around its text, to the nearer edge below"
    assert room_around(screen, Point(204, 110)) == 4
    screen[105:116, 210:221] = 255
    screen[108:113, 213:218] = (40, 90, 160)
    assert room_around(screen, Point(215, 110)) == 9, "not the hole of a letter"
    assert room_around(screen, Point(600, 400)) == 16, "no element: 2 % of the longer side"


@pytest.mark.parametrize("changed", [{}, {"shift": 25}, {"dialog": 1}, {"dialog": 4, "shift": 9}, {"drop": 3}])
def test_without_tolerance_it_does_what_the_policy_alone_would(
    changed: dict[str, int], repeat: Replay, tmp_path: Path
) -> None:
    alone = pages(**changed)
    _, expected = run(Seer(alone), alone, tmp_path / "alone")
    _, _, _, found = repeat(pages(**changed))
    done = [[event.action for step in each.steps for event in step.actions] for each in (found, expected)]
    assert done[0] == done[1]


def test_a_person_is_silent_and_the_last_step_is_the_end(recorded: Recording, repeat: Replay) -> None:
    silent = Recording(
        tuple(replace(step, raw="", thought="") for step in recorded.steps[:3]),
        recorded.steps[3].screen,
        ends_itself=False,
    )
    end, policy, seer, _ = repeat(pages(), silent)
    assert (end.end, end.message) == ("finished", "the recording is at its end")
    assert outcomes(policy) == [("agreed", 0), ("agreed", 1), ("agreed", 2), ("end", None)]
    assert seer.own == 0


def test_waiting_is_no_step_of_the_way() -> None:
    world = pages()
    screens = [world.reset(0).screenshot, None]
    alignment = Alignment(screens)
    alignment.diverge()
    assert alignment.candidates(pages(shift=9).reset(0).screenshot) == [0, 1]
    assert alignment.candidates(screens[0]) == [0], "a screen that comes up again says where the run is"  # type: ignore[arg-type]
    alignment.advance(0)
    assert alignment.candidates(screens[0]) == [1]  # type: ignore[arg-type]
    assert alignment.end == 1


def test_screens_are_compared_by_how_they_look() -> None:
    first, second = pages().reset(0).screenshot, pages(shift=3).reset(0).screenshot
    assert difference(first, first) == 0.0
    assert 0 < difference(first, second) < 20
    assert difference(None, first) == float("inf")


def spoil(folder: Path, old: str, new: str, count: int = 1) -> Trajectory:
    file = folder / FILE_NAME
    text = file.read_text(encoding="utf-8")
    assert old in text
    file.write_text(text.replace(old, new, count), encoding="utf-8")
    return Trajectory.load(folder)


def test_a_recording_that_is_not_whole_is_refused(tmp_path: Path) -> None:
    world = pages()
    _, whole = run(Seer(world), world, tmp_path / "whole")
    folder = whole.directory
    lines = (folder / FILE_NAME).read_bytes().splitlines(keepends=True)

    def refused(content: list[bytes], why: str) -> None:
        (folder / FILE_NAME).write_bytes(b"".join(content))
        with pytest.raises(TrajectoryError, match=why):
            recording(Trajectory.load(folder))
        (folder / FILE_NAME).write_bytes(b"".join(lines))

    refused(lines[:-1], "cut off")
    refused([*lines[:4], *lines[7:]], "out of order|steps")
    refused([lines[0], *lines[4:7], *lines[1:4], *lines[7:]], "out of order")
    text = lines[3].replace(b'"kind":"click","point":[', b'"kind":"click","point":[1')
    refused([*lines[:3], text, *lines[4:]], "something else in step 1 than was predicted")
    picture = next((folder / "screenshots").iterdir())
    data = picture.read_bytes()
    picture.unlink()
    with pytest.raises(TrajectoryError, match="unreadable"):
        recording(Trajectory.load(folder))
    picture.write_bytes(data)
    assert len(recording(Trajectory.load(folder)).steps) == PAGES
    assert recording(Trajectory.load(folder)).steps[0].actions[0] != Wait()
