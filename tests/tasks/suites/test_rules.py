"""The rules that scoring codes share, against values worked out by hand."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from saccade.actions.geometry import Point, Size
from saccade.actions.schema import CallUser, Click, Drag, Finished, Hotkey
from saccade.tasks.suites.rules import (
    BoundingBox,
    edit_distance,
    f1,
    finger,
    first_point,
    in_polygon,
    refuses,
    relative,
    scrolled,
    similarity,
    tokens,
)

BOX = BoundingBox(10, 20, 40, 30)


@pytest.mark.parametrize(
    ("x", "y", "inside"),
    [
        (10, 20, True),
        (40, 30, True),
        (25, 30, True),
        (25, 25, True),
        (9.99, 25, False),
        (40.01, 25, False),
        (25, 30.01, False),
    ],
)
def test_a_border_belongs_to_its_box(x: float, y: float, inside: bool) -> None:
    assert BOX.holds(Point(x, y)) is inside


def test_boxes_are_made_from_either_notation() -> None:
    assert BoundingBox.xywh(10, 20, 30, 10) == BOX
    assert (
        BoundingBox.corners(10, 20, 40, 30)
        == BoundingBox.corners(40, 30, 10, 20)
        == BoundingBox.corners(40, 20, 10, 30)
        == BOX
    )
    assert BOX.area == 300


def test_a_ray_decides_on_polygons() -> None:
    arrow = (100, 10, 140, 10, 140, 50, 120, 30, 100, 50)  # a square with a notch from below
    assert in_polygon(Point(120, 20), arrow)
    assert in_polygon(Point(105, 40), arrow)
    assert not in_polygon(Point(120, 40), arrow), "in the notch"
    assert not in_polygon(Point(99, 20), arrow)
    assert not in_polygon(Point(120, 60), arrow)
    # As published: left and upper borders are inside, right and lower ones are not.
    assert in_polygon(Point(100, 20), arrow)
    assert in_polygon(Point(120, 10), arrow)
    assert not in_polygon(Point(140, 20), arrow)


def test_points_as_fractions() -> None:
    assert relative(Point(50, 50), Size(200, 100)) == (0.25, 0.5)
    assert relative(Point(50, 50), Size(200, 100), 1000) == (250, 500)


def test_what_an_answer_points_at() -> None:
    click = Click(point=Point(1, 2))
    assert first_point([Hotkey(keys=("ctrl", "c")), click]) == (1, 2)
    assert first_point([Drag(start=Point(3, 4), end=Point(5, 6)), click]) == (3, 4)
    assert first_point([Finished()]) is None
    assert first_point([]) is None
    assert refuses([CallUser()])
    assert not refuses([])
    assert not refuses([click, CallUser()])


def test_a_finger_moves_content_the_other_way() -> None:
    assert finger(Point(0, 0), Point(-9, 8)) == "left"
    assert finger(Point(0, 0), Point(9, 9)) == "down", "a tie is up or down"
    assert scrolled(Drag(start=Point(50, 90), end=Point(52, 10))) == "down"


def test_words_and_their_f1() -> None:
    assert tokens("Type 08817 , NJ", punctuation=False) == {"type", "08817", "nj"}
    assert tokens("a ,") == {"a", ","}
    assert f1({"a", "b"}, {"b", "c", "d"}) == pytest.approx(0.4)  # P 1/2, R 1/3
    assert f1(set(), set()) == f1({"a"}, {"b"}) == 0.0


@pytest.mark.parametrize(
    ("one", "other", "edits", "likeness"),
    [
        ("", "", 0, 1.0),
        ("", "abc", 3, 0.0),
        ("kitten", "sitting", 3, 4 / 7),
        ("cats", "cat", 1, 0.75),
        ("ab", "ba", 2, 0.0),
    ],
)
def test_edit_distance(one: str, other: str, edits: int, likeness: float) -> None:
    assert edit_distance(one, other) == edits
    assert similarity(one, other) == pytest.approx(likeness)


@given(st.text(max_size=12), st.text(max_size=12))
def test_similarity_is_symmetric_and_a_share(one: str, other: str) -> None:
    assert similarity(one, other) == similarity(other, one)
    assert 0 <= similarity(one, other) <= 1
    assert (similarity(one, other) == 1) == (one == other)
