"""Experts solve their tasks, from the start and from states that another one left."""

from collections.abc import Sequence

import pytest

from saccade.actions.errors import UsageError
from saccade.actions.geometry import Point
from saccade.actions.schema import Action, Click, Drag, Type, Wait
from saccade.agent.training.experts.expert import EXPERT_TASKS, MiniWobExpert
from saccade.env.browser.chromium import Chromium
from saccade.env.browser.miniwob import MiniWobEnvironment
from saccade.env.guard.guard import Guard

SEED = 5003


def finish(environment: MiniWobEnvironment) -> float:
    """Let the expert go on from the present state; returns the raw reward, 0 if it does not get to an end."""
    expert = MiniWobExpert(environment)
    for _ in range(30):
        action = expert.next_action()
        if action is None:  # something still lies over what is to be clicked
            environment.step(Wait(seconds=0.5))
            action = expert.next_action()
        if action is None:
            return 0.0
        result = environment.step(action)
        assert result.error is None
        if result.terminated:
            return environment.outcome.raw
    return 0.0


@pytest.mark.parametrize("group", range(6))
def test_experts_solve_their_tasks(chromium: Chromium, group: int, scale: int) -> None:
    failed = []
    tasks = EXPERT_TASKS[group :: 18 if scale == 1 else 6]  # a third of the tasks in a quick check
    for task in tasks:
        with MiniWobEnvironment(task, chromium=chromium, guard=Guard.of("open")) as environment:
            for seed in range(SEED, SEED + scale):
                environment.reset(seed)
                if not finish(environment) > 0.8:
                    failed.append((task, seed))
    assert len(failed) <= 0.03 * scale * len(tasks), failed


ELSEWHERE: dict[str, Sequence[Action]] = {
    "enter-text": (Click(point=Point(40, 70)), Type(text="wrong")),
    "click-checkboxes": (Click(point=Point(12, 61)), Click(point=Point(12, 80))),
    "use-slider": (Drag(start=Point(15, 70), end=Point(120, 70)),),
    "choose-date": (Click(point=Point(60, 70)), Click(point=Point(90, 130))),
    "drag-sort-numbers": (Drag(start=Point(60, 70), end=Point(60, 130)),),
    "circle-center": (Click(point=Point(20, 80)),),
}


@pytest.mark.parametrize("task", ELSEWHERE)
def test_an_expert_goes_on_from_where_a_policy_went_wrong(chromium: Chromium, task: str) -> None:
    with MiniWobEnvironment(task, chromium=chromium, guard=Guard.of("open")) as environment:
        environment.reset(SEED)
        for action in ELSEWHERE[task]:
            assert not environment.step(action).terminated
        assert finish(environment) > 0.8


def test_a_task_without_an_expert_is_named() -> None:
    with pytest.raises(UsageError, match="no expert for find-greatest"):
        MiniWobExpert(MiniWobEnvironment("find-greatest", guard=Guard.of("open")))
