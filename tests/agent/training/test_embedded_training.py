from __future__ import annotations

import io
import json
import random
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from transformers import PreTrainedTokenizerFast

from saccade.actions.dialects import get_dialect
from saccade.actions.geometry import Point, Size
from saccade.actions.schema import Action, Click, Drag, Finished, Hotkey, Press, Scroll, Type, Wait, points
from saccade.agent.checkpoints.model_card import ModelCard
from saccade.agent.context import PromptBuilder
from saccade.agent.decoding.layout import layout_prompt
from saccade.agent.policy import Context, Turn
from saccade.agent.prompts.chatml import ChatFormat
from saccade.agent.training.architecture import IMAGE_SPEC, SACCADE_JSON, Shape, build_model, save_checkpoint
from saccade.agent.training.batches import Encoder, Labelled
from saccade.agent.training.curriculum import Demonstration
from saccade.agent.training.examples import Example, grounding, reply_text, reworded
from saccade.agent.training.experts.shards import ExpertEpisode, ExpertStep, save_episodes
from saccade.agent.training.held_back import right_replies
from saccade.agent.training.losses import char_loss, extent_loss, letter_loss, pointer_loss, soft_numbers
from saccade.agent.training.rendering import DomElement, PageRecord
from saccade.agent.training.spelling import spelling
from saccade.agent.training.tokenizer import build_tokenizer
from saccade.agent.training.train import MEASURED, parse, train
from saccade.agent.training.trainer import LossWeights, PolicyTrainer
from saccade.perception.observation import Screenshot

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


def clicking(example_page: Labelled, instruction: str = "Go.", picture: int = 0) -> Example:
    at = example_page.record["elements"][0]["point"]
    return Example(picture, instruction, (), Click(point=Point(*at)))


def test_the_training_forward_is_the_stock_forward(tokenizer: PreTrainedTokenizerFast) -> None:
    student = learner(tokenizer)
    pages = [page(), page(seed=1)]
    examples = [
        Example(1, "Click.", (Wait(), Type(text="a")), Click(point=Point(30, 25))),
        Example(0, "Click the other one.", (), Wait()),
    ]
    batch = student.encoder.encode(pages, examples)
    kinds = (batch.ids == student.encoder.image_id).int()
    grids = torch.tensor([[1, *batch.grid]] * len(batch.pictures))
    positions, _ = student.model.model.get_rope_index(batch.ids, kinds, grids)
    with torch.no_grad():
        _, merged = student.tower(batch.patches, batch.grid)
        last, _ = student.language(batch, merged)
        stock = student.model.model(
            input_ids=batch.ids,
            mm_token_type_ids=kinds,
            pixel_values=batch.patches[batch.pictures].flatten(0, 1),
            image_grid_thw=grids,
        ).last_hidden_state
    real = batch.ids != student.encoder.pad_id
    torch.testing.assert_close(batch.positions[:, real], positions[:, real])
    torch.testing.assert_close(last[real], stock[real], atol=1e-4, rtol=1e-4)


def test_an_example_without_a_picture_leaves_the_others_as_they_are(tokenizer: PreTrainedTokenizerFast) -> None:
    student = learner(tokenizer)
    labelled = page()
    typing = Example(-1, 'Type "ab".', (Wait(),), Type(text="ab"))
    alone = student.encoder.encode([labelled], [clicking(labelled)])
    mixed = student.encoder.encode([labelled], [typing, clicking(labelled)])
    assert mixed.pictures.tolist() == [0]
    assert (
        tokenizer.decode(mixed.labels[0][mixed.labels[0] >= 0])
        == reply_text(Type(text="ab"), Size(1, 1)) + "<|im_end|>"
    )
    with torch.no_grad():
        _, merged = student.tower(alone.patches, alone.grid)
        expected, _ = student.language(alone, merged)
        found, _ = student.language(mixed, merged)
    length = int((alone.ids[0] != student.encoder.pad_id).sum())
    torch.testing.assert_close(found[1, :length], expected[0, :length], atol=1e-5, rtol=1e-5)


def test_what_an_instruction_names_is_what_is_typed() -> None:
    rng = random.Random(1)
    for _ in range(300):
        example = spelling(rng)
        assert isinstance(example.action, Type)
        assert example.history[-1].kind == "click"
        bare = example.instruction.lower().replace("/", "").replace(":", "").replace(" ", "")
        assert example.action.text.lower().replace(" ", "").lstrip("0") in bare


