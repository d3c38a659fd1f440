"""Acceptance rules against exact enumeration: replies must be distributed as the model would write them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers.generation.logits_process import TemperatureLogitsWarper, TopKLogitsWarper, TopPLogitsWarper

from made_replies import merge
from saccade.actions.errors import UsageError
from saccade.agent.decoding.acceptance import Accepted, greedy, rejection, subtract, typical, typical_threshold
from saccade.agent.decoding.sampling import GenerationLimits, Sampling, distribution, sample
from saccade.agent.decoding.tree import DraftSamples, DraftTree
from saccade.agent.decoding.verify import Verifier, parse_acceptance

VOCABULARY = 4
LENGTH = 3
SAMPLES = 6_000
FEW = 2_500
Prefix = tuple[int, ...]


class Chain:
    """Random next-token distributions, one per prefix."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._rows: dict[Prefix, np.ndarray] = {}

    def __call__(self, prefix: Prefix) -> np.ndarray:
        if prefix not in self._rows:
            rng = np.random.default_rng([self._seed, *prefix])
            self._rows[prefix] = rng.dirichlet(np.full(VOCABULARY, 0.7))
        return self._rows[prefix]


P, Q = Chain(1), Chain(2)


def joint() -> np.ndarray:
    """The exact distribution of the next tokens."""
    table = np.zeros((VOCABULARY,) * LENGTH)
    for tokens in np.ndindex(table.shape):
        table[tokens] = np.prod([P(tokens[:i])[token] for i, token in enumerate(tokens)])
    return table


def draw_chain(rng: np.random.Generator) -> DraftTree:
    tree, node, prefix = DraftTree(0), 0, ()
    for _ in range(2):
        token = sample(Q(prefix), rng)
        node = tree.draw(node, DraftSamples((token,), Q(prefix)))[0]
        prefix += (token,)
    return tree


def without_replacement(q: np.ndarray, count: int, rng: np.random.Generator) -> list[int]:
    """The winners of a race in which a token's time is exponential with its probability as the rate."""
    return np.argsort(rng.exponential(size=len(q)) / q)[:count].tolist()


def draw_tree(rng: np.random.Generator, replacement: bool) -> DraftTree:
    """Two or three children of the root, two of each of them."""
    tree = DraftTree(0)
    for parent, width in ((0, 3), (None, 2)):
        for node in (parent,) if parent is not None else range(1, len(tree)):
            q = Q(tree.path_tokens(node))
            tokens = [sample(q, rng) for _ in range(width)] if replacement else without_replacement(q, width, rng)
            tree.draw(node, DraftSamples(tuple(tokens), q, replacement))
    return tree


def fixed_tree(rng: np.random.Generator) -> DraftTree:
    tree = DraftTree(0)
    tree.add_chain([1, 2], [1, 1])
    tree.add_chain([1, 0], [1, 1])
    tree.add_chain([3, 3], [1, 1])
    return tree


def cut_tree(rng: np.random.Generator) -> DraftTree:
    """Several drafters merged, with nodes cut off by how sure the drawn token was."""
    tree = DraftTree(0)
    tokens = tuple(sample(Q(()), rng) for _ in range(3))
    for token in dict.fromkeys(tokens):
        tree.add(0, token, confidence=float(Q(())[token]))
    drawn = DraftTree(0)
    drawn.draw(0, DraftSamples(tokens, Q(())), confidence=0.0)
    for token, node in drawn.nodes[0].children.items():
        drawn.add(node, token, confidence=float(Q((0,))[token]))
    sure = DraftTree(0)
    sure.add_chain([2, 2], [0.3, 0.3])
    return merge([drawn, sure], 2)


TREES: dict[str, Callable[[np.random.Generator], DraftTree]] = {
    "chain": draw_chain,
    "independent": lambda rng: draw_tree(rng, True),
    "without replacement": lambda rng: draw_tree(rng, False),
    "certain": fixed_tree,
    "merged and cut": cut_tree,
}
Rule = Callable[..., Accepted]


def excess(make: Callable[[np.random.Generator], DraftTree], rule: Rule, samples: int = SAMPLES) -> float:
    """Chi-square of sampled replies against the exact joint, in standard deviations above its mean."""
    rng = np.random.default_rng(0)
    counts = np.zeros((VOCABULARY,) * LENGTH)
    for _ in range(samples):
        tree = make(rng)
        reply = rule(tree, lambda node, tree=tree: P(tree.path_tokens(node)), rng).tokens
        while len(reply) < LENGTH:
            reply += (sample(P(reply), rng),)
        counts[reply[:LENGTH]] += 1
    expected = joint() * samples
    few = expected < 5
    observed = np.append(counts[~few], counts[few].sum())
    wanted = np.append(expected[~few], expected[few].sum())
    freedom = len(wanted) - 1
    return float((((observed - wanted) ** 2 / wanted).sum() - freedom) / np.sqrt(2 * freedom))


