"""Recorded runs as episodes: whose they are, which steps were right, and what was better."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from made_endpoint import pictures, serving
from made_runs import EPOCH, end_event, executed, made_run, observation, prediction, start_event
from saccade.actions.errors import TrajectoryError
from saccade.actions.geometry import Point
from saccade.actions.schema import Action, Click, Finished, Hotkey, Type
from saccade.agent.policy import Context, Prediction, ScriptedPolicy
from saccade.agent.training.dataset.folder import Dataset
from saccade.agent.training.dataset.records import DatasetReply, KeptEpisode
from saccade.env.guard.guard import Guard
from saccade.env.memory import demo
from saccade.env.trajectory.trajectory import Trajectory, TrajectoryWriter
from saccade.perception.observation import Screenshot
from saccade.tasks.collect.judge import ServedJudge, read_verdict
from saccade.tasks.collect.runs import collected_runs, episodes_of, origin_of, outcome_of
from saccade.tasks.episode import run_episode

CLICK, OTHER = Click(point=Point(90.0, 98.0)), Click(point=Point(200.0, 20.0))
Command = Callable[..., dict[str, Any]]


def recorded(folder: Path, screens: Sequence[str], actions: Sequence[Action], **start: Any) -> Trajectory:
    """A run whose screens and actions are given; it has a last screen."""
    end = {"end": "finished", "judged": False, "success": False, "reward": None, **start.pop("end", {})}
    errors = start.pop("errors", {})
    with TrajectoryWriter(folder, start_event(**start)) as writer:
        for step, action in enumerate(actions):
            writer.observe(step, observation(screens[step], EPOCH + step))
            writer.append(prediction(step, [action]))
            writer.append(executed(step, action, error=errors.get(step)))
        writer.observe(len(actions), observation(screens[len(actions)], EPOCH + len(actions)))
        writer.append(end_event(len(actions), **end))
    return Trajectory.load(folder)


def whole(run: Trajectory) -> KeptEpisode:
    found = episodes_of(run)
    assert found.outcome == "stored"
    return found.kept[0]


def test_a_persons_recording_is_right_and_ends_with_finished(tmp_path: Path) -> None:
    run = recorded(tmp_path / "a", ["1", "1", "2"], [CLICK, Hotkey(keys=("ctrl", "c"))], policy="person")
    episode = whole(run).episode
    assert episode.source == "person"
    assert episode.seed is None, "a browser's runs have a seed that means nothing"
    assert [step.verdict for step in episode.steps] == ["good"] * 3
    assert [step.reply.actions for step in episode.steps] == [(CLICK,), (Hotkey(keys=("ctrl", "c")),), (Finished(),)]
    assert [step.picture for step in episode.steps] == [seen.screenshot for seen in run.observations()]
    assert episode.instruction == "Click the button"


def test_a_recording_needs_an_instruction(tmp_path: Path) -> None:
    run = recorded(tmp_path / "a", ["1", "2"], [CLICK], policy="person", instruction="")
    with pytest.raises(TrajectoryError, match="--task"):
        episodes_of(run)
    assert episodes_of(run, instruction="Press it.").kept[0].episode.instruction == "Press it."


@pytest.mark.parametrize(
    ("end", "outcome"),
    [
        ({"judged": True, "success": True, "reward": 1.0}, "stored"),
        ({"judged": True, "success": False, "reward": 0.0}, "failed"),
        ({}, "unjudged"),
        ({"end": "stuck"}, "failed"),
        ({"end": "error"}, "failed"),
        ({"end": "interrupted"}, "failed"),
        ({"end": "call_user"}, "unjudged"),
    ],
)
def test_a_policys_run_counts_if_something_judged_it(tmp_path: Path, end: dict[str, Any], outcome: str) -> None:
    run = recorded(tmp_path / "a", ["1", "2"], [CLICK], end=end, environment="miniwob:click-test", seed=5)
    found = episodes_of(run)
    assert outcome_of(run) == found.outcome == outcome
    assert bool(found.kept) == (outcome == "stored")
    assert [kept.episode.seed for kept in found.kept] in ([], [5])


def test_a_recording_counts_that_was_judged_a_failure_does_not(tmp_path: Path) -> None:
    end = {"judged": True, "success": False, "reward": -1.0}
    run = recorded(tmp_path / "a", ["1", "2"], [CLICK], policy="person", end=end)
    assert outcome_of(run) == "failed"


def test_steps_without_effect_are_not_learned(tmp_path: Path) -> None:
    """Refused; repeated, a pixel off; without a visible effect; right; and the end."""
    near = Click(point=Point(91.0, 98.0))
    actions = [Type(text="x"), CLICK, near, OTHER, Finished()]
    end = {"judged": True, "success": True, "reward": 1.0}
    run = recorded(tmp_path / "a", ["1", "2", "2", "2", "3", "3"], actions, end=end, errors={0: "refused"})
    steps = whole(run).episode.steps
    assert [step.verdict for step in steps] == ["wrong", "wrong", "unknown", "good", "good"]
    assert [step.target is not None for step in steps] == [False, False, False, True, True]


class Listening(ScriptedPolicy):
    """Keeps what it was told."""

    def __init__(self, *replies: str) -> None:
        super().__init__(replies)
        self.contexts: list[Context] = []

    def predict(self, context: Context) -> Prediction:
        self.contexts.append(context)
        return super().predict(context)


def test_feedback_is_what_the_policy_was_told_before_the_step(tmp_path: Path) -> None:
    replies = (
        "Thought: a\nAction: open_app(app_name='x')",
        "Thought: b\nAction: click(start_box='(500,500)')",
        "Thought: c\nAction: finished()",
    )
    policy = Listening(*replies)
    environment = demo(guard=Guard.of("open"))
    run_episode(policy, environment, "Do it.", tmp_path / "run", name="memory", report=False)
    run = Trajectory.load(tmp_path / "run")
    assert run.steps[0].actions[0].error, "the environment refuses it"
    from saccade.tasks.collect.runs import whole_episode

    steps = whole_episode(run).episode.steps
    told = [context.turns[-1].feedback if context.turns else context.feedback for context in policy.contexts]
    assert [step.feedback for step in steps] == told
    assert any(told)
    assert steps[0].verdict == "wrong"


def made_replay(folder: Path, own: bool = True) -> Trajectory:
    """A replay of two steps whose second one was healed."""
    recorded(folder / "old", ["1", "2", "3"], [CLICK, OTHER], policy="person")
    new = folder / "new"
    end = {"judged": True, "success": True, "reward": 1.0}
    recorded(new, ["1", "2b", "3"], [CLICK, CLICK], replay_of=str(folder / "old"), replay_mode="verify", end=end)
    steps = [
        {"step": 0, "recorded": 0, "outcome": "agreed", "forwards": 1, "tolerance": 0.0},
        {"step": 1, "recorded": 1, "outcome": "own", "forwards": 9, "tolerance": 0.0},
    ]
    (new / "replay.json").write_text(
        json.dumps({"recording": str(folder / "old"), "mode": "verify", "steps": steps, "drift": None})
    )
    if not own:
        (new / "trajectory.hmac").unlink()
    return Trajectory.load(new)


def test_a_heal_is_a_correction_of_what_was_recorded(tmp_path: Path) -> None:
    run = made_replay(tmp_path)
    replay, heal = (kept.episode for kept in episodes_of(run).kept)
    assert replay.source == heal.source == "healed"
    assert [step.reply.actions for step in replay.steps] == [(CLICK,), (CLICK,)]
    assert [step.target for step in heal.steps] == [None, replay.steps[1].reply]
    assert heal.steps[1].verdict == "wrong"
    assert heal.steps[1].reply.actions == (OTHER,)
    assert heal.steps[1].picture == run.steps[1].observation.screenshot
    assert heal.problem == replay.problem


def test_a_replay_of_others_does_not_lead_to_a_recording_here(tmp_path: Path) -> None:
    assert len(episodes_of(made_replay(tmp_path, own=False)).kept) == 1


def test_runs_are_collected_once_and_bad_ones_are_named(tmp_path: Path, command: Command) -> None:
    end = {"judged": True, "success": True, "reward": 1.0}
    recorded(tmp_path / "runs/good", ["1", "2"], [CLICK], end=end)
    recorded(tmp_path / "runs/mine", ["5", "6"], [OTHER], policy="person")
    recorded(tmp_path / "runs/open", ["3", "4"], [CLICK], instruction="Another.")
    made_run(tmp_path / "runs/bad")
    file = tmp_path / "runs/bad/trajectory.jsonl"
    file.write_text(file.read_text().replace("Click the button", "Do evil"))
    found = command("runs", tmp_path / "data", tmp_path / "runs", "--licence", "mine")
    counts = {name: found[name] for name in ("attempts", "stored", "duplicates", "failed", "unjudged", "learned")}
    assert counts == {"attempts": 3, "stored": 2, "duplicates": 0, "failed": 0, "unjudged": 1, "learned": 2}
    (reason,) = found["left_out"]
    assert "changed after it was recorded" in reason
    again = command("runs", tmp_path / "data", tmp_path / "runs")
    assert (again["attempts"], again["stored"], again["learned"]) == (0, 0, 2)
    card = command("card", tmp_path / "data")
    assert card["sources"] == {"person": 1, "policy": 1}
    assert card["licences"] == ["mine"]


def test_a_run_that_was_moved_is_still_known(tmp_path: Path) -> None:
    run = recorded(tmp_path / "a/run", ["1", "2"], [CLICK], policy="person")
    (tmp_path / "b").mkdir()
    (tmp_path / "a/run").rename(tmp_path / "b/run")
    assert origin_of(Trajectory.load(tmp_path / "b/run")) == origin_of(run)


# ---- the judge


@pytest.mark.parametrize(
    ("answer", "verdict"),
    [
        ("good", "good"),
        ("**Wrong.**", "wrong"),
        ("It clicked beside the button.\nVerdict: wrong", "wrong"),
        ('{"verdict": "good"}', "good"),
        ("The step is not good", "unknown"),
        ("good or wrong, who knows", "unknown"),
        ("good\nI cannot tell", "unknown"),
        ("", "unknown"),
        ("goodness", "unknown"),
    ],
)
def test_only_a_plain_verdict_is_read(answer: str, verdict: str) -> None:
    assert read_verdict(answer) == verdict


def test_a_judge_looks_at_runs_that_nothing_judged(tmp_path: Path, command: Command) -> None:
    recorded(tmp_path / "runs/open", ["1", "2", "3", "4"], [CLICK, OTHER, CLICK])
    recorded(tmp_path / "runs/judged", ["8", "9"], [CLICK], end={"judged": True, "success": False, "reward": 0.0})
    answers = iter(["good", "Verdict: wrong", "hm"])
    with serving(lambda messages: next(answers), "judge") as server:
        found = command("runs", tmp_path / "data", tmp_path / "runs", "--judge", f"openai:{server.url}#judge")
    assert (found["stored"], found["failed"], found["unjudged"]) == (1, 1, 0)
    (episode,) = Dataset(tmp_path / "data").episodes()
    assert [step.verdict for step in episode.steps] == ["good", "wrong", "unknown"]
    assert len(server.requests) == 3
    run = Trajectory.load(tmp_path / "runs/open")
    screens = [run.screenshot(seen).digest for seen in run.observations()]
    for number, request in enumerate(server.requests):
        assert [shown.digest for shown in pictures(request["messages"])] == screens[number : number + 2]
        assert request["temperature"] == 0.0
        text = request["messages"][0]["content"][0]["text"]
        assert "<task>Click the button</task>" in text
        assert ("1. " in text) == (number > 0)


def test_a_run_without_a_good_step_is_left_out(tmp_path: Path) -> None:
    def never(task: str, before: Sequence[DatasetReply], reply: DatasetReply, screens: Sequence[Screenshot]) -> Any:
        return "wrong"

    run = recorded(tmp_path / "open", ["1", "2"], [CLICK])
    found = episodes_of(run, never)
    assert (found.kept, found.outcome) == ((), "failed")


def test_a_judge_that_is_not_named_must_be_the_only_one(tmp_path: Path) -> None:
    with serving(lambda messages: "good", "only") as server:
        judge = ServedJudge(f"openai:{server.url}")
        run = recorded(tmp_path / "open", ["1", "2"], [CLICK])
        assert episodes_of(run, judge).outcome == "stored"
        assert server.requests[0]["model"] == "only"


def test_what_cannot_be_read_does_not_stop_the_rest(tmp_path: Path) -> None:
    good = recorded(tmp_path / "good", ["1", "2"], [CLICK], policy="person")
    outside = recorded(tmp_path / "outside", ["1", "2"], [Click(point=Point(321.0, 5.0))], policy="person")
    endless = recorded(tmp_path / "endless", ["1", "2"], [CLICK], policy="person", environment="x" * 2000)
    broken = recorded(tmp_path / "broken", ["3", "4"], [CLICK], policy="person")
    broken.image_path(broken.steps[0].observation).unlink()
    reasons: list[str] = []
    with Dataset(tmp_path / "data", create=True) as dataset:
        runs = [run.directory for run in (broken, outside, endless, good)]
        found = list(collected_runs(dataset, runs, reasons.append))
    assert [each.origin for each in found] == [origin_of(good)]
    for reason, words in zip(reasons, ("No such file", "outside its screenshot", "at most 1000"), strict=True):
        assert words in reason
