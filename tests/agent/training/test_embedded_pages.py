from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest

from saccade.actions.geometry import Point
from saccade.actions.schema import Click
from saccade.agent.training.batches import Shards
from saccade.agent.training.demonstrations import FIRST_SEED, REQUIRED, demonstrate
from saccade.agent.training.examples import asked, grounding
from saccade.agent.training.pages import SERIES, synthesize
from saccade.agent.training.rendering import Sheet, save_shard
from saccade.env.browser.chromium import Chromium
from saccade.env.browser.miniwob import MiniWobEnvironment
from saccade.env.guard.guard import Guard

SEED = FIRST_SEED + 77


def test_what_a_training_page_is_asked_for_is_there(chromium: Chromium) -> None:
    tasks = ("click-button", "click-link", "click-tab")
    pictures, records = next(demonstrate(tasks, 1, SEED, Sheet(3, 1)))
    for number, task in enumerate(tasks):
        found = grounding(records[number], random.Random(0))
        assert found is not None
        instruction, element = found
        assert element["text"] in instruction
        with MiniWobEnvironment(task, mode="train", chromium=chromium, guard=Guard.of("open")) as environment:
            seen = environment.reset(SEED + number).screenshot.pixels
            assert environment.instruction == records[number]["utterance"]
            # In a frame of a sheet a focused button is drawn a little differently.
            assert np.mean(np.any(seen != pictures[number], axis=2)) < 0.01
            own = next((e for e in records[number]["elements"] if f'"{e["text"]}"' in environment.instruction), None)
            if own is not None:
                assert environment.step(Click(point=Point(*own["point"]))).reward > 0


def test_training_never_touches_held_out_seeds() -> None:
    with pytest.raises(ValueError, match="held out"):
        next(demonstrate(REQUIRED, 1, 1_999_999_999))
    with pytest.raises(ValueError, match="held out"):
        next(demonstrate(REQUIRED, 10, 2_100_000_000 - 20))


def test_held_out_pages_are_those_of_the_benchmark(chromium: Chromium) -> None:
    with pytest.raises(ValueError, match="training"):
        next(demonstrate(REQUIRED, 1, FIRST_SEED - 1, mode="test"))
    pictures, records = next(demonstrate(("click-button",), 1, 7, Sheet(2, 1), "test"))
    with MiniWobEnvironment("click-button", chromium=chromium, guard=Guard.of("open")) as environment:
        seen = environment.reset(8).screenshot.pixels
        assert environment.instruction == records[1]["utterance"]
        assert np.mean(np.any(seen != pictures[1], axis=2)) < 0.01


def test_a_dialog_over_a_page_is_what_can_be_clicked() -> None:
    rng = random.Random(2)
    pictures, records = next(synthesize(1, 2, SERIES["native"]))
    assert {record["task"] for record in records} == {"buttons", "wizard", "covered", "done", "loading"}
    assert {picture.shape for picture in pictures} == {(210, 160, 3)}
    covered = [record for record in records if record["task"] == "covered"]
    named = [(record, found) for record in covered if (found := grounding(record, rng)) is not None]
    assert all(element["text"] in record["extra"]["over"] for record, (_, element) in named)
    assert len(named) >= 3
    replies = {record["task"]: question.action.kind for record in records if (question := asked(record, 0, rng))}
    assert (replies["done"], replies["loading"], replies["covered"]) == ("finished", "wait", "click")


def test_synthetic_pages_show_what_their_labels_say(tmp_path: Path) -> None:
    pictures, records = next(synthesize(1, seed=5))
    width, height = 160, 210
    assert all(picture.shape == (height, width, 3) for picture in pictures)
    kinds = {record["task"] for record in records}
    assert kinds == {"form", "scatter", "dialog", "wizard", "done"}
    for picture, record in zip(pictures, records, strict=True):
        for element in record["elements"]:
            x, y = element["point"]
            assert 0 <= x < width
            assert 0 <= y < height
        for letter, x, y in record["chars"][:3]:
            assert picture[int(y) - 3 : int(y) + 4, int(x) - 3 : int(x) + 4].std() > 0, letter
    save_shard(tmp_path, "some", pictures, records)
    assert len(Shards(tmp_path)) == len(records)
