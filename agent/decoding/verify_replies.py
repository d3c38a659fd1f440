"""Verifies whole replies in one forward: would the target have given one of them itself?

This is the verify step of speculative decoding (arXiv 2211.17192, 2305.09781) with whole replies as drafts. They are
read together with the new part of the prompt, in one draft tree. A reply is confirmed if each of its tokens, the stop
token included, is the target's likeliest one. For some tokens, such as the digits of a coordinate, alternatives are
accepted too.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import torch

from .layout import Segment, TextSegment, layout_prompt
from .sampling import GenerationLimits
from .session import Session
from .tree import DraftTree
from .verify import Verifier


@dataclass(frozen=True)
class ExpectedTokens:
    """A reply to verify.

    Attributes:
        ids: its tokens, the stop token included.
        unchecked: indices in ``ids`` that are accepted without asking the target.
        alternatives: by index in ``ids``, other tokens of the target that are accepted.
    """

    ids: tuple[int, ...]
    unchecked: frozenset[int] = frozenset()
    alternatives: Mapping[int, frozenset[int]] = field(default_factory=dict)


@dataclass(frozen=True)
class ReplyVerification:
    """The result of ``verify_replies``.

    Attributes:
        index: of the first reply that the target would have given itself; None if none.
        accepted: the largest number of first tokens of a reply that were accepted.
        prompt_tokens: tokens of the prompt.
        timings: seconds of ``encode``, ``prefill`` and ``decode`` (building and comparing).
    """

    index: int | None
    accepted: int
    prompt_tokens: int
    timings: dict[str, float]


@torch.inference_mode()
def verify_replies(
    session: Session, prompt: Sequence[Segment], replies: Sequence[ExpectedTokens], limits: GenerationLimits
) -> ReplyVerification:
    """Find out, in one forward, which of some replies the target would give.

    The prompt stays in the session's cache, followed by the confirmed reply.

    Raises:
        FloatingPointError: the model's scores are not finite.
        ValueError: the prompt is empty or ends with an image, or a screenshot in it cannot be resized.
    """
    if not prompt or not isinstance(prompt[-1], TextSegment):
        raise ValueError("a prompt to reply to must end with text")
    started = time.perf_counter()
    tree = DraftTree(layout_prompt(prompt, session.network.image_token).ids[-1], limits.banned_ids)
    # The nodes of each reply, up to a token that is banned.
    paths = [(0, *tree.path(tree.add_chain(reply.ids, [1.0] * len(reply.ids)))) for reply in replies]
    prefill = session.prefill(prompt, tree)
    likeliest = Verifier(session.network, limits).likeliest(prefill.states)
    counts = [_accepted(reply, path, likeliest) for reply, path in zip(replies, paths, strict=True)]
    whole = next((index for index, reply in enumerate(replies) if counts[index] == len(reply.ids)), None)
    if len(tree) > 1:
        session.keep(() if whole is None else paths[whole][1:])
    timings = prefill.timings | {"decode": time.perf_counter() - started - sum(prefill.timings.values())}
    return ReplyVerification(whole, max(counts, default=0), prefill.prompt_tokens, timings)


def _accepted(reply: ExpectedTokens, path: Sequence[int], likeliest: Sequence[int]) -> int:
    """How many of a reply's first tokens the target accepts."""
    for place, token in enumerate(reply.ids):
        if place + 1 >= len(path):
            return place
        said = likeliest[path[place]]
        if said != token and place not in reply.unchecked and said not in reply.alternatives.get(place, ()):
            return place
    return len(reply.ids)
