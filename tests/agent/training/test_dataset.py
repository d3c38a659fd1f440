"""A dataset's folder: what is added is read back, equal episodes count once, and what is held out is never learned."""

from __future__ import annotations

import json
import os
import random
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from made_datasets import click, made, shot
from places import ROOT
from saccade.actions.errors import DataError, UsageError
from saccade.actions.geometry import Point
from saccade.actions.schema import Finished, Type
from saccade.agent.training.dataset.folder import Dataset
from saccade.agent.training.dataset.records import (
    DatasetAttempt,
    DatasetReply,
    ElementLabel,
    HeldOutRule,
    PictureLabels,
)


def filled(folder: Path, count: int) -> Dataset:
    with Dataset(folder, create=True, clock=lambda: 7.0) as dataset:
        for seed in range(count):
            assert dataset.add(*made(seed, seed % 5))
    return dataset


def test_what_is_added_is_read_back_and_pictures_are_stored_once(tmp_path: Path) -> None:
    kept = made(3, 10, 20, 10)
    better = kept.episode.steps[1].model_copy(update={"verdict": "wrong", "better": click(9.0), "feedback": "No."})
    episode = kept.episode.model_copy(update={"steps": (kept.episode.steps[0], better, kept.episode.steps[2])})
    labels = PictureLabels(
        elements=(ElementLabel(role="button", text="Go", box=(1, 2, 3, 4), point=Point(2, 3)),),
        chars=(("G", 1.5, 2.5),),
    )
    with Dataset(tmp_path / "data", create=True) as dataset:
        assert dataset.add(episode, kept.pictures, {shot(10).digest: labels})
    read = Dataset(tmp_path / "data")
    (found,) = read.episodes()
    assert found == episode.model_copy(update={"id": episode.content_id()})
    assert [step.target for step in found.steps] == [click(3.0), click(9.0), click(3.0)]
    assert len(list((tmp_path / "data/pictures").iterdir())) == 2
    assert (read.picture(shot(20).digest).pixels == 20).all()
    assert read.labels(shot(10).digest) == labels
    assert read.labels(shot(20).digest) is None


def test_a_wrong_reply_is_learned_only_as_what_is_better() -> None:
    step = made(1).episode.steps[0]
    assert step.target == step.reply
    assert step.model_copy(update={"verdict": "wrong"}).target is None
    assert step.model_copy(update={"verdict": "unknown"}).target is None
    assert step.model_copy(update={"verdict": "unknown", "better": click(4.0)}).target == click(4.0)


def test_an_equal_episode_is_counted_and_not_stored(tmp_path: Path) -> None:
    first, again = made(3), made(3)
    again = again._replace(episode=again.episode.model_copy(update={"origin": "elsewhere", "reward": 0.5}))
    other = made(3, instruction="Press.")
    corrected = first.episode.steps[0].model_copy(update={"better": click(8.0)})
    heal = first._replace(episode=first.episode.model_copy(update={"steps": (corrected,), "origin": "a heal"}))
    with Dataset(tmp_path / "data", create=True) as dataset:
        assert [dataset.add(*each) for each in (first, again, other, heal)] == [True, False, True, True]
    read = Dataset(tmp_path / "data")
    assert len(read) == 3
    assert read.collected("elsewhere")
    assert not read.collected("nowhere")
    assert read.attempts == {"stored": 3, "duplicate": 1}
    assert read.card.tasks["miniwob:click-test"].duplicates == 1


def test_training_and_measuring_readers_never_share_a_problem(tmp_path: Path) -> None:
    read = filled(tmp_path / "data", 400)
    learned = {episode.seed for episode in read.training()}
    measured = {episode.seed for episode in read.held_out_episodes()}
    assert not learned & measured
    assert learned | measured == set(range(400))
    assert 20 <= len(measured) <= 60, "a tenth"
    assert 0 in learned, "the first problem is learned from"
    assert read.learned_seeds("miniwob:click-test") == learned
    perception = made(min(measured), 77).episode
    assert read.held_out(perception.model_copy(update={"source": "perception", "instruction": "What is there?"}))


