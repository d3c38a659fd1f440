"""Suffix and grammar drafters together over an episode: the same replies in fewer forwards."""

from __future__ import annotations

import pytest

from saccade.actions.dialects import get_dialect
from saccade.actions.geometry import Size
from saccade.agent.decoding.acceptance import greedy
from saccade.agent.decoding.adaptive import AdaptiveDrafter
from saccade.agent.decoding.draft import DraftState
from saccade.agent.decoding.drafters.grammar import GrammarDrafter
from saccade.agent.decoding.drafters.suffix import SuffixDrafter
from saccade.agent.decoding.grammar import GrammarConstraint, TokenTable
from saccade.agent.decoding.reply_grammar import reply_grammar
from saccade.agent.training.tokenizer import build_tokenizer

TOKENIZER = build_tokenizer()
STOP = TOKENIZER.eos_token_id
IMAGE = TOKENIZER.convert_tokens_to_ids("<|image_pad|>")
INSTRUCTION = 'Enter "Marguerite" into the text field and press Submit.'
REPLIES = (
    "Thought: I need to click the text field first.\nAction: click(start_box='(112,331)')",
    "Thought: The text field is focused. I type the name.\nAction: type(content='Marguerite')",
    "Thought: I need to scroll down to find Submit.\nAction: scroll(start_box='(500,500)', direction='down')",
    "Thought: I need to scroll down to find Submit.\nAction: scroll(start_box='(500,500)', direction='down')",
    "Thought: I click Submit.\nAction: click(start_box='(512,884)')",
    "Thought: The form is sent.\nAction: finished()",
)
CONSTRAINT = GrammarConstraint(TokenTable(TOKENIZER), reply_grammar(get_dialect("uitars-1.0"), Size(1280, 720)))


def write(drafter: AdaptiveDrafter, prompt: list[int], reply: list[int]) -> int:
    """Let a model that writes exactly this reply decode with a drafter; returns its forwards."""
    drafter.start(prompt, TOKENIZER.encode(INSTRUCTION))
    ids, forwards = [*prompt, reply[0]], 0
    drafter.observe(ids[-1:])
    while ids[-1] != STOP:
        tree = drafter.propose(DraftState(ids, len(prompt), banned={IMAGE}), 16)
        done = len(ids) - len(prompt)

        def choose(node: int, tree=tree, done=done) -> int:
            return reply[done + len(tree.path(node))]

        accepted = greedy(tree, choose, {STOP})
        drafter.update(tree, accepted, 0.1)
        drafter.observe(accepted.tokens)
        ids += accepted.tokens
        forwards += 1
    assert ids[len(prompt) :] == reply
    return forwards


def episode(drafter: AdaptiveDrafter) -> float:
    """Tokens per forward over an episode."""
    prompt = TOKENIZER.encode(f"<|im_start|>user\n{INSTRUCTION}")
    tokens = forwards = 0
    for text in REPLIES:
        prompt = [*prompt, *([IMAGE] * 50), *TOKENIZER.encode("<|im_end|>\n<|im_start|>assistant\n")]
        reply = [*TOKENIZER.encode(text), STOP]
        forwards += write(drafter, prompt, reply)
        tokens += len(reply)
        prompt += [*reply, *TOKENIZER.encode("\n<|im_start|>user\n")]
    return tokens / forwards


@pytest.mark.parametrize(
    ("drafters", "least"),
    [
        ((), 1.0),
        ((lambda: GrammarDrafter(CONSTRAINT),), 1.5),
        ((lambda: SuffixDrafter(unknown={IMAGE}),), 2.0),
        ((lambda: GrammarDrafter(CONSTRAINT), lambda: SuffixDrafter(unknown={IMAGE})), 3.0),
    ],
)
def test_the_same_replies_in_fewer_forwards(drafters, least):
    drafter = AdaptiveDrafter([make() for make in drafters], clock=lambda: 0.0)
    assert episode(drafter) >= least


def test_the_second_time_an_episode_costs_a_fraction():
    drafter = AdaptiveDrafter([SuffixDrafter(unknown={IMAGE})], clock=lambda: 0.0)
    episode(drafter)
    assert episode(drafter) > 5
