"""Turns a prompt into a reply: draft a tree of tokens, verify it in one forward, keep the accepted path."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from .acceptance import Accepted
from .adaptive import MAX_NODES, AdaptiveDrafter, Clock
from .draft import Drafter, DraftState
from .grammar import GrammarConstraint
from .layout import Segment, TextSegment, layout_prompt
from .sampling import GenerationLimits, Sampling
from .session import Prefill, Session
from .tree import DraftTree
from .verify import Acceptance, Verifier


class LearningDrafter(Drafter, Protocol):
    """A drafter that learns from what was accepted of its drafts."""

    def update(self, tree: DraftTree, accepted: Accepted, seconds: float, *, prompt: bool = False) -> None:
        """Learn from a verify forward of so many seconds; ``prompt``: it read the prompt, too."""


@dataclass(frozen=True)
class Generation:
    """A reply and what it took.

    Attributes:
        ids: tokens of the reply, without the stop token.
        finished: whether a stop token ended it; False when it was cut off.
        forwards: forwards of the language model after the prefill.
        accepted_tokens: tokens of the reply that were accepted drafts.
        prefill: how the prompt was read.
        timings: seconds per phase (``encode``, ``prefill``, ``decode``).
    """

    ids: tuple[int, ...]
    finished: bool
    forwards: int
    accepted_tokens: int
    prefill: Prefill
    timings: dict[str, float]


@torch.inference_mode()
def generate(
    session: Session,
    prompt: Sequence[Segment],
    limits: GenerationLimits,
    sampling: Sampling = Sampling(),
    drafter: LearningDrafter | None = None,
    *,
    constraint: GrammarConstraint | None = None,
    instruction: Sequence[int] = (),
    acceptance: Acceptance = "exact",
    budget: int = MAX_NODES,
    clock: Clock = time.perf_counter,
) -> Generation:
    """Prefill a prompt and generate the reply.

    Args:
        session: the KV cache of the conversation.
        prompt: the whole conversation.
        limits: stop tokens, banned tokens and length.
        sampling: how tokens are chosen.
        drafter: proposes tokens; None for no drafts.
        constraint: the grammar of the reply.
        instruction: the task's own tokens, for drafters.
        acceptance: ``exact``, or ``typical``, which is lossy (docs/decoding.md).
        budget: maximum number of drafted nodes per forward; the drafter decides how many pay off.
        clock: times the forwards for the drafter, in seconds.

    Raises:
        FloatingPointError: the model's scores are not finite.
        ValueError: the prompt is empty, or a screenshot in it cannot be resized.
    """
    verifier = Verifier(session.network, limits, sampling, constraint, acceptance)
    ids = list(layout_prompt(prompt, session.network.image_token).ids)
    drafter = drafter or AdaptiveDrafter(())
    reply = _Reply(session, limits, verifier, drafter, sampling.temperature, clock, ids, len(ids))
    started = time.perf_counter()
    prefill = reply.begin(prompt, instruction, budget)
    while not reply.ended:
        reply.advance(budget)
    timings = prefill.timings | {"decode": time.perf_counter() - started - sum(prefill.timings.values())}
    tokens = tuple(reply.ids[reply.start :])
    return Generation(tokens, reply.finished, reply.forwards, reply.accepted_tokens, prefill, timings)


@dataclass(eq=False)
class _Reply:
    """A reply while it is generated; ``ids`` begins with the prompt, and the reply is appended to it."""

    session: Session
    limits: GenerationLimits
    verifier: Verifier
    drafter: LearningDrafter
    temperature: float
    clock: Clock
    ids: list[int]
    start: int
    forwards: int = 0
    accepted_tokens: int = 0
    finished: bool = False
    ended: bool = False
    last_hidden: Tensor | None = None

    def begin(self, prompt: Sequence[Segment], instruction: Sequence[int], budget: int) -> Prefill:
        """Prefill the prompt; the same forward predicts the first token and verifies the first drafts."""
        self.drafter.start(tuple(self.ids), instruction)
        ends_with_text = bool(prompt) and isinstance(prompt[-1], TextSegment)
        tree = self._propose(budget) if ends_with_text else None
        started = self.clock()
        prefill = self.session.prefill(prompt, tree)
        self._accept(tree or DraftTree(self.ids[-1]), prefill.states, started, prompt=True)
        return prefill

    def advance(self, budget: int) -> None:
        """One round: draft, verify, accept."""
        tree = self._propose(budget)
        started = self.clock()
        hidden = self.session.verify(tree)
        self.forwards += 1
        self._accept(tree, hidden, started)

    @property
    def _remaining(self) -> int:
        """Tokens that may still be generated."""
        return self.start + self.limits.max_new_tokens - len(self.ids)

    def _propose(self, budget: int) -> DraftTree:
        banned, rng = self.limits.banned_ids, self.verifier.rng
        state = DraftState(self.ids, self.start, self.temperature, self.last_hidden, banned, rng)
        # The target adds a token of its own to the accepted ones.
        return self.drafter.propose(state, min(budget, self._remaining - 1))

    def _accept(self, tree: DraftTree, hidden: Tensor, started: float, *, prompt: bool = False) -> None:
        """Append what is accepted of a verified tree; a stop token ends the reply and is not in it."""
        accepted = self.verifier.accept(tree, hidden)
        seconds = self.clock() - started
        accepted = accepted.cut(self._remaining)
        if not prompt or len(tree) > 1:
            self.session.keep(accepted.nodes)
        self.drafter.update(tree, accepted, seconds, prompt=prompt)
        self.last_hidden = hidden[accepted.last]
        self.accepted_tokens += len(accepted.nodes)
        stopped = accepted.tokens[-1] in self.limits.stop_ids
        self.ids += accepted.tokens[:-1] if stopped else accepted.tokens
        self.drafter.observe(accepted.tokens, hidden[[0, *accepted.nodes]])
        self.finished = stopped or self.verifier.must_stop
        self.ended = self.finished or self._remaining <= 0
