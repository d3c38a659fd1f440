"""How many replies to held-back pictures are right, without a browser: a quick look during training."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from .batches import IGNORED, Batch
from .curriculum import Demonstration
from .trainer import PolicyTrainer

_AT_ONCE = 32
_MOST = 960
_NEAR = 15
"""How far a number (0-999) may be off where no element is known."""


@torch.no_grad()
def right_replies(learner: PolicyTrainer, steps: Sequence[Demonstration]) -> dict[str, tuple[float, int]]:
    """Per task the share of steps whose every token is the most likely one after the right ones, and how many steps.

    A point counts as right if the visual token that it lies in belongs to the target, or if it is near.
    """
    found: dict[str, list[bool]] = {}
    learner.model.eval()
    for start in range(0, min(len(steps), _MOST), _AT_ONCE):
        some = steps[start : start + _AT_ONCE]
        if start and len(some) < _AT_ONCE:  # another shape would cost a compilation
            break
        batch = learner.encoder.encode([s.page() for s in some], [s.example(i) for i, s in enumerate(some)])
        with torch.autocast(learner.device.type, dtype=torch.bfloat16):
            right = _right(learner, batch.to(learner.device))
        for step, hit in zip(some, right, strict=True):
            found.setdefault(step.task, []).append(hit)
    learner.model.train()
    return {task: (sum(hits) / len(hits), len(hits)) for task, hits in sorted(found.items())}


def _right(learner: PolicyTrainer, batch: Batch) -> Iterator[bool]:
    _, merged = learner.tower(batch.patches, batch.grid)
    last, _ = learner.language(batch, merged)
    rows, columns = (batch.labels[:, 1:] != IGNORED).nonzero(as_tuple=True)
    guess = torch.full_like(batch.labels, IGNORED)
    guess[rows, columns + 1] = learner.model.lm_head(last[rows, columns]).argmax(-1)
    wrong = guess != batch.labels
    for index, (row, place, _) in enumerate(batch.queries.tolist()):
        values = [learner.reply_loss.value[int(guess[row, at])] for at in (place + 1, place + 3)]
        labels = [learner.reply_loss.value[int(batch.labels[row, at])] for at in (place + 1, place + 3)]
        if _close(values, labels) or _inside(values, batch.inside[index], batch.grid, learner.encoder.spec.merge_size):
            wrong[row, [place + 1, place + 3]] = False
    return (not bool(row) for row in wrong.any(1))


def _close(values: Sequence[Tensor], labels: Sequence[Tensor]) -> bool:
    return all(
        value >= 0 and abs(int(value) - int(label)) <= _NEAR for value, label in zip(values, labels, strict=True)
    )


def _inside(values: Sequence[Tensor], inside: Tensor, grid: tuple[int, int], merge: int) -> bool:
    rows, columns = (side // merge for side in grid)
    if any(value < 0 for value in values):
        return False
    across, down = (int(value) / 1000 for value in values)
    return bool(inside[int(down * rows) * columns + int(across * columns)] > 0.5)
