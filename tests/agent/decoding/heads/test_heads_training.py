"""Training of heads: on a tiny model that repeats itself, in seconds."""

import math
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import pytest
import torch

from made_replies import BANNED, conversation
from saccade.actions.errors import UsageError
from saccade.agent.checkpoints.checkpoint import Checkpoint
from saccade.agent.decoding.adaptive import AdaptiveDrafter
from saccade.agent.decoding.costs import VerifyCost
from saccade.agent.decoding.draft import Drafter
from saccade.agent.decoding.engine import generate
from saccade.agent.decoding.heads.checkpoint import METHODS, Method, load_drafter, save_heads
from saccade.agent.decoding.heads.replies import RecordedReply, ReplyRecorder, ReplyRecordingPolicy, ReplyStore
from saccade.agent.decoding.heads.train_heads import HeadTrainer, HeadTrainingPlan
from saccade.agent.decoding.network import Network
from saccade.agent.decoding.sampling import GenerationLimits
from saccade.agent.decoding.session import Session
from saccade.agent.policy import Context
from saccade.perception.observation import Screenshot

RULES = GenerationLimits(frozenset({258}), BANNED, max_new_tokens=24)
FREE = VerifyCost((1, 64), (1.0, 1.0))
"""Forwards of any width cost the same, so that all that is proposed is tested."""
FEW = 24


@pytest.fixture(scope="module")
def target(tiny_checkpoints: Any) -> Checkpoint:
    return cast("Checkpoint", tiny_checkpoints["qwen3_vl"])


def shot(number: int) -> Screenshot:
    noise = torch.randint(0, 256, (64, 64, 3), generator=torch.Generator().manual_seed(number))
    return Screenshot(noise.to(torch.uint8).numpy())


@pytest.fixture(scope="module")
def replies(target: Checkpoint) -> list[RecordedReply]:
    """A tiny model's own replies: half of them wander, half of them repeat themselves."""
    session = Session(Network(target.model), target.image_spec)
    written = []
    for number in range(FEW):
        recorder = ReplyRecorder()
        prompt = conversation(target, [shot(number)])
        generation = generate(session, prompt, RULES, drafter=AdaptiveDrafter([recorder]))
        written.append(recorder.reply())
        assert written[-1].ids[: len(generation.ids)] == generation.ids
        assert written[-1].states.shape == (len(written[-1]), 32)
    return written


def test_recorded_states_are_those_that_predicted_the_tokens(target: Checkpoint, replies: list[RecordedReply]) -> None:
    network = Network(target.model)
    for reply in replies[:4]:
        scores = network.logits(reply.states.float())
        scores[:, sorted(BANNED)] = -math.inf
        assert scores.argmax(-1).tolist() == list(reply.ids)


@pytest.mark.parametrize("method", METHODS)
def test_training_lowers_the_loss_and_leaves_the_model_alone(
    target: Checkpoint, replies: list[RecordedReply], method: Method
) -> None:
    before = [value.clone() for value in target.model.state_dict().values()]
    trainer = HeadTrainer(target, replies, HeadTrainingPlan(method, steps=25, batch=16))
    losses = [trainer.learn() for _ in range(25)]
    assert sum(losses[-5:]) < 0.9 * sum(losses[:5])
    assert all(map(torch.equal, before, target.model.state_dict().values()))
    assert all(value.grad is None for value in target.model.parameters())


@pytest.mark.parametrize("method", METHODS)
def test_resumed_training_equals_uninterrupted(
    target: Checkpoint, replies: list[RecordedReply], method: Method, tmp_path: Path
) -> None:
    plan = HeadTrainingPlan(method, steps=6)
    whole = HeadTrainer(target, replies, plan)
    assert whole.train(state=tmp_path / "whole.pt")
    begun = HeadTrainer(target, replies, plan)
    for _ in range(3):
        begun.learn()
    begun.save(tmp_path / "state.pt")
    torch.manual_seed(12345)
    resumed = HeadTrainer(target, replies, plan)
    resumed.resume(tmp_path / "state.pt")
    assert resumed.step == 3
    assert resumed.train()
    for name, value in whole.heads.state_dict().items():
        assert torch.equal(resumed.heads.state_dict()[name], value), name
    with pytest.raises(UsageError, match="other options"):
        HeadTrainer(target, replies, HeadTrainingPlan(method, steps=7)).resume(tmp_path / "state.pt")
    (tmp_path / "state.pt").write_bytes(b"no")
    with pytest.raises(UsageError, match="without --resume"):
        resumed.resume(tmp_path / "state.pt")


