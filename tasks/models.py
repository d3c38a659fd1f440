"""Models for the command line."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..agent.local import LocalPolicy

SMALL_MODEL = 50_000_000
"""Parameters below which one thread decodes as fast as several."""


def load_policy(
    model: str,
    *,
    dialect: str | None = None,
    temperature: float = 0.0,
    seed: int = 0,
    decoding: str = "auto",
    constrained: bool = False,
) -> LocalPolicy:
    """Load a checkpoint and make a policy of it; for the arguments see ``LocalPolicy``.

    Raises:
        MissingPartError: the checkpoint, or a part of it, is missing.
        UsageError: it, the dialect or the way of decoding cannot be used.
    """
    import torch

    from ..agent.checkpoint import load_checkpoint
    from ..agent.local import LocalPolicy

    checkpoint = load_checkpoint(model)
    if sum(weights.numel() for weights in checkpoint.model.parameters()) < SMALL_MODEL:
        # Its forwards are over before a second thread is awake, and on a busy machine waiting for one
        # makes them a hundred times slower.
        torch.set_num_threads(1)
    return LocalPolicy(
        checkpoint,
        dialect=dialect,
        temperature=temperature,
        seed=seed,
        decoding=decoding,
        constrained=constrained,
    )
