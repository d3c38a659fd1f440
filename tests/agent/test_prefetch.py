"""Reading ahead: what is computed while the screen settles is kept, and never changes an answer."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

import pytest

from saccade.actions.dialects import Reply
from saccade.actions.errors import ParseError
from saccade.actions.geometry import Point, Size
from saccade.actions.schema import Action, Click
from saccade.agent.background_prefill import BackgroundPrefill
from saccade.agent.checkpoints.checkpoint import Checkpoint
from saccade.agent.limits import Limits
from saccade.agent.local import LocalPolicy
from saccade.agent.loop import Agent
from saccade.agent.policy import Context, Prediction, ScriptedPolicy, Turn
from saccade.agent.prefetch import Prefetcher, SupportsPrefetch
from saccade.env.base import Preview, StepResult, SupportsPreview
from saccade.env.browser.chromium import Chromium
from saccade.env.browser.environment import BrowserEnvironment
from saccade.env.browser.miniwob import MiniWobEnvironment
from saccade.env.browser.miniwob_pages import ALONE
from saccade.env.browser.options import BrowserOptions
from saccade.env.guard.guard import Guard
from saccade.env.memory import demo
from saccade.env.trajectory.events import StartEvent
from saccade.env.trajectory.trajectory import Trajectory, TrajectoryWriter
from saccade.env.wrappers import BlankScreen
from saccade.perception.observation import Observation, Screenshot

Shoot = Callable[..., Screenshot]


def context(*screens: Screenshot, replies: tuple[str, ...] = ()) -> Context:
    turns = tuple(Turn(screen, reply) for screen, reply in zip(screens, replies, strict=False))
    return Context("Press the button.", screens[-1], turns)


def forwards(policy: LocalPolicy) -> Callable[[], tuple[int, int]]:
    """Pictures encoded and tokens read by the language model since the last call."""
    network, counts = policy._network, [0, 0]
    encode, attend = network.encode, network.attend

    def counting_encode(*args: object) -> object:
        counts[0] += 1
        return encode(*args)  # type: ignore[arg-type]

    def counting_attend(embeddings: object, *args: object) -> object:
        counts[1] += len(embeddings)  # type: ignore[arg-type]
        return attend(embeddings, *args)  # type: ignore[arg-type]

    network.encode, network.attend = counting_encode, counting_attend  # type: ignore[method-assign, assignment]

    def since() -> tuple[int, int]:
        seen = (counts[0], counts[1])
        counts[:] = [0, 0]
        return seen

    return since


def raw(policy: LocalPolicy, asked: Context) -> str:
    try:
        return policy.predict(asked).raw
    except ParseError as error:
        return error.raw


@pytest.fixture
def policies(checkpoint: Checkpoint) -> tuple[LocalPolicy, LocalPolicy]:
    patient, eager = (LocalPolicy(checkpoint, decoding="plain", max_new_tokens=6) for _ in range(2))
    return patient, eager


def test_a_right_guess_leaves_nothing_but_the_last_token(
    policies: tuple[LocalPolicy, LocalPolicy], shoot: Shoot
) -> None:
    patient, eager = policies
    asked = context(shoot(1))
    expected = raw(patient, asked)
    count = forwards(eager)
    eager.prefetch(asked)
    eager._prefill._jobs[-1].thread.join()
    encoded, read = count()
    assert encoded == 1
    assert read > 20
    assert raw(eager, asked) == expected
    encoded, read = count()
    assert encoded == 0
    assert read <= 1 + 6
    assert eager.last_usage.timings["ahead"] > 0


def test_a_wrong_guess_changes_no_answer(policies: tuple[LocalPolicy, LocalPolicy], shoot: Shoot) -> None:
    patient, eager = policies
    for number in range(4):
        eager.prefetch(context(shoot(10 + number)))
        asked = context(shoot(number))
        assert raw(eager, asked) == raw(patient, asked)
        assert "ahead" not in eager.last_usage.timings


def test_guesses_that_keep_failing_are_given_up(shoot: Shoot) -> None:
    done: list[int] = []
    reading = BackgroundPrefill(patience=2)
    for number in range(5):
        reading.start(shoot(number), lambda wanted, number=number: done.append(number))  # type: ignore[misc]
        reading.finish(shoot(number + 50))
    assert done == [0, 1]


def test_a_guess_known_to_be_wrong_is_told_so(shoot: Shoot) -> None:
    seen: list[bool] = []
    go = threading.Event()
    reading = BackgroundPrefill()

    def work(wanted: Callable[[], bool]) -> None:
        seen.append(wanted())
        while wanted():
            go.wait(0.001)
        seen.append(wanted())

    reading.start(shoot(0), work)
    assert reading.finish(shoot(1)) == 0.0
    assert seen == [True, False]


def test_a_later_guess_replaces_an_earlier_one_and_equal_ones_are_one(shoot: Shoot) -> None:
    done: list[int] = []
    reading = BackgroundPrefill(patience=2)
    for _ in range(4):
        for number in (0, 1, 1):
            certain = number == 1
            reading.start(shoot(number), lambda wanted, number=number: done.append(number), certain=certain)  # type: ignore[misc]
        reading.finish(shoot(1))
    assert done.count(1) == 4, "what is certain is always read"
    assert done.count(0) <= 2, "guesses that keep failing are given up"


def test_only_work_that_is_over_when_it_is_asked_for_counts_as_ahead(shoot: Shoot) -> None:
    go = threading.Event()

    def work(wanted: Callable[[], bool]) -> None:
        go.wait(0.2)

    reading = BackgroundPrefill()
    reading.start(shoot(0), work)
    assert reading.finish(shoot(0)) < 0.1, "it was waited for"
    reading.start(shoot(0), work)
    reading._jobs[-1].thread.join()
    assert reading.finish(shoot(0)) > 0.15


def test_the_step_after_screenshots_are_dropped_is_no_longer_than_others(checkpoint: Checkpoint, shoot: Shoot) -> None:
    patient, eager = (LocalPolicy(checkpoint, decoding="plain", max_new_tokens=6) for _ in range(2))
    turns: list[Turn] = []
    count, read = forwards(eager), []
    for number in range(10):
        asked = Context("Press the button.", shoot(3 * number), tuple(turns))
        reply = raw(eager, asked)
        assert reply == raw(patient, asked)
        read.append(count()[1])
        turns.append(Turn(asked.screenshot, reply))
        eager.prefetch_history(Context(asked.instruction, asked.screenshot, tuple(turns)))
        eager._prefill._jobs[-1].thread.join()
        count()
        turns[-1] = Turn(asked.screenshot, reply, "that had no effect")
    assert max(read[2:]) <= 1.3 * min(read[2:]), read


def test_an_error_ahead_is_a_failed_guess_and_no_more(shoot: Shoot) -> None:
    reading = BackgroundPrefill()

    def work(wanted: Callable[[], bool]) -> None:
        raise ValueError("no")

    reading.start(shoot(0), work)
    reading.finish(shoot(0))


class Eager(ScriptedPolicy):
    """Notes what it may read ahead and what it is asked."""

    def __init__(self, replies: list[str]) -> None:
        super().__init__(replies)
        self.ahead: list[Context] = []
        self.asked: list[Context] = []
        self.told: list[Context] = []
        self.histories: list[Context] = []

    def prefetch(self, context: Context, *, certain: bool = False) -> None:
        (self.told if certain else self.ahead).append(context)

    def prefetch_history(self, context: Context) -> None:
        self.histories.append(context)

    def predict(self, context: Context) -> Prediction:
        self.asked.append(context)
        return super().predict(context)


class Glimpses:
    """A little program whose every step gives a first look at what it settles to."""

    def __init__(self) -> None:
        self.inner = demo(guard=Guard.of("open"))
        self.show: Preview | None = None

    @property
    def instruction(self) -> str | None:
        return self.inner.instruction

    def reset(self, seed: int | None = None) -> Observation:
        return self.inner.reset(seed)

    def step(self, action: Action) -> StepResult:
        result = self.inner.step(action)
        if self.show is not None:
            self.show(result.observation.screenshot)
        return result

    def preview_to(self, show: Preview | None) -> None:
        self.show = show

    def close(self) -> None:
        self.inner.close()


START = StartEvent(saccade_version="0", instruction="x", environment="memory", policy="scripted", seed=0, time=0.0)


def test_the_loop_offers_what_will_be_asked(tmp_path: Path) -> None:
    wait = "Action: wait()"
    policy, world = Eager([f"{wait}\n\nwait()", wait]), Glimpses()
    assert isinstance(policy, SupportsPrefetch)
    assert isinstance(world, SupportsPreview)
    with TrajectoryWriter(tmp_path / "run", START) as writer:
        Agent(policy, world).run("x", world.reset(0), writer)
    assert len(policy.ahead) == 2, "one look per prediction, after its last action"
    assert policy.told == policy.asked, "what is known is said before it is recorded"
    assert [each.turns for each in policy.histories] == [each.turns for each in policy.asked[1:]]
    for guess, asked in zip(policy.ahead, policy.asked[1:], strict=True):
        assert guess.instruction == asked.instruction
        assert guess.screenshot.digest == asked.screenshot.digest
        assert [turn.reply for turn in guess.turns] == [turn.reply for turn in asked.turns]
    assert world.show is None


def test_environments_that_can_look_early_say_so() -> None:
    assert isinstance(BrowserEnvironment(guard=Guard.of("open")), SupportsPreview)
    assert isinstance(MiniWobEnvironment("click-test", guard=Guard.of("open")), SupportsPreview)
    seen: list[Screenshot] = []
    world = Glimpses()
    blind = BlankScreen(world)
    blind.preview_to(seen.append)
    assert world.show is not None
    world.show(world.reset(0).screenshot)
    assert (seen[0].pixels == 127).all(), "an early look must not show what the wrapper hides"
    blind.preview_to(None)
    assert world.show is None


def test_a_policy_that_does_not_read_ahead_is_left_alone() -> None:
    world = Glimpses()
    with Prefetcher(ScriptedPolicy([]), world).after(Context("x", world.reset(0).screenshot)):
        assert world.show is None


class Clicks(LocalPolicy):
    """Clicks wherever, whatever its model says; all else is the model's."""

    def _parse(self, raw: str, context: Context) -> Reply:
        number = len(context.turns)
        return Reply("", (Click(point=Point(40 + 7 * number, 60)),))


