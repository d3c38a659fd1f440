"""Experts and policies at play on real pages: what is collected, and that it goes on where it stopped."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as parquet
import pytest

from saccade.actions.errors import UsageError
from saccade.actions.schema import Click
from saccade.agent.training.dataset.folder import Dataset
from saccade.agent.training.demonstrations import FIRST_SEED, LAST_SEED
from saccade.tasks.collect.experts import ExpertPlay, sheet_for

Command = Callable[..., dict[str, Any]]
TASKS = "click-button,enter-text"


def test_experts_are_collected_and_asked_about(tmp_path: Path, command: Command) -> None:
    folder = tmp_path / "data"
    found = command("experts", folder, "--tasks", TASKS, "--episodes", 2, "--stray", 0.3)
    assert found["attempts"] == 4
    assert found["stored"] + found["duplicates"] + found["failed"] == 4
    assert found["stored"] >= 2
    read = Dataset(folder)
    for episode in read.episodes():
        assert episode.source == "expert"
        assert episode.task in ("miniwob:click-button", "miniwob:enter-text")
        assert episode.reward is not None
        assert episode.reward > 0
        assert episode.seed is not None
        assert FIRST_SEED <= episode.seed < LAST_SEED
        for step in episode.steps:
            assert step.target is not None
            assert read.picture(step.picture).size == episode.size == (160, 210)
            labels = read.labels(step.picture)
            assert labels is not None
            assert labels.chars
    assert read.card.licences == ("MiniWoB++ pages: MIT",)

    assert ExpertPlay(TASKS.split(","), 3).left(read) == {"click-button": 1, "enter-text": 1}
    more = command("experts", folder, "--tasks", "click-button", "--episodes", 3)
    assert more["attempts"] == 1, "those of before count"
    seeds = [episode.seed for episode in Dataset(folder).episodes()]
    assert len(set(seeds)) == len(seeds)
    assert command("experts", folder, "--tasks", TASKS, "--episodes", 2)["attempts"] == 0

    asked = command("perception", folder)
    assert asked["stored"] >= 2 * more["learned"] - 2
    assert command("perception", folder)["attempts"] == 0
    read = Dataset(folder)
    sides = {episode.problem: read.held_out(episode) for episode in read.episodes()}
    for episode in read.episodes():
        assert read.held_out(episode) == sides[episode.problem]
        if episode.source == "perception" and ":ground:" in episode.origin:
            (step,) = episode.steps
            assert isinstance(step.reply.actions[0], Click)


def test_pages_without_an_expert_are_asked_about_too(tmp_path: Path, command: Command) -> None:
    folder = tmp_path / "data"
    found = command("perception", folder, "--tasks", "book-flight", "--pages", 2)
    assert found["attempts"] == 2
    assert found["stored"] > 0
    assert command("perception", folder, "--tasks", "book-flight", "--pages", 2)["attempts"] == 0


def test_a_policys_successes_are_kept_and_its_failures_counted(tmp_path: Path, command: Command) -> None:
    folder = tmp_path / "data"
    words = ("policy", folder, "--tasks", "click-test,enter-date", "--temperature", 0, "--max-steps", 1)
    found = command(*words, "--episodes", 1)
    assert found["attempts"] == 2
    assert found["failed"] >= 1, "no date is entered in one step"
    card = command("card", folder)
    assert card["sources"] == {"policy": 1}
    assert card["tasks"]["miniwob:enter-date"]["failed"] == 1
    (first, *_) = Dataset(folder).episodes()
    assert first.seed == FIRST_SEED
    assert command(*words, "--episodes", 1)["attempts"] == 0
    exported = tmp_path / "data.parquet"
    assert command("export", folder)["out"] == str(exported)
    rows = parquet.read_table(exported).to_pylist()
    assert rows[0]["instruction"] == first.instruction
    assert json.loads(rows[0]["actions"]) == [action.model_dump(mode="json") for action in first.steps[0].reply.actions]


def test_a_task_without_an_expert_is_named() -> None:
    with pytest.raises(UsageError, match="no expert for click-menu"):
        ExpertPlay(("click-menu",), 1)


def test_a_sheet_has_a_frame_for_every_task_that_shares_it() -> None:
    tasks = [f"click-{number}" for number in range(48)]
    assert len(sheet_for(dict.fromkeys(tasks, 1)).places) >= 48
    assert len(sheet_for({"click-test": 3}).places) == 3
    assert len(sheet_for({"enter-text": 9}).places) == 1
    assert len(sheet_for({"click-test": 900}).places) == 50
