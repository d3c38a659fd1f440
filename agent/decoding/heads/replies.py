"""A model's own replies with the states that predicted them: what its heads learn from."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from ...local import LocalPolicy
from ..adaptive import AdaptiveDrafter
from ..draft import DraftState
from ..drafters.suffix import SuffixDrafter
from ..tree import DraftTree

if TYPE_CHECKING:
    from ...checkpoints.checkpoint import Checkpoint

_SHARD = re.compile(r"replies-(\d+)-(\d+)\.safetensors")


@dataclass(frozen=True)
class RecordedReply:
    """One reply of the model.

    Attributes:
        ids: its tokens, the one that ended it included.
        states: tokens x hidden size; the state that predicted each of them.
    """

    ids: tuple[int, ...]
    states: Tensor

    def __len__(self) -> int:
        return len(self.ids)


class ReplyRecorder:
    """A drafter that drafts nothing and keeps the newest reply with the target's states."""

    name = "recorder"

    def __init__(self) -> None:
        self.start(())

    def start(self, prompt: Sequence[int], instruction: Sequence[int] = ()) -> None:
        """Begin a new reply."""
        self._ids: list[int] = []
        self._states: list[Tensor] = []

    def propose(self, state: DraftState, budget: int) -> DraftTree:
        """Nothing."""
        return state.tree()

    def observe(self, ids: Sequence[int], hidden: Tensor | None = None) -> None:
        """Keep what was committed."""
        if hidden is not None:
            self._ids += ids
            self._states.append(hidden.detach().cpu())

    def reply(self) -> RecordedReply:
        """The newest reply."""
        states = torch.cat(self._states)
        half = torch.bfloat16 if states.dtype == torch.bfloat16 else torch.float16
        return RecordedReply(tuple(self._ids), states.to(half).clone())


class ReplyRecordingPolicy(LocalPolicy):
    """A policy that keeps the reply it wrote last.

    Args:
        checkpoint: whose replies.
        temperature: 0 for those it would give; above for what it might, too.
        seed: of the latter.
    """

    def __init__(self, checkpoint: Checkpoint, temperature: float = 0.0, seed: int = 0) -> None:
        super().__init__(checkpoint, temperature=temperature, seed=seed, decoding="suffix")
        self._recorder = ReplyRecorder()
        drafters = (self._recorder, SuffixDrafter(unknown={self._network.image_token}))
        self._drafters.drafter = AdaptiveDrafter(drafters)

    @property
    def written(self) -> RecordedReply:
        """The newest reply."""
        return self._recorder.reply()


class ReplyStore:
    """Replies on disk, in shards that are written at once or not at all.

    Args:
        folder: theirs alone; made if need be.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def _shards(self) -> list[tuple[int, int, Path]]:
        found = [(_SHARD.fullmatch(path.name), path) for path in sorted(self._folder.iterdir())]
        return [(int(match[1]), int(match[2]), path) for match, path in found if match is not None]

    @property
    def episodes(self) -> int:
        """How many episodes' replies are stored: the number of the next one."""
        return max((end for _, end, _ in self._shards()), default=0)

    def add(self, first: int, end: int, replies: Sequence[RecordedReply]) -> None:
        """Store the replies of episodes ``first`` to ``end``."""
        from safetensors.torch import save_file

        path = self._folder / f"replies-{first:06}-{end:06}.safetensors"
        fresh = path.with_suffix(f".{os.getpid()}")
        tensors = {
            "ids": torch.tensor([token for reply in replies for token in reply.ids], dtype=torch.int32),
            "lengths": torch.tensor([len(reply) for reply in replies], dtype=torch.int32),
            "states": torch.cat([reply.states for reply in replies]).contiguous(),
        }
        save_file(tensors, fresh)
        fresh.replace(path)

    def load(self) -> list[RecordedReply]:
        """All of them, in order."""
        from safetensors.torch import load_file

        replies: list[RecordedReply] = []
        for _, _, path in self._shards():
            tensors = load_file(path)
            lengths = tensors["lengths"].tolist()
            parts = zip(*(torch.split(tensors[name], lengths) for name in ("ids", "states")), strict=True)
            replies += [RecordedReply(tuple(ids.tolist()), states) for ids, states in parts]
        return replies

    def count(self) -> int:
        """How many replies there are."""
        from safetensors import safe_open

        total = 0
        for _, _, path in self._shards():
            with safe_open(path, "pt") as file:
                total += len(file.get_tensor("lengths"))
        return total
