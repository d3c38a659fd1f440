"""Several heads on the target's last state, each for a token further ahead (Medusa, arXiv 2401.10774).

From the state that predicted the root, head 0 guesses the token after the root, head 1 the one after that. No head
knows the others' guesses, so their best guesses are combined into a tree.
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
"""Maximum number of guesses per head."""
LEAST = 0.02
"""Nodes less likely than this to be accepted are not drafted."""


class ResBlock(nn.Module):
    """x + SiLU(Wx); W starts as zero, so that an untrained block is the identity."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.linear = nn.Linear(width, width)
        nn.init.zeros_(self.linear.weight)
        nn.init.zeros_(self.linear.bias)

    def forward(self, states: Tensor) -> Tensor:
        """Transform states (... x hidden size)."""
        return states + functional.silu(self.linear(states))


class MedusaHeads(nn.Module):
    """The heads: one residual block each, and an output layer.

    Args:
        width: hidden size.
        heads: number of heads.
        own: outputs of each head's own output layer; 0 to share the target's, for large vocabularies.
    """

    def __init__(self, width: int, heads: int = 4, own: int = 0) -> None:
        super().__init__()
        self.blocks = nn.ModuleList([ResBlock(width) for _ in range(heads)])
        self.outputs = nn.ModuleList([nn.Linear(width, own, bias=False) for _ in range(heads if own else 0)])

    def begin(self, output: DraftOutput) -> None:
        """Initialize the output layers as copies of the target's."""
        with torch.no_grad():
            for layer in self.outputs:
                layer.weight.copy_(output.rows)  # type: ignore[operator]

    def score(self, head: int, states: Tensor, output: DraftOutput) -> Tensor:
        """One head's logits (... x draft vocabulary) of states (... x hidden size)."""
        lifted = self.blocks[head](states)
        scores: Tensor = self.outputs[head](lifted) if len(self.outputs) else output.score(lifted)
        return scores

    def unroll(self, states: Tensor, embeddings: Tensor, output: DraftOutput) -> list[Tensor]:
        """Logits for training, from the states that predicted the tokens, replies x tokens x hidden size.

        Returns:
            Per head k: replies x (tokens - 1 - k) x draft vocabulary, for the tokens from k + 1 on.
        """
        length = states.shape[1]
        return [self.score(head, states[:, : max(length - 1 - head, 0)], output) for head in range(len(self.blocks))]


def best_neighbours(values: Sequence[Sequence[float]], budget: int, least: float = 0.0) -> list[tuple[int, ...]]:
    """The paths of the tree with the highest total probability, best first: ranks from the root down, such as (0, 2).

    From each path in the tree its next sibling and its first child can be added. Values fall along both moves, so
    adding the best one each time is optimal.

    Args:
        values: depths x ranks; probability of each guess, the likeliest first.
        budget: maximum number of paths.
        least: minimum probability of a path.
    """
    paths: list[tuple[int, ...]] = []
    queue: list[tuple[float, tuple[int, ...]]] = [(-values[0][0], (0,))] if values and values[0] else []
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

    The probability of a guess is estimated as the geometric mean of the measured accuracy of its head and rank
    (``accuracies``, heads x ranks), and the probability that the head gives it now.
    """

    name = "medusa"

    def __init__(self, heads: MedusaHeads, output: DraftOutput, accuracies: Sequence[Sequence[float]]) -> None:
        self._heads = heads.eval()
        self._output = output.to(heads.blocks[0].linear.weight.dtype)  # type: ignore[union-attr,arg-type]
        ranks = min(RANKS, len(output), min(len(row) for row in accuracies))
        self._accuracies = [[math.sqrt(value) for value in row[:ranks]] for row in accuracies]

    def start(self, prompt: Sequence[int], instruction: Sequence[int] = ()) -> None:
        """Nothing to do: no state is kept between rounds."""

    def observe(self, ids: Sequence[int], hidden: Tensor | None = None) -> None:
        """Nothing to do: no state is kept between rounds."""

    @torch.inference_mode()
    def propose(self, state: DraftState, budget: int) -> DraftTree:
        """The best tree of ``budget`` nodes; none without the target's state."""
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
        nodes: dict[tuple[int, ...], int | None] = {(): 0}
        for path in best_neighbours(values, budget, LEAST):
            depth, rank, parent = len(path) - 1, path[-1], nodes[path[:-1]]
            if parent is not None:
                nodes[path] = tree.add(parent, tokens[depth][rank], min(values[depth][rank], 1.0), self.name)
            else:
                nodes[path] = None
        return tree
