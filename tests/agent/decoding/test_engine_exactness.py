"""What comes out of the engine is distributed as the model says, and what stays cached is what was said."""

from __future__ import annotations

import gc
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
import torch

from made_replies import Made
from saccade.actions.dialects import Reply
from saccade.actions.schema import Wait
from saccade.agent.checkpoints.checkpoint import Checkpoint
from saccade.agent.checkpoints.model_card import ModelCard
from saccade.agent.context import PromptBuilder
from saccade.agent.decoding.adaptive import AdaptiveDrafter
from saccade.agent.decoding.costs import VerifyCost
from saccade.agent.decoding.draft import DraftState
from saccade.agent.decoding.engine import Generation, generate
from saccade.agent.decoding.grammar import GrammarConstraint, TokenTable
from saccade.agent.decoding.layout import TextSegment
from saccade.agent.decoding.network import Network
from saccade.agent.decoding.sampling import GenerationLimits, Sampling, distribution
from saccade.agent.decoding.session import Session
from saccade.agent.decoding.tree import DraftSamples, DraftTree
from saccade.agent.local import LocalPolicy
from saccade.agent.policy import Context, Turn
from saccade.agent.prompts.chatml import ChatFormat
from saccade.perception.observation import Screenshot

LETTERS = (65, 66, 67)
LENGTH = 3
SHORT = GenerationLimits(frozenset({258}), frozenset(range(320)) - set(LETTERS) - {258}, LENGTH)
WARM = Sampling(temperature=1.5)
PROMPT = [TextSegment(tuple(range(97, 110)))]
REPLIES = 1200


def fresh(checkpoint: Checkpoint) -> Session:
    return Session(Network(checkpoint.model), checkpoint.image_spec)


def enumerated(session: Session, constraint: GrammarConstraint | None) -> dict[tuple[int, ...], float]:
    """The probability of every reply; one that ends early ends with its stop token."""
    joint: dict[tuple[int, ...], float] = {}
    allowed = np.zeros(320, dtype=np.bool_)
    allowed[[*LETTERS, 258]] = True

    def visit(prefix: tuple[int, ...], value: float) -> None:
        if len(prefix) == LENGTH or 258 in prefix:
            joint[prefix] = joint.get(prefix, 0.0) + value
            return
        with torch.inference_mode():
            hidden = session.prefill([*PROMPT, TextSegment(prefix)]).states[0]
            scores = session.network.logits(hidden).numpy()
        mask = allowed
        if constraint is not None:
            state = constraint.start()
            for token in prefix:
                state.advance(token)
            mask = allowed & state.mask()
        for token, p in enumerate(distribution(scores, WARM.temperature, mask=mask)):
            if p > 0:
                visit((*prefix, token), value * float(p))

    visit((), 1.0)
    assert abs(sum(joint.values()) - 1) < 1e-9
    return joint


def draws(tree: DraftTree, state: DraftState, budget: int) -> None:
    """Two draws at the root, without replacement, and one behind the first, from a poor distribution."""
    q = np.zeros(320)
    q[[*LETTERS, 258]] = (0.6, 0.2, 0.15, 0.05)
    assert state.rng is not None
    first = int(state.rng.choice(320, p=q))
    rest = np.where(np.arange(320) == first, 0, q)
    second = int(state.rng.choice(320, p=rest / rest.sum()))
    node, _ = tree.draw(0, DraftSamples((first, second), q, replacement=False), 0.5)
    if node is not None:
        tree.draw(node, DraftSamples((int(state.rng.choice(320, p=q)),), q), 0.5)


def fixed(tree: DraftTree, state: DraftState, budget: int) -> None:
    """Always the same little tree."""
    for parent, token in ((0, 65), (0, 66), (1, 67), (1, 65), (2, 66)):
        tree.add(parent, token, 0.5)


def mixed(tree: DraftTree, state: DraftState, budget: int) -> None:
    """Some of both, at the same nodes."""
    draws(tree, state, budget)
    tree.add(0, 67, 0.5)
    tree.add_chain([65, 66], [0.5, 0.5])


