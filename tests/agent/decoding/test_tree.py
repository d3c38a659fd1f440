"""Draft trees: structure, masks, merging, budgets."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from made_replies import merge
from saccade.agent.decoding.tree import DraftSamples, DraftTree

chains = st.lists(st.lists(st.tuples(st.integers(0, 3), st.floats(0, 1)), min_size=1, max_size=5), max_size=6)


def build(root: int, content: list[list[tuple[int, float]]], source: str = "") -> DraftTree:
    tree = DraftTree(root)
    for chain in content:
        tree.add_chain([token for token, _ in chain], [sure for _, sure in chain], source)
    return tree


def paths(tree: DraftTree) -> set[tuple[int, ...]]:
    return {tree.path_tokens(node) for node in range(1, len(tree))}


def test_a_tree_shares_beginnings():
    tree = build(7, [[(1, 0.9), (2, 0.5)], [(1, 0.8), (3, 0.5)]])
    assert tree.tokens == (7, 1, 2, 3)
    assert tuple(node.parent for node in tree.nodes) == (-1, 0, 1, 1)
    assert tree.depths.tolist() == [0, 1, 2, 2]
    assert tree.path(3) == (1, 3)
    assert tree.path_tokens(3) == (1, 3)
    assert tree.nodes[1].children == {2: 2, 3: 3}
    assert tree.nodes[1].confidence == 0.9
    assert tree.values().tolist() == [1, 0.9, 0.45, 0.45]
    expected = [[1, 0, 0, 0], [1, 1, 0, 0], [1, 1, 1, 0], [1, 1, 0, 1]]
    assert tree.mask().tolist() == np.array(expected, dtype=bool).tolist()


@settings(max_examples=60, deadline=None)
@given(chains)
def test_a_node_sees_its_path_and_nothing_else(content):
    tree = build(0, content)
    mask = tree.mask()
    for node in range(len(tree)):
        assert set(np.flatnonzero(mask[node])) == {0, node, *tree.path(node)}
        assert tree.depths[node] == len(tree.path(node))
        assert tree.nodes[node].parent < node
    assert paths(tree) == {tuple(token for token, _ in chain[: i + 1]) for chain in content for i in range(len(chain))}


@settings(max_examples=60, deadline=None)
@given(chains, chains, st.integers(0, 12))
def test_merging_keeps_the_likeliest_nodes(left, right, budget):
    union = build(0, [*left, *right])
    merged = merge([build(0, left, "left"), build(0, right, "right")], budget)
    assert paths(merged) <= paths(union)
    assert len(merged) - 1 == min(budget, len(union) - 1)
    best = sorted(union.values()[1:], reverse=True)[:budget]
    assert np.allclose(sorted(merged.values()[1:], reverse=True), best)


def test_merging_remembers_who_proposed_what():
    merged = merge([build(0, [[(1, 0.9)]], "suffix"), build(0, [[(1, 0.5), (2, 0.4)]], "heads")], 9)
    assert merged.nodes[1].sources == {"suffix": 0.9, "heads": 0.5}
    assert merged.nodes[2].sources == {"heads": 0.4}


def test_banned_tokens_get_no_node():
    tree = DraftTree(0, banned={5})
    assert tree.add(0, 5) is None
    assert tree.add_chain([1, 5, 2], [1, 1, 1]) == 1
    q = np.full(6, 1 / 6)
    assert tree.draw(0, DraftSamples((5, 2), q)) == [None, 2]
    assert tree.tokens == (0, 1, 2)
    assert merge([DraftTree(0, {5}), build(0, [[(5, 1.0), (6, 1.0)]])], 5).tokens == (0,)


def test_draws_survive_merging_and_cutting_even_without_their_nodes():
    tree = DraftTree(0)
    q = np.full(4, 0.25)
    draws = DraftSamples((1, 1, 2), q)
    tree.draw(0, draws, confidence=0.5)
    merged = merge([tree, build(0, [[(3, 0.9)]])], 1)
    assert merged.tokens == (0, 3)
    assert merged.nodes[0].draws == [draws]
    assert merged.nodes[0].fixed == [3]


def test_a_token_both_drawn_and_proposed_has_one_node():
    tree = DraftTree(0)
    tree.draw(0, DraftSamples((1,), np.array([0.5, 0.5])))
    assert tree.add(0, 1) == 1
    assert tree.nodes[0].fixed == [1]
    assert len(merge([tree], 5)) == 2


def test_wrong_use_is_an_error():
    with pytest.raises(ValueError, match="no probability"):
        DraftSamples((1,), np.array([1.0, 0.0]))
    with pytest.raises(ValueError, match="twice"):
        DraftSamples((1, 1), np.array([0.5, 0.5]), replacement=False)
    with pytest.raises(ValueError, match="different roots"):
        merge([DraftTree(0), DraftTree(1)], 3)
    with pytest.raises(ValueError, match="between 0 and 1"):
        DraftTree(0).add(0, 1, confidence=1.5)
