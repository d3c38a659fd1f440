"""Medusa heads and the MTP module in the engine: replies stay transformers', whatever heads have learned."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import pytest
import torch

from made_replies import RULES, by_transformers, conversation
from saccade.actions.dialects import get_dialect
from saccade.agent.checkpoints.checkpoint import Checkpoint
from saccade.agent.checkpoints.model_card import Family
from saccade.agent.decoding.acceptance import Accepted
from saccade.agent.decoding.adaptive import AdaptiveDrafter
from saccade.agent.decoding.costs import VerifyCost
from saccade.agent.decoding.draft import Drafter
from saccade.agent.decoding.drafters.draft_model import DraftModel
from saccade.agent.decoding.drafters.suffix import SuffixDrafter
from saccade.agent.decoding.engine import Generation, generate
from saccade.agent.decoding.heads.checkpoint import METHODS, Method, TrainedHeads, load_drafter, save_heads
from saccade.agent.decoding.heads.replies import RecordedReply, ReplyRecorder
from saccade.agent.decoding.heads.train_heads import HeadTrainer, HeadTrainingPlan
from saccade.agent.decoding.layout import Segment, TextSegment
from saccade.agent.decoding.network import Network
from saccade.agent.decoding.policy_drafters import ReplyGrammarDrafter
from saccade.agent.decoding.session import Session
from saccade.agent.decoding.target import TargetModel
from saccade.agent.decoding.tree import DraftTree
from saccade.perception.observation import Screenshot

STOP = 258
STEPS = 4
FREE = VerifyCost((1, 64), (1.0, 1.0))
"""Forwards of any width cost the same, so that all that is proposed is tested."""

Make = Callable[[], Drafter]


class Watched(AdaptiveDrafter):
    """Counts the tokens that were put to the test."""

    drafted = 0

    def update(self, tree: DraftTree, accepted: Accepted, seconds: float, *, prompt: bool = False) -> None:
        self.drafted += len(tree) - 1
        super().update(tree, accepted, seconds, prompt=prompt)


class Episode:
    """One to four screenshots: each prompt holds the replies before, as transformers gave them."""

    def __init__(self, checkpoint: Checkpoint, shots: list[Screenshot]) -> None:
        self.checkpoint = checkpoint
        self.prompts: list[list[Segment]] = []
        self.replies: list[list[int]] = []
        prompt: list[Segment] = []
        for number, shot in enumerate(shots):
            part = conversation(checkpoint, [shot])
            prompt = [*prompt, *(part[1:] if number else part)]
            self.prompts.append(prompt)
            self.replies.append(by_transformers(checkpoint, prompt, RULES.max_new_tokens))
            prompt = [*prompt, TextSegment(tuple(self.replies[-1]))]

    def fresh(self) -> Session:
        return Session(Network(self.checkpoint.model), self.checkpoint.image_spec)

    def record(self) -> list[RecordedReply]:
        """The replies with the states that predicted them."""
        written, session = [], self.fresh()
        for prompt in self.prompts:
            recorder = ReplyRecorder()
            generate(session, prompt, RULES, drafter=AdaptiveDrafter([recorder]))
            written.append(recorder.reply())
        return written

    def play(self, drafters: list[Drafter], reuse: bool) -> tuple[list[Generation], Watched]:
        """All steps with these drafters, on one session or a new one for each step."""
        drafter, session = Watched(drafters, FREE, lambda: 0.0), self.fresh()
        generations = []
        for prompt, reply in zip(self.prompts, self.replies, strict=True):
            session = session if reuse else self.fresh()
            generations.append(generate(session, prompt, RULES, drafter=drafter))
            assert [*generations[-1].ids, *([STOP] if generations[-1].finished else [])] == reply
        return generations, drafter


class Trained:
    """A family's episode, and heads for it: random ones and ones that learned its replies by heart."""

    def __init__(self, checkpoint: Checkpoint, shots: list[Screenshot], folder: Any) -> None:
        self.checkpoint = checkpoint
        self.episode = Episode(checkpoint, shots)
        self._folder = folder
        # One of ten replies is held out.
        written = [self.episode.record()[0], *self.episode.record()]
        for method in METHODS:
            trainer = HeadTrainer(checkpoint, written, HeadTrainingPlan(method, steps=80, batch=4, rate=1e-2))
            self._save(method, True, self._learn(trainer))
            for parameter in trainer.heads.parameters():
                torch.nn.init.normal_(parameter, std=0.3)
            # What was measured would keep them silent.
            config = trainer.trained().config.model_copy(update={"accuracies": ((0.9, 0.5),) * 4})
            self._save(method, False, replace(trainer.trained(), config=config))

    def _learn(self, trainer: HeadTrainer) -> TrainedHeads:
        for _ in range(trainer.plan.steps):
            trainer.learn()
        return trainer.trained()

    def _save(self, method: Method, knowing: bool, learned: TrainedHeads) -> None:
        save_heads(self._folder / f"{method}-{knowing}", learned)

    def heads(self, method: Method, knowing: bool) -> Drafter:
        folder = self._folder / f"{method}-{knowing}"
        return load_drafter(method, self.checkpoint, Network(self.checkpoint.model), folder)

    def all(self) -> list[Drafter]:
        network = Network(self.checkpoint.model)
        target = TargetModel(self.checkpoint, network, get_dialect("uitars-1.0"), RULES)
        return [
            SuffixDrafter(unknown={network.image_token}, branches=3),
            ReplyGrammarDrafter(target),
            DraftModel(network, self.checkpoint.image_spec, network.vocabulary),
            *(self.heads(method, True) for method in METHODS),
        ]


