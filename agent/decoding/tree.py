"""Draft trees: drafted continuations of a reply, verified in one forward with tree attention.

Node 0 is the last committed token, whose keys and values are not cached yet. Every other node is a drafted
token that follows its parent. In one forward each node attends to its ancestors only, which scores every path
at once (SpecInfer, arXiv 2305.09781).
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Probabilities = NDArray[np.floating]
"""One probability per token of the vocabulary."""


@dataclass(frozen=True)
class DraftSamples:
    """Tokens that a drafter drew at random, in order.

    Acceptance is lossless only if it sees every draw, including repeated tokens and pruned nodes: leaving out
    draws depending on their values would change the distribution that they come from.

    Attributes:
        tokens: the drawn tokens.
        q: vocabulary; the distribution of the first draw, after temperature, top-p and masks.
        replacement: whether later draws come from ``q`` too, or from ``q`` without the earlier draws.
    """

    tokens: tuple[int, ...]
    q: Probabilities
    replacement: bool = True

    def __post_init__(self) -> None:
        if any(not self.q[token] > 0 for token in self.tokens):
            raise ValueError("a token was drawn that its draft distribution gives no probability")
        if not self.replacement and len(set(self.tokens)) < len(self.tokens):
            raise ValueError("a token was drawn twice without replacement")


class DraftTree:
    """A trie of drafted tokens in insertion order: parents come before their children.

    Args:
        root: the last committed token.
        banned: ids that get no nodes, such as image tokens.
    """

    def __init__(self, root: int, banned: Collection[int] = frozenset()) -> None:
        self.banned = banned
        self._tokens = [root]
        self._parents = [-1]
        self._depths = [0]
        self._confidences = [1.0]
        self._sources: list[dict[str, float]] = [{}]
        self._children: list[dict[int, int]] = [{}]
        self._fixed: list[list[int]] = [[]]
        self._draws: list[list[DraftSamples]] = [[]]

    def __len__(self) -> int:
        """Number of nodes including the root: the width of the verify forward."""
        return len(self._tokens)

    @property
    def tokens(self) -> tuple[int, ...]:
        """Token id of each node."""
        return tuple(self._tokens)

    @property
    def parents(self) -> tuple[int, ...]:
        """Parent of each node; -1 for the root."""
        return tuple(self._parents)

    @property
    def depths(self) -> NDArray[np.int64]:
        """Distance of each node from the root; added to the root's position."""
        return np.array(self._depths, dtype=np.int64)

    def children(self, node: int) -> Mapping[int, int]:
        """Children of a node by token."""
        return self._children[node]

    def fixed(self, node: int) -> Sequence[int]:
        """Tokens of a node's children that were proposed deterministically, in order."""
        return self._fixed[node]

    def draws(self, node: int) -> Sequence[DraftSamples]:
        """Random draws of what follows a node."""
        return self._draws[node]

    def confidence(self, node: int) -> float:
        """Estimated probability that a node is accepted, given that its parent is."""
        return self._confidences[node]

    def sources(self, node: int) -> Mapping[str, float]:
        """Drafters that proposed a node, with their confidences."""
        return self._sources[node]

    def values(self) -> NDArray[np.float64]:
        """Estimated probability of each node to be accepted."""
        values = np.ones(len(self))
        for node in range(1, len(self)):
            values[node] = values[self._parents[node]] * self._confidences[node]
        return values

    def path(self, node: int) -> tuple[int, ...]:
        """Nodes from the root down to a node, without the root."""
        nodes: list[int] = []
        while node > 0:
            nodes.append(node)
            node = self._parents[node]
        return tuple(reversed(nodes))

    def path_tokens(self, node: int) -> tuple[int, ...]:
        """Tokens from the root down to a node, without the root."""
        return tuple(self._tokens[index] for index in self.path(node))

    def mask(self) -> NDArray[np.bool_]:
        """The tree attention mask, nodes x nodes: a node (row) sees its ancestors and itself."""
        mask = np.eye(len(self), dtype=np.bool_)
        for node in range(1, len(self)):
            mask[node] |= mask[self._parents[node]]
        return mask

    def add(self, parent: int, token: int, confidence: float = 1.0, source: str = "") -> int | None:
        """Add a child; returns its node, also if it existed before, or None if the token is banned."""
        node = self._insert(parent, token, confidence, source)
        if node is not None and token not in self._fixed[parent]:
            self._fixed[parent].append(token)
        return node

    def add_chain(self, tokens: Iterable[int], confidences: Iterable[float], source: str = "", parent: int = 0) -> int:
        """Add a chain of tokens, up to the first banned one; returns the last node."""
        for token, confidence in zip(tokens, confidences, strict=False):
            node = self.add(parent, token, confidence, source)
            if node is None:
                break
            parent = node
        return parent

    def draw(self, parent: int, draws: DraftSamples, confidence: float = 1.0, source: str = "") -> list[int | None]:
        """Add randomly drawn children; returns the node of each draw, None for banned tokens."""
        self._draws[parent].append(draws)
        return [self._insert(parent, token, confidence, source) for token in draws.tokens]

    def _insert(self, parent: int, token: int, confidence: float, source: str) -> int | None:
        if not 0 <= confidence <= 1:
            raise ValueError(f"a confidence is between 0 and 1, not {confidence}")
        if token in self.banned:
            return None
        node = self._children[parent].get(token)
        if node is None:
            node = len(self)
            self._children[parent][token] = node
            self._tokens.append(token)
            self._parents.append(parent)
            self._depths.append(self._depths[parent] + 1)
            self._confidences.append(0.0)
            self._sources.append({})
            self._children.append({})
            self._fixed.append([])
            self._draws.append([])
        self._confidences[node] = max(self._confidences[node], confidence)
        if source:
            self._sources[node][source] = max(self._sources[node].get(source, 0.0), confidence)
        return node

    def rate(self, estimate: Callable[[Mapping[str, float]], float]) -> None:
        """Replace each node's confidence by an estimate from its sources."""
        for node in range(1, len(self)):
            self._confidences[node] = min(max(estimate(self._sources[node]), 0.0), 1.0)

    def include(self, other: DraftTree) -> None:
        """Merge in all nodes and draws of another tree with the same root."""
        if other._tokens[0] != self._tokens[0]:
            raise ValueError("draft trees with different roots cannot be merged")
        place: dict[int, int] = {0: 0}
        self._draws[0] += other._draws[0]
        for node in range(1, len(other)):
            parent = place.get(other._parents[node])
            if parent is not None and (mine := self._copy_node(other, node, parent)) is not None:
                place[node] = mine

    def cut(self, budget: int) -> DraftTree:
        """The tree of the ``budget`` nodes most likely to be accepted.

        Best first is optimal for a given number of nodes (Sequoia, arXiv 2402.12374; Medusa 2401.10774).
        """
        values = self.values()
        tree = DraftTree(self._tokens[0], self.banned)
        tree._draws[0] += self._draws[0]
        queue = [(-values[node], node, 0) for node in self._children[0].values()]
        heapq.heapify(queue)
        while queue and len(tree) <= budget:
            _, node, parent = heapq.heappop(queue)
            mine = tree._copy_node(self, node, parent)
            if mine is not None:
                for child in self._children[node].values():
                    heapq.heappush(queue, (-values[child], child, mine))
        return tree

    def _copy_node(self, other: DraftTree, node: int, parent: int) -> int | None:
        """Insert another tree's node below ``parent``, with its draws."""
        token, confidence = other._tokens[node], other._confidences[node]
        mine = self._insert(parent, token, confidence, "")
        if mine is None:
            return None
        if token in other._fixed[other._parents[node]] and token not in self._fixed[parent]:
            self._fixed[parent].append(token)
        for source, own in other._sources[node].items():
            self._sources[mine][source] = max(self._sources[mine].get(source, 0.0), own)
        self._draws[mine] += other._draws[node]
        return mine
