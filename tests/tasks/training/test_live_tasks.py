"""Methods that play: in an environment in memory, with a tiny model, through the parts of the command."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from saccade.actions.geometry import Point, Size
from saccade.actions.schema import Action, Click
from saccade.agent.checkpoints.tiny import tiny_checkpoint
from saccade.agent.training.dataset.folder import Dataset
from saccade.agent.training.demonstrations import FIRST_SEED
from saccade.env.base import Environment
from saccade.env.control import Control
from saccade.env.guard.guard import Guard
from saccade.env.memory import Button, MemoryEnvironment, MemoryScreen, Rectangle
from saccade.tasks.training.live import WATCHED_SEED
from saccade.tasks.training.preparing import Preparation
from saccade.tasks.training.request import TrainRequest

SCREEN = {"a": MemoryScreen("A", (Button("go", Rectangle(10, 20, 150, 200), reward=1.0, ends=True),))}


class Noted(MemoryEnvironment):
    """One large button; notes which seeds are played."""

    seeds: list[tuple[bool, int]]
    learning: bool

    def reset(self, seed: int | None = None) -> Any:
        self.seeds.append((self.learning, seed or 0))
        return super().reset(seed)


class Pointing:
    def next_action(self) -> Action | None:
        return Click(point=Point(80, 100))


@dataclass
class Buttons:
    """A source of tasks that are all this button."""

    seeds: list[tuple[bool, int]]

    def environment(self, task: str, control: Control, *, learning: bool) -> Environment:
        made = Noted(SCREEN, "a", instruction="Press it.", size=Size(160, 210), guard=Guard.of("open"))
        made.seeds, made.learning = self.seeds, learning
        return made

    def expert(self, environment: Any) -> Pointing:
        return Pointing()


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> str:
    card = {"prompt": "instruction-only", "dialect": "uitars-1.0", "max_images": 2, "max_new_tokens": 8}
    return str(tiny_checkpoint("qwen2_vl", tmp_path_factory.mktemp("tiny") / "model", **card))


def prepared(tiny: str, out: Path, source: Buttons, **changes: Any) -> Any:
    request = TrainRequest(
        **(
            {"model": tiny, "weights": "lora", "tasks": "click-test", "attempts": 2, "max_steps": 1, "watched": 4}
            | changes
        )
    )
    return Preparation(request, out, source).training()


def nothing(*anything: object) -> None:
    pass


def test_dagger_learns_what_the_expert_would_have_done_where_the_policy_came(tiny: str, tmp_path: Path) -> None:
    """A random policy says nothing that can be read, so a whole one is put in its place."""
    from saccade.agent.policy import ScriptedPolicy
    from saccade.tasks.training import live

    source = Buttons([])
    made = prepared(tiny, tmp_path, source, method="dagger", rounds=2, steps=4, batch=1)
    original = live.CorrectedPolicy

    def scripted(policy: Any, expert: Any) -> Any:
        return original(ScriptedPolicy(["Action: click(start_box='(20,20)')"] * 5), expert)

    live.CorrectedPolicy = scripted  # type: ignore[misc, assignment]
    try:
        made.tuner.learn()
    finally:
        live.CorrectedPolicy = original  # type: ignore[misc]
    dataset = Dataset(tmp_path / "rounds" / "000")
    kept = list(dataset.episodes())
    assert [each.seed for each in kept] in ([FIRST_SEED, FIRST_SEED + 1], [FIRST_SEED])  # equal ones are kept once
    (step,) = kept[0].steps
    assert step.better is not None
    assert step.better.actions == (Click(point=Point(80, 100)),)
    assert step.verdict == "unknown"
    assert source.seeds == [(True, FIRST_SEED), (True, FIRST_SEED + 1)]
    made.tuner.learn()
    assert len(source.seeds) == 2  # the same round
    made.tuner.save(tmp_path / "state.pt")
    again = prepared(tiny, tmp_path, source, method="dagger", rounds=2, steps=4, batch=1)
    again.tuner.resume(tmp_path / "state.pt")
    assert len(source.seeds) == 2  # what a round collected is on disk
    assert again.tuner.method.collected == made.tuner.method.collected


def test_rejection_sampling_keeps_nothing_of_failures(tiny: str, tmp_path: Path) -> None:
    source = Buttons([])
    made = prepared(tiny, tmp_path, source, method="reject", rounds=1, steps=2)
    row = made.tuner.learn()
    assert row["loss"] == 0.0
    assert made.tuner.method.collected == 0
    with suppress(Exception):
        assert not list(Dataset(tmp_path / "rounds" / "000").episodes())


def test_grpo_plays_training_seeds_and_measures_on_others(tiny: str, tmp_path: Path) -> None:
    source = Buttons([])
    made = prepared(tiny, tmp_path, source, method="grpo", groups=1, steps=2, measure_every=2)
    assert made.tuner.train(nothing, nothing, 1e9)
    learned = [seed for learning, seed in source.seeds if learning]
    measured = {seed for learning, seed in source.seeds if not learning}
    assert learned == [FIRST_SEED, FIRST_SEED, FIRST_SEED + 1, FIRST_SEED + 1]
    assert measured == set(range(WATCHED_SEED, WATCHED_SEED + 4))
    rows = [row for row in made.tuner.history if "held_out_success" in row]
    assert [row["step"] for row in rows] == [0, 2]
    assert rows[0]["held_out"] == 1 - rows[0]["held_out_success"]
    assert made.tuner.history[1]["reward"] == 0.0


def test_attempts_are_drawn_by_step_and_seed(tiny: str, tmp_path: Path) -> None:
    made = prepared(tiny, tmp_path, Buttons([]), method="grpo")
    first, second = (made.live.attempts("miniwob:click-test", FIRST_SEED, 2, 3) for _ in range(2))
    ids = [[each.ids for each in attempt.sequences] for attempt in first]
    assert ids == [[each.ids for each in attempt.sequences] for attempt in second]
    assert ids[0] != ids[1]
    other = made.live.attempts("miniwob:click-test", FIRST_SEED, 1, 4)
    assert [each.ids for each in other[0].sequences] not in ids
