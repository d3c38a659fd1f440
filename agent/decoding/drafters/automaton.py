"""A suffix automaton: an index of all substrings of a growing text, with their last positions and counts.

Built online (Blumer et al. 1985). A state stands for all substrings that end at the same positions. Positions
and counts are exact for substrings up to a given length.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import takewhile


class SuffixAutomaton:
    """Indexes substrings of up to ``longest`` tokens; no match or continuation crosses a negative token.

    Attributes:
        text: all tokens so far.
        end: per state, the last position where its substrings end.
    """

    def __init__(self, longest: int) -> None:
        self.longest = longest
        self.text: list[int] = []
        self._next: list[dict[int, int]] = [{}]
        self._link = [-1]
        self._length = [0]
        self.end = [-1]
        self._count = [0]
        self._last = 0
        self._tail = (0, 0)

    def append(self, token: int) -> None:
        """Extend the text; amortized O(longest)."""
        self.text.append(token)
        self._grow(token)
        # The longest suffix whose positions are kept, one longer than matches, so that what follows a match
        # of full length is counted too; the chain of suffix links from it holds all shorter ones.
        self._tail = self.step(*self.settle(*self._tail), token, self.longest + 1)
        state, position = self._tail[0], len(self.text) - 1
        while state > 0:
            self.end[state] = position
            self._count[state] += 1
            state = self._link[state]

    def step(self, state: int, length: int, token: int, longest: int) -> tuple[int, int]:
        """The longest suffix of a substring plus a token that is a substring too, up to ``longest``."""
        while state and token not in self._next[state]:
            state = self._link[state]
            length = self._length[state]
        if token in self._next[state]:
            state, length = self._next[state][token], length + 1
        return self.settle(state, min(length, longest))

    def settle(self, state: int, length: int) -> tuple[int, int]:
        """The state of the suffix of this length, which may have been split off since."""
        while state and self._length[self._link[state]] >= length:
            state = self._link[state]
        return state, length

    def continuation(self, position: int, count: int) -> Sequence[int]:
        """The text from a position on, up to a negative token."""
        return list(takewhile(lambda token: token >= 0, self.text[position : position + count]))

    def followers(self, state: int, length: int) -> list[tuple[int, int, int]]:
        """Tokens that follow a substring, most frequent first: count, last position, token."""
        found = []
        for token, target in self._next[state].items():
            if token >= 0:
                target, _ = self.settle(target, length + 1)
                found.append((self._count[target], self.end[target], token))
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
        """The state of a state's longest substring plus a token; split off from longer ones if needed."""
        target = self._next[state][token]
        if self._length[target] == self._length[state] + 1:
            return target
        clone = self._state(self._length[state] + 1, dict(self._next[target]), self.end[target], self._count[target])
        self._link[clone], self._link[target] = self._link[target], clone
        while state >= 0 and self._next[state].get(token) == target:
            self._next[state][token] = clone
            state = self._link[state]
        return clone

    def _state(self, length: int, following: dict[int, int], end: int, count: int) -> int:
        self._next.append(following)
        self._link.append(-1)
        self._length.append(length)
        self.end.append(end)
        self._count.append(count)
        return len(self._length) - 1


@dataclass(frozen=True)
class Match:
    """The longest suffix of the text that occurred before: its length, state and last earlier position."""

    length: int
    automaton: SuffixAutomaton
    state: int
    end: int

    def continuation(self, count: int, first: int | None = None) -> Sequence[int]:
        """What followed the last time, or the last time that ``first`` followed."""
        if first is None and (text := self.automaton.continuation(self.end + 1, count)):
            return text
        # The last occurrence may be at the end of a text.
        ends = [end for _, end, token in self.followers() if first in (None, token)]
        return self.automaton.continuation(max(ends), count) if ends else []

    def followers(self) -> list[tuple[int, int, int]]:
        """All tokens that ever followed, most frequent first: count, last position, token."""
        return self.automaton.followers(self.state, self.length)


class SuffixIndex:
    """A suffix automaton with bounded memory: a young generation grows, an old one is frozen.

    When the young one holds ``capacity`` tokens it becomes the old one, and the old one is dropped. Matches
    are capped at ``longest`` tokens.
    """

    def __init__(self, capacity: int, longest: int) -> None:
        if capacity < 1 or longest < 1:
            raise ValueError("a suffix index needs a capacity and a match length of at least one token")
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
        """The old and the young generation, with negative tokens between texts."""
        return self._old.text, self._young.text

    def append(self, token: int) -> None:
        """Extend the current text."""
        if len(self._young.text) >= self._capacity:
            self._old, self._young = self._young, SuffixAutomaton(self._longest)
            self._in_old, self._in_young = self._in_young, (0, 0)
        self._in_old = self._old.step(*self._in_old, token, self._longest)
        self._old_end = self._old.end[self._in_old[0]]
        state, length = self._young.step(*self._in_young, token, self._longest)
        self._young_end = self._young.end[state]
        self._young.append(token)
        self._in_young = self._young.settle(state, length)

    def cut(self) -> None:
        """Begin a new text."""
        text = self._young.text
        if text and text[-1] >= 0:
            self._walls += 1
            self._young.append(-self._walls)
        self._in_old = self._in_young = (0, 0)

    def match(self) -> Match | None:
        """The longest suffix of the current text that occurred before; the most recent one of equals."""
        (state, length), (old_state, old_length) = self._in_young, self._in_old
        if max(length, old_length) == 0:
            return None
        if length >= old_length:
            return Match(length, self._young, state, self._young_end)
        return Match(old_length, self._old, old_state, self._old_end)
