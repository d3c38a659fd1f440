"""Whatever is drafted, replies are those of transformers' greedy generation; good drafts save forwards."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch

from made_replies import RULES, Made, bushy, by_transformers, conversation, oracle, wrong
from saccade.actions.dialects import get_dialect
from saccade.actions.geometry import Size
from saccade.agent.checkpoints.checkpoint import Checkpoint
from saccade.agent.decoding.adaptive import AdaptiveDrafter
from saccade.agent.decoding.draft import Drafter
from saccade.agent.decoding.drafters.draft_model import DraftModel
from saccade.agent.decoding.drafters.suffix import SuffixDrafter
from saccade.agent.decoding.engine import Generation, LearningDrafter, generate
from saccade.agent.decoding.grammar import GrammarConstraint, TokenTable
from saccade.agent.decoding.layout import TextSegment
from saccade.agent.decoding.network import Network
from saccade.agent.decoding.policy_drafters import ReplyGrammarDrafter
from saccade.agent.decoding.sampling import GenerationLimits, Sampling
from saccade.agent.decoding.session import Session
from saccade.agent.decoding.target import TargetModel
from saccade.agent.decoding.tree import DraftTree
from saccade.perception.observation import Screenshot

STOP = 258


def fresh(checkpoint: Checkpoint) -> Session:
    return Session(Network(checkpoint.model), checkpoint.image_spec)


def whole(generation: Generation) -> list[int]:
    return [*generation.ids, *([STOP] if generation.finished else [])]


def grammar_drafter(checkpoint: Checkpoint) -> ReplyGrammarDrafter:
    target = TargetModel(checkpoint, Network(checkpoint.model), get_dialect("uitars-1.0"), RULES)
    return ReplyGrammarDrafter(target)


def draft_model(checkpoint: Checkpoint) -> DraftModel:
    network = Network(checkpoint.model)
    return DraftModel(network, checkpoint.image_spec, network.vocabulary)


def real_drafters(checkpoint: Checkpoint) -> dict[str, Callable[[], list[Drafter]]]:
    suffix = lambda: SuffixDrafter(unknown={261}, branches=3)  # noqa: E731
    return {
        "suffix": lambda: [suffix()],
        "grammar": lambda: [grammar_drafter(checkpoint)],
        "draft": lambda: [draft_model(checkpoint)],
        "union": lambda: [suffix(), grammar_drafter(checkpoint), draft_model(checkpoint)],
    }


@pytest.mark.parametrize("pictures", [1, 2, 3, 4])
def test_replies_are_those_of_transformers_whatever_is_drafted(
    checkpoint: Checkpoint, shoot: Callable[[int], Screenshot], pictures: int
) -> None:
    prompt = conversation(checkpoint, [shoot(number) for number in range(pictures)])
    expected = by_transformers(checkpoint, prompt, RULES.max_new_tokens)
    made: list[LearningDrafter] = [oracle(expected), wrong(expected), *(bushy(expected, n) for n in range(3))]
    for drafter in made:
        assert whole(generate(fresh(checkpoint), prompt, RULES, drafter=drafter)) == expected
    for name, make in real_drafters(checkpoint).items():
        drafter = AdaptiveDrafter(make(), clock=lambda: 0.0)
        session = fresh(checkpoint)
        # The second time, the prompt is cached and the reply is known to the suffix drafter.
        for _ in range(2):
            generation = generate(session, prompt, RULES, drafter=drafter)
            assert whole(generation) == expected, name


def test_an_oracle_takes_as_few_forwards_as_there_are_drafts(checkpoint: Checkpoint, shoot: Any) -> None:
    prompt = conversation(checkpoint, [shoot(0)])
    expected = by_transformers(checkpoint, prompt, RULES.max_new_tokens)
    for budget in (1, 2, 5, 100):
        generation = generate(fresh(checkpoint), prompt, RULES, drafter=oracle(expected), budget=budget)
        assert whole(generation) == expected
        # Every forward, the prompt's too, gives a token more than it accepts.
        assert generation.forwards == -(-len(expected) // (budget + 1)) - 1
        assert generation.forwards + generation.accepted_tokens == len(expected) - 1


def test_a_wrong_drafter_costs_width_and_no_forward(checkpoint: Checkpoint, shoot: Any) -> None:
    prompt = conversation(checkpoint, [shoot(0)])
    plain = generate(fresh(checkpoint), prompt, RULES)
    generation = generate(fresh(checkpoint), prompt, RULES, drafter=wrong(whole(plain)))
    assert generation.forwards == plain.forwards
    assert generation.accepted_tokens == plain.accepted_tokens == 0


@pytest.mark.parametrize("limit", [1, 2, 3, 7, 24])
def test_the_limit_is_exact_with_any_drafts(checkpoint: Checkpoint, shoot: Any, limit: int) -> None:
    prompt = conversation(checkpoint, [shoot(0)])
    expected = by_transformers(checkpoint, prompt, limit)
    rules = replace(RULES, max_new_tokens=limit)

    def greedy_for_width(tree: Any, state: Any, budget: int) -> None:
        long = by_transformers(checkpoint, prompt, 24)
        done = len(state.ids) - state.reply_start
        tree.add_chain(long[done : done + 30], [1.0] * 30)

    for drafter in (oracle(expected), bushy(expected, 1), Made(greedy_for_width)):
        generation = generate(fresh(checkpoint), prompt, rules, drafter=drafter)
        assert whole(generation) == expected
        assert len(generation.ids) <= limit


def test_a_drafted_stop_token_ends_the_reply(checkpoint: Checkpoint, shoot: Any) -> None:
    prompt = conversation(checkpoint, [shoot(3)])
    plain = generate(fresh(checkpoint), prompt, RULES)
    stop = plain.ids[5]
    rules = GenerationLimits(frozenset({stop}), RULES.banned_ids, 24)
    expected = plain.ids[: plain.ids.index(stop)]
    drafter = oracle(plain.ids)
    generation = generate(fresh(checkpoint), prompt, rules, drafter=drafter)
    assert generation.finished
    assert generation.ids == expected
    assert generation.forwards == 0
    assert drafter.observed == [*expected, stop]


def test_drafters_hear_every_token_with_the_state_that_predicted_it(checkpoint: Checkpoint, shoot: Any) -> None:
    prompt = conversation(checkpoint, [shoot(0), shoot(1)])
    network = Network(checkpoint.model)
    expected = whole(generate(fresh(checkpoint), prompt, RULES))
    for drafter in (oracle(expected), bushy(expected, 5)):
        session = fresh(checkpoint)
        generate(session, prompt, RULES, drafter=drafter)
        assert drafter.observed == expected
        with torch.inference_mode():
            scores = network.logits(torch.stack(drafter.states))
            scores[:, sorted(RULES.banned_ids)] = -torch.inf
        assert scores.argmax(-1).tolist() == expected


def test_what_is_cached_after_a_tree_is_what_the_reply_alone_would_have_left(
    checkpoint: Checkpoint, shoot: Any
) -> None:
    prompt = conversation(checkpoint, [shoot(0)])
    plain = fresh(checkpoint)
    reply = generate(plain, prompt, RULES).ids
    session = fresh(checkpoint)
    generate(session, prompt, RULES, drafter=bushy(reply, 7))
    assert session.length == plain.length
    for mine, theirs in zip(session._cache.layers, plain._cache.layers, strict=True):
        assert torch.allclose(mine.keys, theirs.keys, atol=1e-4, rtol=0)
        assert torch.allclose(mine.values, theirs.values, atol=1e-4, rtol=0)


def test_a_tree_that_was_never_settled_is_forgotten(checkpoint: Checkpoint, shoot: Any) -> None:
    prompt = conversation(checkpoint, [shoot(0)])
    session = fresh(checkpoint)
    tree = DraftTree(70)
    for token in (71, 72):
        tree.add(0, token)
    longer = [*prompt, TextSegment((70, 71, 72, 73))]
    with torch.inference_mode():
        session.prefill(prompt)
        session.verify(tree)
        mine, right = session.prefill(longer).states[0], fresh(checkpoint).prefill(longer).states[0]
    assert torch.allclose(mine, right, atol=1e-4, rtol=0)


def test_scores_that_are_no_numbers_are_an_error(checkpoint: Checkpoint, shoot: Any) -> None:
    class Sick(Network):
        def scores(self, hidden: torch.Tensor, banned: torch.Tensor | None = None) -> torch.Tensor:
            return super().scores(hidden, banned) * float("nan")

    prompt = conversation(checkpoint, [shoot(0)])
    session = Session(Sick(checkpoint.model), checkpoint.image_spec)
    with pytest.raises(FloatingPointError, match="not numbers"):
        generate(session, prompt, RULES)


def test_a_seed_writes_the_same_reply_with_any_drafts(checkpoint: Checkpoint, shoot: Any) -> None:
    prompt = conversation(checkpoint, [shoot(0)])
    sampling = Sampling(temperature=0.8, top_p=0.95, seed=11)
    expected = whole(generate(fresh(checkpoint), prompt, RULES, sampling))
    for drafter in (oracle(expected), wrong(expected), bushy(expected, 3)):
        generation = generate(fresh(checkpoint), prompt, RULES, sampling, drafter)
        assert whole(generation) == expected
    assert generation.accepted_tokens > 0


@pytest.mark.parametrize("sampling", [Sampling(), Sampling(1.0, seed=3)])
def test_a_draft_model_of_equal_weights_is_always_right(checkpoint: Checkpoint, shoot: Any, sampling: Sampling) -> None:
    prompt = conversation(checkpoint, [shoot(0), shoot(1)])
    drafter = draft_model(checkpoint)
    # A random model is never sure; what counts is that it sees the screenshots.
    drafter._surest = 0.0
    drafter.prepare(prompt, Size(1, 1), Size(1, 1))
    speculator = Judged(drafter)
    generation = generate(fresh(checkpoint), prompt, RULES, sampling, speculator, budget=6)
    assert generation.forwards == -(-len(whole(generation)) // 7) - 1


def test_a_draft_model_that_is_not_asked_reads_nothing(
    checkpoint: Checkpoint, shoot: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    drafter = draft_model(checkpoint)
    read: list[int] = []
    prefill = drafter._session.prefill
    monkeypatch.setattr(drafter._session, "prefill", lambda prompt: (read.append(1), prefill(prompt))[1])
    resting = Judged(drafter)
    resting.propose = lambda state, budget: state.tree()
    generate(fresh(checkpoint), conversation(checkpoint, [shoot(0)]), RULES, Sampling(), resting, budget=6)
    assert read == []
    asked = conversation(checkpoint, [shoot(1)])
    drafter.prepare(asked, Size(1, 1), Size(1, 1))
    generate(fresh(checkpoint), asked, RULES, Sampling(), Judged(drafter), budget=6)
    assert read == [1]


class Judged:
    """A drafter by itself, asked every round."""

    def __init__(self, drafter: Drafter) -> None:
        self._drafter = drafter
        self.name = drafter.name
        self.start, self.propose, self.observe = drafter.start, drafter.propose, drafter.observe

    def update(self, tree: Any, accepted: Any, seconds: float, *, prompt: bool = False) -> None:
        pass


def test_replies_held_to_a_grammar_are_in_it_and_the_same_with_drafts(checkpoint: Checkpoint, shoot: Any) -> None:
    prompt = conversation(checkpoint, [shoot(0)])
    target = TargetModel(checkpoint, Network(checkpoint.model), get_dialect("uitars-1.0"), RULES)
    constraint = target.grammar(Size(100, 100), Size(100, 100))
    for sampling in (Sampling(), Sampling(1.0, seed=2)):
        plain = generate(fresh(checkpoint), prompt, RULES, sampling, constraint=constraint)
        assert checkpoint.tokenizer.decode(plain.ids).startswith("Thought: ")
        drafter = Judged(grammar_drafter(checkpoint))
        for speculator in (drafter, oracle(plain.ids), bushy(plain.ids, 1)):
            drafted = generate(fresh(checkpoint), prompt, RULES, sampling, speculator, constraint=constraint)
            assert drafted.ids == plain.ids
        assert drafted.forwards < plain.forwards


def test_a_reply_ends_without_a_forward_where_the_grammar_leaves_nothing_else(
    checkpoint: Checkpoint, shoot: Any
) -> None:
    table = TokenTable(checkpoint.tokenizer, 320, RULES.stop_ids)  # type: ignore[arg-type]
    constraint = GrammarConstraint(table, 'start: "abc" | "axyz"')
    prompt = conversation(checkpoint, [shoot(0)])
    generation = generate(fresh(checkpoint), prompt, RULES, constraint=constraint)
    assert generation.finished
    assert generation.forwards == len(generation.ids) - 1
    assert checkpoint.tokenizer.decode(generation.ids) in ("abc", "axyz")


def test_the_prompt_verifies_the_first_drafts_also_when_it_is_read_in_pieces(
    checkpoint: Checkpoint, shoot: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    prompt = conversation(checkpoint, [shoot(0), shoot(1)])
    expected = whole(generate(fresh(checkpoint), prompt, RULES))
    monkeypatch.setattr("saccade.agent.decoding.session._CHUNK", 7)
    for drafter in (oracle(expected), bushy(expected, 2)):
        session = fresh(checkpoint)
        for _ in range(2):
            assert whole(generate(session, prompt, RULES, drafter=drafter, budget=8)) == expected
