"""An index of all substrings of a growing text: a suffix automaton that knows where and how often.

Built online (Blumer et al. 1985). A state stands for all substrings that end at the same positions; it holds
the most recent of these positions and their number, exact for substrings up to a given length.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


class SuffixAutomaton:
    """Substrings of one text; negative tokens are walls that no match and no continuation crosses.

    Args:
        longest: positions and counts are kept for substrings up to this length; matches end there.
    """

    def __init__(self, longest: int) -> None:
        self.longest = longest
        self.text: list[int] = []
        self._next: list[dict[int, int]] = [{}]
        self._link = [-1]
        self._length = [0]
        self._end = [-1]
        self._count = [0]
        self._last = 0
        self._tail = (0, 0)

    def append(self, token: int) -> None:
        """Extend the text; constant time but for ``longest``, averaged over the text."""
        self.text.append(token)
        self._grow(token)
        # The longest suffix whose positions are kept; the chain of links from it holds all shorter ones.
        # What follows a match of full length is to be counted, too.
        self._tail = self._step(*self.settle(*self._tail), token, self.longest + 1)
        state, position = self._tail[0], len(self.text) - 1
        while state > 0:
            self._end[state] = position
            self._count[state] += 1
            state = self._link[state]

    def step(self, state: int, length: int, token: int) -> tuple[int, int]:
        """The longest suffix, up to ``longest``, of a substring and a token that is a substring as well."""
        return self._step(state, length, token, self.longest)

    def _step(self, state: int, length: int, token: int, longest: int) -> tuple[int, int]:
        while state and token not in self._next[state]:
            state = self._link[state]
            length = self._length[state]
        if token in self._next[state]:
            state, length = self._next[state][token], length + 1
        return self.settle(state, min(length, longest))

    def settle(self, state: int, length: int) -> tuple[int, int]:
        """The state of the suffix of this length, which may have split off since."""
        while state and self._length[self._link[state]] >= length:
            state = self._link[state]
        return state, length

    def end(self, state: int) -> int:
        """The last position at which the state's substrings end."""
        return self._end[state]

    def continuation(self, position: int, count: int) -> Sequence[int]:
        """Text from a position on, up to a wall."""
        text: list[int] = []
        for token in self.text[position : position + count]:
            if token < 0:
                break
            text.append(token)
        return text

    def followers(self, state: int, length: int) -> list[tuple[int, int, int]]:
        """Tokens that follow a substring: how often, the last position of each, and the token."""
        found = []
        for token, target in self._next[state].items():
            if token >= 0:
                target, _ = self.settle(target, length + 1)
                found.append((self._count[target], self._end[target], token))
        return sorted(found, reverse=True)

    def _grow(self, token: int) -> None:
        new = self._state(self._length[self._last] + 1, {}, -1, 0)
        state = self._last
        while state >= 0 and token not in self._next[state]:
            self._next[state][token] = new
            state = self._link[state]
        self._link[new] = 0 if state < 0 else self._target(state, token)
        self._last = new

    def _target(self, state: int, token: int) -> int:
        """The state of a state's longest substring and a token, split off from longer ones."""
        target = self._next[state][token]
        if self._length[target] == self._length[state] + 1:
            return target
        clone = self._state(
            self._length[state] + 1, dict(self._next[target]), self._end[target], self._count[target]
        )
        self._link[clone], self._link[target] = self._link[target], clone
        while state >= 0 and self._next[state].get(token) == target:
            self._next[state][token] = clone
            state = self._link[state]
        return clone

    def _state(self, length: int, following: dict[int, int], end: int, count: int) -> int:
        self._next.append(following)
        self._link.append(-1)
        self._length.append(length)
        self._end.append(end)
        self._count.append(count)
        return len(self._length) - 1


@dataclass(frozen=True)
class Match:
    """The longest suffix of the text so far that occurs before.

    Attributes:
        length: tokens that agree.
        automaton: where it was found.
        state: its state there.
        end: the most recent position before now at which it ends.
    """

    length: int
    automaton: SuffixAutomaton
    state: int
    end: int

    def continuation(self, count: int, first: int | None = None) -> Sequence[int]:
        """What followed the last time that anything did, or the last time that ``first`` did."""
        if first is None and (text := self.automaton.continuation(self.end + 1, count)):
            return text
        # The last time may have been the end of a text.
        ends = [end for _, end, token in self._followers() if first in (None, token)]
        return self.automaton.continuation(max(ends), count) if ends else []

    def followers(self) -> list[tuple[int, int]]:
        """What ever followed: tokens and how often, the most frequent first."""
        return [(token, count) for count, _, token in self._followers()]

    def _followers(self) -> list[tuple[int, int, int]]:
        return self.automaton.followers(self.state, self.length)


class SuffixIndex:
    """A suffix automaton with bounded memory: a young generation that grows and an old one that is frozen.

    When the young one is full it becomes the old one, and what was old is forgotten.

    Args:
        capacity: tokens of one generation.
        longest: longer matches count as this long.
    """

    def __init__(self, capacity: int, longest: int) -> None:
        if capacity < 1 or longest < 1:
            raise ValueError("a suffix index needs room for a token and matches of at least one")
        self._capacity = capacity
        self._longest = longest
        self._walls = 0
        self._old = SuffixAutomaton(longest)
        self._young = SuffixAutomaton(longest)
        self._in_old = self._in_young = (0, 0)
        self._old_end = self._young_end = -1

    def __len__(self) -> int:
        return len(self._old.text) + len(self._young.text)

    @property
    def texts(self) -> tuple[Sequence[int], Sequence[int]]:
        """What is remembered, the old generation and the young one, with walls as negative tokens."""
        return self._old.text, self._young.text

    def append(self, token: int) -> None:
        """Go on with the text."""
        if len(self._young.text) >= self._capacity:
            self._old, self._young = self._young, SuffixAutomaton(self._longest)
            self._in_old, self._in_young = self._in_young, (0, 0)
        self._in_old = self._old.step(*self._in_old, token)
        self._old_end = self._old.end(self._in_old[0])
        state, length = self._young.step(*self._in_young, token)
        self._young_end = self._young.end(state)
        self._young.append(token)
        self._in_young = self._young.settle(state, length)

    def cut(self) -> None:
        """Let a new text begin."""
        text = self._young.text
        if text and text[-1] >= 0:
            self._walls += 1
            self._young.append(-self._walls)
        self._in_old = self._in_young = (0, 0)

    def match(self) -> Match | None:
        """The longest suffix of the text so far that occurs before; of equal ones the most recent."""
        (state, length), (old_state, old_length) = self._in_young, self._in_old
        if max(length, old_length) == 0:
            return None
        if length >= old_length:
            return Match(length, self._young, state, self._young_end)
        return Match(old_length, self._old, old_state, self._old_end)