def test_ctrl_c_saves_and_stops_between_updates(
    target: Checkpoint, replies: list[RecordedReply], tmp_path: Path
) -> None:
    plan = HeadTrainingPlan("mtp", steps=5)
    trainer = HeadTrainer(target, replies, plan)
    told = []

    def stop(progress: Any) -> None:
        told.append(progress.step)
        if progress.step == 2:
            os.kill(os.getpid(), signal.SIGINT)

    assert not trainer.train(stop, tmp_path / "state.pt")
    assert told == [1, 2]
    resumed = HeadTrainer(target, replies, plan)
    resumed.resume(tmp_path / "state.pt")
    assert resumed.step == 2


def forwards(checkpoint: Checkpoint, drafters: list[Drafter], numbers: range) -> tuple[int, list[Any]]:
    session = Session(Network(checkpoint.model), checkpoint.image_spec)
    total, texts = 0, []
    for number in numbers:
        prompt = conversation(checkpoint, [shot(number)])
        generation = generate(session, prompt, RULES, drafter=AdaptiveDrafter(drafters, FREE, lambda: 0.0))
        total += generation.forwards
        texts.append(generation.ids)
    return total, texts


@pytest.mark.parametrize("method", METHODS)
def test_trained_heads_save_forwards_and_change_no_reply(
    target: Checkpoint, replies: list[RecordedReply], method: Method, tmp_path: Path
) -> None:
    plan = HeadTrainingPlan(method, steps=60, batch=8, rate=5e-3)
    network, unseen = Network(target.model), range(1000, 1006)
    plain, expected = forwards(target, [], unseen)
    counts = []
    for steps in (0, plan.steps):
        trainer = HeadTrainer(target, replies, plan)
        for _ in range(steps):
            trainer.learn()
        save_heads(tmp_path / str(steps), trainer.trained())
        drafter = load_drafter(method, target, network, tmp_path / str(steps))
        count, texts = forwards(target, [drafter], unseen)
        assert texts == expected
        counts.append(count)
    assert counts[1] < min(counts[0], 0.8 * plain), (counts, plain)
    accuracies = trainer.trained().config.accuracies
    assert len(accuracies) == plan.depth
    assert all(len(row) == 10 for row in accuracies)
    assert accuracies[0][0] > 0.3


def test_a_large_vocabulary_is_trained_on_in_part(
    target: Checkpoint, replies: list[RecordedReply], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from saccade.agent.decoding.drafters.output import draft_vocabulary
    from saccade.agent.decoding.heads import train_heads

    monkeypatch.setattr(
        train_heads, "draft_vocabulary", lambda found, size: draft_vocabulary(found, size, 40, largest=300)
    )
    for method in METHODS:
        trainer = HeadTrainer(target, replies, HeadTrainingPlan(method, steps=3))
        losses = [trainer.learn() for _ in range(3)]
        assert all(map(math.isfinite, losses))
        learned = trainer.trained()
        assert learned.draft_ids is not None
        assert learned.config.own == 0
        save_heads(tmp_path / method, learned)
        drafter = load_drafter(method, target, Network(target.model), tmp_path / method)
        _, texts = forwards(target, [drafter], range(1))
        assert texts == forwards(target, [], range(1))[1]


def test_too_few_replies_are_refused(target: Checkpoint, replies: list[RecordedReply]) -> None:
    with pytest.raises(UsageError, match="--prompts"):
        HeadTrainer(target, replies[:1], HeadTrainingPlan("mtp"))


def test_stored_replies_come_back(replies: list[RecordedReply], tmp_path: Path) -> None:
    store = ReplyStore(tmp_path)
    assert (store.episodes, store.count(), store.load()) == (0, 0, [])
    store.add(0, 4, replies[:3])
    store.add(4, 8, replies[3:5])
    again = ReplyStore(tmp_path)
    assert (again.episodes, again.count()) == (8, 5)
    for reply, known in zip(again.load(), replies, strict=False):
        assert reply.ids == known.ids
        assert torch.equal(reply.states, known.states)


def test_a_teacher_keeps_what_it_wrote(target: Checkpoint, shoot: Callable[[int], Screenshot]) -> None:
    teacher = ReplyRecordingPolicy(target)
    context = Context("Press the blue button.", shoot(1))
    try:
        raw = teacher.predict(context).raw
    except Exception as error:
        raw = cast("Any", error).raw
    written = teacher.last_reply
    text = target.tokenizer.decode(written.ids, skip_special_tokens=False)
    assert text.removesuffix("<|im_end|>") == raw
    assert len(written.states) == len(written) > 1
