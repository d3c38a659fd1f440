from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import PreTrainedTokenizerFast

from saccade.agent.training.architecture import Shape, build_model, save_checkpoint
from saccade.agent.training.batches import Conversation, Encoder, Labelled, TrainingTurn
from saccade.agent.training.curriculum import several_turns
from saccade.agent.training.losses import char_loss, extent_loss, pointer_loss, soft_numbers
from saccade.agent.training.questions import BLANK, TaughtReply, ask, click, own_question
from saccade.agent.training.rendering import DomElement, PageRecord, save_shard
from saccade.agent.training.tokenizer import build_tokenizer
from saccade.agent.training.train import parse, train
from saccade.agent.training.trainer import LossWeights, PolicyTrainer

TINY = Shape(
    vision_depth=1, vision_width=32, vision_heads=2, vision_inner=32, depth=2, width=48, heads=2, key_heads=1, inner=32
)


def page(width: int = 80, height: int = 60, seed: int = 0) -> Labelled:
    picture = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    button = DomElement(role="button", text="OK", box=[20.0, 20.0, 40.0, 30.0], point=[30.0, 25.0])
    field = DomElement(role="textbox", text="", box=[50.0, 40.0, 70.0, 50.0], point=[60.0, 45.0])
    chars = [("O", 27.0, 25.0), ("K", 33.0, 25.0)]
    record = PageRecord(
        task="click-button", utterance='Click on the "OK" button.', elements=[button, field], chars=chars, extra={}
    )
    return Labelled(picture, record)


@pytest.fixture(scope="module")
def tokenizer() -> PreTrainedTokenizerFast:
    return build_tokenizer()


def learner(tokenizer: PreTrainedTokenizerFast) -> PolicyTrainer:
    torch.manual_seed(0)
    return PolicyTrainer(build_model(tokenizer, TINY), tokenizer, torch.device("cpu"))


def test_the_training_forward_is_the_stock_forward(tokenizer: PreTrainedTokenizerFast) -> None:
    student = learner(tokenizer)
    pages = [page(), page(seed=1)]
    lesson = [
        Conversation("Click.", (TrainingTurn(0, BLANK), TrainingTurn(1, click("Here.", page().record["elements"][0])))),
        Conversation("Click the other one.", (TrainingTurn(1, BLANK),)),
    ]
    batch = student.encoder.encode(pages, lesson)
    kinds = (batch.ids == student.encoder.image_id).int()
    grids = torch.tensor([[1, *batch.grid]] * len(batch.pictures))
    positions, _ = student.model.model.get_rope_index(batch.ids, kinds, grids)
    with torch.no_grad():
        _, merged = student.tower(batch.patches, batch.grid)
        last, _ = student._language(batch, merged)
        stock = student.model.model(
            input_ids=batch.ids,
            mm_token_type_ids=kinds,
            pixel_values=batch.patches[batch.pictures].flatten(0, 1),
            image_grid_thw=grids,
        ).last_hidden_state
    real = batch.ids != student.encoder.pad_id
    torch.testing.assert_close(batch.positions[:, real], positions[:, real])
    torch.testing.assert_close(last[real], stock[real], atol=1e-4, rtol=1e-4)


def test_the_labels_point_at_the_coordinates(tokenizer: PreTrainedTokenizerFast) -> None:
    labelled = page()
    batch = Encoder(tokenizer).encode(
        [labelled], [Conversation("Go.", (TrainingTurn(0, click("Here.", labelled.record["elements"][0])),))]
    )
    row, place, start = batch.queries[0].tolist()
    assert tokenizer.decode(batch.ids[row, place + 1 : place + 4]) == "375,417"
    assert tokenizer.decode(batch.ids[row, start : start + 12]) == "<|image_pad|>" * 12
    assert batch.targets.tolist() == [1 * 4 + 1]
    assert int((batch.chars > 0).sum()) == 2
    assert batch.inside.shape == (1, 12)
    assert batch.inside[0].argmax() == 5


def test_mistakes_are_shown_but_not_learned(tokenizer: PreTrainedTokenizerFast) -> None:
    wrong = TrainingTurn(0, TaughtReply("Here.", "wait()"), learn=False)
    batch = Encoder(tokenizer).encode([page()], [Conversation("Go.", (wrong, TrainingTurn(0, BLANK)))])
    learned = tokenizer.decode(batch.labels[0][batch.labels[0] >= 0])
    assert learned == BLANK.text(80, 60) + "<|im_end|>"


def test_questions_name_each_element_and_the_pages_own_request() -> None:
    record = page().record
    asked = {(q.reply.thought, q.reply.text(80, 60).splitlines()[1]) for q in ask(record, random.Random(0))}
    assert asked == {
        ("Click the button OK.", "Action: click(start_box='(375,417)')"),
        ("Click the textbox.", "Action: click(start_box='(750,750)')"),
    }
    own = own_question(record)
    assert own is not None
    assert own.reply.thought == "Click the button OK."


