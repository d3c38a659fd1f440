"""A dataset for the embedded policy's own trainer: what it learns from experts, it learns from their dataset, too."""

from __future__ import annotations

import io
import random
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from made_datasets import made
from saccade.actions.geometry import Point
from saccade.actions.schema import Action, Click, DoubleClick, Drag, Finished, Press, Type, Wait
from saccade.agent.training.curriculum import Curriculum, demonstrations
from saccade.agent.training.dataset.demonstrations import demonstrations_of, kept_expert
from saccade.agent.training.dataset.folder import Dataset
from saccade.agent.training.dataset.records import DatasetReply
from saccade.agent.training.experts.shards import ExpertEpisode, ExpertStep
from saccade.agent.training.rendering import spot

CLICK = Click(point=Point(80.0, 105.0))


def png(shade: int) -> bytes:
    file = io.BytesIO()
    Image.fromarray(np.full((210, 160, 3), shade, np.uint8)).save(file, format="PNG")
    return file.getvalue()


def expert(seed: int, *steps: tuple[Action, Action | None]) -> ExpertEpisode:
    made = [
        ExpertStep(
            png(seed + 20 * number),
            right.model_dump(mode="json"),
            None if done is None else done.model_dump(mode="json"),
            [spot(80.0, 105.0, "button", "Go")],
            [("G", 79.0, 105.0), ("o", 82.0, 105.0)],
        )
        for number, (right, done) in enumerate(steps)
    ]
    return ExpertEpisode("click-test", seed, f"Click {seed}.", made, 1.0)


@pytest.fixture
def episodes() -> list[ExpertEpisode]:
    stray = Click(point=Point(3.0, 200.0))
    return [
        expert(seed, (CLICK, stray if seed % 2 else None), (Type(text="abc"), None), (Press(key="enter"), None))
        for seed in range(12)
    ]


@pytest.mark.parametrize("replies", [1, 3])
def test_the_trainer_gets_what_it_gets_from_the_experts_themselves(
    tmp_path: Path, episodes: list[ExpertEpisode], replies: int
) -> None:
    with Dataset(tmp_path / "data", create=True) as dataset:
        for episode in episodes:
            assert dataset.add(*kept_expert(episode))
        data = demonstrations_of(dataset, replies)
        learned = {episode.seed for episode in dataset.training()}
    (steps,) = data.learned.values()
    wanted = [each for episode in episodes if episode.seed in learned for each in demonstrations(episode, replies)]
    assert len(steps) == len(wanted)
    for found, right in zip(steps, wanted, strict=True):
        assert found.example(0) == right.example(0)
        assert found.page().record == right.page().record
        assert (found.page().picture == right.page().picture).all()
    assert {step.task for step in data.held_back} <= {"click-test"}
    assert len(data.held_back) == 3 * (12 - len(learned))
    pages, examples = Curriculum(data, pictures=4).draw(random.Random(0))
    assert len(pages) == 4
    assert len(examples) == 6


def test_what_an_expert_did_not_do_itself_is_wrong_or_unknown(episodes: list[ExpertEpisode]) -> None:
    strayed = episodes[1]
    for stray, verdict in ((True, "wrong"), (False, "unknown")):
        step = kept_expert(strayed, stray=stray).episode.steps[0]
        assert step.verdict == verdict
        assert step.target == step.better
        assert step.reply.actions == (Click(point=Point(3.0, 200.0)),)
        assert step.target is not None
        assert step.target.actions == (CLICK,)


@pytest.mark.parametrize(
    "action", [DoubleClick(point=Point(1, 2)), Finished(answer="It is blue."), Type(text="a", point=Point(1, 2))]
)
def test_what_the_policy_has_no_words_for_is_not_asked_of_it(tmp_path: Path, action: Action) -> None:
    episode, pictures, _ = made(1, 1, 2)
    first, second = episode.steps
    steps = (first.model_copy(update={"reply": DatasetReply(actions=(action,))}), second)
    with Dataset(tmp_path / "data", create=True) as dataset:
        dataset.add(episode.model_copy(update={"steps": steps}), pictures)
        (found,) = demonstrations_of(dataset, 3).learned["click-test"]
    assert found.example(0).action == second.reply.actions[0]
    assert found.before == ()


@pytest.mark.parametrize("action", [Drag(start=Point(1, 2), end=Point(3, 4)), Finished(), Wait(), Press(key="enter")])
def test_what_it_has_words_for_is(tmp_path: Path, action: Action) -> None:
    episode, pictures, _ = made(1)
    steps = (episode.steps[0].model_copy(update={"reply": DatasetReply(actions=(action,))}),)
    with Dataset(tmp_path / "data", create=True) as dataset:
        dataset.add(episode.model_copy(update={"steps": steps}), pictures)
        (found,) = demonstrations_of(dataset, 3).learned["click-test"]
    assert found.example(0).action == action
