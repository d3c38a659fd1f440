"""One episode's KV cache and image features, reused from step to step."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ...perception.resize import ImageSpec, to_patches
from .layout import PromptLayout, Segment, common_prefix, layout_prompt, text_positions
from .network import Features, Network
from .tree import DraftTree

if TYPE_CHECKING:
    from .kv_cache import KVCache

_CHUNK = 2048
_AHEAD_CHUNK = 512
"""Tokens that are read ahead until it is asked whether they are still wanted."""
_REPLY = 256
"""Tokens of a reply for which the cache makes room beforehand."""


@dataclass(frozen=True)
class Prefill:
    """The result of reading a prompt.

    Attributes:
        states: nodes x hidden size; of the prompt's last token, which predicts the reply's first one, and of the
            drafts read with the prompt.
        prompt_tokens: tokens of the prompt.
        new_tokens: prompt tokens that were not in the cache.
        images_encoded: forwards of the vision tower.
        timings: seconds of ``encode`` (images) and ``prefill`` (language model).
    """

    states: Tensor
    prompt_tokens: int
    new_tokens: int
    images_encoded: int
    timings: dict[str, float]


class Session:
    """A KV cache that computes only what is new in a prompt.

    The longest prefix that a prompt shares with the cached conversation is kept, and the rest is dropped. Cached keys
    contain their positions (RoPE), so nothing after the first difference can be kept. Sessions may share a network.

    Args:
        network: the model.
        spec: how screenshots are cut for it.
        features: how many screenshots' features to cache; the least recently used are dropped first, but none that
            a prompt needs.
    """

    def __init__(self, network: Network, spec: ImageSpec, features: int = 16) -> None:
        self.network = network
        self._spec = spec
        self._capacity = features
        self._features: OrderedDict[str, Features] = OrderedDict()
        self._codes: dict[tuple[str, tuple[int, ...] | None], int] = {}
        self.reset()

    def reset(self) -> None:
        """Drop the conversation; image features stay."""
        self._cache = self.network.new_cache()
        self._keys: list[int] = []
        self._next_position = 0
        self._unconfirmed = 0

    @property
    def length(self) -> int:
        """Number of cached tokens."""
        return len(self._keys)

    @property
    def cache(self) -> KVCache:
        """Keys and values of the cached tokens."""
        return self._cache

    def holds(self, prompt: Sequence[Segment]) -> bool:
        """Whether this prompt is cached, or all that is cached belongs to it: then reading it ahead saves little."""
        keys = self._key(layout_prompt(prompt, self.network.image_token))
        return common_prefix(self._keys, keys) in (len(keys), self.length)

    def read_ahead(self, prompt: Sequence[Segment], wanted: Callable[[], bool]) -> None:
        """Encode and read what a later ``prefill`` will need, for as long as it is ``wanted``."""
        self._drop_unconfirmed()
        layout = layout_prompt(prompt, self.network.image_token)
        keys = self._key(layout)
        kept = common_prefix(self._keys, keys)
        self._encode(layout, kept)
        self._truncate(kept)
        self._cache.reserve(len(keys) + _REPLY)
        for begin in range(kept, len(keys), _AHEAD_CHUNK):
            if not wanted():
                return
            self._read(layout, keys, begin, min(begin + _AHEAD_CHUNK, len(keys)), None)
        self._synchronize()

    def prefill(self, prompt: Sequence[Segment], tree: DraftTree | None = None) -> Prefill:
        """Read a prompt, reusing what is cached of it.

        Drafts of the reply's first tokens are read in the same forward, in a tree whose root is the prompt's last
        token, of text; call ``keep`` afterwards.

        Raises:
            ValueError: the prompt is empty, or a screenshot cannot be resized.
        """
        self._drop_unconfirmed()
        layout = layout_prompt(prompt, self.network.image_token)
        if not layout.ids:
            raise ValueError("an empty prompt has no next token")
        keys = self._key(layout)
        # The last token is always computed: the reply begins from its state.
        kept = min(common_prefix(self._keys, keys), len(keys) - 1)
        started = time.perf_counter()
        encoded = self._encode(layout, kept)
        self._synchronize()
        encode_seconds, started = time.perf_counter() - started, time.perf_counter()
        self._truncate(kept)
        self._cache.reserve(len(keys) + _REPLY)
        tree = tree or DraftTree(layout.ids[-1])
        for begin in range(kept, len(keys), _CHUNK):
            end = min(begin + _CHUNK, len(keys))
            hidden = self._read(layout, keys, begin, end, tree if end == len(keys) else None)
        self._next_position = layout.next_position
        if len(tree) > 1:
            self._next_position, self._unconfirmed = layout.next_position - 1, len(tree)
        self._synchronize()
        timings = {"encode": encode_seconds, "prefill": time.perf_counter() - started}
        return Prefill(hidden[-len(tree) :], len(keys), len(keys) - kept, encoded, timings)

    def extend(self, ids: Sequence[int]) -> Tensor:
        """Append tokens of the reply; returns their states, tokens x hidden size."""
        self._drop_unconfirmed()
        positions = torch.from_numpy(text_positions(self._next_position, len(ids)))
        hidden = self._forward(self.network.embed(ids), positions, None, list(ids))
        self._next_position += len(ids)
        return hidden

    def verify(self, tree: DraftTree) -> Tensor:
        """Run a draft tree with tree attention: a node sees the cache, its ancestors and itself.

        Call ``keep`` afterwards; nodes that it does not name are dropped.

        Returns:
            The nodes' states, nodes x hidden size.
        """
        self._drop_unconfirmed()
        positions = torch.from_numpy(np.tile(self._next_position + tree.depths, (3, 1)))
        hidden = self._forward(self.network.embed(tree.tokens), positions, tree.mask(), list(tree.tokens))
        self._unconfirmed = len(tree)
        return hidden

    def keep(self, nodes: Sequence[int]) -> None:
        """Keep the root of the last verified tree and the accepted nodes, a path from it; drop the others."""
        width, self._unconfirmed = self._unconfirmed, 0
        start, kept = self.length - width, 1 + len(nodes)
        if tuple(nodes) != tuple(range(1, kept)):
            self._move([start + node for node in nodes], start + 1)
        self._truncate(start + kept)
        self._next_position += kept

    def rewind(self, count: int) -> None:
        """Drop the last ``count`` tokens of a reply."""
        self._truncate(self.length - count)
        self._next_position -= count

    def _read(self, layout: PromptLayout, keys: Sequence[int], begin: int, end: int, tree: DraftTree | None) -> Tensor:
        """Run tokens ``begin`` to ``end`` of a prompt and the drafts after them; earlier ones are cached."""
        tree = tree or DraftTree(layout.ids[end - 1])
        embeddings = self.network.embed([*layout.ids[begin:end], *tree.tokens[1:]])
        visual = torch.zeros(len(embeddings), dtype=torch.bool, device=embeddings.device)
        parts: list[Features] = []
        for start, image in layout.images.items():
            first, last = max(start, begin), min(start + len(image), end)
            if first < last:
                found = self._features[image.screenshot.digest]
                found = found if image.kept is None else found.at(image.kept)
                parts.append(found[first - start : last - start])
                visual[first - begin : last - begin] = True
        visible = tree.mask() if len(tree) > 1 else None
        drafted = np.tile(layout.next_position - 1 + tree.depths[1:], (3, 1))
        positions = torch.from_numpy(np.concatenate([layout.positions[:, begin:end], drafted], axis=1))
        new_keys = [*keys[begin:end], *tree.tokens[1:]]
        if not parts:
            return self._forward(embeddings, positions, visible, new_keys)
        features = Features.join(parts)
        embeddings[visual] = features.tokens
        return self._forward(embeddings, positions, visible, new_keys, (visual, features))

    def _forward(
        self,
        embeddings: Tensor,
        positions: Tensor,
        visible: NDArray[np.bool_] | None,
        keys: list[int],
        visual: tuple[Tensor, Features] | None = None,
    ) -> Tensor:
        try:
            hidden = self.network.attend(embeddings, positions, visible, self._cache, visual)
        except BaseException:
            # Some layers may have grown and others not.
            self.reset()
            raise
        self._keys += keys
        return hidden

    def _move(self, places: Sequence[int], target: int) -> None:
        """Copy cached tokens to other places in the cache."""
        end = target + len(places)
        try:
            self._cache.move(places, target, self.network.device)
        except BaseException:
            # Some layers may have been changed and others not.
            self.reset()
            raise
        self._keys[target:end] = [self._keys[place] for place in places]

    def _drop_unconfirmed(self) -> None:
        """Drop a verified tree for which ``keep`` was never called, as when acceptance failed."""
        width, self._unconfirmed = self._unconfirmed, 0
        self._truncate(self.length - width)

    def _truncate(self, length: int) -> None:
        if length < self.length:
            self._cache.crop(length - self.length)
            del self._keys[length:]

    def _encode(self, layout: PromptLayout, kept: int) -> int:
        """Encode all images that end after token ``kept``; returns how many were not cached."""
        shots = [image.screenshot for start, image in layout.images.items() if start + len(image) > kept]
        needed = {screenshot.digest: screenshot for screenshot in shots}
        missing = [digest for digest in needed if digest not in self._features]
        for digest in missing:
            self._features[digest] = self.network.encode(to_patches(needed[digest], self._spec))
        for digest in needed:
            self._features.move_to_end(digest)
        while len(self._features) > max(self._capacity, len(needed)):
            self._features.popitem(last=False)
        return len(missing)

    def _key(self, layout: PromptLayout) -> list[int]:
        """The prompt's ids, with a negative number for each image, which differs where other tokens are kept."""
        keys = list(layout.ids)
        for start, image in layout.images.items():
            code = self._codes.setdefault((image.screenshot.digest, image.kept), -1 - len(self._codes))
            keys[start : start + len(image)] = [code] * len(image)
        return keys

    def _synchronize(self) -> None:
        if self.network.device.type == "cuda":
            torch.cuda.synchronize(self.network.device)
