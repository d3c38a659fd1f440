"""The suffix drafter against a search through everything it remembers."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from saccade.agent.decoding.draft import DraftState
from saccade.agent.decoding.drafters.automaton import SuffixAutomaton, SuffixIndex
from saccade.agent.decoding.drafters.suffix import SuffixDrafter

texts = st.lists(st.lists(st.integers(0, 2), max_size=40), max_size=6)


def occurrences(text: list[int], part: list[int]) -> list[int]:
    """Positions behind each occurrence of a part."""
    return [i for i in range(len(part), len(text) + 1) if text[i - len(part) : i] == part]


def behind(text: list[int], position: int, count: int) -> list[int]:
    found = text[position : position + count]
    wall = next((i for i, token in enumerate(found) if token < 0), len(found))
    return found[:wall]


def brute_match(index: SuffixIndex, document: list[int], longest: int) -> tuple[int, list[int]]:
    """Length of the longest suffix that occurs before, and its last continuation, by trying everything."""
    old, young = (list(text) for text in index.texts)
    for length in range(min(longest, len(document)), 0, -1):
        part = document[-length:]
        for text, now in ((young, len(young)), (old, None)):
            ends = [end for end in occurrences(text, part) if end != now]
            if ends:
                going_on = [end for end in ends if behind(text, end, 1)]
                return length, behind(text, going_on[-1], 5) if going_on else []
    return 0, []


@settings(max_examples=150, deadline=None)
@given(texts, st.integers(1, 8), st.integers(10, 60))
def test_matches_are_the_longest_and_the_most_recent(documents, longest, capacity):
    index = SuffixIndex(capacity, longest)
    for text in documents:
        document: list[int] = []
        for token in text:
            index.append(token)
            document.append(token)
            if len(index.texts[1]) == 1:
                continue  # The first token of a generation: the text before it is its own old generation.
            match = index.match()
            found = (match.length, list(match.continuation(5))) if match else (0, [])
            assert found == brute_match(index, document, longest)
        index.cut()
        assert index.match() is None


@settings(max_examples=100, deadline=None)
@given(st.lists(st.integers(0, 2), min_size=1, max_size=60), st.integers(1, 6))
def test_followers_are_counted_exactly(text, longest):
    automaton = SuffixAutomaton(longest)
    state, length = 0, 0
    for i, token in enumerate(text):
        state, length = automaton.step(state, length, token, longest)
        automaton.append(token)
        state, length = automaton.settle(state, length)
        part = text[i + 1 - length : i + 1]
        for count, end, follower in automaton.followers(state, length):
            ends = occurrences(text[: i + 1], [*part, follower])
            assert (count, end) == (len(ends), ends[-1] - 1)


def test_memory_is_bounded():
    index = SuffixIndex(100, 16)
    for token in range(1000):
        index.append(token % 7)
        assert len(index) <= 200
    match = index.match()
    assert match is not None
    assert match.length == 16


def test_a_loop_of_one_token_stays_cheap():
    index = SuffixIndex(5000, 64)
    for _ in range(9000):
        index.append(1)
    match = index.match()
    assert match is not None
    assert match.length == 64


@pytest.mark.parametrize(("capacity", "longest"), [(0, 1), (1, 0)])
def test_an_index_without_room_is_refused(capacity, longest):
    with pytest.raises(ValueError, match="capacity"):
        SuffixIndex(capacity, longest)


def propose(drafter: SuffixDrafter, ids: list[int], budget: int = 8):
    return drafter.propose(DraftState(ids, 0, banned={99}), budget)


def test_a_repeated_reply_is_drafted_from_its_first_tokens():
    drafter = SuffixDrafter()
    drafter.add([1, 2, 3, 4, 5, 6])
    drafter.start([9, 9, 1])
    drafter.observe([2])
    tree = propose(drafter, [9, 9, 1, 2])
    assert tree.tokens == (2, 3, 4, 5, 6)
    assert [tree.nodes[node].confidence for node in range(1, 5)] == [2 / 4, 3 / 5, 4 / 6, 5 / 7]
    assert tree.nodes[1].sources == {"suffix": 0.5}


def test_longer_matches_are_surer():
    drafter = SuffixDrafter()
    drafter.add(list(range(20)))
    drafter.start([0])
    first = propose(drafter, [0]).nodes[1].confidence
    drafter.observe([1, 2, 3, 4, 5])
    assert propose(drafter, [5]).nodes[1].confidence > first


def test_the_instruction_is_copied():
    drafter = SuffixDrafter()
    drafter.start([7, 7, 7], instruction=[10, 11, 12, 13])
    drafter.observe([10])
    assert propose(drafter, [10]).tokens == (10, 11, 12, 13)


def test_pictures_split_text_and_are_never_drafted():
    drafter = SuffixDrafter(unknown={99})
    drafter.start([1, 2, 99, 99, 3, 4, 1])
    drafter.observe([2])
    assert propose(drafter, [2]).tokens == (2,)


def test_only_what_is_new_in_a_prompt_is_read():
    drafter = SuffixDrafter()
    drafter.start([1, 2, 3])
    drafter.observe([4, 5])
    drafter.start([1, 2, 3, 4, 5, 6, 1, 2])
    assert propose(drafter, [2]).tokens == (2, 3, 4, 5, 6, 1, 2)


def test_alternatives_are_drafted_when_asked_for():
    drafter = SuffixDrafter(branches=2)
    for text in ([1, 2, 3], [1, 2, 3], [1, 4, 5]):
        drafter.add(text)
    drafter.start([1])
    tree = propose(drafter, [1])
    assert tree.tokens == (1, 4, 5, 2, 3)
    assert tuple(node.parent for node in tree.nodes) == (-1, 0, 1, 0, 3)
    assert len(propose(drafter, [1], budget=3)) == 4


def test_short_matches_can_be_left_out():
    drafter = SuffixDrafter(shortest=3)
    drafter.add([1, 2, 3, 4])
    drafter.start([1])
    drafter.observe([2])
    assert len(propose(drafter, [2])) == 1
    drafter.observe([3])
    assert propose(drafter, [3]).tokens == (3, 4)