@pytest.fixture(scope="module")
def trained(
    tiny_checkpoints: Mapping[Family, Checkpoint], tmp_path_factory: pytest.TempPathFactory
) -> Callable[[Checkpoint, Any], Trained]:
    made: dict[Family, Trained] = {}

    def get(checkpoint: Checkpoint, shoot: Any) -> Trained:
        family = checkpoint.family
        if family not in made:
            shots = [shoot(number) for number in range(STEPS)]
            made[family] = Trained(checkpoint, shots, tmp_path_factory.mktemp(family))
        return made[family]

    return get


@pytest.mark.parametrize("reuse", [False, True])
@pytest.mark.parametrize("method", METHODS)
def test_heads_that_know_nothing_change_no_reply(
    checkpoint: Checkpoint, shoot: Any, trained: Any, method: Method, reuse: bool
) -> None:
    made = trained(checkpoint, shoot)
    generations, drafter = made.episode.play([made.heads(method, False)], reuse)
    assert drafter.drafted > 40
    assert all((each.prefill.new_tokens < each.prefill.prompt_tokens) == reuse for each in generations[1:])


@pytest.mark.parametrize("reuse", [False, True])
@pytest.mark.parametrize("method", METHODS)
def test_heads_that_know_the_replies_draft_most_of_them_and_change_none(
    checkpoint: Checkpoint, shoot: Any, trained: Any, method: Method, reuse: bool
) -> None:
    made = trained(checkpoint, shoot)
    generations, _ = made.episode.play([made.heads(method, True)], reuse)
    written = sum(len(reply) for reply in made.episode.replies)
    assert sum(each.accepted_tokens for each in generations) > 0.5 * written


@pytest.mark.parametrize("reuse", [False, True])
def test_all_drafters_together_change_no_reply(checkpoint: Checkpoint, shoot: Any, trained: Any, reuse: bool) -> None:
    made = trained(checkpoint, shoot)
    generations, drafter = made.episode.play(made.all(), reuse)
    assert drafter.drafted > 100
    assert sum(each.forwards for each in generations) < 0.5 * sum(map(len, made.episode.replies))
