"""A session's memory changes what is computed, never what comes out."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, cast

import numpy as np
import pytest
import torch
from torch import Tensor

from saccade.agent.checkpoints.checkpoint import Checkpoint
from saccade.agent.checkpoints.model_card import ModelCard
from saccade.agent.context import PromptBuilder
from saccade.agent.decoding import session as session_module
from saccade.agent.decoding.engine import Generation, generate
from saccade.agent.decoding.layout import ImageSegment, Positions, Segment, layout_prompt
from saccade.agent.decoding.network import Network
from saccade.agent.decoding.sampling import GenerationLimits
from saccade.agent.decoding.session import Session
from saccade.agent.policy import Context, Turn
from saccade.agent.prompts.chatml import ChatFormat
from saccade.perception.observation import Screenshot

RULES = GenerationLimits(frozenset({258}), frozenset(range(259, 320)), max_new_tokens=6)


class Episode:
    """Shows a session one screenshot after the other and keeps its replies."""

    def __init__(self, checkpoint: Checkpoint, max_images: int = 4) -> None:
        self.checkpoint = checkpoint
        self.session = Session(Network(checkpoint.model), checkpoint.image_spec)
        self.prompts = PromptBuilder(
            lambda text: checkpoint.tokenizer.encode(text, add_special_tokens=False),
            str,
            ModelCard(dialect="uitars-1.0", max_images=max_images),
            ChatFormat(),
            checkpoint.image_spec,
        )
        self.turns: list[Turn] = []

    def prompt(self, shot: Screenshot) -> list[Segment]:
        return self.prompts.build(Context("Press it.", shot, self.turns))

    def step(self, shot: Screenshot, feedback: str | None = None) -> Generation:
        generation = generate(self.session, self.prompt(shot), RULES)
        reply = self.checkpoint.tokenizer.decode(generation.ids)
        self.prompts.remember(len(self.turns), reply, generation.ids)
        self.turns.append(Turn(shot, reply, feedback))
        return generation


def logits(session: Session, prompt: list[Segment]) -> Tensor:
    with torch.inference_mode():
        return session.network.logits(session.prefill(prompt).states[0])


def fresh(checkpoint: Checkpoint) -> Session:
    return Session(Network(checkpoint.model), checkpoint.image_spec)


@contextmanager
def counted_vision(checkpoint: Checkpoint) -> Iterator[list[int]]:
    """Collects the number of patches of every forward of the vision tower."""
    calls: list[int] = []
    tower = cast("Any", checkpoint.model).model.visual
    hook = tower.register_forward_hook(lambda module, args, output: calls.append(args[0].shape[0]))
    try:
        yield calls
    finally:
        hook.remove()


def test_every_step_of_an_episode_equals_a_full_recompute(checkpoint: Checkpoint, shoot: Any) -> None:
    episode = Episode(checkpoint)
    for number in range(12):
        shot = shoot(number)
        prompt = episode.prompt(shot)
        expected = logits(fresh(checkpoint), prompt)
        recomputed = generate(fresh(checkpoint), prompt, RULES)
        assert torch.allclose(logits(episode.session, prompt), expected, atol=1e-4, rtol=0)
        assert episode.step(shot, "No such button." if number % 5 == 2 else None).ids == recomputed.ids


def test_prefill_computes_only_what_is_new(checkpoint: Checkpoint, shoot: Any) -> None:
    episode = Episode(checkpoint)
    for number in range(10):
        shot = shoot(number)
        generation = episode.step(shot)
        assert generation.prefill.images_encoded == 1
        if number in (4, 7):
            assert generation.prefill.new_tokens > new_tokens_of_a_step(checkpoint, shot)
        elif number:
            assert generation.prefill.new_tokens == new_tokens_of_a_step(checkpoint, shot)
        else:
            assert generation.prefill.new_tokens == generation.prefill.prompt_tokens


def new_tokens_of_a_step(checkpoint: Checkpoint, shot: Screenshot) -> int:
    """The last reply token, the end of its message, the picture's message, the opening of the reply."""
    words = "<|im_end|>\n<|im_start|>user\n<|vision_start|><|vision_end|><|im_end|>\n<|im_start|>assistant\n"
    text = checkpoint.tokenizer.encode(words, add_special_tokens=False)
    return 1 + len(text) + len(ImageSegment.of(shot, checkpoint.image_spec))


def test_each_prompt_begins_with_the_last_one_until_images_are_dropped(checkpoint: Checkpoint, shoot: Any) -> None:
    episode = Episode(checkpoint)
    last: list[Segment] = []
    survived = []
    for number in range(9):
        shot = shoot(number)
        prompt = episode.prompt(shot)
        survived.append(prompt[: len(last)] == last)
        last = prompt
        episode.step(shot)
    assert [number for number, kept in enumerate(survived) if not kept] == [4, 7]


def test_an_unchanged_screenshot_is_encoded_once(checkpoint: Checkpoint, shoot: Any) -> None:
    episode = Episode(checkpoint, max_images=3)
    with counted_vision(checkpoint) as calls:
        for number in (0, 0, 1, 0, 1, 1, 0, 0):
            episode.step(shoot(number))
    assert len(calls) == 2


