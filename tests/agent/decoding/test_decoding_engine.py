"""The engine against transformers' own generation on the same inputs."""

from collections.abc import Callable
from typing import Any, cast

import numpy as np
import pytest
import torch

from saccade.agent.checkpoint import Checkpoint, load_checkpoint
from saccade.agent.decoding.engine import Rules, generate
from saccade.agent.decoding.layout import Picture, Segment, Text, lay_out
from saccade.agent.decoding.network import Network
from saccade.agent.decoding.sampling import Sampling
from saccade.agent.decoding.session import Session
from saccade.perception.observation import Screenshot
from saccade.perception.resize import to_patches

BANNED = frozenset(range(259, 320))
RULES = Rules(frozenset({258}), BANNED, max_new_tokens=24)


def conversation(checkpoint: Checkpoint, shots: list[Screenshot]) -> list[Segment]:
    def text(words: str) -> Text:
        return Text(tuple(checkpoint.tokenizer.encode(words, add_special_tokens=False)))

    prompt: list[Segment] = [text("<|im_start|>user\nPress the blue button.<|im_end|>\n")]
    for shot in shots:
        picture = Picture.of(shot, checkpoint.image_spec)
        prompt += [text("<|im_start|>user\n<|vision_start|>"), picture]
        prompt += [text("<|vision_end|><|im_end|>\n<|im_start|>assistant\n")]
    return prompt


def by_transformers(checkpoint: Checkpoint, prompt: list[Segment], count: int) -> list[int]:
    model = cast("Any", checkpoint.model)
    ids = torch.tensor([lay_out(prompt, model.config.image_token_id).ids])
    shots = [segment.screenshot for segment in prompt if isinstance(segment, Picture)]
    patches = [to_patches(shot, checkpoint.image_spec) for shot in shots]
    output = model.generate(
        input_ids=ids,
        attention_mask=torch.ones_like(ids),
        mm_token_type_ids=(ids == model.config.image_token_id).int(),
        pixel_values=torch.from_numpy(np.concatenate([patch.values for patch in patches])),
        image_grid_thw=torch.tensor([patch.grid for patch in patches]),
        max_new_tokens=count,
        do_sample=False,
        suppress_tokens=sorted(BANNED),
        pad_token_id=256,
    )
    return cast("list[int]", output[0, ids.shape[1] :].tolist())


@pytest.mark.parametrize("pictures", [1, 2, 3, 4])
def test_greedy_replies_are_those_of_transformers(
    checkpoint: Checkpoint, shoot: Callable[[int], Screenshot], pictures: int
) -> None:
    prompt = conversation(checkpoint, [shoot(number) for number in range(pictures)])
    generation = generate(Session(Network(checkpoint.model), checkpoint.image_spec), prompt, RULES)
    expected = by_transformers(checkpoint, prompt, RULES.max_new_tokens)
    assert [*generation.ids, *([258] if generation.finished else [])] == expected
    assert generation.pictures_encoded == pictures


def test_eager_attention_takes_the_same_masks(tiny_directories: Any, shoot: Any) -> None:
    replies = []
    for attention in ("eager", "sdpa"):
        checkpoint = load_checkpoint(tiny_directories["qwen2_5_vl"], device="cpu", attention=attention)
        session = Session(Network(checkpoint.model), checkpoint.image_spec)
        replies.append(generate(session, conversation(checkpoint, [shoot(0)]), RULES).ids)
    assert replies[0] == replies[1]


def test_a_stop_token_ends_the_reply_and_is_not_in_it(checkpoint: Checkpoint, shoot: Any) -> None:
    prompt = conversation(checkpoint, [shoot(3)])
    network = Network(checkpoint.model)
    whole = generate(Session(network, checkpoint.image_spec), prompt, RULES)
    stop = whole.ids[5]
    short = generate(
        Session(network, checkpoint.image_spec), prompt, Rules(frozenset({stop}), BANNED, max_new_tokens=24)
    )
    assert short.finished
    assert short.ids == whole.ids[: whole.ids.index(stop)]
    assert short.forwards == len(short.ids)
    assert not whole.finished
    assert whole.forwards == len(whole.ids) - 1


def test_banned_tokens_never_appear(checkpoint: Checkpoint, shoot: Any) -> None:
    prompt = conversation(checkpoint, [shoot(0)])
    allowed = {65, 66, 67}
    rules = Rules(frozenset({258}), frozenset(range(320)) - allowed, max_new_tokens=30)
    session = Session(Network(checkpoint.model), checkpoint.image_spec)
    for seed in range(5):
        assert set(generate(session, prompt, rules, Sampling(2.0, seed=seed)).ids) <= allowed


def test_a_seed_decides_a_sampled_reply(checkpoint: Checkpoint, shoot: Any) -> None:
    prompt = conversation(checkpoint, [shoot(0)])
    network = Network(checkpoint.model)

    def reply(seed: int) -> tuple[int, ...]:
        session = Session(network, checkpoint.image_spec)
        return generate(session, prompt, RULES, Sampling(temperature=1.0, top_p=0.9, seed=seed)).ids

    assert reply(1) == reply(1)
    assert len({reply(seed) for seed in range(4)}) == 4
