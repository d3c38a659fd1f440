"""What training minimises: the reply, and helpers, whose heads are thrown away afterwards."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from .architecture import number_waves
from .batches import CHARS_PER_PATCH, LETTERS, ROLES

SIGMA = 12.0


class AuxiliaryHeads(nn.Module):
    """Training-only heads: characters per patch, the pointer, the target's extent."""

    def __init__(self, vision_width: int, width: int) -> None:
        super().__init__()
        self.chars = nn.Linear(vision_width, CHARS_PER_PATCH * LETTERS)
        self.roles = nn.Linear(vision_width, len(ROLES) + 1)
        self.centres = nn.Linear(vision_width, 2 * number_waves(torch.zeros(1)).shape[1])
        self.query = nn.Linear(width, width, bias=False)
        self.key = nn.Linear(width, width, bias=False)
        self.extent = nn.Linear(width, 1)

    def char_logits(self, patches: Tensor) -> Tensor:
        """Return per patch and slot a score for each character."""
        scores: Tensor = self.chars(patches).unflatten(-1, (CHARS_PER_PATCH, LETTERS))
        return scores


def soft_numbers(sigma: float = SIGMA, count: int = 1000) -> Tensor:
    """Each number's label over all numbers: a Gaussian, so that near misses cost little."""
    values = torch.arange(count, dtype=torch.float32)
    weights = torch.exp(-((values[:, None] - values[None, :]) ** 2) / (2 * sigma**2))
    return weights / weights.sum(1, keepdim=True)


def char_loss(logits: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """The character loss, empty patches weighted down, and the accuracy on real characters."""
    losses = functional.cross_entropy(logits.flatten(0, -2).float(), labels.flatten(), reduction="none")
    real = (labels.flatten() > 0).float()
    weights = real + 0.05 * (1 - real)
    hits = (logits.flatten(0, -2).argmax(-1) == labels.flatten()).float()
    return (losses * weights).sum() / weights.sum(), (hits * real).sum() / real.sum().clamp(min=1)


def element_loss(heads: AuxiliaryHeads, patches: Tensor, roles: Tensor, centres: Tensor) -> tuple[Tensor, Tensor]:
    """The losses of what each patch is part of, and of where the centre of that element lies.

    The centre is asked for as the same waves that number tokens start as, so that a reply can copy it.
    """
    scores = heads.roles(patches).flatten(0, 1).float()
    losses = functional.cross_entropy(scores, roles.flatten(), reduction="none")
    inside = roles.flatten() > 0
    weights = torch.where(inside, 1.0, 0.2)
    role = (losses * weights).sum() / weights.sum()
    if not bool(inside.any()):
        return role, role * 0
    wanted = torch.cat([number_waves(axis) for axis in centres.flatten(0, 1)[inside].unbind(-1)], dim=1)
    found = heads.centres(patches).flatten(0, 1)[inside].float()
    return role, functional.mse_loss(found, wanted)


def letter_loss(merged: Tensor, embeddings: Tensor, chars: Tensor) -> Tensor:
    """Visual tokens lie near the embeddings of the letters that are seen in them, so that words can be found.

    Args:
        merged: pictures x visual tokens x width.
        embeddings: of the visible characters, "!" to "~", x width.
        chars: the character labels, pictures x patches x slots, in merge order.
    """
    seen = chars.reshape(*merged.shape[:2], -1)
    counts = torch.zeros(*merged.shape[:2], LETTERS, device=merged.device)
    counts.scatter_add_(2, seen, torch.ones_like(seen, dtype=counts.dtype))
    counts = counts[..., 1:-1]  # neither "none" nor "another"
    total = counts.sum(-1)
    some = total > 0
    direction = functional.rms_norm(merged[some].float(), merged.shape[-1:])
    scores = (direction @ embeddings.float().T).log_softmax(-1)
    return -(counts[some] / total[some][:, None] * scores).sum(-1).mean()


def pointer_loss(query: Tensor, keys: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
    """The cross-entropy against the visual token that holds the target, and the accuracy."""
    scores = torch.einsum("nd,nkd->nk", query.float(), keys.float()) / query.shape[-1] ** 0.5
    return functional.cross_entropy(scores, targets), (scores.argmax(-1) == targets).float().mean()


def extent_loss(logits: Tensor, inside: Tensor) -> Tensor:
    """The binary cross-entropy of "this visual token belongs to the target"."""
    weights = 1 + 4 * inside
    losses = functional.binary_cross_entropy_with_logits(logits.float(), inside, reduction="none")
    return (losses * weights).sum() / weights.sum()


class ReplyLoss:
    """Cross-entropy of the reply's tokens; coordinates against soft labels over the numbers."""

    def __init__(self, numbers: list[int], letters: list[int], vocab: int) -> None:
        self.numbers = torch.tensor(numbers)
        self.letter = torch.zeros(vocab, dtype=torch.bool)
        self.letter[letters] = True
        self.value = torch.full((vocab,), -1)
        self.value[self.numbers] = torch.arange(len(numbers))
        self.soft = soft_numbers()

    def __call__(self, logits: Tensor, labels: Tensor, coordinates: Tensor) -> dict[str, Tensor]:
        """The loss of words, of letters that are typed, and of coordinates, and the coordinates' median error.

        Per position: scores over the vocabulary, the next token, and whether that token is a coordinate.
        """
        found = {"words": functional.cross_entropy(logits[~coordinates].float(), labels[~coordinates])}
        typed = ~coordinates & self.letter.to(labels.device)[labels]
        if bool(typed.any()):
            found["typed"] = functional.cross_entropy(logits[typed].float(), labels[typed])
            found["spelt"] = (logits[typed].argmax(-1) == labels[typed]).float().mean()
        if not bool(coordinates.any()):
            return found
        value = self.value.to(labels.device)[labels[coordinates]]
        scores = logits[coordinates].float().log_softmax(-1)[:, self.numbers.to(labels.device)]
        places = -(self.soft.to(labels.device)[value] * scores).sum(-1).mean()
        error = (scores.argmax(-1) - value).abs().float()
        return found | {"places": places, "error": error.median(), "near": (error < 30).float().mean()}