@pytest.mark.parametrize("name", TREES)
def test_rejection_is_lossless(name):
    assert excess(TREES[name], rejection) < 4


def forget(p, draft):
    """A wrong rule: after a rejection, go on as if nothing had been tried."""
    return p


def keep_mass(p, draft):
    """A wrong rule: only the rejected token is ruled out, whatever it was drawn from."""
    rest = np.array(p)
    token = draft if isinstance(draft, int) else int(np.argmax(draft))
    rest[token] = 0
    return rest / rest.sum() if rest.sum() > 0 else p


@pytest.mark.parametrize("name", TREES)
def test_a_forgotten_residual_is_noticed(name):
    assert excess(TREES[name], lambda *given: rejection(*given, residual=forget), FEW) > 8


@pytest.mark.parametrize("name", ["chain", "independent", "without replacement"])
def test_a_wrong_residual_is_noticed(name):
    assert excess(TREES[name], lambda *given: rejection(*given, residual=keep_mass), FEW) > 8


def test_leaving_out_draws_by_what_they_are_is_noticed():
    def careless(rng):
        token = sample(Q(()), rng)
        tree = DraftTree(0)
        if Q(())[token] > 0.3:
            tree.draw(0, DraftSamples((token,), Q(())))
        return tree

    assert excess(careless, rejection, FEW) > 8


def test_calling_draws_without_replacement_independent_is_noticed():
    def careless(rng):
        tree, q = DraftTree(0), np.array([0.85, 0.05, 0.05, 0.05])
        tokens = without_replacement(q, 3, rng)
        tree.draw(0, DraftSamples(tuple(tokens), q))
        return tree

    assert excess(careless, rejection, FEW) > 8


def test_typical_acceptance_is_not_lossless():
    assert excess(fixed_tree, typical, FEW) > 50


rows = st.lists(st.floats(0.001, 1), min_size=3, max_size=3).map(lambda row: np.array(row) / sum(row))


@given(rows, rows)
def test_acceptance_and_residual_add_up_to_the_target(p, q):
    accepted = np.minimum(p, q)
    assert np.allclose(accepted + (1 - accepted.sum()) * subtract(p, q), p, atol=1e-9)


def test_the_residual_of_equals_is_the_target():
    p = np.array([0.5, 0.5])
    assert subtract(p, p) is p
    assert subtract(np.array([0.0, 1.0]), 1).tolist() == [0, 1]


def one_hot(token: int) -> np.ndarray:
    return np.eye(VOCABULARY)[token]


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.lists(st.integers(0, VOCABULARY - 1), min_size=1, max_size=4), max_size=5), st.integers(0, 2**32 - 1)
)
def test_greedy_is_what_greedy_decoding_writes(chains, seed):
    tree = DraftTree(0)
    for chain in chains:
        tree.add_chain(chain, [1.0] * len(chain))
    table = Chain(seed)
    choices = [int(table(tree.path_tokens(node)).argmax()) for node in range(len(tree))]
    accepted = greedy(tree, choices)
    assert greedy(tree, np.array(choices).__getitem__) == accepted
    for i, token in enumerate(accepted.tokens):
        assert token == int(table(accepted.tokens[:i]).argmax())
    assert tree.path(accepted.last) == accepted.nodes
    assert tree.path_tokens(accepted.last) == accepted.tokens[:-1]
    assert accepted.tokens[-1] not in tree.nodes[accepted.last].children
    rng = np.random.default_rng(0)
    assert rejection(tree, lambda node: one_hot(choices[node]), rng) == accepted


def test_a_reply_can_end_among_the_accepted_tokens():
    accepted = Accepted((1, 2, 3), (10, 11, 12, 13))
    assert accepted.cut(2) == Accepted((1,), (10, 11))
    assert accepted.cut(1) == Accepted((), (10,))
    assert accepted.cut(4) is accepted
    assert Accepted((), (1,)).last == 0


def test_typical_takes_the_longest_then_the_likeliest_path():
    tree = DraftTree(0)
    tree.add_chain([0, 1], [1, 1])
    tree.add_chain([2, 3], [1, 1])
    row = np.array([0.2, 0.2, 0.3, 0.3])
    accepted = typical(tree, lambda node: row, np.random.default_rng(0))
    assert accepted.tokens[:2] == (2, 3)
    assert typical(tree, lambda node: one_hot(0), np.random.default_rng(0)).tokens == (0, 0)


@pytest.mark.parametrize(
    ("p", "threshold"),
    [
        ([1.0, 0.0, 0.0, 0.0], 0.09),  # certain: epsilon
        ([0.5, 0.5, 0.0, 0.0], 0.09),  # 0.3 * exp(-ln 2) = 0.15, capped
        ([0.25] * 4, 0.075),  # 0.3 * exp(-ln 4)
        ([0.01] * 100, 0.003),  # 0.3 * exp(-ln 100)
    ],
)
def test_the_typical_threshold_falls_with_the_entropy(p, threshold):
    assert typical_threshold(np.array(p)) == pytest.approx(threshold)


