"""Turns a prompt into a reply."""

from __future__ import annotations

import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from .layout import Segment
from .sampling import Chooser, Sampling
from .session import Session


@dataclass(frozen=True)
class Rules:
    """What may and may not be in a reply.

    Attributes:
        stop_ids: any of these ends the reply.
        banned_ids: never chosen: image tokens, and ids no tokenizer knows.
        max_new_tokens: the reply is cut off here.
    """

    stop_ids: frozenset[int]
    banned_ids: frozenset[int] = frozenset()
    max_new_tokens: int = 256


@dataclass(frozen=True)
class Generation:
    """A reply, and what it took.

    Attributes:
        ids: its tokens, without the one that ended it.
        finished: whether it ended itself; False when it was cut off.
        forwards: forwards of the language model after prefill.
        prompt_tokens: tokens in the prompt.
        new_tokens: tokens of the prompt that were not cached.
        pictures_encoded: forwards of the vision tower.
        timings: seconds per phase (``encode``, ``prefill``, ``decode``).
    """

    ids: tuple[int, ...]
    finished: bool
    forwards: int
    prompt_tokens: int
    new_tokens: int
    pictures_encoded: int
    timings: dict[str, float] = field(default_factory=dict)


@torch.inference_mode()
def generate(
    session: Session, prompt: Sequence[Segment], rules: Rules, sampling: Sampling = Sampling()
) -> Generation:
    """Read a prompt and write the reply, one token per forward.

    Raises:
        ValueError: the prompt is empty, or a screenshot in it cannot be resized.
    """
    prefill = session.prefill(prompt)
    started = time.perf_counter()
    bans = _bans(session, rules.banned_ids)
    chooser = Chooser(sampling)
    ids: list[int] = []
    forwards = 0
    hidden = prefill.hidden
    while True:
        token = chooser.choose(session.network.logits(hidden) + bans)
        if token in rules.stop_ids:
            break
        ids.append(token)
        if len(ids) >= rules.max_new_tokens:
            break
        hidden = session.extend([token])[-1]
        forwards += 1
    return Generation(
        tuple(ids),
        token in rules.stop_ids,
        forwards,
        prefill.prompt_tokens,
        prefill.new_tokens,
        prefill.pictures_encoded,
        prefill.timings | {"decode": time.perf_counter() - started},
    )


def _bans(session: Session, banned: Collection[int]) -> Tensor:
    """What to add to the scores so that banned tokens are never chosen."""
    bans = torch.zeros(session.network.vocabulary, device=session.network.device)
    bans[sorted(banned)] = float("-inf")
    return bans