CHANGES = {
    "quick": "document.title = n; b.textContent = n",
    "draws": "c.getContext('2d').fillRect(n, 0, 5, 50)",
    "loads": "b.textContent = n; fetch('data:text/plain,x')",
    "late": "b.textContent = n; setTimeout(() => { b.textContent = n + '!' }, 12)",
}


def page(change: str) -> str:
    drawing = "<canvas id=c>" if change == "draws" else ""
    html = f"<body style='margin:0'><h1 id=b style='height:150px'>0</h1>{drawing}"
    return "data:text/html," + quote(
        f"{html}<script>let n = 0; onclick = () => {{ n += 1; {CHANGES[change]} }}</script>"
    )


def test_screens_of_a_browser_are_read_ahead(tiny_checkpoints: dict[str, Checkpoint], tmp_path: Path) -> None:
    policy = Clicks(tiny_checkpoints["qwen2_vl"], decoding="plain", max_new_tokens=4)
    options = BrowserOptions(viewport=Size(320, 200))
    steps, ahead = 10, dict.fromkeys(CHANGES, 0)
    with Chromium(flags=ALONE) as chromium:
        for change in CHANGES:
            with (
                BrowserEnvironment(page(change), options, chromium=chromium, guard=Guard.of("open")) as world,
                TrajectoryWriter(tmp_path / change, START) as writer,
            ):
                Agent(policy, world, Limits(steps, repeats=99)).run("x", world.reset(0), writer)
            for step in Trajectory.load(tmp_path / change).steps:
                assert step.prediction is not None
                ahead[change] += step.prediction.usage.timings.get("ahead", 0.0) > 0
    assert min(ahead.values()) >= 0.9 * steps, ahead