@pytest.mark.parametrize(("chance", "accepted"), [(0.0901, True), (0.0899, False)])
def test_typical_accepts_what_is_above_the_threshold_and_nothing_else(chance, accepted):
    tree = DraftTree(0)
    tree.add(0, 1)
    row = np.array([1 - chance, chance, 0.0, 0.0])
    result = typical(tree, lambda node: row, np.random.default_rng(0), last=lambda node: one_hot(3))
    assert result == (Accepted((1,), (1, 3)) if accepted else Accepted((), (3,)))


@given(rows)
def test_typical_always_accepts_the_likeliest_token(p):
    assert p.max() > typical_threshold(p)


class Scores:
    """In the place of a network: the hidden states are the logits."""

    device = torch.device("cpu")

    def scores(self, hidden, banned=None):
        return hidden


@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_the_verifier_accepts_likely_drafts_only_if_it_is_told_to(temperature):
    hidden = torch.tensor([[0.6, 0.4, 1e-9], [1.0, 1e-9, 1e-9]]).log() + 5
    tree = DraftTree(2)
    tree.add(0, 1)
    limits, sampling = GenerationLimits(frozenset()), Sampling(temperature, seed=1)  # this seed draws token 0 first
    assert Verifier(Scores(), limits, sampling).accept(tree, hidden) == Accepted((), (0,))
    assert Verifier(Scores(), limits, sampling, acceptance="typical").accept(tree, hidden) == Accepted((1,), (1, 0))
    with pytest.raises(UsageError, match="exact or typical"):
        parse_acceptance("loose")


def test_nothing_follows_a_stop_token():
    tree = DraftTree(0)
    tree.add_chain([1, 2, 3], [1, 1, 1])
    ended = Accepted((1,), (1, 2))
    rng = np.random.default_rng(0)
    assert greedy(tree, [1, 2, 3, 0], stop_ids={2}) == ended
    assert rejection(tree, lambda node: one_hot([1, 2][node]), rng, stop_ids={2}) == ended
    assert typical(tree, lambda node: one_hot([1, 2][node]), rng, stop_ids={2}) == ended


@pytest.mark.parametrize("rule", [rejection, typical])
@pytest.mark.parametrize("row", [[np.nan, 0.5, 0.5], [0.0, 0.0, 0.0]])
def test_broken_probabilities_are_an_error(rule, row):
    tree = DraftTree(0)
    tree.add(0, 1)
    with pytest.raises(FloatingPointError, match="after node 0"):
        rule(tree, lambda node: np.array(row), np.random.default_rng(0))


class TopOfTheRange:
    def random(self) -> float:
        return 1.0


def test_sampling_never_takes_what_has_no_probability():
    rng = np.random.default_rng(0)
    assert {sample(np.array([0.0, 0.5, 0.0, 0.5, 0.0]), rng) for _ in range(200)} == {1, 3}
    assert sample(np.array([0.5, 0.5, 0.0]), TopOfTheRange()) == 1


@settings(max_examples=80, deadline=None)
@given(
    st.integers(0, 2**32 - 1),
    st.sampled_from([5, 50, 3000]),
    st.floats(0.3, 2.0),
    st.sampled_from([0, 1, 3, 40]),
    st.sampled_from([0.05, 0.5, 0.9, 0.999, 1.0]),
)
def test_distributions_are_those_of_transformers(seed, size, temperature, top_k, top_p):
    logits = torch.from_numpy(np.random.default_rng(seed).normal(size=size) * 3)[None]
    scores = TemperatureLogitsWarper(temperature)(None, logits)
    if top_k:
        scores = TopKLogitsWarper(top_k)(None, scores)
    if top_p < 1:
        scores = TopPLogitsWarper(top_p)(None, scores)
    expected = scores.softmax(-1)[0].numpy()
    assert np.allclose(distribution(logits[0].numpy(), temperature, top_k, top_p), expected, atol=1e-9)


def test_a_mask_comes_before_all_warping():
    logits = np.array([9.0, 1.0, 2.0, 0.0])
    mask = np.array([False, True, True, True])
    p = distribution(logits, 1.0, top_k=2, mask=mask)
    assert p[0] == p[3] == 0
    assert np.allclose(p[2] / p[1], np.e)
    assert distribution(logits, 0.0, mask=mask).tolist() == [0, 0, 1, 0]


@pytest.mark.parametrize("logits", [[np.nan, 1.0], [np.inf, 1.0], [-np.inf, -np.inf]])
@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_broken_scores_are_an_error(logits, temperature):
    with pytest.raises(FloatingPointError, match="no token to choose"):
        distribution(np.array(logits), temperature)
