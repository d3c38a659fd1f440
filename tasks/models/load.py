"""A model's policy by the model's name."""

from __future__ import annotations

import threading
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Protocol
from weakref import WeakValueDictionary

from ...actions.dialects import get_dialect
from ...actions.errors import UsageError
from ...actions.geometry import Size
from ...agent.checkpoints.loading import PLAINLY, LoadOptions, parse_quantization
from ...agent.history import parse_history
from ...agent.remote.endpoint import PREFIX
from ...agent.remote.policy import RemotePolicy
from ...agent.replay.expected import VerifyingPolicy
from ...env.places import named

if TYPE_CHECKING:
    from ...agent.checkpoints.checkpoint import Checkpoint

SMALL_MODEL = 50_000_000
"""Parameters below which one thread decodes as fast as several."""
_loading = threading.Lock()
_loaded: WeakValueDictionary[tuple[str, LoadOptions, int], Checkpoint] = WeakValueDictionary()
_small: dict[tuple[str, LoadOptions], Checkpoint] = {}


class ModelPolicy(VerifyingPolicy, Protocol):
    """A policy that a model makes, here or on a server."""

    @property
    def dialect(self) -> str:
        """The name of the dialect it speaks."""

    @property
    def viewport(self) -> Size | None:
        """The screen size the model was trained on; None for any."""

    @property
    def decoding(self) -> tuple[str, ...]:
        """The drafters it uses; none for plain decoding."""


def is_remote(model: str) -> bool:
    """Whether a model is one that a server runs."""
    return model.startswith(PREFIX)


def refuse_decoding(
    model: str,
    decoding: str,
    constrained: bool,
    acceptance: str = "exact",
    max_pixels: int | None = None,
    history: str = "full",
    load: LoadOptions = PLAINLY,
) -> None:
    """Raise a ``UsageError`` for a way of decoding or loading that a server does not have, or that would be ignored."""
    given = {
        "decoding": decoding not in ("auto", "plain"),
        "constrained": constrained,
        "acceptance": acceptance != "exact",
        "max_pixels": max_pixels is not None,
        "history": history != "full",
        **dict.fromkeys(load.given(), True),
    }
    if is_remote(model) and (wrong := [named(name) for name, asked in given.items() if asked]):
        raise UsageError(f"{model} decodes on its server; {' and '.join(wrong)} is for models that run here")
    parse_history(history)
    if decoding == "plain" and acceptance != "exact":
        raise UsageError(
            f"{named('acceptance')} is a rule for drafts, and with {named('decoding')} plain there are none"
        )


def load_policy(
    model: str,
    *,
    dialect: str | None = None,
    temperature: float = 0.0,
    seed: int = 0,
    decoding: str = "auto",
    constrained: bool = False,
    acceptance: str = "exact",
    max_images: int | None = None,
    max_pixels: int | None = None,
    history: str = "full",
    load: LoadOptions = PLAINLY,
) -> ModelPolicy:
    """Load a checkpoint, or find a server, and make a policy of it.

    Args:
        model: ``embedded``, a directory or a hub id; or ``openai:URL#NAME``.
        dialect: the language of its replies; by default known by the model. ``LocalPolicy`` and
            ``RemotePolicy`` say more of this and all that follow.
        temperature: 0 is greedy.
        seed: of sampling.
        decoding: what drafts replies here.
        constrained: whether replies are held to a grammar here.
        acceptance: which drafts are accepted here.
        max_images: the maximum number of screenshots in the context; by default the model's.
        max_pixels: the size to which screenshots are shrunk here; by default the model's.
        history: how much of earlier steps the model sees here: ``full``, ``changed`` or ``text``.
        load: how a checkpoint is loaded here.

    Raises:
        MissingPartError: the checkpoint, or a part of it, is missing.
        UsageError: it, the server, the dialect or the way of decoding cannot be used.
    """
    refuse_decoding(model, decoding, constrained, acceptance, max_pixels, history, load)
    parse_quantization(load.quantize)
    if dialect is not None:
        get_dialect(dialect)  # a wrong name is said before weights are read
    if is_remote(model):
        return RemotePolicy(model, dialect, temperature=temperature, seed=seed, max_images=max_images)
    from ...agent.decoding.policy_drafters import parse_methods
    from ...agent.decoding.verify import parse_acceptance
    from ...agent.local import LocalPolicy

    parse_methods(decoding)
    parse_acceptance(acceptance)
    return LocalPolicy(
        _shared_checkpoint(model, load),
        dialect=dialect,
        temperature=temperature,
        seed=seed,
        decoding=decoding,
        constrained=constrained,
        acceptance=acceptance,
        max_images=max_images,
        max_pixels=max_pixels,
        history=history,
    )


def _shared_checkpoint(model: str, load: LoadOptions) -> Checkpoint:
    """A checkpoint that is loaded already, unless its files have changed; else loaded now.

    A large one is shared while a policy uses it, and a small one stays loaded.
    """
    import torch

    from ...agent.checkpoints.checkpoint import load_checkpoint

    directory = Path(model).expanduser()
    files = directory.iterdir() if directory.is_dir() else ()
    key = (model, load, max((file.stat().st_mtime_ns for file in files), default=0))
    with _loading:
        checkpoint = _loaded.get(key)
        if checkpoint is None:
            checkpoint = _loaded[key] = load_checkpoint(model, **asdict(load))
        if sum(weights.numel() for weights in checkpoint.model.parameters()) < SMALL_MODEL:
            # Its forwards are over before a second thread is awake, and on a busy machine waiting for one
            # makes them a hundred times slower.
            torch.set_num_threads(1)
            _small[model, load] = checkpoint
    return checkpoint