def far_off(checkpoint: Checkpoint, fill: Any, constraint: GrammarConstraint | None = None) -> float:
    """Total variation between what the engine writes and what it should."""
    session = fresh(checkpoint)
    joint = enumerated(session, constraint)
    counts = dict.fromkeys(joint, 0)
    drafter = Made(fill)
    for seed in range(REPLIES):
        sampling = Sampling(WARM.temperature, seed=seed)
        reply = generate(session, PROMPT, SHORT, sampling, drafter, constraint=constraint)
        stopped = reply.finished and len(reply.ids) < LENGTH
        counts[(*reply.ids, 258) if stopped else reply.ids] += 1
    return sum(abs(counts[key] / REPLIES - p) for key, p in joint.items()) / 2


@pytest.fixture(scope="module")
def small(tiny_checkpoints: dict[Any, Checkpoint]) -> Checkpoint:
    return tiny_checkpoints["qwen2_5_vl"]


@pytest.mark.parametrize("fill", [fixed, draws, mixed])
def test_sampled_replies_are_distributed_as_the_model_says(small: Checkpoint, fill: Any) -> None:
    assert far_off(small, fill) < 0.07


def test_held_to_a_grammar_they_are_distributed_as_the_model_under_it(small: Checkpoint) -> None:
    table = TokenTable(small.tokenizer, 320, SHORT.stop_ids)  # type: ignore[arg-type]
    letters = [small.tokenizer.decode([token]) for token in LETTERS]
    a, b, c = letters
    grammar = f'start: "{a}" ("{b}" | "{c}") X | "{b}" X X\nX: "{a}" | "{b}" | "{c}"'
    assert far_off(small, mixed, GrammarConstraint(table, grammar)) < 0.07


