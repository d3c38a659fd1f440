"""Constrained decoding and the drafter that knows what is forced."""

from __future__ import annotations

import numpy as np
import pytest

from saccade.actions.dialects import get_dialect
from saccade.actions.errors import UsageError
from saccade.actions.geometry import Size
from saccade.agent.checkpoints.byte_tokenizer import byte_level_tokenizer
from saccade.agent.decoding.acceptance import rejection
from saccade.agent.decoding.draft import DraftState
from saccade.agent.decoding.drafters.grammar import GrammarDrafter
from saccade.agent.decoding.grammar import GrammarConstraint, GrammarState, TokenTable
from saccade.agent.decoding.reply_grammar import reply_grammar
from saccade.agent.decoding.sampling import distribution
from saccade.agent.decoding.tree import DraftTree
from saccade.agent.training.tokenizer import build_tokenizer

TOKENIZER = build_tokenizer()
TABLE = TokenTable(TOKENIZER, vocabulary=1700)
STOP = TOKENIZER.eos_token_id
REPLIES = GrammarConstraint(TABLE, reply_grammar(get_dialect("uitars-1.5"), Size(1280, 720)))
SHORT = GrammarConstraint(TABLE, 'start: "click(" /[0-9]{1,3}/ ")" | "close()" | "wait()"')


def ids(text: str) -> list[int]:
    return TOKENIZER.encode(text)


def test_a_mask_covers_the_model_vocabulary():
    mask = SHORT.start().mask()
    assert mask.shape == (1700,)
    assert mask.dtype == np.bool_
    assert np.flatnonzero(mask).tolist() == sorted({*ids("c"), *ids("w"), *byte_ids("cw")})


def byte_ids(characters: str) -> list[int]:
    """A character can also be spelled by the token of its byte."""
    return [TOKENIZER.convert_tokens_to_ids(f"<0x{ord(c):02X}>") for c in characters]


def test_a_number_is_one_token_or_several():
    state = SHORT.start()
    for token in ids("click("):
        state.advance(token)
    whole = TOKENIZER.convert_tokens_to_ids("123")
    assert state.mask()[whole]
    assert state.accepts([whole, *ids(")")]) == 2
    assert state.accepts([*ids("1"), *ids("2"), *ids("3"), *ids("4")]) == 3


def test_forced_text_is_found_and_ends_with_the_stop_token():
    state = SHORT.start()
    assert state.forced() == ()
    state.advance(ids("w")[0])
    assert TOKENIZER.decode(state.forced()) == "ait()"
    for token in state.forced():
        assert not state.complete
        state.advance(token)
    assert state.complete
    assert state.forced() == (STOP,)
    state.advance(STOP)
    assert not state.mask().any()
    assert state.forced() == ()
    assert state.accepts(ids("w")) == 0


def test_tokens_can_be_taken_back():
    state = SHORT.start()
    before = state.mask()
    for token in [*ids("wait()"), STOP]:
        state.advance(token)
    state.rollback(1)
    assert state.complete
    state.rollback(6)
    assert (state.mask() == before).all()
    state.rollback(0)
    with pytest.raises(ValueError, match="cannot take back"):
        state.rollback(1)


def test_a_wrong_token_is_refused_and_changes_nothing():
    state = SHORT.start()
    before = state.mask()
    for token in (ids("x")[0], STOP):
        with pytest.raises(ValueError, match="does not allow"):
            state.advance(token)
    assert (state.mask() == before).all()
    assert state.accepts([*ids("wait()"), STOP, STOP]) == 7
    assert state.accepts([STOP]) == 0


def test_copies_are_independent():
    state = SHORT.start()
    state.advance(ids("w")[0])
    twin = state.copy()
    twin.advance(ids("a")[0])
    assert state.accepts(ids("a")) == 1
    assert twin.accepts(ids("a")) == 0
    assert SHORT.start().accepts(ids("w")) == 1


def masks_of(state: GrammarState, tree: DraftTree) -> np.ndarray:
    """Nodes x vocabulary: what may follow each node, by advancing and rolling back along the tree."""
    masks = np.zeros((len(tree), len(state.mask())), dtype=bool)

    def fill(node: int) -> None:
        masks[node] = state.mask()
        for token, child in tree.nodes[node].children.items():
            if masks[node, token]:
                state.advance(token)
                fill(child)
                state.rollback(1)

    fill(0)
    return masks