def test_letters_are_learned_where_they_are_seen() -> None:
    embeddings = torch.eye(94)
    merged = torch.zeros(1, 2, 94)
    chars = torch.zeros(1, 8, 2, dtype=torch.long)
    chars[0, 5, 0] = ord("k") - 32  # in the second visual token's patches
    merged[0, 1, ord("k") - 33] = 1.0
    right = letter_loss(merged, embeddings, chars)
    assert right < 0.01
    assert letter_loss(merged.flip(1), embeddings, chars) > 4


def test_the_labels_point_at_both_coordinates_of_each_point(tokenizer: PreTrainedTokenizerFast) -> None:
    labelled = page()
    drag = Example(0, "Go.", (), Drag(start=Point(30, 25), end=Point(60, 45)))
    batch = Encoder(tokenizer).encode([labelled], [clicking(labelled), drag])
    found = [tokenizer.decode(batch.ids[row, at + 1 : at + 4]) for row, at, _ in batch.queries.tolist()]
    assert found == ["375,417", "375,417", "750,750"]
    row, _, start = batch.queries[0].tolist()
    assert tokenizer.decode(batch.ids[row, start : start + 12]) == "<|image_pad|>" * 12
    assert batch.targets.tolist() == [1 * 4 + 1, 1 * 4 + 1, 2 * 4 + 3]
    assert int((batch.chars > 0).sum()) == 2
    assert batch.inside.shape == (3, 12)
    assert batch.inside[0].argmax() == 5


def test_an_example_reads_as_the_runtime_prompts_it(tokenizer: PreTrainedTokenizerFast) -> None:
    size = Size(80, 60)
    done = [Click(point=Point(10, 10)), Type(text="it's 12"), Hotkey(keys=("ctrl", "a")), Press(key="enter")]
    labelled = page()
    shown = done[-SACCADE_JSON["max_replies"] :]
    batch = Encoder(tokenizer).encode([labelled], [Example(0, "Go.", shown, Finished())])
    builder = PromptBuilder(
        lambda text: tokenizer.encode(text, add_special_tokens=False),
        str,
        ModelCard.model_validate(SACCADE_JSON),
        ChatFormat(),
        IMAGE_SPEC,
    )
    screen = Screenshot(labelled.picture)
    past = [Turn(screen, reply_text(action, size)) for action in done]
    laid = layout_prompt(builder.build(Context("Go.", screen, past)), Encoder(tokenizer).image_id)
    ids = [int(token) for token in laid.ids]
    assert batch.ids[0, : len(ids)].tolist() == ids
    rest = tokenizer.decode(batch.ids[0, len(ids) :]).replace("<|endoftext|>", "")  # what it is padded with
    assert rest == reply_text(Finished(), size) + "<|im_end|>\n"
    learned = tokenizer.decode(batch.labels[0][batch.labels[0] >= 0])
    assert learned == reply_text(Finished(), size) + "<|im_end|>"


@pytest.mark.parametrize(
    ("action", "tokens"),
    [
        (Click(point=Point(80, 60)), 5),
        (Drag(start=Point(0, 0), end=Point(79, 59)), 9),
        (Type(text="Ann"), 5),
        (Press(key="enter"), 7),
        (Scroll(direction="down", point=Point(40, 30)), 10),
        (Wait(), 1),
        (Finished(), 1),
    ],
)
def test_a_reply_is_short_and_means_its_action(tokenizer: PreTrainedTokenizerFast, action: Action, tokens: int) -> None:
    text = reply_text(action, Size(80, 60))
    assert len(tokenizer.encode(text, add_special_tokens=False)) == tokens
    assert tokenizer.decode(tokenizer.encode(text, add_special_tokens=False)) == text
    (said,) = get_dialect(SACCADE_JSON["dialect"]).parse(text, Size(80, 60)).actions
    if isinstance(action, Press):
        assert said == Hotkey(keys=(action.key,))
    else:
        assert said.kind == action.kind
        for wanted, point in zip(points(action), points(said), strict=True):
            assert abs(wanted.x - point.x) < 0.1
            assert abs(wanted.y - point.y) < 0.1


