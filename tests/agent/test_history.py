"""Shorter histories: what is left out, that the rest is computed exactly, and that nobody gets one unasked."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import numpy as np
import pytest
import torch

from saccade.actions.errors import ParseError, UsageError
from saccade.agent.checkpoints.checkpoint import Checkpoint
from saccade.agent.context import PromptBuilder
from saccade.agent.decoding.layout import ImageSegment, Segment, layout_prompt
from saccade.agent.decoding.network import Network
from saccade.agent.decoding.session import Session
from saccade.agent.history import left_out
from saccade.agent.local import LocalPolicy
from saccade.agent.policy import Context, Turn
from saccade.agent.prompts.chatml import ChatFormat
from saccade.perception.observation import Screenshot
from saccade.perception.resize import to_patches
from saccade.tasks.models.load import load_policy

Shoot = Callable[..., Screenshot]


@pytest.fixture
def screens(shoot: Shoot) -> list[Screenshot]:
    """Screens of one size, each of which differs from the one before in a few places; two are equal."""
    rng = np.random.default_rng(0)
    pixels = shoot(0).pixels.copy()
    found = []
    for number in range(9):
        if number != 4:
            top, left = rng.integers(0, 40), rng.integers(0, 80)
            pixels[top : top + 20, left : left + 30] = rng.integers(0, 256, (20, 30, 3))
        found.append(Screenshot(pixels.copy()))
    return found


def builder(checkpoint: Checkpoint, history: Any, max_images: int = 4) -> PromptBuilder:
    card = checkpoint.card.model_copy(update={"max_images": max_images})
    encode = checkpoint.tokenizer.encode
    return PromptBuilder(
        lambda text: encode(text, add_special_tokens=False),
        str,
        card,
        ChatFormat(),
        checkpoint.image_spec,
        history,
        lambda turn: turn.reply.partition("Action")[2],
    )


def contexts(screens: list[Screenshot]) -> list[Context]:
    turns = [Turn(screen, f"Thought: {number} Action: wait()") for number, screen in enumerate(screens)]
    return [Context("Press it.", screen, turns[:number]) for number, screen in enumerate(screens)]


def whole(prompt: list[Segment]) -> list[Segment]:
    return [
        ImageSegment(each.screenshot, each.rows, each.columns) if isinstance(each, ImageSegment) else each
        for each in prompt
    ]


def recomputed(checkpoint: Checkpoint, prompt: list[Segment]) -> torch.Tensor:
    """The logits after a prompt, by transformers alone: all is embedded, then some tokens are taken out."""
    core = cast("Any", checkpoint.model).model
    full = layout_prompt(whole(prompt), checkpoint.model.config.image_token_id)
    stay = np.ones(len(full.ids), dtype=bool)
    images = [each for each in prompt if isinstance(each, ImageSegment)]
    for start, image in zip(full.images, images, strict=True):
        kept = range(image.rows * image.columns) if image.kept is None else image.kept
        stay[start : start + image.rows * image.columns] = False
        stay[[start + place for place in kept]] = True
    ids = torch.tensor(full.ids)
    embeddings = core.get_input_embeddings()(ids)
    visual = ids == checkpoint.model.config.image_token_id
    features, deep = [], []
    for image in images:
        patches = to_patches(image.screenshot, checkpoint.image_spec)
        output = core.get_image_features(
            torch.from_numpy(patches.values), torch.tensor([patches.grid]), return_dict=True
        )
        features.append(output.pooler_output[0])
        deep.append([layer[0] for layer in getattr(output, "deepstack_features", None) or ()])
    embeddings[visual] = torch.cat(features)
    more: dict[str, Any] = {}
    chosen = torch.from_numpy(stay)
    if deep[0]:
        layers = [torch.cat(parts)[chosen[visual]] for parts in zip(*deep, strict=True)]
        more = {"visual_pos_masks": visual[chosen][None], "deepstack_visual_embeds": layers}
    positions = torch.from_numpy(full.positions)[:, None, chosen]
    hidden = core.language_model(inputs_embeds=embeddings[chosen][None], position_ids=positions, **more)
    return cast("Any", checkpoint.model).lm_head(hidden.last_hidden_state[0, -1])


@pytest.mark.parametrize("history", ["changed", "text"])
@torch.inference_mode()
def test_every_step_equals_a_recompute_with_the_same_tokens(
    checkpoint: Checkpoint, screens: list[Screenshot], history: str
) -> None:
    prompts = builder(checkpoint, history)
    session = Session(Network(checkpoint.model), checkpoint.image_spec)
    read = 0
    for context in contexts(screens):
        prompt = prompts.build(context)
        got = session.network.logits(session.prefill(prompt).states[0])
        assert torch.allclose(got, recomputed(checkpoint, prompt), atol=1e-4, rtol=0)
        read += left_out(prompt)
    assert (read > 0) == (history == "changed")


def test_what_repeats_is_left_out_at_kept_positions(checkpoint: Checkpoint, screens: list[Screenshot]) -> None:
    side = checkpoint.image_spec.limits.factor
    one = np.zeros((3 * side, 4 * side, 3), np.uint8)
    other = one.copy()
    other[side + 1, 2 * side + 3] = 9
    older, newer = Screenshot(one), Screenshot(other)
    prompt = builder(checkpoint, "changed").build(Context("x", newer, [Turn(older, "a")]))
    images = [each for each in prompt if isinstance(each, ImageSegment)]
    assert images[0].kept == (1 * 4 + 2,)
    assert images[1].kept is None, "the newest screenshot is shown whole"
    assert left_out(prompt) == 11
    short, long = layout_prompt(prompt, 7), layout_prompt(whole(prompt), 7)
    assert short.next_position == long.next_position
    start = next(iter(short.images))
    assert (short.positions[:, start] == long.positions[:, start + 6]).all()
    assert (short.positions[:, start + 1 :] == long.positions[:, start + 12 :]).all()


def test_equal_screens_leave_one_token_and_other_sizes_all(checkpoint: Checkpoint, shoot: Shoot) -> None:
    prompts = builder(checkpoint, "changed")
    same = prompts.build(Context("x", shoot(0), [Turn(shoot(0), "a")]))
    assert [each.kept for each in same if isinstance(each, ImageSegment)] == [(0,), None]
    other = prompts.build(Context("x", shoot(1), [Turn(shoot(0), "a")]))
    assert left_out(other) == 0


def test_text_keeps_the_actions_of_all_steps_and_one_screenshot(
    checkpoint: Checkpoint, screens: list[Screenshot]
) -> None:
    prompt = builder(checkpoint, "text").build(contexts(screens)[5])
    images = [each for each in prompt if isinstance(each, ImageSegment)]
    assert [each.screenshot.digest for each in images] == [screens[5].digest]
    words = checkpoint.tokenizer.decode(
        [id_ for each in prompt if not isinstance(each, ImageSegment) for id_ in each.ids]
    )
    assert words.count(": wait()") == 5
    assert "Thought" not in words


@pytest.mark.parametrize("history", ["changed", "text"])
def test_a_policy_with_a_shorter_history_replies_as_one_without_a_cache(
    tiny_checkpoints: dict[str, Checkpoint], screens: list[Screenshot], history: str
) -> None:
    checkpoint = tiny_checkpoints["qwen3_vl"]
    kept = LocalPolicy(checkpoint, history=history, max_new_tokens=6)
    turns: list[Turn] = []
    for screen in screens:
        context = Context("Press it.", screen, tuple(turns))
        raws = []
        kept.prefetch_history(context)
        fresh = LocalPolicy(checkpoint, history=history, max_new_tokens=6, decoding="plain")
        fresh._prompts._replies |= kept._prompts._replies  # in the tokens that were written
        for policy in (kept, fresh):
            try:
                raws.append(policy.predict(context).raw)
            except ParseError as error:
                raws.append(error.raw)
        assert raws[0] == raws[1]
        turns.append(Turn(screen, raws[0]))
    assert kept.settings.history == history
    assert (kept.last_usage.left_out_tokens > 0) == (history == "changed")


def test_nobody_gets_a_shorter_history_unasked(tiny_checkpoints: dict[str, Checkpoint]) -> None:
    checkpoint = tiny_checkpoints["qwen2_vl"]
    plain = LocalPolicy(checkpoint)
    assert plain.settings.model_dump().keys() & {"history", "max_pixels"} == set()
    prints = {LocalPolicy(checkpoint, history=each).fingerprint for each in ("full", "changed", "text")}
    assert len(prints) == 3
    assert plain.fingerprint in prints
    assert LocalPolicy(checkpoint, max_pixels=20_000).fingerprint not in prints


def test_screenshots_are_shrunk_to_the_pixels_asked_for(checkpoint: Checkpoint, shoot: Shoot) -> None:
    policy = LocalPolicy(checkpoint, max_pixels=4 * checkpoint.image_spec.limits.factor**2)
    image = next(each for each in policy.prompt(Context("x", shoot(1))) if isinstance(each, ImageSegment))
    assert len(image) <= 4
    assert policy.settings.max_pixels == 4 * checkpoint.image_spec.limits.factor**2
    with pytest.raises(UsageError, match="--max-pixels"):
        LocalPolicy(checkpoint, max_pixels=100)


def test_a_history_that_does_not_exist_or_is_a_servers_is_refused(tiny_checkpoints: dict[str, Checkpoint]) -> None:
    with pytest.raises(UsageError, match="full, changed or text"):
        LocalPolicy(tiny_checkpoints["qwen2_vl"], history="short")
    for wrong in ({"history": "text"}, {"max_pixels": 9000}):
        with pytest.raises(UsageError, match="for models that run here"):
            load_policy("openai:http://localhost:1/v1#m", **wrong)  # type: ignore[arg-type]
