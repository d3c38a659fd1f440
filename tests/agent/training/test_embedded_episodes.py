"""Long episodes are spelled in training as they are at run time, and are put together from pages that fit."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest

from saccade.actions.dialects import Reply as SpokenReply
from saccade.actions.dialects import get_dialect
from saccade.actions.geometry import Point, Size, smart_resize
from saccade.actions.schema import Action, Click, Finished, Wait
from saccade.agent.checkpoints.model_card import ModelCard
from saccade.agent.context import PromptBuilder, dropped_images
from saccade.agent.decoding.layout import layout_prompt
from saccade.agent.policy import Context, Turn
from saccade.agent.prompts.chatml import ChatFormat
from saccade.agent.training.architecture import IMAGE_SPEC, SACCADE_JSON
from saccade.agent.training.batches import Conversation, Encoder, Shards
from saccade.agent.training.curriculum import STAGES, Curriculum
from saccade.agent.training.episodes import LONGEST, EpisodePages, silenced, spelling
from saccade.agent.training.questions import BLANK, FINISHED, LOADING, UNTHOUGHT, TaughtReply, click
from saccade.agent.training.rendering import DomElement, PageRecord, Picture, save_shard
from saccade.agent.training.tokenizer import build_tokenizer
from saccade.perception.observation import Screenshot

TOKENIZER = build_tokenizer()
SIZE = (60, 80)


def record(task: str, texts: tuple[str, ...] = (), utterance: str = "", **extra: object) -> PageRecord:
    elements: list[DomElement] = []
    chars: list[tuple[str, float, float]] = []
    for number, text in enumerate(texts):
        top = 2.0 + 12 * number
        elements.append(DomElement(role="button", text=text, box=[5, top, 45, top + 10], point=[25, top + 5]))
        chars += [(letter, 8.0 + 2 * i, top + 5) for i, letter in enumerate(text)]
    return PageRecord(task=task, utterance=utterance, elements=elements, chars=chars, extra={"bare": True} | extra)


@pytest.fixture(scope="module")
def stock(tmp_path_factory: pytest.TempPathFactory) -> EpisodePages:
    folder = tmp_path_factory.mktemp("pages")
    records = [record("buttons", ("Back", "Next") if i % 2 else ("Next", "Help")) for i in range(24)]
    records += [record("wizard", ("Go", "No"), "Press Go.", wanted="Go") for _ in range(12)]
    records += [record("covered", ("Next", "OK"), over=["OK"], dismiss="OK") for _ in range(3)]
    records += [record("done", done=True), record("loading", loading=True)]
    pictures: list[Picture] = [
        np.random.default_rng(i).integers(0, 256, (*SIZE, 3), dtype=np.uint8) for i in range(len(records))
    ]
    save_shard(folder, "pages", pictures, records)
    return EpisodePages(Shards(folder), (*SIZE, 3))


def spoken(reply: TaughtReply) -> SpokenReply:
    """The same reply as the runtime knows it."""
    resized = smart_resize(Size(80, 60), IMAGE_SPEC.limits)
    return get_dialect("uitars-1.0").parse(reply.text(80, 60), Size(80, 60), resized)


@pytest.mark.parametrize("turns", range(1, LONGEST + 1))
def test_an_episode_reads_as_the_runtime_prompts_it(stock: EpisodePages, turns: int) -> None:
    pages, (episode,) = stock.lesson(random.Random(turns), turns, 1)
    batch = Encoder(TOKENIZER).encode(pages, [episode])
    shown = len(episode.turns)
    assert shown in {turns - dropped_images(turns, 4), turns - 1 - dropped_images(turns - 1, 4)}
    screens = [Screenshot(pages[turn.picture or 0].picture) for turn in episode.turns]
    builder = PromptBuilder(
        lambda text: TOKENIZER.encode(text, add_special_tokens=False),
        str,
        ModelCard.model_validate(SACCADE_JSON),
        ChatFormat(),
        IMAGE_SPEC,
    )
    said = [turn.reply.text(80, 60) for turn in episode.turns]
    past = [Turn(screen, text) for screen, text in zip(screens[:-1], said[:-1], strict=True)]
    prompt = builder.build(Context(episode.instruction, screens[-1], past))
    laid = layout_prompt(prompt, Encoder(TOKENIZER).image_id)
    ids = [int(token) for token in laid.ids]
    assert batch.ids[0, : len(ids)].tolist() == ids
    rest = TOKENIZER.decode(batch.ids[0, len(ids) :])
    assert rest == said[-1] + "<|im_end|>\n"


@pytest.mark.parametrize(
    ("reply", "actions"),
    [
        (click("Here.", DomElement(role="", text="", box=[], point=[40, 15])), (Click(point=Point(40, 15)),)),
        (BLANK, (Wait(),)),
        (LOADING, (Wait(),)),
        (FINISHED, (Finished(),)),
    ],
)
def test_a_silent_reply_is_what_a_recording_expects(reply: TaughtReply, actions: tuple[Action, ...]) -> None:
    resized = smart_resize(Size(80, 60), IMAGE_SPEC.limits)
    expected = get_dialect("uitars-1.0").render(SpokenReply("", actions), Size(80, 60), resized)
    assert reply.silent().text(80, 60) == expected
    assert expected.startswith(UNTHOUGHT)


def test_the_beginning_of_a_silent_reply_is_not_learned(stock: EpisodePages) -> None:
    pages, (episode,) = stock.lesson(random.Random(0), 1, 1)
    quiet = silenced(episode, random.Random(0), 1.0)
    batch = Encoder(TOKENIZER).encode(pages, [quiet])
    learned = TOKENIZER.decode(batch.labels[0][batch.labels[0] >= 0])
    assert f"{UNTHOUGHT}{learned}" == quiet.turns[0].reply.text(80, 60) + "<|im_end|>"
    row, place, _ = batch.queries[0].tolist()
    digits = TOKENIZER.decode(batch.ids[row, place + 1 : place + 4])
    assert f"({digits})" == quiet.turns[0].reply.place(80, 60)


def told(stock: EpisodePages, count: int) -> list[Conversation]:
    rng = random.Random(3)
    return [stock.lesson(rng, rng.randint(1, LONGEST), 1)[1][0] for _ in range(count)]


def test_an_episode_keeps_to_what_it_was_asked(stock: EpisodePages) -> None:
    seen = set()
    for episode in told(stock, 200):
        named = [text for text in ("Back", "Next", "Help", "No") if text in episode.instruction]
        asked = named[0] if named else "Go"
        for turn in episode.turns:
            if turn.reply.element is not None and turn.reply.element["role"] and turn.learn:
                closing = turn.reply.thought == "Close the dialog."
                assert turn.reply.element["text"] == ("OK" if closing else asked)
            seen.add(turn.reply.thought)
            assert turn.picture is not None or not turn.learn or asked in turn.reply.thought
        assert FINISHED not in [turn.reply for turn in episode.turns[:-1]]
    assert seen >= {BLANK.thought, LOADING.thought, FINISHED.thought, "Close the dialog."}


def test_a_missed_click_is_followed_by_the_same_page(stock: EpisodePages) -> None:
    missed = 0
    for seed in range(200):
        pages, (episode,) = stock.lesson(random.Random(seed), LONGEST, 1)
        for turn, after in zip(episode.turns, episode.turns[1:], strict=False):
            if turn.learn or turn.picture is None or after.picture is None:
                continue
            missed += 1
            assert np.array_equal(pages[turn.picture].picture, pages[after.picture].picture)
            assert turn.reply.thought == after.reply.thought
    assert missed > 10


def test_without_a_picture_only_the_thought_is_learned(stock: EpisodePages) -> None:
    episode = spelling(random.Random(0), 1)[0]
    batch = Encoder(TOKENIZER).encode([stock.shards.page((0, 0))], [episode])
    learned = TOKENIZER.decode(batch.labels[0][batch.labels[0] >= 0])
    asked = episode.turns[0].reply.thought
    assert learned == f"Thought: {asked}\nAction: click(start_box='(" * len(episode.turns)
    assert asked.removeprefix("Click the button ").rstrip(".") in episode.instruction
    assert (len(batch.queries), len(batch.pictures)) == (0, 0)


def test_lessons_need_pages_for_episodes(tmp_path: Path, stock: EpisodePages) -> None:
    save_shard(tmp_path, "few", [np.zeros((*SIZE, 3), np.uint8)], [record("buttons", ("Next",))])
    with pytest.raises(ValueError, match="native"):
        Curriculum(Shards(tmp_path), STAGES["ground"], episodes=0.5)
    lessons = Curriculum(stock.shards, STAGES["ground"], history=0.3, episodes=0.4, silent=0.5, spelling=0.2)
    rng = random.Random(0)
    lengths = {len(c.turns) for _ in range(30) for c in lessons.draw(rng)[1]}
    assert {1, 2} < lengths
    assert max(lengths) == 4, "what the runtime shows at once"
