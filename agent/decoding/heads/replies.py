"""A model's own replies with the states that predicted them: the training data of its heads."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from ....env.private_files import private_folder, private_part
from ...local import LocalPolicy
from ..adaptive import AdaptiveDrafter
from ..draft import DraftState
from ..drafters.suffix import SuffixDrafter
from ..tree import DraftTree

if TYPE_CHECKING:
    from ...checkpoints.checkpoint import Checkpoint


@dataclass(frozen=True)
class RecordedReply:
    """The tokens of a reply, the stop token included, and the states that predicted them (tokens x hidden size)."""

    ids: tuple[int, ...]
    states: Tensor

    def __len__(self) -> int:
        return len(self.ids)


class ReplyRecorder:
    """A drafter that proposes nothing and keeps the last reply with the target's states."""

    name = "recorder"

    def __init__(self) -> None:
        self._ids: list[int] = []
        self._states: list[Tensor] = []

    def start(self, prompt: Sequence[int], instruction: Sequence[int] = ()) -> None:
        """Begin a new reply."""
        self._ids, self._states = [], []

    def propose(self, state: DraftState, budget: int) -> DraftTree:
        """Nothing."""
        return state.tree()

    def observe(self, ids: Sequence[int], hidden: Tensor | None = None) -> None:
        """Keep committed tokens with their states."""
        if hidden is not None:
            self._ids += ids
            self._states.append(hidden.detach().cpu())

    def reply(self) -> RecordedReply:
        """The last reply, with states in half precision."""
        states = torch.cat(self._states)
        half = torch.bfloat16 if states.dtype == torch.bfloat16 else torch.float16
        return RecordedReply(tuple(self._ids), states.to(half).clone())


class ReplyRecordingPolicy(LocalPolicy):
    """A policy that keeps its last reply with the states that predicted it; 0 temperature is greedy."""

    def __init__(self, checkpoint: Checkpoint, temperature: float = 0.0, seed: int = 0) -> None:
        super().__init__(checkpoint, temperature=temperature, seed=seed, decoding="suffix")
        self._recorder = ReplyRecorder()
        drafters = (self._recorder, SuffixDrafter(unknown={self._network.image_token}))
        self._drafters.drafter = AdaptiveDrafter(drafters)

    @property
    def last_reply(self) -> RecordedReply:
        """The last reply."""
        return self._recorder.reply()


class ReplyStore:
    """Replies on disk in one folder, in shards that are written atomically."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        private_folder(folder)

    def _shards(self) -> list[Path]:
        return sorted(self._folder.glob("replies-*-*.safetensors"))

    @property
    def episodes(self) -> int:
        """How many episodes are stored: the number of the next one."""
        return max((int(path.stem.rpartition("-")[2]) for path in self._shards()), default=0)

    def add(self, first: int, end: int, replies: Sequence[RecordedReply]) -> None:
        """Store the replies of episodes ``first`` to ``end`` (exclusive)."""
        from safetensors.torch import save_file

        path = self._folder / f"replies-{first:06}-{end:06}.safetensors"
        tensors = {
            "ids": torch.tensor([token for reply in replies for token in reply.ids], dtype=torch.int32),
            "lengths": torch.tensor([len(reply) for reply in replies], dtype=torch.int32),
            "states": torch.cat([reply.states for reply in replies]).contiguous(),
        }
        with private_part(path) as fresh:
            save_file(tensors, fresh)

    def load(self) -> list[RecordedReply]:
        """All replies, in order."""
        from safetensors.torch import load_file

        replies: list[RecordedReply] = []
        for path in self._shards():
            tensors = load_file(path)
            lengths = tensors["lengths"].tolist()
            parts = zip(*(torch.split(tensors[name], lengths) for name in ("ids", "states")), strict=True)
            replies += [RecordedReply(tuple(ids.tolist()), states) for ids, states in parts]
        return replies

    def count(self) -> int:
        """How many replies are stored; reads no states."""
        from safetensors import safe_open

        total = 0
        for path in self._shards():
            with safe_open(path, "pt") as file:
                total += len(file.get_tensor("lengths"))
        return total
