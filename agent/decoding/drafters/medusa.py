"""Several heads on the target's last state, each for a token further ahead (Medusa, arXiv 2401.10774).

The state that predicted the root is all they see: head 0 guesses the token after the root, head 1 the one
after that, each without knowing what the others guess. So their best guesses are combined to a tree.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from ..draft import DraftState
from ..tree import DraftTree
from .output import DraftOutput

RANKS = 10
"""Guesses per head that may be in a tree."""
LEAST = 0.02
"""Nodes less likely than this to be accepted are not drafted."""


class ResBlock(nn.Module):
    """x + SiLU(Wx); W begins as zero, so that an untrained block changes nothing."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.linear = nn.Linear(width, width)
        nn.init.zeros_(self.linear.weight)
        nn.init.zeros_(self.linear.bias)

    def forward(self, states: Tensor) -> Tensor:
        """States of any shape ... x hidden size to as many."""
        return states + functional.silu(self.linear(states))


class MedusaHeads(nn.Module):
    """The heads: a residual block each, and an output layer of its own or the target's.

    Args:
        width: hidden size.
        heads: how many.
        own: outputs of each head's own output layer; 0 for the target's, shared by all, as pays for large
            vocabularies.
    """

    def __init__(self, width: int, heads: int = 4, own: int = 0) -> None:
        super().__init__()
        # Not [block] * heads, which would be one block.
        self.blocks = nn.ModuleList([ResBlock(width) for _ in range(heads)])
        self.outputs = nn.ModuleList([nn.Linear(width, own, bias=False) for _ in range(heads if own else 0)])

    def begin(self, output: DraftOutput) -> None:
        """Begin as copies of the target's output layer."""
        with torch.no_grad():
            for layer in self.outputs:
                layer.weight.copy_(output.rows)  # type: ignore[operator]

    def score(self, head: int, states: Tensor, output: DraftOutput) -> Tensor:
        """One head's scores of states, ... x hidden size: ... x draft vocabulary."""
        lifted = self.blocks[head](states)
        scores: Tensor = self.outputs[head](lifted) if len(self.outputs) else output.score(lifted)
        return scores

    def unroll(self, states: Tensor, embeddings: Tensor, output: DraftOutput) -> list[Tensor]:
        """Scores for training.

        Args:
            states: replies x tokens x hidden size; the ones that predicted each token.
            embeddings: of the tokens; not used.
            output: the target's.

        Returns:
            Per head k: replies x (tokens - 1 - k) x draft vocabulary, of the tokens from k + 1 on.
        """
        length = states.shape[1]
        return [
            self.score(head, states[:, : max(length - 1 - head, 0)], output)
            for head in range(len(self.blocks))
        ]


def best_neighbours(
    values: Sequence[Sequence[float]], budget: int, least: float = 0.0
) -> list[tuple[int, ...]]:
    """The paths of the tree that has the most value, best first.

    From a path that is in the tree, its next sibling and its first child may be taken; as values fall along
    both moves, taking the best neighbour each time is optimal.

    Args:
        values: depths x ranks; how likely each guess is, the likeliest first.
        budget: how many paths.
        least: paths of less value are left out.

    Returns:
        Ranks from the root down, such as (0, 2); parents come before their children.
    """
    paths: list[tuple[int, ...]] = []
    queue: list[tuple[float, tuple[int, ...]]] = []
    if values and values[0]:
        queue.append((-values[0][0], (0,)))
    while queue and len(paths) < budget:
        value, path = heapq.heappop(queue)
        if -value < least:
            break
        paths.append(path)
        depth, rank = len(path) - 1, path[-1]
        if rank + 1 < len(values[depth]) and values[depth][rank] > 0:
            sibling = value / values[depth][rank] * values[depth][rank + 1]
            heapq.heappush(queue, (sibling, (*path[:-1], rank + 1)))
        if depth + 1 < len(values) and values[depth + 1]:
            heapq.heappush(queue, (value * values[depth + 1][0], (*path, 0)))
    return paths


class MedusaDrafter:
    """Drafts trees of the heads' best guesses.

    How likely a guess comes true is estimated twice: by how often the head's guess of that rank did when it
    was measured, and by the probability that it gives it now. The tree is built from their geometric mean.

    Args:
        heads: trained.
        output: the target's.
        accuracies: heads x ranks; how often each head's guess of a rank came true.
    """

    name = "medusa"

    def __init__(
        self, heads: MedusaHeads, output: DraftOutput, accuracies: Sequence[Sequence[float]]
    ) -> None:
        self._heads = heads.eval()
        self._output = output.to(heads.blocks[0].linear.weight.dtype)  # type: ignore[union-attr,arg-type]
        ranks = min(RANKS, len(output), min(len(row) for row in accuracies))
        self._accuracies = [[math.sqrt(value) for value in row[:ranks]] for row in accuracies]

    def start(self, prompt: Sequence[int], instruction: Sequence[int] = ()) -> None:
        """It keeps nothing between rounds."""

    def observe(self, ids: Sequence[int], hidden: Tensor | None = None) -> None:
        """It keeps nothing between rounds."""

    @torch.inference_mode()
    def propose(self, state: DraftState, budget: int) -> DraftTree:
        """The tree worth most that ``budget`` nodes make; none without the target's state."""
        tree = state.tree()
        if state.hidden is None or budget < 1:
            return tree
        hidden = state.hidden.to(self._output.rows.dtype)
        depths = range(len(self._accuracies))
        scores = torch.stack([self._heads.score(head, hidden, self._output) for head in depths])
        probabilities = self._output.probabilities(scores, state.banned, state.temperature)
        best = probabilities.topk(len(self._accuracies[0]))
        tokens = self._output.tokens(best.indices)
        values = [
            [math.sqrt(p) * accuracy for p, accuracy in zip(row, accuracies, strict=True)]
            for row, accuracies in zip(best.values.tolist(), self._accuracies, strict=True)
        ]
        nodes: dict[tuple[int, ...], int] = {(): 0}
        for path in best_neighbours(values, budget, LEAST):
            depth, rank = len(path) - 1, path[-1]
            parent = nodes.get(path[:-1])
            if parent is not None:
                node = tree.add(parent, tokens[depth][rank], min(values[depth][rank], 1.0), self.name)
                if node is not None:
                    nodes[path] = node
        return tree
