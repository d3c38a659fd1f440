"""Many episodes of experts at once, and the shards that they are kept in."""

import io
from pathlib import Path

import pytest
from PIL import Image
from pydantic import TypeAdapter

from saccade.actions.schema import Action
from saccade.agent.training.demonstrations import FIRST_SEED
from saccade.agent.training.experts.collect import expert_episodes
from saccade.agent.training.experts.shards import ExpertEpisode, load_episodes, save_episodes, shard_names
from saccade.agent.training.rendering import Sheet

TASKS = ("click-button", "click-checkboxes", "drag-items", "tic-tac-toe", "enter-text", "circle-center")


@pytest.fixture(scope="module")
def episodes() -> list[ExpertEpisode]:
    return list(expert_episodes(TASKS, 12, FIRST_SEED, 0.2, Sheet(3, 2)))


def test_episodes_on_a_sheet_are_solved_and_can_be_learned_from(episodes: list[ExpertEpisode]) -> None:
    assert len({episode.seed for episode in episodes}) == 12
    assert len({episode.task for episode in episodes}) >= 3
    read: TypeAdapter[Action] = TypeAdapter(Action)
    for episode in episodes:
        assert episode.reward > 0
        assert episode.instruction
        assert episode.steps
        for step in episode.steps:
            assert Image.open(io.BytesIO(step.picture)).size == (160, 210)
            assert read.validate_python(step.action).kind in ("click", "drag", "type", "hotkey")
            assert step.chars
            assert step.done == (step.stray or step.action)
    button = next(episode for episode in episodes if episode.task == "click-button")
    other = next(episode for episode in episodes if episode.task != "click-button")
    assert button.steps[0].picture != other.steps[0].picture


def test_a_shard_is_read_as_it_was_written(episodes: list[ExpertEpisode], tmp_path: Path) -> None:
    save_episodes(tmp_path, "one-1", episodes)
    assert load_episodes(tmp_path, "one-1") == episodes
    assert shard_names(tmp_path, "one") == shard_names(tmp_path, "*") == ["one-1"]
    assert shard_names(tmp_path, "other") == []
    assert {file.stat().st_mode & 0o777 for file in tmp_path.iterdir()} == {0o600}


def test_no_seed_is_taken_that_policies_are_measured_with() -> None:
    with pytest.raises(ValueError, match="held out"):
        next(expert_episodes(TASKS, 1, 90_001))