def test_masks_of_a_tree_are_those_of_its_paths():
    tree = DraftTree(0)
    for text in ("click(12)", "close()", "wax", "c"):
        tree.add_chain(ids(text), [1.0] * 9)
    tree.add_chain([*ids("wait()"), STOP], [1.0] * 9)
    state = SHORT.start()
    masks = masks_of(state, tree)
    for node in range(len(tree)):
        path = tree.path_tokens(node)
        walker = SHORT.start()
        if walker.accepts(path) < len(path):
            assert not masks[node].any()
            continue
        for token in path:
            walker.advance(token)
        assert (masks[node] == walker.mask()).all()
    assert (state.mask() == masks[0]).all()


def test_several_stop_tokens():
    end = TOKENIZER.convert_tokens_to_ids("<|endoftext|>")
    table = TokenTable(TOKENIZER, stop_ids=[end, STOP])
    assert table.stop_id == STOP
    state = GrammarConstraint(table, 'start: "a"').start()
    state.advance(ids("a")[0])
    assert np.flatnonzero(state.mask()).tolist() == sorted([end, STOP])
    assert state.forced() == ()


def test_a_broken_grammar_is_an_error():
    with pytest.raises(UsageError, match="cannot be used"):
        GrammarConstraint(TABLE, "start: nothing")


def test_a_tokenizer_without_a_table_is_enough():
    assert GrammarConstraint(byte_level_tokenizer(320, {}), 'start: "a"').start().mask().sum() == 1


def test_constrained_replies_stay_in_the_grammar_whatever_is_drafted():
    rng = np.random.default_rng(0)
    for _ in range(20):
        state, reply = SHORT.start(), []
        while not reply or reply[-1] != STOP:
            tree = DraftTree(0)
            tree.add_chain(rng.choice([*ids("cliowat()"), STOP], size=4).tolist(), [1.0] * 4)
            masks = masks_of(state, tree)
            scores = rng.normal(size=(len(tree), 1700))
            rows = [distribution(s, 1.0, mask=m) if m.any() else s for s, m in zip(scores, masks, strict=True)]
            accepted = rejection(tree, rows.__getitem__, rng, {STOP})
            for token in accepted.tokens:
                state.advance(token)
                reply.append(token)
        assert SHORT.start().accepts(reply) == len(reply)


def draft(drafter: GrammarDrafter, budget: int = 32) -> DraftTree:
    return drafter.propose(DraftState([0], 0), budget)


def spelled(tree: DraftTree) -> str:
    return TOKENIZER.decode(tree.path_tokens(len(tree) - 1))


def test_the_drafter_proposes_what_is_forced():
    drafter = GrammarDrafter(REPLIES)
    drafter.start([1, 2, 3])
    assert spelled(draft(drafter)) == "Thought: "
    assert len(draft(drafter, budget=4)) == 5
    drafter.observe(ids("Thought: I click it.\nAction: c"))
    assert len(draft(drafter)) == 1
    drafter.observe(ids("l"))
    tree = draft(drafter)
    assert spelled(tree) == "ick(start_box='("
    assert tree.nodes[1].sources == {"grammar": 0.95}
    drafter.observe(ids("ick(start_box='(12,34)"))
    tree = draft(drafter)
    assert spelled(tree) == "')<|im_end|>"
    assert tree.nodes[2].confidence == 0.8
    assert draft(drafter, budget=0).tokens == (0,)
    assert spelled(draft(drafter, budget=1)) == "')"


def test_the_drafter_is_silent_once_the_reply_leaves_the_grammar():
    drafter = GrammarDrafter(REPLIES)
    drafter.start([])
    drafter.observe(ids("I will"))
    assert len(draft(drafter)) == 1
    drafter.observe(ids("Thought: "))
    assert len(draft(drafter)) == 1
    drafter.constraint = SHORT
    drafter.start([])
    drafter.observe(ids("w"))
    assert spelled(draft(drafter)) == "ait()<|im_end|>"
    drafter.observe([*ids("ait()"), STOP])
    assert len(draft(drafter)) == 1
