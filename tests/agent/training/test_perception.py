"""Questions about screens: their answers are what the labels say."""

from __future__ import annotations

import random

import numpy as np

from made_datasets import click, made, shot
from saccade.actions.geometry import Point
from saccade.actions.schema import Click, Finished
from saccade.agent.training.dataset.perception import (
    CHANGED,
    DESCRIBE,
    changes,
    description,
    framed,
    named_elements,
    perception_tasks,
)
from saccade.agent.training.dataset.records import (
    DatasetEpisode,
    DatasetReply,
    DatasetStep,
    ElementLabel,
    KeptEpisode,
    PictureLabels,
)
from saccade.perception.observation import Screenshot


def element(role: str, text: str, left: float, top: float, width: float = 40, height: float = 14) -> ElementLabel:
    box = (left, top, left + width, top + height)
    return ElementLabel(role=role, text=text, box=box, point=Point(left + width / 2, top + height / 2))


def labels(*elements: ElementLabel, hidden: str = "") -> PictureLabels:
    """Elements whose letters are drawn, but for those of one."""
    chars = [(letter, *e.point) for e in elements if e.text != hidden for letter in e.text if letter != " "]
    return PictureLabels(elements=elements, chars=tuple(chars))


GO, BACK = element("button", "Go", 10, 60), element("button", "Back", 10, 100)
FIELD, FILLED = element("textbox", "", 60, 60), element("textbox", "abc", 60, 60)


def test_an_element_is_asked_for_by_what_tells_it_from_others() -> None:
    twins = (element("link", "More", 1, 1), element("link", "More", 1, 30))
    assert named_elements(labels(GO, BACK, *twins, FIELD)) == [GO, BACK]
    assert named_elements(labels(GO, BACK, hidden="Go")) == [BACK], "what cannot be read cannot be found"


def test_a_frame_stands_around_the_element_and_not_on_it() -> None:
    picture = Screenshot(np.full((210, 160, 3), 255, np.uint8))
    found = framed(picture, GO).pixels
    assert (picture.pixels == 255).all(), "the picture itself stays"
    left, top, right, bottom = map(int, GO.box)
    assert (found[top:bottom, left:right] == 255).all()
    assert (found[top - 2 : top, left - 2 : right + 2] == (230, 0, 0)).all()
    assert (found != 255).any(axis=2).sum() < 400


def test_a_description_says_what_it_is_and_where() -> None:
    picture = Screenshot(np.full((210, 160, 3), 255, np.uint8))
    for described, answer in (
        (GO, 'The button "Go", at the top left.'),
        (element("link", "Terms", 100, 190), 'The link "Terms", at the bottom right.'),
        (element("textbox", "", 60, 100), "The empty text field, in the middle."),
        (element("textbox", "x", 60, 2), 'The text field that holds "x", at the top.'),
        (element("other", "", 60, 100), "An element without a text, in the middle."),
    ):
        (question, (reply,)), _ = description(described, picture)
        assert question == DESCRIBE
        assert reply.actions == (Finished(answer=answer),)


def test_what_changed_is_told_from_the_labels() -> None:
    assert changes(labels(GO), labels(GO, BACK)) == 'The button "Back" appeared.'
    assert changes(labels(GO, BACK), labels(GO)) == 'The button "Back" disappeared.'
    assert changes(labels(FIELD), labels(FILLED)) == 'The text field now holds "abc".'
    assert changes(labels(FILLED), labels(FIELD)) == "The text field is now empty."
    renamed = element("button", "Stop", 10, 60)
    assert changes(labels(GO), labels(renamed)) == 'The button "Go" is now called "Stop".'
    for place, way in (((10, 20), "up"), ((10, 90), "down"), ((90, 70), "to the right"), ((1, 60), "to the left")):
        assert changes(labels(GO), labels(element("button", "Go", *place))) == f'The button "Go" moved {way}.'
    both = changes(labels(GO), labels(BACK, FIELD))
    assert both == 'The button "Back" and the empty text field appeared. The button "Go" disappeared.'
    assert changes(labels(GO), labels(GO)) == ""
    many = [element("link", f"L{number}", 1, 20 * number) for number in range(8)]
    assert changes(labels(), labels(*many)).endswith("and 3 more appeared.")


def shown() -> KeptEpisode:
    first, second = (Screenshot(np.full((210, 160, 3), shade, np.uint8)) for shade in (250, 251))
    steps = tuple(DatasetStep(picture=picture.digest, reply=click(5.0)) for picture in (first, second, second))
    episode = made(7).episode.model_copy(update={"steps": steps, "size": first.size})
    return KeptEpisode(episode, [first, second], {first.digest: labels(GO), second.digest: labels(GO, BACK)})


def test_each_labelled_picture_is_asked_about() -> None:
    base = shown()
    tasks = list(perception_tasks(base, random.Random(0)))
    kinds = [kept.episode.origin.split(":")[-3 if "change" not in kept.episode.origin else -2] for kept in tasks]
    assert kinds == ["ground", "describe", "ground", "describe", "change", "ground", "describe", "change"]
    for kept in tasks:
        episode = kept.episode
        assert (episode.source, episode.task, episode.seed) == ("perception", base.episode.task, 7)
        assert episode.problem == base.episode.problem, "held out together with the page"
        assert [step.picture for step in episode.steps] == [picture.digest for picture in kept.pictures]
    assert len({kept.episode.origin for kept in tasks}) == len(tasks)
    ground = tasks[0].episode
    assert ground.steps[0].reply.actions == (Click(point=GO.point),)
    assert "Go" in ground.instruction or ground.instruction == "Click on the button."
    moved, same = (tasks[index].episode for index in (4, 7))
    assert moved.instruction == same.instruction == CHANGED
    assert [step.target for step in moved.steps] == [
        None,
        DatasetReply(actions=(Finished(answer='The button "Back" appeared.'),)),
    ]
    assert same.steps[1].reply.actions == (Finished(answer="Nothing changed."),)


def test_pictures_without_labels_are_not_asked_about() -> None:
    assert not list(perception_tasks(made(1, 5), random.Random(0)))
    bare = shown()._replace(labels={shot(1).digest: labels(GO)})
    assert not list(perception_tasks(bare, random.Random(0)))


def test_only_an_unmistakable_role_is_asked_for_alone() -> None:
    two = shown()._replace(labels={shown().pictures[1].digest: labels(GO, BACK)})
    asked = {
        kept.episode.instruction
        for seed in range(30)
        for kept in perception_tasks(two, random.Random(seed))
        if ":ground:" in kept.episode.origin
    }
    assert "Click on the button." not in asked
    assert len(asked) == 4
    assert all(isinstance(episode, DatasetEpisode) for episode in [two.episode])
