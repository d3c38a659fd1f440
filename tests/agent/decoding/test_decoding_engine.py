"""The engine against transformers' own generation on the same inputs."""

from collections.abc import Callable
from typing import Any

import pytest

from made_replies import BANNED, RULES, by_transformers, conversation
from saccade.agent.checkpoints.checkpoint import Checkpoint, load_checkpoint
from saccade.agent.decoding.engine import generate
from saccade.agent.decoding.network import Network
from saccade.agent.decoding.sampling import GenerationLimits, Sampling
from saccade.agent.decoding.session import Session
from saccade.perception.observation import Screenshot


@pytest.mark.parametrize("pictures", [1, 2, 3, 4])
def test_greedy_replies_are_those_of_transformers(
    checkpoint: Checkpoint, shoot: Callable[[int], Screenshot], pictures: int
) -> None:
    prompt = conversation(checkpoint, [shoot(number) for number in range(pictures)])
    generation = generate(Session(Network(checkpoint.model), checkpoint.image_spec), prompt, RULES)
    expected = by_transformers(checkpoint, prompt, RULES.max_new_tokens)
    assert [*generation.ids, *([258] if generation.finished else [])] == expected
    assert generation.prefill.images_encoded == pictures


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
        Session(network, checkpoint.image_spec), prompt, GenerationLimits(frozenset({stop}), BANNED, max_new_tokens=24)
    )
    assert short.finished
    assert short.ids == whole.ids[: whole.ids.index(stop)]
    assert short.forwards == len(short.ids)
    assert not whole.finished
    assert whole.forwards == len(whole.ids) - 1


def test_banned_tokens_never_appear(checkpoint: Checkpoint, shoot: Any) -> None:
    prompt = conversation(checkpoint, [shoot(0)])
    allowed = {65, 66, 67}
    rules = GenerationLimits(frozenset({258}), frozenset(range(320)) - allowed, max_new_tokens=30)
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
