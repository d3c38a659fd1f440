"""Training a tiny checkpoint of each family: it learns, goes on bit for bit, saves, loads and merges."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch

from made_lessons import noise, simple_dataset
from saccade.actions.errors import ParseError, UsageError
from saccade.agent.checkpoints.checkpoint import load_checkpoint
from saccade.agent.checkpoints.model_card import Family
from saccade.agent.checkpoints.saving import merge_checkpoints
from saccade.agent.checkpoints.tiny import tiny_checkpoint
from saccade.agent.local import LocalPolicy
from saccade.agent.policy import Context
from saccade.agent.training.dataset.folder import Dataset
from saccade.agent.training.methods.dataset_items import DatasetItems
from saccade.agent.training.methods.lessons import LessonReader
from saccade.agent.training.methods.supervised import Supervised
from saccade.agent.training.tuning.lora import TunedModel
from saccade.agent.training.tuning.output import write_result
from saccade.agent.training.tuning.plan import TuningPlan
from saccade.agent.training.tuning.tuner import Tuner


@pytest.fixture(scope="session")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    return simple_dataset(tmp_path_factory.mktemp("data"))


@dataclass
class Made:
    """A training that can be made again and again."""

    tuner: Tuner
    items: DatasetItems


Make = Callable[..., Made]


@pytest.fixture
def make(dataset: Dataset, short_directories: dict[Family, Path]) -> Make:
    def made(family: Family = "qwen3_vl", **changes: Any) -> Made:
        directory = str(short_directories[family])
        plan = TuningPlan(**({"model": directory, "rank": 4, "steps": 6, "batch": 3, "rate": 5e-3} | changes))
        dtype = "float32" if plan.weights == "all" else plan.precision
        checkpoint = load_checkpoint(directory, device="cpu", dtype=dtype, attention="sdpa")
        reader = LessonReader(LocalPolicy(checkpoint, decoding="plain"), dataset.picture)
        items = DatasetItems(dataset, dataset.training(), reader)
        method = Supervised(items, items[:1], plan)
        return Made(Tuner(TunedModel(checkpoint, plan), method, plan), items)

    return made


def nothing(*anything: object) -> None:
    pass


def weights_of(tuner: Tuner) -> dict[str, torch.Tensor]:
    return {name: each.detach().clone() for name, each in tuner.tuned.trained.items()}


def same(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


@pytest.mark.parametrize("family", ["qwen2_vl", "qwen2_5_vl", "qwen3_vl"])
def test_an_adapter_trains_resumes_saves_loads_and_merges(family: Family, make: Make, tmp_path: Path) -> None:
    whole = make(family)
    frozen = {n: p.detach().clone() for n, p in whole.tuner.tuned.scorer.named_parameters() if not p.requires_grad}
    assert whole.tuner.train(nothing, nothing, 1e9)
    losses = [row["loss"] for row in whole.tuner.history if "loss" in row]
    assert losses[-1] < 0.85 * losses[0]
    now = dict(whole.tuner.tuned.scorer.named_parameters())
    assert all(torch.equal(frozen[name], now[name]) for name in frozen)

    first = make(family)
    first.tuner.learn()
    first.tuner.learn()
    first.tuner.save(tmp_path / "state.pt")
    second = make(family)
    second.tuner.resume(tmp_path / "state.pt")
    second.tuner.train(nothing, nothing, 1e9)
    assert same(weights_of(whole.tuner), weights_of(second.tuner))

    adapter = write_result(whole.tuner, tmp_path / "adapter", whole=False)
    merged = merge_checkpoints([str(adapter)], tmp_path / "merged")
    item = whole.items[0]
    with torch.no_grad():
        beside = whole.tuner._score.now([item])[0][0]
    for directory in (adapter, merged):
        loaded = load_checkpoint(directory, device="cpu", attention="sdpa")
        plan = whole.tuner.plan
        fresh = Tuner(TunedModel(loaded, plan.model_copy(update={"weights": "all"})), whole.tuner.method, plan)
        with torch.no_grad():
            found = fresh._score.now([item])[0][0]
        assert float((found - beside).abs().max()) < 1e-4
        policy = LocalPolicy(load_checkpoint(directory, device="cpu"), max_new_tokens=9)
        with suppress(ParseError):  # it is still random
            policy.predict(Context("Press it.", noise(1)))
        assert policy.last_usage.reply_tokens == len(policy.last_ids)
    before = load_checkpoint(plan.model, device="cpu", attention="sdpa")
    fresh = Tuner(TunedModel(before, plan.model_copy(update={"weights": "all"})), whole.tuner.method, plan)
    with torch.no_grad():
        assert float((fresh._score.now([item])[0][0] - beside).abs().max()) > 0.1


def test_a_trained_policy_replies_what_it_was_taught(make: Make, tmp_path: Path, dataset: Dataset) -> None:
    """The whole way: after training, a run reads and writes exactly the sequence that was trained."""
    made = make("qwen3_vl", weights="all", steps=100, batch=4, rate=4e-3)
    made.tuner.train(nothing, nothing, 1e9)
    directory = write_result(made.tuner, tmp_path / "out", whole=True)
    policy = LocalPolicy(load_checkpoint(directory, device="cpu"), decoding="plain", max_new_tokens=200)
    first = next(dataset.training())
    context = Context(first.instruction, dataset.picture(first.steps[0].picture))
    prediction = policy.predict(context)
    assert prediction.reply.actions[0].kind == "click"
    read = tuple(policy._session._keys)
    sequence = made.items[0].sequences[0]
    text = made.tuner.tuned.checkpoint.tokenizer.decode(list(sequence.ids))
    assert prediction.raw in text
    assert len(read) > len(prediction.raw)


def test_float16_skips_an_overflow_halves_the_scale_and_goes_on(make: Make) -> None:
    made = make(precision="float16", steps=8)
    tuner = made.tuner
    tuner.learn()
    before = weights_of(tuner)
    tuner.scale.scale = 2.0**40
    row = tuner.learn()
    assert row["norm"] == float("inf")
    assert tuner.scale.scale == 2.0**39
    assert tuner.scale.skipped == 1
    assert tuner.step == 2
    assert same(before, weights_of(tuner))
    tuner.scale.scale = 1024.0
    assert tuner.learn()["norm"] < float("inf")
    assert not same(before, weights_of(tuner))
    assert all(bool(each.isfinite().all()) for each in weights_of(tuner).values())
    assert {each.dtype for each in weights_of(tuner).values()} == {torch.float32}


def test_computing_layers_again_changes_nothing(make: Make) -> None:
    plain, again = make(), make(checkpointing=True)
    for made in (plain, again):
        made.tuner.learn()
    assert same(weights_of(plain.tuner), weights_of(again.tuner))


def test_the_tower_gets_an_adapter_if_asked_for(make: Make) -> None:
    names = make().tuner.tuned.trained
    assert names
    assert not any("visual" in name for name in names)
    with_tower = make(vision=True, steps=1)
    more = with_tower.tuner.tuned.trained
    assert any("visual" in name for name in more)
    assert names.keys() < more.keys()
    with_tower.tuner.learn()
    assert any(bool(each.grad is not None) for name, each in more.items() if "visual" in name)


def test_the_size_of_forwards_changes_nothing_but_rounding(make: Make) -> None:
    one, many = make(), make(tokens=1)
    rows = [made.tuner.learn() for made in (one, many)]
    assert rows[0]["loss"] == pytest.approx(rows[1]["loss"], rel=1e-5)
    assert rows[0]["norm"] == pytest.approx(rows[1]["norm"], rel=1e-4)


def test_training_stops_when_what_is_held_out_gets_no_better_and_keeps_the_best(make: Make) -> None:
    made = make(steps=400, measure_every=1, patience=3, rate=0.5)
    assert made.tuner.train(nothing, nothing, 1e9)
    assert made.tuner.step < 400
    assert made.tuner.best is not None
    loss, step = made.tuner.best
    made.tuner.take_best()
    assert made.tuner.measure(made.tuner.method.held_out)["loss"] == pytest.approx(loss, rel=1e-5)
    assert step < made.tuner.step


def test_of_equal_measurements_the_later_weights_are_kept_and_training_still_stops(make: Make) -> None:
    """Success is often the same; weights that learned nothing must not win by coming first."""
    made = make(steps=50, measure_every=1, patience=3)
    tuner = Tuner(made.tuner.tuned, made.tuner.method, made.tuner.plan, lambda step: {"held_out": 1.0})
    assert tuner.train(nothing, nothing, 1e9)
    assert tuner.step == 3
    assert tuner.best == (1.0, 3)


def test_a_state_of_another_training_is_refused(make: Make, tmp_path: Path) -> None:
    first = make()
    first.tuner.save(tmp_path / "state.pt")
    with pytest.raises(UsageError, match="another rank"):
        make(rank=2).tuner.resume(tmp_path / "state.pt")
    (tmp_path / "state.pt").write_bytes(b"broken")
    with pytest.raises(UsageError, match="cannot be resumed"):
        first.tuner.resume(tmp_path / "state.pt")


def test_checkpoints_are_averaged(tmp_path: Path) -> None:
    models = [str(tiny_checkpoint("qwen2_vl", tmp_path / f"m{seed}", seed=seed, max_images=2)) for seed in (1, 2)]
    mean = merge_checkpoints(models, tmp_path / "mean")
    states: list[Any] = [load_checkpoint(each, device="cpu").model.state_dict() for each in (*models, mean)]
    for name, value in states[2].items():
        assert torch.allclose(value, (states[0][name] + states[1][name]) / 2, atol=1e-6)
    assert load_checkpoint(mean, device="cpu").card.max_images == 2
    other = tiny_checkpoint("qwen3_vl", tmp_path / "other")
    with pytest.raises(UsageError, match="other weights"):
        merge_checkpoints([models[0], str(other)], tmp_path / "no")
    with pytest.raises(UsageError, match="holds a checkpoint already"):
        merge_checkpoints(models, tmp_path / "mean")
