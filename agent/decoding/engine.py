"""Turns a prompt into a reply: draft, verify all drafts in one forward, keep what the model agrees with."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

import torch
from torch import Tensor

from .acceptance import Accepted
from .adaptive import AdaptiveDrafter, Clock
from .draft import Drafter, DraftState
from .grammar import GrammarConstraint
from .layout import Segment, TextSegment, layout_prompt
from .sampling import Sampling
from .session import Prefill, Session
from .tree import DraftTree
from .verify import Acceptance, Verifier

BUDGET = 24
"""Nodes that a draft tree may have; how many are worth it, the drafter decides."""


class LearningDrafter(Drafter, Protocol):
    """A drafter that is told what came of its drafts."""

    def update(self, tree: DraftTree, accepted: Accepted, seconds: float, *, prompt: bool = False) -> None:
        """Learn from a verify forward, which took so many seconds and perhaps read the prompt, too."""


@dataclass(frozen=True)
class GenerationLimits:
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
        accepted_tokens: how many of its tokens were drafts that the model agreed with.
        prompt_tokens: tokens in the prompt.
        new_tokens: tokens of the prompt that were not cached.
        pictures_encoded: forwards of the vision tower.
        timings: seconds per phase (``encode``, ``prefill``, ``decode``).
    """

    ids: tuple[int, ...]
    finished: bool
    forwards: int
    accepted_tokens: int
    prompt_tokens: int
    new_tokens: int
    pictures_encoded: int
    timings: dict[str, float] = field(default_factory=dict)


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
    budget: int = BUDGET,
    clock: Clock = time.perf_counter,
) -> Generation:
    """Read a prompt and write the reply.

    Args:
        session: what is cached of the conversation.
        prompt: the whole conversation.
        limits: when to stop, and what may never be written.
        sampling: how tokens are chosen.
        drafter: guesses tokens; None drafts nothing.
        constraint: the grammar that the reply must be in.
        instruction: the task's own tokens, for drafters.
        acceptance: ``typical`` is lossy.
        budget: nodes that a draft tree may have.
        clock: seconds; what the drafter is told that forwards take.

    Raises:
        FloatingPointError: the model's scores are not numbers.
        ValueError: the prompt is empty, or a screenshot in it cannot be resized.
    """
    verifier = Verifier(session.network, sampling, limits.banned_ids, limits.stop_ids, constraint, acceptance)
    ids = list(layout_prompt(prompt, session.network.image_token).ids)
    drafter = drafter or AdaptiveDrafter(())
    reply = _Reply(session, limits, verifier, drafter, sampling.temperature, ids, clock)
    begun = time.perf_counter()
    prefill = reply.begin(prompt, instruction, budget)
    while not reply.ended:
        reply.advance(budget)
    decode = time.perf_counter() - begun - sum(prefill.timings.values())
    return reply.generation(prefill, prefill.timings | {"decode": decode})


class _Reply:
    """A reply while it is written.

    Args:
        session: the prompt is cached in it.
        limits: when to stop.
        verifier: decides.
        drafter: guesses.
        temperature: of the model.
        ids: the prompt; the reply is appended to it.
        clock: seconds.
    """

    def __init__(
        self,
        session: Session,
        limits: GenerationLimits,
        verifier: Verifier,
        drafter: LearningDrafter,
        temperature: float,
        ids: list[int],
        clock: Clock,
    ) -> None:
        self._session = session
        self._limits = limits
        self._verifier = verifier
        self._drafter = drafter
        self._temperature = temperature
        self._ids = ids
        self._clock = clock
        self._start = len(ids)
        self._forwards = 0
        self._accepted = 0
        self._predicted: Tensor | None = None
        self.ended = False

    def begin(self, prompt: Sequence[Segment], instruction: Sequence[int], budget: int) -> Prefill:
        """Read the prompt; its own forward tells the first token and verifies the first drafts."""
        self._drafter.start(tuple(self._ids), instruction)
        ends_with_text = bool(prompt) and isinstance(prompt[-1], TextSegment)
        tree = self._propose(budget) if ends_with_text else None
        started = self._clock()
        prefill = self._session.prefill(prompt, tree)
        tree = tree or DraftTree(self._ids[-1])
        accepted = self._verifier.accept(tree, prefill.states)
        seconds = self._clock() - started
        accepted = accepted.cut(self._room)
        if len(tree) > 1:
            self._session.keep(accepted.nodes)
        self._drafter.update(tree, accepted, seconds, prompt=True)
        self._commit(accepted, prefill.states)
        return prefill

    def advance(self, budget: int) -> None:
        """One round: draft, verify, keep."""
        tree = self._propose(budget)
        started = self._clock()
        hidden = self._session.verify(tree)
        accepted = self._verifier.accept(tree, hidden)
        seconds = self._clock() - started
        accepted = accepted.cut(self._room)
        self._session.keep(accepted.nodes)
        self._forwards += 1
        self._drafter.update(tree, accepted, seconds)
        self._commit(accepted, hidden)

    def generation(self, prefill: Prefill, timings: dict[str, float]) -> Generation:
        """What was written so far."""
        return Generation(
            tuple(self._ids[self._start :]),
            self._finished,
            self._forwards,
            self._accepted,
            prefill.prompt_tokens,
            prefill.new_tokens,
            prefill.pictures_encoded,
            timings,
        )

    @property
    def _room(self) -> int:
        """Tokens that may still be written."""
        return self._start + self._limits.max_new_tokens - len(self._ids)

    def _propose(self, budget: int) -> DraftTree:
        state = DraftState(
            self._ids,
            self._start,
            self._temperature,
            self._predicted,
            self._limits.banned_ids,
            self._verifier.rng,
        )
        # The model adds a token of its own to what it accepts.
        return self._drafter.propose(state, min(budget, self._room - 1))

    def _commit(self, accepted: Accepted, hidden: Tensor) -> None:
        """Append tokens to the reply; a stop token ends it and is not in it."""
        self._predicted = hidden[accepted.last]
        self._accepted += len(accepted.nodes)
        self._finished = accepted.tokens[-1] in self._limits.stop_ids
        self._ids += accepted.tokens[:-1] if self._finished else accepted.tokens
        self._drafter.observe(accepted.tokens, hidden[[0, *accepted.nodes]])
        self._finished = self._finished or self._verifier.must_stop
        self.ended = self._finished or self._room <= 0