def test_a_question_names_an_element_that_can_be_told_from_the_others() -> None:
    record = page().record
    for seed in range(5):
        asked = grounding(record, random.Random(seed))
        assert asked is not None
        assert "OK" in asked[0]
        assert asked[1]["point"] == [30.0, 25.0]
    record["elements"].append(record["elements"][0])
    assert grounding(record, random.Random(0)) is None


def test_words_to_type_are_others_in_instruction_and_reply() -> None:
    example = Example(0, 'Enter "Ann" and submit.', (), Type(text="Ann"))
    other = reworded(example, random.Random(0))
    assert isinstance(other.action, Type)
    assert other.action.text != "Ann"
    assert other.instruction == f'Enter "{other.action.text}" and submit.'
    unnamed = Example(0, "Enter what you see.", (), Type(text="Ann"))
    assert reworded(unnamed, random.Random(0)) == unnamed


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
    batch = student.encoder.encode([labelled], [clicking(labelled)])
    first = student.learn(batch, LossWeights(), 3e-3)
    for _ in range(30):
        last = student.learn(batch, LossWeights(), 3e-3)
    assert all(last[name] < first[name] for name in ("words", "places", "pointer", "extent", "chars"))


def test_new_heads_can_learn_first(tokenizer: PreTrainedTokenizerFast) -> None:
    student = learner(tokenizer)
    labelled = page()
    batch = student.encoder.encode([labelled], [clicking(labelled)])
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


def demonstrated(folder: Path) -> None:
    """A shard of two tasks, of which one episode in 25 is held back."""
    episodes = []
    for seed in range(24, 32):
        labelled = page(seed=seed)
        file = io.BytesIO()
        Image.fromarray(labelled.picture).save(file, format="PNG")
        elements, chars = labelled.record["elements"], labelled.record["chars"]
        at = {"kind": "click", "point": {"x": 30.0, "y": 25.0}}
        steps = [ExpertStep(file.getvalue(), at, None, elements, chars)] * 2
        episodes.append(ExpertEpisode(f"task-{seed % 2}", seed, "Go.", steps, 1.0))
    save_episodes(folder, "experts-24", episodes)


def test_resumed_training_equals_uninterrupted_training(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    demonstrated(tmp_path / "data")
    monkeypatch.setattr("saccade.agent.training.train.build_model", lambda tokenizer: build_model(tokenizer, TINY))
    base = ["--data", str(tmp_path / "data"), "--device", "cpu", "--threads", "1", "--measure-every", "2"]
    whole = train(parse([*base, "--out", str(tmp_path / "whole"), "--steps", "4"]))
    train(parse([*base, "--out", str(tmp_path / "parts"), "--steps", "2"]))
    parts = train(parse([*base, "--out", str(tmp_path / "parts"), "--steps", "4", "--resume"]))
    for name, value in whole.model.state_dict().items():
        assert torch.equal(value, parts.model.state_dict()[name]), name
    measured = [json.loads(line) for line in (tmp_path / "whole" / MEASURED).read_text().splitlines()]
    assert [(row["step"], row["demonstrations"]) for row in measured] == [(1, 14), (3, 14)]
    assert measured[0]["tasks"]["task-1"]["steps"] == 2


def test_a_point_beside_the_right_one_is_right_inside_the_target(tokenizer: PreTrainedTokenizerFast) -> None:
    labelled = page(800, 600)
    step = ExpertStep(b"", {"kind": "click", "point": {"x": 30.0, "y": 25.0}})
    student = learner(tokenizer)
    batch = student.encoder.encode([labelled], [clicking(labelled)])
    for _ in range(60):
        losses = student.learn(batch, LossWeights(), 3e-3)
    assert losses["error"] < 30
    demonstration = Demonstration("click-button", "Go.", step, ())
    object.__setattr__(demonstration, "page", lambda: labelled)
    assert right_replies(student, [demonstration]) == {"click-button": (1.0, 1)}
    moved = ExpertStep(b"", {"kind": "click", "point": {"x": 700.0, "y": 500.0}})
    elsewhere = Demonstration("click-button", "Go.", moved, ())
    object.__setattr__(elsewhere, "page", lambda: labelled)
    assert right_replies(student, [elsewhere]) == {"click-button": (0.0, 1)}
