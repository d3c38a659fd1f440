"""Whole replies as drafts: one forward says whether the model would have said the same."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from saccade.actions.dialects import get_dialect
from saccade.actions.errors import ParseError
from saccade.actions.geometry import Point, Size
from saccade.actions.schema import Click, Drag, Type, Wait
from saccade.agent.checkpoints.checkpoint import Checkpoint
from saccade.agent.decoding.engine import generate
from saccade.agent.decoding.sampling import Sampling
from saccade.agent.decoding.verify_replies import ExpectedTokens, verify_replies
from saccade.agent.local import LocalPolicy
from saccade.agent.policy import Context, Turn
from saccade.agent.replay.expected import ExpectedReply, VerifyingPolicy
from saccade.agent.replay.point_tolerance import coordinates, tolerated_tokens
from saccade.perception.observation import Screenshot

Shoot = Callable[..., Screenshot]


def context(*screens: Screenshot, replies: tuple[str, ...] = ()) -> Context:
    turns = tuple(Turn(screen, reply) for screen, reply in zip(screens, replies, strict=False))
    return Context("Press the button.", screens[-1], turns)


def raw(policy: LocalPolicy, asked: Context) -> str:
    try:
        return policy.predict(asked).raw
    except ParseError as error:
        return error.raw


@pytest.fixture
def policy(checkpoint: Checkpoint) -> LocalPolicy:
    return LocalPolicy(checkpoint, decoding="plain", max_new_tokens=12)


def whole(policy: LocalPolicy, asked: Context) -> ExpectedTokens:
    """What the model replies to a prompt, cut off where it would go on."""
    return ExpectedTokens(generate(policy._session, policy.prompt(asked), policy.limits, Sampling()).ids)


def test_its_own_reply_is_agreed_with_in_one_forward(policy: LocalPolicy, shoot: Shoot) -> None:
    asked = context(shoot(1))
    own = whole(policy, asked)
    policy.start()
    network, widths = policy._network, []
    attend = network.attend

    def counting(embeddings: torch.Tensor, *args: object) -> torch.Tensor:
        widths.append(len(embeddings))
        return attend(embeddings, *args)  # type: ignore[arg-type]

    network.attend = counting  # type: ignore[method-assign, assignment]
    found = verify_replies(policy._session, policy.prompt(asked), [own], policy.limits)
    assert (found.index, found.accepted) == (0, len(own.ids))
    assert len(widths) == 1
    network.attend = attend  # type: ignore[method-assign]


def test_the_first_difference_is_found_at_every_place(policy: LocalPolicy, shoot: Shoot) -> None:
    asked = context(shoot(2))
    own = whole(policy, asked)
    prompt = policy.prompt(asked)
    for place in range(len(own.ids)):
        other = (own.ids[place] + 1) % 200
        wrong = ExpectedTokens((*own.ids[:place], other, *own.ids[place + 1 :]))
        found = verify_replies(policy._session, prompt, [wrong], policy.limits)
        assert (found.index, found.accepted) == (None, place)
        lenient = ExpectedTokens(wrong.ids[: place + 1], alternatives={place: frozenset([own.ids[place]])})
        assert verify_replies(policy._session, prompt, [lenient], policy.limits).index == 0
        given = ExpectedTokens(wrong.ids[: place + 1], frozenset([place]))
        assert verify_replies(policy._session, prompt, [given], policy.limits).index == 0
        assert verify_replies(policy._session, prompt, [wrong, own], policy.limits).index == 1


def test_what_follows_an_agreed_reply_is_as_if_it_had_been_written(policy: LocalPolicy, shoot: Shoot) -> None:
    """The cache behind an agreed reply, behind a refused one and an empty one lead to the same next step."""
    screens = shoot(3), shoot(4)
    own = whole(policy, context(screens[0]))
    text = policy._checkpoint.tokenizer.decode(own.ids)
    later = context(*screens, replies=(text,))
    states = []
    for replies in ([own], [ExpectedTokens((101, 102, 103)), own], [ExpectedTokens((101, 102, 103))], []):
        policy.start()
        policy._prompts.remember(0, text, own.ids)
        verify_replies(policy._session, policy.prompt(context(screens[0])), replies, policy.limits)
        with torch.inference_mode():
            states.append(policy._session.prefill(policy.prompt(later)).states[0].numpy())
    for state in states[:-1]:
        np.testing.assert_allclose(state, states[-1], atol=1e-4)


def test_a_policy_verifies_what_it_would_say(policy: LocalPolicy, shoot: Shoot) -> None:
    assert isinstance(policy, VerifyingPolicy)
    verdict = policy.verify(context(shoot(5)), [ExpectedReply("Action: wait()")])
    assert (verdict.index, verdict.prediction) == (None, None)
    assert verdict.usage.prompt_tokens > 0
    given = ExpectedReply("Action: wait()", ((0, 3), (8, 14)))
    tokens = policy._tokens.spell(given, lambda text: get_dialect("uitars-1.0").parse(text, Size(9, 9)), 0)
    asked = [token for place, token in enumerate(tokens.ids[:-1]) if place not in tokens.unchecked]
    assert policy._checkpoint.tokenizer.decode(asked) == "ion: "
    assert len(tokens.ids) - 1 not in tokens.unchecked, "the end of a reply is always asked of the model"


def test_numbers_that_move_points_are_coordinates() -> None:
    dialect, size = get_dialect("uitars-1.0"), Size(500, 1000)
    text = "Thought: Button 7 of 12.\nAction: click(start_box='(100,200)')"
    assert coordinates(text, lambda each: dialect.parse(each, size)) == {2: 0.5, 3: 1.0}
    typed = "Action: type(content='42')"
    assert coordinates(typed, lambda each: dialect.parse(each, size)) == {}


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 999), st.integers(0, 999), st.integers(0, 40), st.booleans())
def test_lenient_tokens_are_those_near_by(value: int, other: int, pixels: int, single: bool) -> None:
    texts = [str(value)] if single else list(str(value))
    digits = {number: str(number) for number in range(1000 if single else 10)}
    found = tolerated_tokens(["x", *texts], {0: 1.0}, digits, pixels)
    if single:
        assert (other in found[1]) == (abs(value - other) <= pixels)
        return
    for place, text in enumerate(texts, start=1):
        worth = 10 ** (len(texts) - place)
        assert found[place] == {d for d in range(10) if abs(d - int(text)) * worth <= pixels}


def test_a_reply_of_actions_only_asks_what_kind_and_where(policy: LocalPolicy, shoot: Shoot) -> None:
    asked = context(shoot(6))
    for action in (Click(point=Point(10, 10)), Type(text="hi"), Wait(), Drag(start=Point(1, 1), end=Point(9, 9))):
        expected = policy.expect(asked, [action])
        ((begin, end),) = expected.unverified
        assert expected.raw[begin:end] == "Thought: \nAction: "
        assert expected.raw[end:].startswith(action.kind)