def test_episodes_have_several_turns_and_end_well() -> None:
    pages, conversations = several_turns([page(seed=n) for n in range(6)], random.Random(1))
    assert len(pages) == 6
    assert 4 <= len(conversations) <= 6
    assert all(2 <= len(c.turns) <= 4 and c.turns[-1].learn for c in conversations)
    assert all(t.picture in range(len(pages)) for c in conversations for t in c.turns)


def test_losses_fall_when_the_answer_is_right() -> None:
    labels = torch.tensor([[[3, 0]]])
    right = torch.full((1, 1, 2, 5), -9.0)
    right[0, 0, 0, 3] = right[0, 0, 1, 0] = 9.0
    loss, accuracy = char_loss(right, labels)
    assert float(loss) < 1e-3
    assert float(accuracy) == 1.0
    keys = torch.eye(4)[None] * 50
    near, hit = pointer_loss(torch.eye(4)[2:3], keys, torch.tensor([2]))
    far, miss = pointer_loss(torch.eye(4)[2:3], keys, torch.tensor([1]))
    assert float(near) < float(far)
    assert (float(hit), float(miss)) == (1.0, 0.0)
    inside = torch.tensor([[0.0, 1.0]])
    assert float(extent_loss(torch.tensor([[-9.0, 9.0]]), inside)) < 1e-3
    soft = soft_numbers()
    assert torch.allclose(soft.sum(1), torch.ones(1000))
    assert int(soft[400].argmax()) == 400
    assert float(soft[400, 405]) > float(soft[400, 430])


def test_learning_lowers_every_loss(tokenizer: PreTrainedTokenizerFast) -> None:
    student = learner(tokenizer)
    labelled = page()
    batch = student.encoder.encode(
        [labelled], [Conversation("Go.", (TrainingTurn(0, click("Here.", labelled.record["elements"][0])),))]
    )
    first = student.learn(batch, LossWeights(), 3e-3)
    for _ in range(30):
        last = student.learn(batch, LossWeights(), 3e-3)
    assert all(last[name] < first[name] for name in ("words", "places", "pointer", "extent", "chars"))


def test_new_heads_can_learn_first(tokenizer: PreTrainedTokenizerFast) -> None:
    student = learner(tokenizer)
    labelled = page()
    batch = student.encoder.encode(
        [labelled], [Conversation("Go.", (TrainingTurn(0, click("Here.", labelled.record["elements"][0])),))]
    )
    before = {name: value.clone() for name, value in student.model.state_dict().items()}
    first = student.learn(batch, LossWeights(), 3e-3, heads_only=True)
    last = student.learn(batch, LossWeights(), 3e-3, heads_only=True)
    assert last["chars"] < first["chars"]
    assert last["words"] == first["words"]
    assert all(torch.equal(value, before[name]) for name, value in student.model.state_dict().items())
    student.learn(batch, LossWeights(), 3e-3)
    assert not torch.equal(student.model.state_dict()["lm_head.weight"], before["lm_head.weight"])


def test_training_goes_on_from_a_checkpoint(tmp_path: Path, tokenizer: PreTrainedTokenizerFast) -> None:
    teacher = learner(tokenizer)
    save_checkpoint(teacher.model, tokenizer, tmp_path)
    torch.manual_seed(1)
    student = PolicyTrainer(build_model(tokenizer, TINY), tokenizer, torch.device("cpu"))
    student.start_from(tmp_path)
    wanted = teacher.model.state_dict()
    for name, value in student.model.state_dict().items():
        torch.testing.assert_close(value, wanted[name], atol=2e-3, rtol=1e-3)


def test_resumed_training_equals_uninterrupted_training(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    labelled = [page(seed=n) for n in range(6)]
    save_shard(tmp_path / "data", "pages", [p.picture for p in labelled], [p.record for p in labelled])
    monkeypatch.setattr("saccade.agent.training.train.build_model", lambda tokenizer: build_model(tokenizer, TINY))
    base = ["--data", str(tmp_path / "data"), "--history", "0.5", "--device", "cpu", "--threads", "1"]
    whole = train(parse([*base, "--out", str(tmp_path / "whole"), "--steps", "4"]))
    train(parse([*base, "--out", str(tmp_path / "parts"), "--steps", "2"]))
    parts = train(parse([*base, "--out", str(tmp_path / "parts"), "--steps", "4", "--resume"]))
    for name, value in whole.model.state_dict().items():
        assert torch.equal(value, parts.model.state_dict()[name]), name