def test_features_last_used_are_kept(checkpoint: Checkpoint, shoot: Any) -> None:
    session = Session(Network(checkpoint.model), checkpoint.image_spec, features=2)
    episode = Episode(checkpoint, max_images=1)
    episode.session = session
    with counted_vision(checkpoint) as calls:
        for number in (0, 1, 0, 2, 0, 1):
            episode.step(shoot(number))
    assert len(calls) == 4


def test_pictures_in_the_cached_beginning_need_no_features(checkpoint: Checkpoint, shoot: Any) -> None:
    episode = Episode(checkpoint)
    episode.session = Session(Network(checkpoint.model), checkpoint.image_spec, features=1)
    with counted_vision(checkpoint) as calls:
        for number in range(4):
            episode.step(shoot(number))
    assert len(calls) == 4


def test_a_picture_that_changed_is_read_again(checkpoint: Checkpoint, shoot: Any) -> None:
    episode = Episode(checkpoint)
    episode.step(shoot(0))
    before, after = episode.prompt(shoot(1)), episode.prompt(shoot(4))
    assert len(layout_prompt(before, 261).ids) == len(layout_prompt(after, 261).ids)
    logits(episode.session, before)
    expected = logits(fresh(checkpoint), after)
    assert torch.allclose(logits(episode.session, after), expected, atol=1e-4, rtol=0)


def test_sessions_of_one_model_do_not_disturb_each_other(checkpoint: Checkpoint, shoot: Any) -> None:
    expected = []
    for start in (0, 20):
        episode = Episode(checkpoint)
        expected.append([episode.step(shoot(start + i)).ids for i in range(6)])
    left, right = Episode(checkpoint), Episode(checkpoint)
    replies: list[list[tuple[int, ...]]] = [[], []]
    for i in range(6):
        replies[0].append(left.step(shoot(i)).ids)
        replies[1].append(right.step(shoot(20 + i)).ids)
    assert replies == expected


def test_another_caller_of_the_model_does_not_disturb_a_session(checkpoint: Checkpoint, shoot: Any) -> None:
    undisturbed, episode = Episode(checkpoint), Episode(checkpoint)
    expected = [undisturbed.step(shoot(i)).ids for i in range(4)]
    replies = []
    for i in range(4):
        cast("Any", checkpoint.model).model.rope_deltas = torch.tensor([[-7 - i]])
        replies.append(episode.step(shoot(i)).ids)
    assert replies == expected


def test_several_tokens_at_once_are_the_same_as_one_by_one(checkpoint: Checkpoint, shoot: Any) -> None:
    prompt = Episode(checkpoint).prompt(shoot(0))
    together, apart = fresh(checkpoint), fresh(checkpoint)
    with torch.inference_mode():
        together.prefill(prompt)
        apart.prefill(prompt)
        rows = torch.cat([apart.extend([token]) for token in (65, 66, 67, 68)])
        assert torch.allclose(together.extend([65, 66, 67, 68]), rows, atol=1e-4, rtol=0)
    assert together.length == apart.length


def test_long_prompts_are_read_in_pieces(checkpoint: Checkpoint, shoot: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    episode = Episode(checkpoint)
    for number in range(3):
        episode.step(shoot(number))
    prompt = episode.prompt(shoot(3))
    whole = logits(fresh(checkpoint), prompt)
    monkeypatch.setattr(session_module, "_CHUNK", 7)
    assert torch.allclose(logits(fresh(checkpoint), prompt), whole, atol=1e-4, rtol=0)


def test_wrong_positions_are_noticed(checkpoint: Checkpoint, shoot: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    prompt = Episode(checkpoint).prompt(shoot(0))
    right = logits(fresh(checkpoint), prompt)

    def flat(start: int, rows: int, columns: int) -> Positions:
        return np.tile(np.arange(start, start + rows * columns, dtype=np.int64), (3, 1))

    monkeypatch.setattr("saccade.agent.decoding.layout.image_positions", flat)
    assert (logits(fresh(checkpoint), prompt) - right).abs().max() > 0.01


class Broken(Network):
    """Fails once, after the first layers have already grown."""

    def __init__(self, checkpoint: Checkpoint) -> None:
        super().__init__(checkpoint.model)
        self.fail = False

    def attend(self, *args: Any, **kwargs: Any) -> Tensor:
        hidden = super().attend(*args, **kwargs)
        if self.fail:
            self.fail = False
            raise KeyboardInterrupt
        return hidden


def test_a_session_survives_an_interrupted_forward(checkpoint: Checkpoint, shoot: Any) -> None:
    episode = Episode(checkpoint)
    network = Broken(checkpoint)
    episode.session = Session(network, checkpoint.image_spec)
    episode.step(shoot(0))
    network.fail = True
    with pytest.raises(KeyboardInterrupt):
        episode.step(shoot(1))
    assert episode.session.length == 0
    prompt = episode.prompt(shoot(1))
    assert torch.allclose(logits(episode.session, prompt), logits(fresh(checkpoint), prompt), atol=1e-5)


def test_an_empty_prompt_is_refused(checkpoint: Checkpoint, shoot: Callable[[int], Screenshot]) -> None:
    with pytest.raises(ValueError, match="empty prompt"):
        fresh(checkpoint).prefill([])
