"""Whole replies as drafts: one forward says whether the model would have said the same.

This is the verify step of speculative decoding (arXiv 2211.17192, 2305.09781) with whole replies as drafts.
They are read behind the prompt in the same forward as what is new of it, all in one trie. A reply counts as
agreed when the model's likeliest token is the drafted one at every place, its end included. At places that
the draft names, such as the digits of a coordinate, other tokens count as agreement too.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import torch

from .engine import GenerationLimits
from .layout import Segment, TextSegment, layout_prompt
from .session import Session
from .tree import DraftTree
from .verify import Verifier


@dataclass(frozen=True)
class ExpectedTokens:
    """A reply that somebody expects.

    Attributes:
        ids: its tokens, the one that ends it included.
        unasked: places in ``ids`` at which the model is not asked.
        lenient: by place in ``ids``, tokens that count as agreement besides the drafted one.
    """

    ids: tuple[int, ...]
    unasked: frozenset[int] = frozenset()
    lenient: Mapping[int, frozenset[int]] = field(default_factory=dict)


@dataclass(frozen=True)
class ReplyVerification:
    """What the model thinks of expected replies.

    Attributes:
        index: the first of them that it would have given itself; None if none.
        agreed: how many tokens of the best of them it agrees with.
        prompt_tokens: tokens in the prompt.
        timings: seconds in ``encode``, ``prefill`` and ``decode`` (laying out and comparing).
    """

    index: int | None
    agreed: int
    prompt_tokens: int
    timings: dict[str, float]


@torch.inference_mode()
def verify_replies(
    session: Session, prompt: Sequence[Segment], replies: Sequence[ExpectedTokens], limits: GenerationLimits
) -> ReplyVerification:
    """Ask the model, in one forward, which of some expected replies it would give.

    The prompt stays in the session's cache, and behind it the reply that was agreed with.

    Raises:
        FloatingPointError: the model's scores are not numbers.
        ValueError: the prompt is empty or ends with a picture, or a screenshot in it cannot be resized.
    """
    if not prompt or not isinstance(prompt[-1], TextSegment):
        raise ValueError("a prompt to reply to must end with text")
    begun = time.perf_counter()
    tree = DraftTree(layout_prompt(prompt, session.network.image_token).ids[-1], limits.banned_ids)
    paths = [_insert(tree, reply.ids) for reply in replies]
    prefill = session.prefill(prompt, tree)
    likeliest = Verifier(session.network, banned=limits.banned_ids).likeliest(prefill.states)
    counts = [_agreed(reply, path, likeliest) for reply, path in zip(replies, paths, strict=True)]
    whole = next((index for index, reply in enumerate(replies) if counts[index] == len(reply.ids)), None)
    if len(tree) > 1:
        session.keep(() if whole is None else paths[whole][1:])
    timings = prefill.timings | {"decode": time.perf_counter() - begun - sum(prefill.timings.values())}
    return ReplyVerification(whole, max(counts, default=0), prefill.prompt_tokens, timings)


def _insert(tree: DraftTree, ids: Sequence[int]) -> list[int]:
    """The nodes of a reply, the root before them; cut off before a token that cannot be drafted."""
    path = [0]
    for token in ids:
        node = tree.add(path[-1], token)
        if node is None:
            break
        path.append(node)
    return path


def _agreed(reply: ExpectedTokens, path: Sequence[int], likeliest: Sequence[int]) -> int:
    """How many of a reply's first tokens the model agrees with."""
    for place, token in enumerate(reply.ids):
        if place + 1 >= len(path):
            return place
        said = likeliest[path[place]]
        if said != token and place not in reply.unasked and said not in reply.lenient.get(place, ()):
            return place
    return len(reply.ids)
