"""Where the workers of an evaluation get their policy from."""

from __future__ import annotations

import contextlib
import ctypes
import math
import os
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from typing import Protocol, runtime_checkable

from pydantic import JsonValue

from ...actions.dialects import get_dialect
from ...agent.checkpoints.loading import PLAINLY, LoadOptions, parse_quantization
from ...agent.policy import Policy, ScriptedPolicy
from ...agent.remote.policy import RemotePolicy
from .load import SMALL_MODEL, is_remote, refuse_decoding

_UNSAID = (
    ("acceptance", "exact"),
    ("max_images", None),
    ("max_pixels", None),
    ("history", "full"),
    ("load_options", asdict(LoadOptions())),
)
"""Fields with values that are not recorded."""


class PolicySource(Protocol):
    """Opens a worker's policy in that worker's process; it is pickled to get there.

    An implementation may load weights, or connect to a server that serves all workers (``policy_client``).
    """

    @property
    def asked(self) -> dict[str, JsonValue]:
        """What was asked for; a resumed evaluation compares it."""

    def open(self) -> Policy:
        """Get it ready.

        Raises:
            UsageError: it cannot be had as asked for.
        """


@dataclass(frozen=True)
class LoadedModel:
    """A model's weights in memory, for several policies of which so many may decide at the same time."""

    open: Callable[[], Policy]
    turns: int


@runtime_checkable
class SupportsSharing(PolicySource, Protocol):
    """A source whose policies can share one copy of their weights, in a server's process."""

    def worth_sharing(self) -> bool:
        """Whether several workers of a machine should."""

    def load(self) -> LoadedModel:
        """Load the weights once.

        Raises:
            UsageError: they cannot be had as asked for.
        """


@dataclass(frozen=True)
class LocalSource:
    """A checkpoint, loaded by every worker for itself; greedy, so that results do not depend on who ran what.

    Its fields are the arguments of ``load_policy``; ``load_options`` is called ``load`` there.
    """

    model: str = "embedded"
    dialect: str | None = None
    decoding: str = "auto"
    constrained: bool = False
    acceptance: str = "exact"
    max_images: int | None = None
    max_pixels: int | None = None
    history: str = "full"
    load_options: LoadOptions = PLAINLY

    @property
    def asked(self) -> dict[str, JsonValue]:
        """Its fields, but for later ones that have their default: older evaluations lack them."""
        return {key: value for key, value in asdict(self).items() if (key, value) not in _UNSAID}

    def worth_sharing(self) -> bool:
        """Large models are, and all on a GPU; small ones decide faster without asking another process."""
        return parameters(self.model) > SMALL_MODEL or has_gpu()

    def open(self) -> Policy:
        """Load the checkpoint, to be run by one thread."""
        return self.load().open()

    def load(self) -> LoadedModel:
        """Load the checkpoint; each policy is run by one thread, on a GPU one at a time."""
        import torch

        from ...agent.checkpoints.checkpoint import load_checkpoint
        from ...agent.local import LocalPolicy

        # As many threads as there are sessions share the processors, and sums do not depend on their number.
        torch.set_num_threads(1)
        checkpoint = load_checkpoint(self.model, **asdict(self.load_options))
        turns = os.cpu_count() or 1 if checkpoint.model.device.type == "cpu" else 1
        options = {key: value for key, value in asdict(self).items() if key not in ("model", "load_options")}
        return LoadedModel(partial(LocalPolicy, checkpoint, **options), turns)


@dataclass(frozen=True)
class ReadySource:
    """A policy that is ready, for one worker in this process."""

    policy: Policy

    @property
    def asked(self) -> dict[str, JsonValue]:
        """The policy's name."""
        return {"policy": self.policy.name}

    def open(self) -> Policy:
        """The policy itself."""
        return self.policy


@dataclass(frozen=True)
class ScriptedSource:
    """The same raw replies, written in a dialect, in every episode; for demonstrations and tests."""

    replies: tuple[str, ...] = ()
    dialect: str = "uitars-1.0"

    @property
    def asked(self) -> dict[str, JsonValue]:
        """Its fields."""
        return {"model": "scripted", "replies": list(self.replies), "dialect": self.dialect}

    def open(self) -> Policy:
        """Read them from the start."""
        return ScriptedPolicy(self.replies, self.dialect)


@dataclass(frozen=True)
class RemoteSource:
    """A model on a server, ``openai:URL#NAME``, which every worker asks for itself; greedy."""

    model: str
    dialect: str | None = None
    max_images: int | None = None

    @property
    def asked(self) -> dict[str, JsonValue]:
        """Its fields, as those of ``LocalSource``."""
        return {key: value for key, value in asdict(self).items() if (key, value) not in _UNSAID}

    def open(self) -> RemotePolicy:
        """Find the server; see ``RemotePolicy``."""
        return RemotePolicy(self.model, self.dialect, max_images=self.max_images)


def policy_source(
    model: str,
    dialect: str | None = None,
    decoding: str = "auto",
    constrained: bool = False,
    acceptance: str = "exact",
    max_images: int | None = None,
    max_pixels: int | None = None,
    history: str = "full",
    load: LoadOptions = LoadOptions(),
) -> PolicySource:
    """The source of a model's policy; arguments as for ``load_policy``.

    Raises:
        UsageError: a server is asked to decode in a way that only models here can.
    """
    refuse_decoding(model, decoding, constrained, acceptance, max_pixels, history, load)
    parse_quantization(load.quantize)
    if dialect is not None:
        get_dialect(dialect)  # a wrong name is said before weights are read
    if not is_remote(model):
        return LocalSource(model, dialect, decoding, constrained, acceptance, max_images, max_pixels, history, load)
    return RemoteSource(model, dialect, max_images)


def parameters(model: str) -> int:
    """How many parameters a checkpoint has, read from the headers of its files.

    Raises:
        MissingPartError: there is no such checkpoint.
    """
    from ...agent.checkpoints.checkpoint import located_with_base
    from ...agent.checkpoints.memory import tensor_shapes

    directory = located_with_base(model)[-1]
    counted = sum(math.prod(shape) for shape in tensor_shapes(directory).values())
    return counted or sum(path.stat().st_size // 2 for path in directory.glob("pytorch_model*.bin"))


def has_gpu() -> bool:
    """Whether models run on a GPU here."""
    with contextlib.suppress(OSError):
        ctypes.CDLL("nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1")
        import torch  # takes a second, which machines without a driver need not spend

        return bool(torch.cuda.is_available())
    return False