def test_a_wrong_residual_rule_is_noticed(small: Checkpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("saccade.agent.decoding.verify.subtract", lambda p, draft: p)
    assert far_off(small, draws) > 0.1


class Episode:
    """Shows a session one screenshot after the other; replies are drafted in trees that are partly wrong."""

    def __init__(self, checkpoint: Checkpoint, seed: int) -> None:
        self.checkpoint = checkpoint
        self.session = fresh(checkpoint)
        self.rules = GenerationLimits(frozenset({258}), frozenset(range(259, 320)), 10)
        self.turns: list[Turn] = []
        self._rng = np.random.default_rng(seed)
        self._prompts = PromptBuilder(
            lambda text: checkpoint.tokenizer.encode(text, add_special_tokens=False),
            str,
            ModelCard(dialect="uitars-1.0", max_images=4),
            ChatFormat(),
            checkpoint.image_spec,
        )

    def step(self, shot: Screenshot) -> Generation:
        """Reply with and without memory and drafts; both must be the same, and so must their scores."""
        context = Context("Press it.", shot, self.turns)
        prompt = self._prompts.build(context)
        again = fresh(self.checkpoint)
        with torch.inference_mode():
            mine, right = (each.prefill(prompt).states[0] for each in (self.session, again))
            scores = self.session.network.logits(torch.stack([mine, right]))
        assert (scores[0] - scores[1]).abs().max() <= 1e-4
        expected = generate(again, prompt, self.rules)
        generation = generate(self.session, prompt, self.rules, drafter=Made(self._hide(expected.ids)))
        assert generation.ids == expected.ids
        reply = self.checkpoint.tokenizer.decode(generation.ids)
        self._prompts.remember(len(self.turns), reply, generation.ids)
        self.turns.append(Turn(shot, reply))
        return generation

    def _hide(self, reply: Sequence[int]) -> Callable[[DraftTree, DraftState, int], None]:
        def fill(tree: DraftTree, state: DraftState, budget: int) -> None:
            done = len(state.ids) - state.reply_start
            for _ in range(4 * budget):
                parent = int(self._rng.integers(len(tree)))
                depth = done + len(tree.path(parent))
                lies = self._rng.random() < 0.5 or depth >= len(reply)
                if len(tree) <= budget:
                    tree.add(parent, int(self._rng.integers(256)) if lies else reply[depth], 0.5)

        return fill


def test_after_drafted_replies_every_step_still_equals_a_full_recompute(checkpoint: Checkpoint, shoot: Any) -> None:
    left, right = Episode(checkpoint, 1), Episode(checkpoint, 2)
    accepted = 0
    for number in range(12):
        accepted += left.step(shoot(number)).accepted_tokens
        if number % 2:
            right.step(shoot(30 + number))
    assert accepted > 20


def test_a_gather_that_is_off_by_one_is_noticed(small: Checkpoint, shoot: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    move = Session._move
    monkeypatch.setattr(Session, "_move", lambda self, places, to: move(self, [p - 1 for p in places], to))
    episode = Episode(small, 1)

    def play() -> None:
        for number in range(12):
            episode.step(shoot(number))

    with pytest.raises(AssertionError):
        play()


def test_memory_is_bounded_in_a_long_run(small: Checkpoint) -> None:
    policy = LocalPolicy(small, Silent(), max_new_tokens=6)
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    turns: list[Turn] = []
    tensors = []
    for number in range(200):
        shot = Screenshot(np.roll(noise, number, axis=1))
        prediction = policy.predict(Context("Press it.", shot, turns[-30:]))
        turns.append(Turn(shot, prediction.raw))
        session = policy._session
        assert session.length <= prediction.usage.prompt_tokens + prediction.usage.reply_tokens
        for layer in session._cache.layers:
            assert layer.keys.shape[-2] == session.length
            assert layer.keys.untyped_storage().nbytes() <= 2048 * layer.keys[..., :1, :].nbytes
        if number in (99, 199):
            gc.collect()
            tensors.append(sum(issubclass(type(item), torch.Tensor) for item in gc.get_objects()))
    assert tensors[0] == tensors[1]
    assert len(policy._session._features) <= 16


class Silent:
    """A dialect that reads everything as a wait."""

    name = "silent"

    def prompt(self, instruction: str) -> str:
        return instruction

    def render(self, *args: Any) -> str:
        return "wait"

    def parse(self, *args: Any) -> Reply:
        return Reply("", (Wait(),))


class Costly(Session):
    """A session whose forwards take the time that a cost curve says, on a clock of its own."""

    now = 0.0
    curve = VerifyCost()

    def verify(self, tree: DraftTree) -> torch.Tensor:
        self.now += self.curve(len(tree))
        return super().verify(tree)


class Useless:
    """Claims to be sure and never is right; thinking takes a fiftieth of a forward."""

    name = "useless"

    def __init__(self, session: Costly) -> None:
        self._session = session

    def start(self, prompt: Sequence[int], instruction: Sequence[int] = ()) -> None:
        pass

    def observe(self, ids: Sequence[int], hidden: torch.Tensor | None = None) -> None:
        pass

    def propose(self, state: DraftState, budget: int) -> DraftTree:
        self._session.now += 0.02
        tree = state.tree()
        # No reply holds this byte.
        tree.add_chain([1] * budget, [0.9] * budget, self.name)
        return tree


@pytest.mark.parametrize("replies", [1, 2, 10])
def test_a_useless_drafter_costs_at_most_a_twentieth(small: Checkpoint, replies: int) -> None:
    def spend(useless: bool) -> float:
        session = Costly(Network(small.model), small.image_spec)
        drafters = [Useless(session)] if useless else []
        drafter = AdaptiveDrafter(drafters, clock=lambda: session.now)
        rules = GenerationLimits(frozenset(), frozenset(range(258, 320)) | {1}, 61)
        for seed in range(replies):
            prompt = [*PROMPT, TextSegment((70 + seed,))]
            generate(session, prompt, rules, drafter=drafter, clock=lambda: session.now)
        return session.now

    plain = spend(useless=False)
    assert plain == 60 * replies
    assert plain < spend(useless=True) <= 1.05 * plain
