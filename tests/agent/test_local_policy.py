"""The local policy as an agent meets it: contexts in, predictions or parse errors out."""

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from saccade.actions.dialects import Reply
from saccade.actions.errors import ParseError, UsageError
from saccade.actions.geometry import Size
from saccade.actions.schema import Wait
from saccade.agent.checkpoints.checkpoint import Checkpoint
from saccade.agent.context import dropped_images
from saccade.agent.local import LocalPolicy
from saccade.agent.policy import Context, Policy, Turn
from saccade.perception.observation import Screenshot


class Listening:
    """A dialect that reads everything as a wait, and keeps what it was given."""

    name = "listening"

    def __init__(self) -> None:
        self.heard: list[tuple[str, Size, Size | None]] = []

    def prompt(self, instruction: str) -> str:
        return f"You are a tester.\n{instruction}"

    def render(self, reply: Reply, screenshot: Size, resized: Size | None = None) -> str:
        return "wait"

    def parse(self, raw: str, screenshot: Size, resized: Size | None = None) -> Reply:
        self.heard.append((raw, screenshot, resized))
        return Reply("", (Wait(),))


class Deaf(Listening):
    """A dialect that can read nothing."""

    def parse(self, raw: str, screenshot: Size, resized: Size | None = None) -> Reply:
        raise ParseError("no action in it", raw)


def context(shot: Screenshot, turns: Sequence[Turn] = ()) -> Context:
    return Context("Press it.", shot, turns)


def play(policy: LocalPolicy, shots: list[Screenshot]) -> list[str]:
    turns: list[Turn] = []
    for shot in shots:
        turns.append(Turn(shot, policy.predict(context(shot, turns)).raw))
    return [turn.reply for turn in turns]


def test_it_is_a_policy(checkpoint: Checkpoint, shoot: Any) -> None:
    dialect = Listening()
    policy: Policy = LocalPolicy(checkpoint, dialect)
    prediction = policy.predict(context(shoot(0, Size(200, 100))))
    assert isinstance(policy, Policy)
    assert policy.name == checkpoint.family
    assert prediction.reply.actions == (Wait(),)
    (raw, size, resized), *_ = dialect.heard
    assert (raw, size) == (prediction.raw, (200, 100))
    factor = checkpoint.image_spec.limits.factor
    assert resized is not None
    assert (resized.width % factor, resized.height % factor) == (0, 0)


def test_usage_says_what_it_cost(checkpoint: Checkpoint, shoot: Any) -> None:
    usage = LocalPolicy(checkpoint, Listening()).predict(context(shoot(0))).usage
    assert usage.prompt_tokens > 50
    assert 0 < usage.reply_tokens <= checkpoint.card.max_new_tokens
    assert usage.forwards + usage.accepted_tokens in (usage.reply_tokens - 1, usage.reply_tokens)
    assert usage.timings.keys() == {"encode", "prefill", "decode", "parse"}
    assert all(seconds >= 0 for seconds in usage.timings.values())


def test_an_unreadable_reply_carries_itself_and_leaves_its_cost(checkpoint: Checkpoint, shoot: Any) -> None:
    policy = LocalPolicy(checkpoint, Deaf())
    with pytest.raises(ParseError) as caught:
        policy.predict(context(shoot(0)))
    assert caught.value.raw == LocalPolicy(checkpoint, Listening()).predict(context(shoot(0))).raw
    assert policy.last_usage.reply_tokens > 0
    turns = [Turn(shoot(0), caught.value.raw, caught.value.reason)]
    with pytest.raises(ParseError):
        policy.predict(context(shoot(0), turns))


def test_a_started_policy_has_forgotten_the_last_episode(checkpoint: Checkpoint, shoot: Any) -> None:
    policy = LocalPolicy(checkpoint, Listening(), temperature=1.0, seed=3)
    shots = [shoot(number) for number in range(3)]
    first = play(policy, shots)
    policy.start()
    assert play(policy, shots) == first
    assert len(set(first)) == 3


def test_policies_share_a_checkpoint(checkpoint: Checkpoint, shoot: Any) -> None:
    shots = [shoot(number) for number in range(3)]
    alone = play(LocalPolicy(checkpoint, Listening()), shots)
    left, right = LocalPolicy(checkpoint, Listening()), LocalPolicy(checkpoint, Listening())
    turns: list[Turn] = []
    for shot in shots:
        raw = left.predict(context(shot, turns)).raw
        right.predict(context(shoot(9)))
        turns.append(Turn(shot, raw))
    assert [turn.reply for turn in turns] == alone


def test_the_card_sets_dialect_viewport_and_limit(checkpoint: Checkpoint, shoot: Any) -> None:
    policy = LocalPolicy(checkpoint, Listening(), max_new_tokens=3)
    assert policy.viewport is None
    assert policy.dialect == "listening"
    assert policy.predict(context(shoot(0))).usage.reply_tokens <= 3


def test_a_screenshot_like_a_thread_is_refused(checkpoint: Checkpoint) -> None:
    shot = Screenshot(np.zeros((1, 300, 3), dtype=np.uint8))
    with pytest.raises(UsageError, match="ratio of 200"):
        LocalPolicy(checkpoint, Listening()).predict(context(shot))


def test_impossible_sampling_is_refused(checkpoint: Checkpoint) -> None:
    with pytest.raises(UsageError, match="temperature"):
        LocalPolicy(checkpoint, Listening(), temperature=-1.0)


def test_never_more_images_than_allowed_and_never_none() -> None:
    for limit in range(1, 9):
        kept = [seen - dropped_images(seen, limit) for seen in range(1, 60)]
        assert max(kept) == min(limit, 59)
        assert min(kept) >= 1
        assert all(after in (before + 1, max(1, limit // 2)) for before, after in itertools.pairwise(kept))
        assert all(before == limit for before, after in itertools.pairwise(kept) if after <= before)
