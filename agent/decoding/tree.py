"""Draft trees: drafted continuations of a reply, verified in one forward with tree attention.

Node 0 is the last committed token, whose keys and values are not cached yet. Every other node is a drafted token that
follows its parent. In one forward each node attends to its ancestors only, which scores every path at once (SpecInfer,
arXiv 2305.09781).
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Probabilities = NDArray[np.floating]
"""One probability per token of the vocabulary."""


@dataclass(frozen=True)
class DraftSamples:
    """Tokens that a drafter drew at random, in order.

    Acceptance is lossless only if it sees every draw, including repeated tokens and pruned nodes: leaving out draws
    depending on their values would change the distribution that they come from.

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


@dataclass(slots=True)
class DraftNode:
    """One token of a draft tree.

    Attributes:
        token: its id.
        parent: its parent's index; -1 for the root.
        depth: distance from the root; added to the root's position.
        confidence: estimated probability that it is accepted, given that its parent is.
        sources: drafters that proposed it, with their confidences.
        children: indices of its children, by token.
        fixed: tokens of the children that were proposed deterministically, in order.
        draws: random draws of what follows it.
    """

    token: int
    parent: int = -1
    depth: int = 0
    confidence: float = 0.0
    sources: dict[str, float] = field(default_factory=dict)
    children: dict[int, int] = field(default_factory=dict)
    fixed: list[int] = field(default_factory=list)
    draws: list[DraftSamples] = field(default_factory=list)


class DraftTree:
    """A trie of drafted tokens.

    Args:
        root: the last committed token.
        banned: ids that get no nodes, such as image tokens.

    Attributes:
        nodes: in insertion order: parents come before their children.
    """

    def __init__(self, root: int, banned: Collection[int] = frozenset()) -> None:
        self.banned = banned
        self.nodes = [DraftNode(root, confidence=1.0)]

    def __len__(self) -> int:
        """Number of nodes including the root: the width of the verify forward."""
        return len(self.nodes)

    @property
    def tokens(self) -> tuple[int, ...]:
        """Token id of each node."""
        return tuple(node.token for node in self.nodes)

    @property
    def depths(self) -> NDArray[np.int64]:
        """Distance of each node from the root."""
        return np.array([node.depth for node in self.nodes], dtype=np.int64)

    def values(self) -> NDArray[np.float64]:
        """Estimated probability of each node to be accepted."""
        values = np.ones(len(self))
        for index, node in enumerate(self.nodes[1:], start=1):
            values[index] = values[node.parent] * node.confidence
        return values

    def path(self, node: int) -> tuple[int, ...]:
        """Nodes from the root down to a node, without the root."""
        path: list[int] = []
        while node > 0:
            path.append(node)
            node = self.nodes[node].parent
        return tuple(reversed(path))

    def path_tokens(self, node: int) -> tuple[int, ...]:
        """Tokens from the root down to a node, without the root."""
        return tuple(self.nodes[index].token for index in self.path(node))

    def mask(self) -> NDArray[np.bool_]:
        """The tree attention mask, nodes x nodes: a node (row) sees its ancestors and itself."""
        mask = np.eye(len(self), dtype=np.bool_)
        for index, node in enumerate(self.nodes[1:], start=1):
            mask[index] |= mask[node.parent]
        return mask

    def add(self, parent: int, token: int, confidence: float = 1.0, source: str = "") -> int | None:
        """Add a child; returns its node, also if it existed before, or None if the token is banned."""
        return self._insert(parent, token, confidence, {source: confidence} if source else {}, fixed=True)

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
        self.nodes[parent].draws.append(draws)
        sources = {source: confidence} if source else {}
        return [self._insert(parent, token, confidence, sources, fixed=False) for token in draws.tokens]

    def _insert(
        self, parent: int, token: int, confidence: float, sources: Mapping[str, float], *, fixed: bool
    ) -> int | None:
        if not 0 <= confidence <= 1:
            raise ValueError(f"a confidence is between 0 and 1, not {confidence}")
        if token in self.banned:
            return None
        above = self.nodes[parent]
        index = above.children.setdefault(token, len(self))
        if index == len(self):
            self.nodes.append(DraftNode(token, parent, above.depth + 1))
        if fixed and token not in above.fixed:
            above.fixed.append(token)
        node = self.nodes[index]
        node.confidence = max(node.confidence, confidence)
        for source, own in sources.items():
            node.sources[source] = max(node.sources.get(source, 0.0), own)
        return index

    def rate(self, estimate: Callable[[Mapping[str, float]], float]) -> None:
        """Replace each node's confidence by an estimate from its sources."""
        for node in self.nodes[1:]:
            node.confidence = min(max(estimate(node.sources), 0.0), 1.0)

    def include(self, other: DraftTree) -> None:
        """Merge in all nodes and draws of another tree with the same root."""
        if other.nodes[0].token != self.nodes[0].token:
            raise ValueError("draft trees with different roots cannot be merged")
        copies: dict[int, int | None] = {0: 0}
        self.nodes[0].draws += other.nodes[0].draws
        for index, node in enumerate(other.nodes[1:], start=1):
            parent = copies[node.parent]
            copies[index] = None if parent is None else self._copy_node(other, node, parent)

    def cut(self, budget: int) -> DraftTree:
        """The tree of the ``budget`` nodes most likely to be accepted.

        Best first is optimal for a given number of nodes (Sequoia, arXiv 2402.12374; Medusa 2401.10774).
        """
        values = self.values()
        tree = DraftTree(self.nodes[0].token, self.banned)
        tree.nodes[0].draws += self.nodes[0].draws
        queue = [(-values[node], node, 0) for node in self.nodes[0].children.values()]
        heapq.heapify(queue)
        while queue and len(tree) <= budget:
            _, node, parent = heapq.heappop(queue)
            copy = tree._copy_node(self, self.nodes[node], parent)
            if copy is not None:
                for child in self.nodes[node].children.values():
                    heapq.heappush(queue, (-values[child], child, copy))
        return tree

    def _copy_node(self, other: DraftTree, node: DraftNode, parent: int) -> int | None:
        """Insert another tree's node below ``parent``, with its draws."""
        fixed = node.token in other.nodes[node.parent].fixed
        copy = self._insert(parent, node.token, node.confidence, node.sources, fixed=fixed)
        if copy is not None:
            self.nodes[copy].draws += node.draws
        return copy
