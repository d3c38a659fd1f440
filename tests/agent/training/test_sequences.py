"""What training reads is, token for token, what the policy sees when it runs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from made_lessons import click, done, episode, made_dataset, noise, simple_dataset, steps_of
from saccade.actions.dialects import Reply
from saccade.actions.geometry import Size
from saccade.actions.schema import Action, Hotkey
from saccade.agent.checkpoints.checkpoint import Checkpoint, load_checkpoint
from saccade.agent.checkpoints.model_card import Family
from saccade.agent.decoding.layout import TextSegment, layout_prompt
from saccade.agent.local import LocalPolicy
from saccade.agent.loop import Agent
from saccade.agent.policy import Context, Prediction
from saccade.agent.training.dataset.records import DatasetEpisode, DatasetReply, DatasetStep
from saccade.agent.training.methods.dataset_items import DatasetItems
from saccade.agent.training.methods.lessons import LessonReader
from saccade.agent.training.tuning import batches
from saccade.agent.training.tuning.batches import Collator, drawn, within_budget
from saccade.agent.training.tuning.network import ReplyScorer
from saccade.agent.training.tuning.sequences import SequenceWriter, merged, packed, sequence_of, unpacked
from saccade.env.guard.guard import Guard
from saccade.env.memory import Button, MemoryEnvironment, MemoryScreen, Rectangle
from saccade.env.trajectory.events import StartEvent
from saccade.env.trajectory.trajectory import TrajectoryWriter

SCREENS = {
    "a": MemoryScreen("A", (Button("go", Rectangle(5, 5, 40, 25), to="b"), Button("x", Rectangle(50, 5, 90, 25)))),
    "b": MemoryScreen("B", (Button("back", Rectangle(5, 30, 40, 50), to="a"), Button("y", Rectangle(50, 30, 90, 50)))),
}
REPLIES = [click(20, 15), click(300, 300), click(20, 40), click(60, 15), click(20, 15, "Go on."), click(20, 40), done()]


class Watched(LocalPolicy):
    """Says what it is told to, and keeps what its model would have read and written."""

    def __init__(self, checkpoint: Checkpoint) -> None:
        super().__init__(checkpoint, decoding="plain")
        self.contexts: list[Context] = []
        self.read: list[tuple[int, ...]] = []
        self.said: list[DatasetReply] = []

    def predict(self, context: Context) -> Prediction:
        reply = REPLIES[len(self.contexts)]
        actions: tuple[Action, ...] = reply.actions
        if len(self.contexts) == 1:  # an action that the environment refuses, so that there is feedback
            actions = (Hotkey(keys=("ctrl", "a")),)
        raw = self.written(Reply(reply.thought, actions), context.screenshot)
        ids = self.reply_ids(raw)
        layout = layout_prompt([*self.prompt(context), TextSegment(ids)], self.target.network.image_token)
        self.contexts.append(context)
        self.read.append(layout.ids)
        self.said.append(DatasetReply(thought=reply.thought, actions=actions))
        self._prompts.remember(len(context.turns), raw, ids[:-1])
        return Prediction(Reply(reply.thought, actions), raw)


def test_the_sequence_of_each_step_is_what_a_run_reads_and_replies(checkpoint: Checkpoint, tmp_path: Path) -> None:
    """Seven steps, of which the model sees the newest four screenshots, with feedback and thoughts."""
    policy = Watched(checkpoint)
    environment = MemoryEnvironment(SCREENS, "a", instruction="Go there.", size=Size(100, 70), guard=Guard.of("open"))
    start = StartEvent(instruction="Go there.", environment="memory", policy="watched", time=0.0, saccade_version="0")
    with TrajectoryWriter(tmp_path, start) as trajectory:
        Agent(policy, environment).run("Go there.", environment.reset(0), trajectory)
    assert len(policy.read) == len(REPLIES)
    told = [None, *(turn.feedback for turn in policy.contexts[-1].turns)]
    assert told[2] is not None
    screens = {context.screenshot.digest: context.screenshot for context in policy.contexts}
    steps = tuple(
        DatasetStep(picture=context.screenshot.digest, reply=said, feedback=feedback)
        for context, said, feedback in zip(policy.contexts, policy.said, told, strict=True)
    )
    recorded = episode(steps, instruction="Go there.", size=(100, 70))
    reader = LessonReader(LocalPolicy(checkpoint, decoding="plain"), screens.__getitem__)
    writer = SequenceWriter(LocalPolicy(checkpoint, decoding="plain"))
    for lesson, read in zip(reader.lessons(recorded), policy.read, strict=True):
        assert writer.write(lesson.context, lesson.better).ids == read


def reply_parts(checkpoint: Checkpoint, made: DatasetEpisode, count: int) -> list[str]:
    """The texts that are learned from an episode, in the order of its items."""
    screens = {noise(number).digest: noise(number) for number in range(count)}
    reader = LessonReader(LocalPolicy(checkpoint, decoding="plain"), screens.__getitem__)
    found = []
    for item in reader.items(made):
        (sequence,) = item.sequences
        ids = [sequence.ids[index] for index in sequence.learned]
        found.append(checkpoint.tokenizer.decode(ids))
    return found


def test_only_right_replies_are_learned_and_what_is_better_in_place_of_wrong_ones(
    tiny_checkpoints: dict[Family, Checkpoint],
) -> None:
    right, slip, better, later = click(10, 10), click(20, 20), click(30, 30), done()
    steps = list(steps_of([right, slip, click(40, 40), later]))
    steps[1] = steps[1].model_copy(update={"verdict": "wrong", "better": better})
    steps[2] = steps[2].model_copy(update={"verdict": "unknown"})
    checkpoint = tiny_checkpoints["qwen2_vl"]
    learned = reply_parts(checkpoint, episode(steps), 4)
    policy = LocalPolicy(checkpoint, decoding="plain")
    texts = [policy.written(Reply("", each.actions), noise(0)) + "<|im_end|>" for each in (right, better, later)]
    assert "".join(learned) == "".join(texts)


def test_what_went_wrong_stays_in_the_history(tiny_checkpoints: dict[Family, Checkpoint]) -> None:
    steps = list(steps_of([click(20, 20), done()]))
    steps[0] = steps[0].model_copy(update={"verdict": "wrong", "better": click(30, 30)})
    checkpoint = tiny_checkpoints["qwen2_5_vl"]
    screens = {noise(number).digest: noise(number) for number in range(2)}
    reader = LessonReader(LocalPolicy(checkpoint, decoding="plain"), screens.__getitem__)
    corrected, after = reader.items(episode(steps))
    wrong = LocalPolicy(checkpoint, decoding="plain").written(Reply("", steps[0].reply.actions), noise(0))
    assert wrong in checkpoint.tokenizer.decode(list(after.sequences[0].ids))
    assert wrong not in checkpoint.tokenizer.decode(list(corrected.sequences[0].ids))


def test_reflection_names_the_slip_on_the_next_step(tiny_checkpoints: dict[Family, Checkpoint]) -> None:
    steps = list(steps_of([click(20, 20), click(30, 30, "Now the right one."), done()]))
    steps[0] = steps[0].model_copy(update={"verdict": "wrong", "better": click(30, 30)})
    steps[1] = steps[1].model_copy(update={"feedback": "nothing is there."})
    screens = {noise(number).digest: noise(number) for number in range(3)}
    reader = LessonReader(LocalPolicy(tiny_checkpoints["qwen2_vl"], decoding="plain"), screens.__getitem__)
    correction, reflection, last = reader.lessons(episode(steps), reflect=True)
    assert correction.reflects
    assert correction.worse is not None
    assert "was wrong (nothing is there). I correct that. Now the right one." in reflection.better
    assert (last.reflects, "wrong" in last.better) == (False, False)
    assert len(reader.pairs(episode(steps))) == 1


def test_one_forward_learns_the_steps_until_screenshots_are_dropped(checkpoint: Checkpoint, tmp_path: Path) -> None:
    """Four images at most: the fifth prompt drops three and begins anew."""
    dataset = made_dataset(tmp_path, [episode(steps_of([click(10, 10 + n) for n in range(6)]))])
    reader = LessonReader(LocalPolicy(checkpoint, decoding="plain"), dataset.picture)
    items = reader.items(next(dataset.training()))
    writer = SequenceWriter(LocalPolicy(checkpoint, decoding="plain"))
    apart = [writer.write(each.context, each.better) for each in reader.lessons(next(dataset.training()))]
    assert len(apart) == 6
    assert len(items) == 2
    assert sum(item.sequences[0].weights.sum() for item in items) == sum(each.weights.sum() for each in apart)
    scores = score(checkpoint, apart)
    together = score(checkpoint, [item.sequences[0] for item in items])
    assert torch.allclose(scores, together, atol=2e-4)


def score(checkpoint: Checkpoint, sequences: list) -> torch.Tensor:  # type: ignore[type-arg]
    with torch.no_grad():
        found: torch.Tensor = ReplyScorer(checkpoint.model)(Collator(checkpoint.image_spec)(sequences))
    return found


def test_a_reply_scores_in_training_as_in_decoding(
    tiny_directories: dict[Family, Path], checkpoint: Checkpoint
) -> None:
    """The greedy reply of a run is the likeliest one for the training forward, token for token."""
    trained = load_checkpoint(tiny_directories[checkpoint.family], device="cpu", attention="sdpa")
    policy = LocalPolicy(checkpoint, decoding="plain")
    context = Context("Press it.", noise(3), (), "Look closely.")
    prompt = policy.prompt(context)
    generation = policy._generate(prompt, context)
    sequence = sequence_of(prompt, generation.ids, policy.target.network.image_token)
    batch = Collator(trained.image_spec)([sequence, sequence_of(prompt, generation.ids[:3], 0)])
    scorer = ReplyScorer(trained.model)
    with torch.no_grad():
        scores = scorer(batch)
    again = scores[len(generation.ids) :]
    assert torch.allclose(scores[:3], again, atol=1e-5)  # padding changes nothing
    policy._session.reset()
    states = [policy._session.prefill(prompt).states[-1:]]
    states.append(policy._session.extend(generation.ids[:-1]))
    wanted = policy._network.logits(torch.cat(states)).log_softmax(-1)
    there = wanted.gather(-1, torch.tensor(generation.ids)[:, None]).squeeze(-1)
    assert torch.allclose(scores[: len(generation.ids)], there, atol=2e-4)


def test_sequences_survive_a_saved_state(checkpoint: Checkpoint) -> None:
    writer = SequenceWriter(LocalPolicy(checkpoint, decoding="plain"))
    before = writer.write(Context("Go.", noise(1)), "Action: wait()")
    after = unpacked(packed(before))
    assert after.ids == before.ids
    assert np.array_equal(after.positions, before.positions)
    assert np.array_equal(after.weights, before.weights)
    assert [each.screenshot.digest for each in after.images.values()] == [noise(1).digest]
    assert len(merged([before, after])) == 2  # the same reply twice is learned twice


def test_all_items_come_once_before_any_comes_again() -> None:
    steps = [drawn(7, step, 3, 10) for step in range(10)]
    flat = [index for step in steps for index in step]
    assert sorted(flat[:10]) == sorted(flat[10:20]) == list(range(10))
    assert flat[:10] != flat[10:20]
    batches._order.cache_clear()  # as in a process that goes on
    assert steps[4] == drawn(7, 4, 3, 10)
    assert flat != [index for step in range(10) for index in drawn(8, step, 3, 10)]


@pytest.mark.parametrize("tokens", [1, 50, 120, 1000])
def test_forwards_stay_within_the_budget_and_lose_nothing(tokens: int) -> None:
    lengths = [30, 10, 50, 20, 40, 10]
    groups = list(within_budget(lengths, tokens))
    assert sorted(index for group in groups for index in group) == list(range(6))
    for group in groups:
        assert len(group) == 1 or len(group) * max(lengths[index] for index in group) <= tokens


def test_items_are_read_when_they_are_drawn(tiny_checkpoints: dict[Family, Checkpoint], tmp_path: Path) -> None:
    dataset = simple_dataset(tmp_path, 5)
    reader = LessonReader(LocalPolicy(tiny_checkpoints["qwen3_vl"], decoding="plain"), dataset.picture)
    items = DatasetItems(dataset, dataset.training(), reader)
    assert len(items) == items.episodes == items.tasks["memory:test"]
    assert [item.sequences[0].ids for item in items] == [
        item.sequences[0].ids for each in dataset.training() for item in reader.items(each)
    ]
    other = DatasetItems(dataset, list(dataset.training())[1:], reader)
    assert other.fingerprint != items.fingerprint
