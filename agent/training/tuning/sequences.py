"""What a policy sees and is to reply, token by token: made by the policy that runs, so that training sees the same."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ....perception.observation import Screenshot
from ...decoding.layout import ImageSegment, Positions, Segment, TextSegment, layout_prompt
from ...local import LocalPolicy
from ...policy import Context


@dataclass(frozen=True)
class TrainingSequence:
    """A conversation up to a reply that is learned.

    Attributes:
        ids: its tokens; an image's tokens all have the image token's id.
        positions: 3 x tokens.
        images: by the index of their first token.
        weights: how much the prediction of each token counts; 0 for what is only read.
    """

    ids: tuple[int, ...]
    positions: Positions
    images: Mapping[int, ImageSegment]
    weights: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def learned(self) -> NDArray[np.intp]:
        """The indices of the tokens that are learned."""
        return np.flatnonzero(self.weights)


def sequence_of(prompt: Sequence[Segment], reply: Sequence[int], image_token: int) -> TrainingSequence:
    """A prompt and the tokens of the reply to it, all of which are learned."""
    layout = layout_prompt([*prompt, TextSegment(tuple(reply))], image_token)
    weights = np.zeros(len(layout.ids), dtype=np.float32)
    weights[len(layout.ids) - len(reply) :] = 1.0
    return TrainingSequence(layout.ids, layout.positions, layout.images, weights)


def packed(sequence: TrainingSequence) -> dict[str, Any]:
    """A sequence as tensors and numbers, which a saved state can hold."""
    shown = [(at, each, torch.from_numpy(each.screenshot.pixels.copy())) for at, each in sequence.images.items()]
    images = [{"at": at, "pixels": pixels, "rows": each.rows, "columns": each.columns} for at, each, pixels in shown]
    positions, weights = (torch.from_numpy(each.copy()) for each in (sequence.positions, sequence.weights))
    return {"ids": list(sequence.ids), "positions": positions, "weights": weights, "images": images}


def unpacked(saved: Mapping[str, Any]) -> TrainingSequence:
    """The sequence that was packed."""
    images = {
        each["at"]: ImageSegment(Screenshot(each["pixels"].numpy()), each["rows"], each["columns"])
        for each in saved["images"]
    }
    return TrainingSequence(tuple(saved["ids"]), saved["positions"].numpy(), images, saved["weights"].numpy())


class SequenceWriter:
    """Writes sequences as a policy reads them: its prompts, its limits of history, its tokens.

    Args:
        policy: whose checkpoint is trained.
    """

    def __init__(self, policy: LocalPolicy) -> None:
        self._policy = policy
        self._image_token = policy.target.network.image_token

    def write(self, context: Context, reply: str) -> TrainingSequence:
        """The sequence of one step, with the token that ends the reply.

        Raises:
            UsageError: a screenshot is too narrow or too low for the model.
        """
        return sequence_of(self._policy.prompt(context), self._policy.reply_ids(reply), self._image_token)


def merged(sequences: Iterable[TrainingSequence]) -> list[TrainingSequence]:
    """Sequences without those that another one, the next, continues: one forward learns the replies of both.

    The prompt of a step begins with that of the step before and the reply to it, until screenshots are dropped.
    """
    found: list[TrainingSequence] = []
    for sequence in sequences:
        if found and _continues(sequence, found[-1]):
            weights = sequence.weights.copy()
            weights[: len(found[-1])] += found[-1].weights
            found[-1] = replace(sequence, weights=weights)
        else:
            found.append(sequence)
    return found


def _continues(longer: TrainingSequence, shorter: TrainingSequence) -> bool:
    count = len(shorter)
    return (
        longer.ids[:count] == shorter.ids
        and not longer.weights[:count].any()
        and np.array_equal(longer.positions[:, :count], shorter.positions)
        and _looks(longer, count) == _looks(shorter, count)
    )


def _looks(sequence: TrainingSequence, count: int) -> list[tuple[int, str, tuple[int, ...] | None]]:
    """The images that begin before a token."""
    return [(at, each.screenshot.digest, each.kept) for at, each in sequence.images.items() if at < count]