def test_without_a_seed_the_instruction_decides(tmp_path: Path) -> None:
    with Dataset(tmp_path / "data", create=True) as dataset:
        for number in range(60):
            dataset.add(*made(None, number, instruction=f"Do {number // 2}.", task=f"browser {number}"))
    read = Dataset(tmp_path / "data")
    learned = {episode.instruction for episode in read.training()}
    measured = {episode.instruction for episode in read.held_out_episodes()}
    assert measured
    assert not learned & measured


@pytest.mark.parametrize("number", range(12))
def test_a_dataset_of_one_problem_is_learned_from(tmp_path: Path, number: int) -> None:
    with Dataset(tmp_path / "data", create=True) as dataset:
        for shade in range(3):
            dataset.add(*made(None, shade, instruction=f"File invoice {number}."))
    assert len(list(Dataset(tmp_path / "data").training())) == 3


def test_the_rule_stays_what_it_was(tmp_path: Path) -> None:
    rule = HeldOutRule()
    out = [number for number in range(40) if rule(f"miniwob:click-test\n{number}")]
    assert out == [0, 2, 16, 30, 34], "another hash would let a dataset learn from what another measured on"


def test_a_review_replaces_an_episode_and_its_card(tmp_path: Path) -> None:
    filled(tmp_path / "data", 3)
    with Dataset(tmp_path / "data") as dataset:
        before = list(dataset.episodes())
        dataset.revise(before[1].model_copy(update={"kept": False}))
        with pytest.raises(UsageError, match="holds no episode"):
            dataset.revise(before[1].model_copy(update={"id": "0" * 16}))
    read = Dataset(tmp_path / "data")
    assert [episode.kept for episode in read.episodes()] == [True, False, True]
    assert before[1].id not in {episode.id for episode in [*read.training(), *read.held_out_episodes()]}
    assert read.episode(before[1].id[:9]).kept is False
    assert read.card.tasks["miniwob:click-test"].rejected == 1
    with pytest.raises(UsageError, match="review"):
        read.episode("zz")


def test_the_card_says_what_is_there(tmp_path: Path) -> None:
    with Dataset(tmp_path / "data", create=True, clock=lambda: 7.0) as dataset:
        for seed in (1, 2, 3, 7):
            dataset.add(*made(seed, seed))
        dataset.note(DatasetAttempt(origin="x", task="miniwob:click-pie", outcome="failed"))
        dataset.licensed("MIT")
        dataset.licensed("MIT")
    written = json.loads((tmp_path / "data/card.json").read_text())
    card = Dataset(tmp_path / "data").card
    assert written == card.model_dump(mode="json")
    assert card.created == 7.0
    assert card.licences == ("MIT",)
    assert card.sources == {"expert": 4}
    assert card.pictures == 4
    assert card.tasks["miniwob:click-pie"].failed == 1
    counts = card.tasks["miniwob:click-test"]
    assert counts.learned + counts.held_out == 4 == card.learned + card.measured
    learned = sorted(dataset.learned_seeds("miniwob:click-test"))
    assert counts.seeds == {(1, 2, 3, 7): "1-3,7"}.get(tuple(learned), counts.seeds)


def test_files_are_private(tmp_path: Path) -> None:
    filled(tmp_path / "data", 1)
    for path in (tmp_path / "data").rglob("*"):
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600), path


def test_a_torn_line_is_left_out_and_the_next_one_is_whole(tmp_path: Path) -> None:
    filled(tmp_path / "data", 2)
    file = tmp_path / "data/episodes.jsonl"
    file.write_bytes(file.read_bytes()[:-30])
    assert len(Dataset(tmp_path / "data")) == 1
    with Dataset(tmp_path / "data") as dataset:
        assert dataset.add(*made(9, 9))
    assert [episode.seed for episode in Dataset(tmp_path / "data").episodes()] == [0, 9]


