"""Draft trees: what drafters think comes next, laid out for one verify forward.

Node 0 is the last committed token, whose keys and values are not cached yet; every other node is a drafted
token that follows its parent. One forward over all nodes, each seeing its ancestors only, scores every path
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
    """Tokens that a drafter drew at random, in the order in which it drew them.

    Acceptance is lossless only if it sees every draw, also those that repeat a token and those whose node
    was cut off: leaving out draws by what they are is drawing from another distribution.

    Attributes:
        tokens: what was drawn.
        q: vocabulary; the distribution of the first draw, after temperature, top-p and masks.
        replacement: whether later draws come from ``q`` too, or from ``q`` without the tokens drawn before.
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
    """A trie of drafted tokens, in order of insertion, so that parents come before their children.

    Args:
        root: the last committed token.
        banned: ids that must not be drafted, such as those of pictures; nodes are never made for them.
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
        """Nodes, the root included: the width of the verify forward."""
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
        """Nodes; how far each stands behind the root, to be added to the root's position."""
        return np.array(self._depths, dtype=np.int64)

    def children(self, node: int) -> Mapping[int, int]:
        """Children of a node by token."""
        return self._children[node]

    def fixed(self, node: int) -> Sequence[int]:
        """Children of a node that were proposed for certain rather than drawn, as tokens, in order."""
        return self._fixed[node]

    def draws(self, node: int) -> Sequence[DraftSamples]:
        """What was drawn at random to follow a node."""
        return self._draws[node]

    def confidence(self, node: int) -> float:
        """Estimated probability that a node is accepted once its parent is."""
        return self._confidences[node]

    def sources(self, node: int) -> Mapping[str, float]:
        """Drafters that proposed a node, each with its own confidence."""
        return self._sources[node]

    def values(self) -> NDArray[np.float64]:
        """Nodes; estimated probability that each is accepted, given the root."""
        values = np.ones(len(self))
        for node in range(1, len(self)):
            values[node] = values[self._parents[node]] * self._confidences[node]
        return values

    def path(self, node: int) -> tuple[int, ...]:
        """Nodes from the root, left out, down to a node."""
        nodes: list[int] = []
        while node > 0:
            nodes.append(node)
            node = self._parents[node]
        return tuple(reversed(nodes))

    def path_tokens(self, node: int) -> tuple[int, ...]:
        """Tokens from the root, left out, down to a node."""
        return tuple(self._tokens[index] for index in self.path(node))

    def mask(self) -> NDArray[np.bool_]:
        """Nodes x nodes; whether the row's node sees the column's: its ancestors and itself."""
        mask = np.eye(len(self), dtype=np.bool_)
        for node in range(1, len(self)):
            mask[node] |= mask[self._parents[node]]
        return mask

    def add(self, parent: int, token: int, confidence: float = 1.0, source: str = "") -> int | None:
        """Let a token follow a node.

        Returns:
            The token's node, the one it had if it was there already; None if the token is banned.
        """
        node = self._insert(parent, token, confidence, source)
        if node is not None and token not in self._fixed[parent]:
            self._fixed[parent].append(token)
        return node

    def add_chain(
        self, tokens: Iterable[int], confidences: Iterable[float], source: str = "", parent: int = 0
    ) -> int:
        """Let tokens follow a node, one after the other, up to the first banned one.

        Returns:
            The node of the last one.
        """
        for token, confidence in zip(tokens, confidences, strict=False):
            node = self.add(parent, token, confidence, source)
            if node is None:
                break
            parent = node
        return parent

    def draw(
        self, parent: int, draws: DraftSamples, confidence: float = 1.0, source: str = ""
    ) -> list[int | None]:
        """Let tokens that were drawn at random follow a node.

        Returns:
            The node of each draw; None where the token is banned.
        """
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
        """Replace confidences by what an estimate makes of each node's sources."""
        for node in range(1, len(self)):
            self._confidences[node] = min(max(estimate(self._sources[node]), 0.0), 1.0)

    def include(self, other: DraftTree) -> None:
        """Take over all nodes and draws of a tree with the same root."""
        if other._tokens[0] != self._tokens[0]:
            raise ValueError("draft trees with different roots cannot be merged")
        place: dict[int, int] = {0: 0}
        self._draws[0] += other._draws[0]
        for node in range(1, len(other)):
            parent = place.get(other._parents[node])
            if parent is not None and (mine := self._copy_node(other, node, parent)) is not None:
                place[node] = mine

    def cut(self, budget: int) -> DraftTree:
        """The ``budget`` nodes most likely to be accepted; as each is likelier than those behind it, a tree.

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
        """Insert another tree's node below ``parent``, with what was drawn behind it."""
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


def merge(trees: Sequence[DraftTree], budget: int) -> DraftTree:
    """One tree with what several drafters propose, shared beginnings once.

    Args:
        trees: all with the same root; at least one.
        budget: how many drafted nodes it may have; the ones most likely to be accepted stay.
    """
    union = DraftTree(trees[0].tokens[0], frozenset().union(*(tree.banned for tree in trees)))
    for tree in trees:
        union.include(tree)
    return union.cut(budget)
