"""Multi-token prediction: one more block on the target's state and the token that it predicted.

h' = M[RMSNorm(h); RMSNorm(Emb(next token))] goes through one transformer block with its own KV cache, a norm,
and the target's output layer (DeepSeek-V3, arXiv 2412.19437). For later tokens its own h' replaces the
target's state; it is trained on such chains (training-time test of EAGLE-3, arXiv 2503.01840).

It attends to the reply only: the target's state contains the prompt, and where a cached prompt is reused, its
states do not exist.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from ..draft import DraftState
from ..tree import DraftTree
from .output import DraftOutput


@dataclass(frozen=True)
class MtpShape:
    """The module's size: that of the target's blocks."""

    width: int
    heads: int
    key_heads: int
    head_width: int
    inner: int

    @classmethod
    def of(cls, text_config: object) -> MtpShape:
        """The shape of a target's blocks."""
        config = cast("Any", text_config)
        heads = config.num_attention_heads
        width = getattr(config, "head_dim", None) or config.hidden_size // heads
        return cls(config.hidden_size, heads, config.num_key_value_heads, width, config.intermediate_size)


class MtpCache:
    """The KV cache: key heads x pairs x head width."""

    def __init__(self) -> None:
        self.keys: Tensor | None = None
        self.values: Tensor | None = None

    def __len__(self) -> int:
        return 0 if self.keys is None else self.keys.shape[-2]

    def append(self, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        """Append new pairs; returns all keys and values."""
        if self.keys is not None and self.values is not None:
            keys, values = torch.cat([self.keys, keys], -2), torch.cat([self.values, values], -2)
        self.keys, self.values = keys, values
        return keys, values

    def crop(self, length: int) -> None:
        """Drop all but the first ``length`` pairs."""
        if self.keys is not None and self.values is not None and length < len(self):
            self.keys, self.values = self.keys[..., :length, :], self.values[..., :length, :]


class Norm(nn.Module):
    """RMSNorm in few operations, whose number determines the time of such a small forward."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))
        self._root = math.sqrt(width)

    def forward(self, states: Tensor) -> Tensor:
        """Normalize states (... x width)."""
        length = torch.linalg.vector_norm(states, dim=-1, keepdim=True, dtype=torch.float32)
        scaled: Tensor = states * (self._root / (length + 1e-6)).to(states.dtype) * self.weight
        return scaled


class MtpModule(nn.Module):
    """The block. A pair is a token and the state that predicted it; positions count the reply's pairs."""

    def __init__(self, shape: MtpShape) -> None:
        super().__init__()
        self.shape = shape
        width, inner = shape.width, shape.inner
        self.state_norm, self.token_norm = Norm(width), Norm(width)
        self.merge = nn.Linear(2 * width, width, bias=False)
        self.attention_norm = Norm(width)
        heads = shape.heads + 2 * shape.key_heads
        self.project = nn.Linear(width, heads * shape.head_width, bias=False)
        self.attended = nn.Linear(shape.heads * shape.head_width, width, bias=False)
        self.inner_norm = Norm(width)
        self.gate_up = nn.Linear(width, 2 * inner, bias=False)
        self.down = nn.Linear(inner, width, bias=False)
        self.norm = Norm(width)

    def begin(self, final_norm: Tensor) -> None:
        """Initialize the norm from the target's final norm."""
        with torch.no_grad():
            self.norm.weight.copy_(final_norm)

    def read(self, states: Tensor, embeddings: Tensor, cache: MtpCache) -> Tensor:
        """Read new pairs: their states and token embeddings, each pairs x hidden size.

        Returns:
            Pairs x hidden size; replacements of the target's states after the pairs' tokens.
        """
        count, past = len(states), len(cache)
        merged = self._merge(states, embeddings)
        query, key, value = self._project(merged, torch.arange(past, past + count, device=states.device))
        keys, values = cache.append(key, value)
        mask = None
        if count > 1:
            mask = torch.ones(count, past + count, dtype=torch.bool, device=states.device).tril(past)
        return self._finish(merged, self._attend(query, keys, values, mask))

    def unroll(self, states: Tensor, embeddings: Tensor, output: DraftOutput, steps: int) -> list[Tensor]:
        """Scores for training: the first step on the target's states, each further one on its own.

        As when drafting, step s at token j sees true pairs up to j - s and the drafted ones since.

        Args:
            states: replies x tokens x hidden size; the ones that predicted each token.
            embeddings: replies x tokens x hidden size; of the tokens.
            output: the target's output layer.
            steps: length of the chains.

        Returns:
            Per step s: replies x (tokens - 1 - s) x draft vocabulary, of the tokens from s + 1 on.
        """
        length = states.shape[1]
        places = torch.arange(length, device=states.device)
        keys: list[Tensor] = []
        values: list[Tensor] = []
        scores = []
        for step in range(min(steps, length - 1)):
            merged = self._merge(states, embeddings)
            query, key, value = self._project(merged, places)
            keys.append(key)
            values.append(value)
            mask = chain_mask(length, step).to(states.device)
            drafted = self._finish(merged, self._attend(query, torch.cat(keys, -2), torch.cat(values, -2), mask))
            scores.append(output.score(drafted[:, step : length - 1]))
            states = torch.cat([states[:, :1], drafted[:, :-1]], 1)
        return scores

    def _merge(self, states: Tensor, embeddings: Tensor) -> Tensor:
        merged: Tensor = self.merge(torch.cat([self.state_norm(states), self.token_norm(embeddings)], -1))
        return merged

    def _project(self, merged: Tensor, positions: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Queries, keys (both with rotary positions) and values: ... x heads x pairs x head width."""
        shape = self.shape
        heads = self.project(self.attention_norm(merged)).unflatten(-1, (-1, shape.head_width))
        heads = heads.transpose(-2, -3)
        turned, value = torch.split(heads, [shape.heads + shape.key_heads, shape.key_heads], -3)
        query, key = torch.split(turn(turned, positions), [shape.heads, shape.key_heads], -3)
        return query, key, value

    def _attend(self, query: Tensor, keys: Tensor, values: Tensor, mask: Tensor | None) -> Tensor:
        groups = self.shape.heads // self.shape.key_heads
        keys, values = keys.repeat_interleave(groups, -3), values.repeat_interleave(groups, -3)
        return functional.scaled_dot_product_attention(query, keys, values, mask)

    def _finish(self, merged: Tensor, attended: Tensor) -> Tensor:
        states = merged + self.attended(attended.transpose(-2, -3).flatten(-2))
        gate, up = self.gate_up(self.inner_norm(states)).chunk(2, -1)
        finished: Tensor = self.norm(states + self.down(functional.silu(gate) * up))
        return finished


def turn(heads: Tensor, positions: Tensor, base: float = 10000.0) -> Tensor:
    """Rotary positions (arXiv 2104.09864) for ... x pairs x head width."""
    half = heads.shape[-1] // 2
    rates = base ** (-torch.arange(half, device=heads.device, dtype=torch.float32) / half)
    angles = positions.float()[:, None] * rates
    cosine, sine = angles.cos().to(heads.dtype), angles.sin().to(heads.dtype)
    left, right = heads[..., :half], heads[..., half : 2 * half]
    return torch.cat([left * cosine - right * sine, right * cosine + left * sine, heads[..., 2 * half :]], -1)


def chain_mask(length: int, step: int) -> Tensor:
    """The attention mask of a training step: tokens x ((step + 1) x tokens), keys of step 0 first."""
    row, column = torch.arange(length)[:, None], torch.arange(length)[None]
    blocks = [column <= row - step]
    blocks += [column == row - step + past for past in range(1, step + 1)]
    return torch.cat(blocks, 1)


class MtpDrafter:
    """Drafts the module's likeliest chain, with its second choices as leaves.

    Args:
        module: trained.
        output: the target's output layer.
        embed: the target's token embeddings, tokens x hidden size.
        depth: maximum length of the chain.
        branches: choices per token.
        surest: the chain ends where its probability falls below this.
    """

    name = "mtp"

    def __init__(
        self,
        module: MtpModule,
        output: DraftOutput,
        embed: Callable[[Sequence[int]], Tensor],
        depth: int = 16,
        branches: int = 2,
        surest: float = 0.25,
    ) -> None:
        self._module = module.eval()
        self._dtype = module.merge.weight.dtype
        self._output = output.to(self._dtype)
        self._embed = embed
        self._depth = depth
        self._branches = min(branches, len(output))
        self._surest = surest
        self.start(())

    def start(self, prompt: Sequence[int], instruction: Sequence[int] = ()) -> None:
        """Begin a new reply; the prompt is not read."""
        self._cache = MtpCache()
        self._known = 0
        self._state: Tensor | None = None
        self._ids: list[int] = []
        self._hidden: list[Tensor] = []
        self._blind = False

    def observe(self, ids: Sequence[int], hidden: Tensor | None = None) -> None:
        """Note committed tokens; they are read when a draft is asked for."""
        self._blind = self._blind or hidden is None
        if hidden is not None and not self._blind:
            self._ids += ids
            self._hidden.append(hidden)

    def _catch_up(self) -> None:
        """Read committed tokens with the target's states, in place of drafted ones."""
        self._cache.crop(self._known)
        if self._ids and not self._blind:
            states = torch.cat(self._hidden).to(self._dtype)
            embeddings = self._embed(self._ids).to(self._dtype)
            self._state = self._module.read(states, embeddings, self._cache)[-1]
            self._known += len(self._ids)
        self._ids, self._hidden = [], []

    @torch.inference_mode()
    def propose(self, state: DraftState, budget: int) -> DraftTree:
        """The likeliest chain; none if states were missing in some round."""
        self._catch_up()
        tree, node, value = state.tree(), 0, 1.0
        drafted = None if self._blind else self._state
        for depth in range(min(self._depth, budget)):
            if drafted is None:
                break
            if depth > 0:
                embeddings = self._embed([tree.tokens[node]]).to(self._dtype)
                drafted = self._module.read(drafted[None], embeddings, self._cache)[-1]
            following, sure = self._follow(tree, node, value, drafted, state, budget)
            value *= sure
            if following is None or value < self._surest or len(tree) > budget:
                break
            node = following
        return tree

    def _follow(
        self, tree: DraftTree, node: int, value: float, drafted: Tensor, state: DraftState, budget: int
    ) -> tuple[int | None, float]:
        """Add the likeliest tokens after a node; returns the likeliest one's node and its probability."""
        scores = self._output.score(drafted)
        best = self._output.probabilities(scores, state.banned, state.temperature).topk(self._branches)
        tokens, chances = self._output.tokens(best.indices[None])[0], best.values.tolist()
        following = None
        for rank, (token, chance) in enumerate(zip(tokens, chances, strict=True)):
            if len(tree) > budget or (rank > 0 and value * chance < self._surest / 2):
                break
            added = tree.add(node, token, min(chance, 1.0), self.name)
            following = added if rank == 0 else following
        return following, chances[0]