ADDING = """
import sys
sys.path.insert(0, {tests!r})
from pathlib import Path
from made_datasets import made
from saccade.agent.training.dataset.folder import Dataset
with Dataset(Path({folder!r}), create=True) as dataset:
    print("ready", flush=True)
    for seed in range(100_000):
        if not dataset.collected(made(seed).episode.origin):
            dataset.add(*made(seed, seed % 7))
"""


def test_killed_at_any_moment_nothing_but_the_last_episode_is_lost(tmp_path: Path, scale: int) -> None:
    folder = tmp_path / "data"
    script = ADDING.format(tests=str(ROOT / "tests"), folder=str(folder))
    seen = 0
    for _ in range(2 * scale):
        with subprocess.Popen([sys.executable, "-P", "-c", script], stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            process.stdout.readline()
            time.sleep(random.uniform(0.0, 0.3))
            os.kill(process.pid, signal.SIGKILL)
        read = Dataset(folder)
        seeds = [episode.seed for episode in read.episodes()]
        assert seeds == list(range(len(seeds)))
        assert len(seeds) >= seen
        seen = len(seeds)
        for episode in read.episodes():
            read.picture(episode.steps[0].picture)
    assert seen


def test_two_processes_do_not_add_at_once(tmp_path: Path) -> None:
    with Dataset(tmp_path / "data", create=True) as first:
        first.add(*made(1))
        with Dataset(tmp_path / "data") as second, pytest.raises(UsageError, match="another process"):
            second.add(*made(2))
    with Dataset(tmp_path / "data") as third:
        assert third.add(*made(2))


@pytest.mark.parametrize(
    "change",
    [
        {"picture": "../../../etc/passwd"},
        {"picture": "0" * 63},
        {"verdict": "fine"},
        {"reply": {"thought": "", "actions": []}},
        {"reply": {"thought": "", "actions": [{"kind": "press", "key": "nokey"}]}},
        {"reply": {"thought": "", "actions": [{"kind": "click", "point": [1, 1], "more": 1}]}},
        {"feedback": "x" * 1_000_001},
    ],
)
def test_a_dataset_of_others_is_checked_line_by_line(tmp_path: Path, change: dict[str, object]) -> None:
    filled(tmp_path / "data", 2)
    file = tmp_path / "data/episodes.jsonl"
    lines = file.read_text().splitlines()
    bad = json.loads(lines[1])
    bad["steps"][0].update(change)
    file.write_text(f"{lines[0]}\n{json.dumps(bad)}\n")
    with pytest.raises(DataError, match=r"episodes\.jsonl:2"):
        Dataset(tmp_path / "data")


def test_pictures_are_checked_and_stay_in_their_folder(tmp_path: Path) -> None:
    dataset = filled(tmp_path / "data", 1)
    digest = shot(0).digest
    file = tmp_path / "data/pictures" / f"{digest}.png"
    file.write_bytes(shot(1).png())
    with pytest.raises(DataError, match="was changed"):
        dataset.picture(digest)
    file.unlink()
    (tmp_path / "outside.png").write_bytes(shot(0).png())
    file.symlink_to(tmp_path / "outside.png")
    with pytest.raises(DataError, match="leads out"):
        dataset.picture(digest)


def test_missing_things_are_said(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="saccade collect"):
        Dataset(tmp_path / "none")
    episode, _, _ = made(1)
    with Dataset(tmp_path / "data", create=True) as dataset, pytest.raises(DataError, match="was not given"):
        dataset.add(episode, [])


def test_half_characters_are_made_whole(tmp_path: Path) -> None:
    episode, pictures, _ = made(None, instruction="a\ud83d")
    said = DatasetReply(thought="\udc00", actions=(Finished(answer="\ud83d"), Type(text="b")))
    steps = (episode.steps[0].model_copy(update={"reply": said}),)
    with Dataset(tmp_path / "data", create=True) as dataset:
        dataset.add(episode.model_copy(update={"steps": steps}), pictures)
    (found,) = Dataset(tmp_path / "data").episodes()
    assert found.instruction == "a\ufffd"
    assert found.steps[0].reply.thought == "\ufffd"
