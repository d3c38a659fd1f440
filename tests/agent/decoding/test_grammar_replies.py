"""Grammars of replies: what they accept parses, what a dialect renders they accept."""

from __future__ import annotations

import re
import string
from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

from saccade.actions.dialects import Reply, dialect_names, get_dialect
from saccade.actions.errors import UsageError
from saccade.actions.geometry import Size
from saccade.actions.keys import NAMED_KEYS, canonical_key
from saccade.actions.schema import action_adapter
from saccade.agent.checkpoints.byte_tokenizer import byte_level_tokenizer
from saccade.agent.decoding.grammar import GrammarConstraint, GrammarState, TokenTable
from saccade.agent.decoding.reply_grammar import ALIASES, TAGS, reply_grammar, up_to
from saccade.agent.training.tokenizer import build_tokenizer

SIZE = Size(1280, 720)


def _has_grammar(name: str) -> bool:
    try:
        reply_grammar(get_dialect(name), SIZE)
    except UsageError:
        return False
    return True


DIALECTS = [name for name in dialect_names() if _has_grammar(name)]


def merged_tokenizer() -> PreTrainedTokenizerFast:
    """Byte-level BPE with merges across quotes and parentheses, as in Qwen's vocabulary."""
    core = Tokenizer(models.BPE())
    core.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    core.decoder = decoders.ByteLevel()
    text = ["Thought: I click it.\nAction: click(start_box='(12,34)')\n\ntype(content='it\\'s')"] * 9
    text += ["Action: scroll(point='<point>10 20</point>', direction='down')\n\nwait() finished(content='x')"] * 9
    trainer = trainers.BpeTrainer(
        vocab_size=420,
        special_tokens=["<|im_end|>", "<|box_start|>", "<|box_end|>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    core.train_from_iterator(text, trainer)
    return PreTrainedTokenizerFast(tokenizer_object=core, eos_token="<|im_end|>")


def tagged_tokenizer() -> PreTrainedTokenizerFast:
    """One with tokens for the tags of tool calls, as Qwen's has."""
    tokenizer = merged_tokenizer()
    tokenizer.add_tokens([AddedToken(tag, special=False, normalized=False) for tag in TAGS])
    return tokenizer


TOKENIZERS = {
    "characters": build_tokenizer(),
    "bytes": byte_level_tokenizer(320, {}),
    "merged": merged_tokenizer(),
    "tagged": tagged_tokenizer(),
}
TABLES = {name: TokenTable(tokenizer) for name, tokenizer in TOKENIZERS.items()}


@cache
def constraint(dialect: str, tokenizer: str, size: Size) -> GrammarConstraint:
    table = TABLES[tokenizer]
    return GrammarConstraint(table, reply_grammar(get_dialect(dialect), size, special=table.special))


def start(dialect: str, tokenizer: str, size: Size = SIZE) -> GrammarState:
    return constraint(dialect, tokenizer, size).start()


OMNI = "</think>\n<computer_env>\nAction: "
CLOSERS = (
    "\nAction: ",
    OMNI,
    "'",
    "')",
    ")",
    "')\n\n",
    "<|box_start|>(",
    ",1",
    "\n<tool_call>\n",
    '"}}\n</tool_call>',
    "\n</tool_call>",
    '"',
)


def walk(state: GrammarState, tokenizer: PreTrainedTokenizerFast, rng: np.random.Generator) -> list[int]:
    """A random reply: allowed tokens and, so that it ends, text that closes what is open."""
    ids: list[int] = []
    stop = tokenizer.eos_token_id
    while True:
        closing = rng.random() < (0.3 if len(ids) < 150 else 0.9)
        texts = [tokenizer.encode(text) for text in rng.permutation(CLOSERS)] if closing else []
        if closing and state.complete and (len(ids) > 150 or rng.random() < 0.3):
            return ids
        part = next((text for text in texts if state.accepts(text) == len(text)), [])
        if not part:
            allowed = np.flatnonzero(state.mask())
            part = [int(rng.choice(allowed[allowed != stop] if len(allowed) > 1 else allowed))]
        if part == [stop]:
            return ids
        for token in part:
            # Where text is forced, the mask allows only the token that the tokenizer would take.
            if not state.mask()[token]:
                if not (forced := state.forced()):
                    break
                token = forced[0]
            assert state.accepts([token]) == 1
            state.advance(token)
            ids.append(token)


@pytest.mark.parametrize("tokenizer", TOKENIZERS)
@pytest.mark.parametrize("dialect", DIALECTS)
def test_whatever_the_grammar_accepts_can_be_parsed(dialect, tokenizer):
    for seed in range(4):
        rng = np.random.default_rng(seed)
        size = Size(int(rng.integers(300, 2000)), int(rng.integers(300, 2000)))
        ids = walk(start(dialect, tokenizer, size), TOKENIZERS[tokenizer], rng)
        raw = TOKENIZERS[tokenizer].decode(ids, skip_special_tokens=False)
        reply = get_dialect(dialect).parse(raw, size)
        assert reply.actions


texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
points = st.tuples(st.integers(0, SIZE.width - 1), st.integers(0, SIZE.height - 1))
keys = st.sampled_from([*sorted(NAMED_KEYS), *string.ascii_letters, *string.punctuation, "é", "€"])
FIELDS = {
    "point": points,
    "start": points,
    "end": points,
    "text": texts,
    "answer": texts,
    "message": texts,
    "url": texts,
    "name": texts,
    "direction": st.sampled_from(["up", "down", "left", "right"]),
    "key": keys,
    "keys": st.lists(keys, min_size=1, max_size=3),
}
KINDS = {
    "click": ["point"],
    "double_click": ["point"],
    "right_click": ["point"],
    "drag": ["start", "end"],
    "scroll": ["direction", "point"],
    "type": ["text"],
    "hotkey": ["keys"],
    "press": ["key"],
    "key_down": ["key"],
    "key_up": ["key"],
    "wait": [],
    "finished": ["answer"],
    "call_user": ["message"],
    "navigate": ["url"],
    "navigate_back": [],
    "long_press": ["point"],
    "open_app": ["name"],
    "press_home": [],
    "press_back": [],
}
actions = st.sampled_from(sorted(KINDS)).flatmap(
    lambda kind: st.fixed_dictionaries({"kind": st.just(kind), **{key: FIELDS[key] for key in KINDS[kind]}})
)
thoughts = texts | st.sampled_from(["Action: x", "a\n action : b", "Reactions: c\nActionable", "```\nnext actions:"])


replies = st.lists(actions, min_size=1, max_size=3)


@settings(max_examples=100, deadline=None)
@given(st.sampled_from(DIALECTS), st.sampled_from(sorted(TOKENIZERS)), thoughts, replies)
def test_whatever_a_dialect_renders_is_accepted(dialect, tokenizer, thought, values):
    spoken = []
    for value in values:
        action = action_adapter.validate_python(value)
        try:
            get_dialect(dialect).render(Reply("", (action,)), SIZE)
        except UsageError:
            continue
        spoken.append(action)
    if not spoken:
        return
    raw = get_dialect(dialect).render(Reply(thought, tuple(spoken)), SIZE)
    ids = [*TOKENIZERS[tokenizer].encode(raw), TOKENIZERS[tokenizer].eos_token_id]
    accepted = start(dialect, tokenizer).accepts(ids)
    assert accepted == len(ids), TOKENIZERS[tokenizer].decode(ids[:accepted])


@given(st.integers(0, 3000))
@settings(max_examples=30, deadline=None)
def test_ranges_hold_every_number_and_no_other(limit):
    pattern = re.compile(up_to(limit))
    assert [n for n in range(limit + 1200) if pattern.fullmatch(str(n))] == list(range(limit + 1))
    assert not pattern.fullmatch("007")


def test_every_key_name_is_a_key():
    for name in ALIASES:
        canonical_key(name)


def test_the_published_dialects_have_grammars():
    assert {"uitars-1.0", "uitars-1.5", "doubao-1.5"} <= set(DIALECTS)
    assert {"qwen2.5-vl-toolcall", "qwen3-vl-toolcall"} <= set(DIALECTS)


def test_coordinates_stay_inside_the_frame():
    state = start("uitars-1.0", "characters")
    encode = TOKENIZERS["characters"].encode
    text = "Thought: x\nAction: click(start_box='("
    assert state.accepts(encode(text + "1000,0)')")) == len(encode(text + "1000,0)')"))
    assert state.accepts(encode(text + "1001,0)')")) < len(encode(text + "1001"))


def test_box_tokens_are_allowed_where_the_tokenizer_has_them():
    ids = TOKENIZERS["merged"].encode("Thought: x\nAction: click(start_box='<|box_start|>(1,2)<|box_end|>')")
    assert start("uitars-1.5", "merged").accepts(ids) == len(ids)
    assert start("doubao-1.5", "merged").accepts(ids) < len(ids)


def test_dialects_without_a_grammar_are_named():
    class Other:
        name = "other"

    with pytest.raises(UsageError, match="other cannot be constrained"):
        reply_grammar(Other(), SIZE)
