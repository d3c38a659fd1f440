"""DPO, GRPO and rounds on tiny checkpoints: what is compared with what, and what is learned."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch

from made_lessons import click, done, episode, made_dataset, noise, steps_of
from saccade.agent.checkpoints.checkpoint import load_checkpoint
from saccade.agent.checkpoints.model_card import Family
from saccade.agent.local import LocalPolicy
from saccade.agent.policy import Context
from saccade.agent.training.methods.dataset_items import DatasetItems
from saccade.agent.training.methods.group_policy import Attempt, GroupPolicy, GroupSettings
from saccade.agent.training.methods.lessons import LessonReader
from saccade.agent.training.methods.rounds import ROUND_STEPS, Joined, Rounds
from saccade.agent.training.methods.supervised import Preferring, Supervised
from saccade.agent.training.tuning.attempts import AttemptingPolicy
from saccade.agent.training.tuning.items import TrainingItem
from saccade.agent.training.tuning.lora import TunedModel
from saccade.agent.training.tuning.plan import TuningPlan
from saccade.agent.training.tuning.scoring import ItemScorer
from saccade.agent.training.tuning.sequences import SequenceWriter, TrainingSequence
from saccade.agent.training.tuning.tuner import Tuner


def tuned(directory: Path, reference: bool = True, **changes: Any) -> tuple[TunedModel, TuningPlan]:
    plan = TuningPlan(**({"model": str(directory), "rank": 4, "steps": 8, "batch": 2, "rate": 5e-3} | changes))
    checkpoint = load_checkpoint(directory, device="cpu", attention="sdpa")
    return TunedModel(checkpoint, plan, keep_reference=reference), plan


@pytest.mark.parametrize("weights", ["lora", "all"])
def test_dpo_prefers_the_better_reply_to_what_the_model_before_training_did(
    weights: str, short_directories: dict[Family, Path], tmp_path: Path
) -> None:
    steps = [each.model_copy(update={"verdict": "wrong", "better": done()}) for each in steps_of([click(9, 9)] * 4)]
    dataset = made_dataset(tmp_path, [episode([each], number) for number, each in enumerate(steps)])
    model, plan = tuned(short_directories["qwen2_vl"], weights=weights, rate=2e-3)
    reader = LessonReader(LocalPolicy(model.checkpoint, decoding="plain"), dataset.picture)
    items = DatasetItems(dataset, dataset.episodes(), reader, "pairs")
    assert len(items) == 4
    score = ItemScorer(model, plan)
    with torch.no_grad():
        start = [[each.clone() for each in pair] for pair in score.now(items[:2])]
    tuner = Tuner(model, Preferring(items, (), plan), plan)
    rows = [tuner.learn() for _ in range(6)]
    assert rows[0]["loss"] == pytest.approx(0.6931, abs=1e-3)
    assert rows[0]["margin"] == pytest.approx(0.0, abs=1e-3)
    assert rows[-1]["margin"] > 1
    assert rows[-1]["loss"] < 0.65
    assert rows[-1]["preferred"] == 1.0
    model.learning(False)
    for before, then in zip(score.before(items[:2]), start, strict=True):
        for one, other in zip(before, then, strict=True):
            assert torch.allclose(one, other, atol=1e-5), "the reference moved"
            assert not one.requires_grad


def sequences_for(model: TunedModel, count: int) -> list[TrainingSequence]:
    writer = SequenceWriter(LocalPolicy(model.checkpoint, decoding="plain"))
    return [writer.write(Context("Go.", noise(number)), f"Action: wait({number})") for number in range(count)]


def group_policy(model: TunedModel, plan: TuningPlan, plays: list[list[Attempt]], **changes: Any) -> GroupPolicy:
    asked: list[tuple[str, int, int, int]] = []

    def play(task: str, seed: int, attempts: int, step: int) -> list[Attempt]:
        asked.append((task, seed, attempts, step))
        return plays[len(asked) - 1]

    settings = GroupSettings(("a",), 100, **({"groups": 1, "attempts": 2, "beta": 0.0} | changes))
    made = GroupPolicy(settings, play, ItemScorer(model, plan).of)
    made.asked = asked  # type: ignore[attr-defined]
    return made


def test_a_success_comes_back_where_all_attempts_fail(short_directories: dict[Family, Path]) -> None:
    model, plan = tuned(short_directories["qwen2_vl"])
    one, two, three = sequences_for(model, 3)
    won, lost = [Attempt([one], 1.0), Attempt([two], 0.0)], [Attempt([two], 0.0), Attempt([three], 0.0)]
    method = group_policy(model, plan, [lost, won, lost, lost])
    assert method.draw(0) == []  # nothing to learn from, and no success is known yet
    assert method.numbers == {"reward": 0.0, "even": 1.0}
    first = method.draw(1)
    assert [each.advantage for each in first] == pytest.approx([1.0, -1.0], abs=1e-4)
    assert method.numbers["reward"] == 0.5
    again = method.draw(2)
    assert [each.advantage for each in again] == pytest.approx([-1.0, 1.0], abs=1e-4)
    assert again[1].sequences == (one,)
    assert len(again[1].old) == len(one.learned)
    assert method.asked == [("a", 100, 2, 0), ("a", 101, 2, 1), ("a", 102, 2, 2)]  # type: ignore[attr-defined]

    other = group_policy(model, plan, [lost])
    other.load_state_dict(method.state_dict())
    _failed, replayed = other.draw(5)
    assert replayed.sequences[0].ids == one.ids
    assert replayed.old == again[1].old
    assert group_policy(model, plan, [won, lost], replay=False).draw(0)
    without = group_policy(model, plan, [won, lost], replay=False)
    without.draw(0)
    assert without.draw(1) == []


def test_an_interrupted_draw_changes_nothing(short_directories: dict[Family, Path]) -> None:
    model, plan = tuned(short_directories["qwen2_vl"])
    one, two = sequences_for(model, 2)
    method = group_policy(model, plan, [[Attempt([one], 1.0), Attempt([two], 0.0)]], groups=2)
    with pytest.raises(IndexError):
        method.draw(0)
    assert method.state_dict() == {}


def test_grpo_learns_to_earn(short_directories: dict[Family, Path]) -> None:
    """Replies of four tokens earn what share of them is even: half at first."""
    model, plan = tuned(short_directories["qwen3_vl"], rate=2e-2, steps=30, rank=8)

    def play(task: str, seed: int, attempts: int, step: int) -> list[Attempt]:
        found = []
        for number in range(attempts):
            policy = AttemptingPolicy(model.checkpoint, 1.0, seed=1000 * step + number)
            policy.limits = type(policy.limits)(policy.limits.stop_ids, policy.limits.banned_ids, 4)
            try:
                policy.predict(Context("Go.", noise(0)))
            except Exception:
                assert policy.last_ids  # four random tokens are no reply
            ids = policy.last_ids
            found.append(Attempt(policy.sequences, sum(token % 2 == 0 for token in ids) / len(ids)))
        return found

    settings = GroupSettings(("a",), 0, groups=1, attempts=8, beta=0.01)
    method = GroupPolicy(settings, play, ItemScorer(model, plan).of)
    tuner = Tuner(model, method, plan)
    rewards = [tuner.learn()["reward"] for _ in range(30)]
    assert sum(rewards[:5]) / 5 < 0.7
    assert sum(rewards[-5:]) / 5 > 0.85


def test_rounds_collect_when_they_begin_and_learn_from_all_that_was_collected(
    short_directories: dict[Family, Path],
) -> None:
    model, plan = tuned(short_directories["qwen2_vl"], batch=3, settings={ROUND_STEPS: 2})
    items = [TrainingItem((each,)) for each in sequences_for(model, 6)]
    asked: list[int] = []

    def collect(number: int) -> Sequence[TrainingItem]:
        asked.append(number)
        return items[2 * number : 2 * number + 2]

    method = Rounds(items[:1], (), plan, collect)
    drawn = [method.draw(step) for step in range(3)]
    assert asked == [0, 1]
    assert {id(each) for each in drawn[0]} <= {id(each) for each in items[:2]}
    assert method.collected == 4
    again = Rounds(items[:1], (), plan, collect)
    again.load_state_dict(method.state_dict())
    assert [list(map(id, again.draw(step))) for step in range(2, 4)] == [
        list(map(id, method.draw(step))) for step in range(2, 4)
    ]
    assert Rounds((), (), plan, lambda number: ()).draw(0) == []
    joined = Joined([items[:2], (), items[2:3]])
    assert list(joined) == items[:3]
    assert joined[0:3] == items[:3]


def test_the_mask_of_supervised_training_is_the_reply(short_directories: dict[Family, Path]) -> None:
    """The loss is the mean over the tokens of the replies alone, by hand."""
    model, plan = tuned(short_directories["qwen2_vl"], reference=False)
    items = [TrainingItem((each,)) for each in sequences_for(model, 2)]
    method = Supervised(items, items, plan)
    by_hand = torch.cat(ItemScorer(model, plan).of([item.sequences[0] for item in items]))
    policy = LocalPolicy(model.checkpoint, decoding="plain")
    assert len(by_hand) == sum(len(policy.reply_ids(f"Action: wait({number})")) for number in range(2))
    assert Tuner(model, method, plan).measure(items)["loss"] == pytest.approx(float(-by_hand.mean()), rel=1e-5)
