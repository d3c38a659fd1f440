"""Conversations for tiny models, what transformers replies, and drafters right or wrong on purpose."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor

from saccade.agent.checkpoints.checkpoint import Checkpoint
from saccade.agent.decoding.acceptance import Accepted
from saccade.agent.decoding.draft import DraftState
from saccade.agent.decoding.layout import ImageSegment, Segment, TextSegment, layout_prompt
from saccade.agent.decoding.sampling import GenerationLimits
from saccade.agent.decoding.tree import DraftTree
from saccade.perception.observation import Screenshot
from saccade.perception.resize import to_patches

BANNED = frozenset(range(259, 320))
RULES = GenerationLimits(frozenset({258}), BANNED, max_new_tokens=24)


def conversation(checkpoint: Checkpoint, shots: list[Screenshot]) -> list[Segment]:
    def text(words: str) -> TextSegment:
        return TextSegment(tuple(checkpoint.tokenizer.encode(words, add_special_tokens=False)))

    prompt: list[Segment] = [text("<|im_start|>user\nPress the blue button.<|im_end|>\n")]
    for shot in shots:
        picture = ImageSegment.of(shot, checkpoint.image_spec)
        prompt += [text("<|im_start|>user\n<|vision_start|>"), picture]
        prompt += [text("<|vision_end|><|im_end|>\n<|im_start|>assistant\n")]
    return prompt


def by_transformers(checkpoint: Checkpoint, prompt: list[Segment], count: int) -> list[int]:
    model = cast("Any", checkpoint.model)
    ids = torch.tensor([layout_prompt(prompt, model.config.image_token_id).ids])
    shots = [segment.screenshot for segment in prompt if isinstance(segment, ImageSegment)]
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


def merge(trees: Sequence[DraftTree], budget: int) -> DraftTree:
    """One tree with what several drafters propose; the nodes most likely to be accepted stay."""
    union = DraftTree(trees[0].tokens[0], frozenset().union(*(tree.banned for tree in trees)))
    for tree in trees:
        union.include(tree)
    return union.cut(budget)


Fill = Callable[[DraftTree, DraftState, int], None]


class Made:
    """A drafter that fills its trees as a test says, and keeps what it was told."""

    name = "made"

    def __init__(self, fill: Fill) -> None:
        self._fill = fill
        self.observed: list[int] = []
        self.states: list[Tensor] = []
        self.widths: list[int] = []

    def start(self, prompt: Sequence[int], instruction: Sequence[int] = ()) -> None:
        self.observed, self.states, self.widths = [], [], []

    def propose(self, state: DraftState, budget: int) -> DraftTree:
        tree = state.tree()
        self._fill(tree, state, budget)
        return tree

    def observe(self, ids: Sequence[int], hidden: Tensor | None = None) -> None:
        assert hidden is not None
        assert len(hidden) == len(ids)
        self.observed += ids
        self.states += list(hidden)

    def update(self, tree: DraftTree, accepted: Accepted, seconds: float, *, prompt: bool = False) -> None:
        self.widths.append(len(tree))


def oracle(reply: Sequence[int]) -> Made:
    """Drafts how the reply goes on, as much of it as it may."""

    def fill(tree: DraftTree, state: DraftState, budget: int) -> None:
        done = len(state.ids) - state.reply_start
        tree.add_chain(reply[done : done + budget], [1.0] * budget, "made")

    return Made(fill)


def wrong(reply: Sequence[int]) -> Made:
    """Drafts chains that are wrong from the first token on."""

    def fill(tree: DraftTree, state: DraftState, budget: int) -> None:
        done = len(state.ids) - state.reply_start
        true = reply[done] if done < len(reply) else 258
        tree.add_chain([(true + 1) % 256] * min(budget, 5), [1.0] * budget, "made")

    return Made(fill)


def bushy(reply: Sequence[int], seed: int) -> Made:
    """Drafts random trees in which parts of the reply are hidden at random places."""
    rng = np.random.default_rng(seed)

    def fill(tree: DraftTree, state: DraftState, budget: int) -> None:
        done = len(state.ids) - state.reply_start
        while len(tree) <= budget:
            parent = int(rng.integers(len(tree)))
            depth = done + len(tree.path(parent))
            true = reply[depth] if depth < len(reply) else 258
            token = true if rng.random() < 0.6 else int(rng.integers(256))
            if tree.add(parent, token, 0.5, "made") is None:
                break

    return Made(fill)
