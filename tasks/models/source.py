"""Where the workers of an evaluation get their policy from."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from pydantic import JsonValue

from ...agent.policy import Policy, ScriptedPolicy
from ...agent.remote.policy import RemotePolicy
from .load import SMALL_MODEL, is_remote, refuse_decoding
from .size import has_gpu, parameters


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
    """A model's weights in memory, for several policies.

    Attributes:
        open: makes a policy on them that shares nothing else with others.
        turns: how many of these policies may decide at the same time.
    """

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

    Attributes:
        model: ``embedded``, a directory or a hub id.
        dialect: by default the checkpoint's.
        decoding: what drafts its replies.
        constrained: whether replies are held to the grammar of the dialect.
        acceptance: which drafts are accepted; ``typical`` is lossy.
    """

    model: str = "embedded"
    dialect: str | None = None
    decoding: str = "auto"
    constrained: bool = False
    acceptance: str = "exact"

    @property
    def asked(self) -> dict[str, JsonValue]:
        """Its fields."""
        return {
            "model": self.model,
            "dialect": self.dialect,
            "decoding": self.decoding,
            "constrained": self.constrained,
            **({} if self.acceptance == "exact" else {"acceptance": self.acceptance}),
        }

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
        checkpoint = load_checkpoint(self.model)
        turns = os.cpu_count() or 1 if checkpoint.model.device.type == "cpu" else 1

        def open_policy() -> LocalPolicy:
            return LocalPolicy(
                checkpoint,
                self.dialect,
                decoding=self.decoding,
                constrained=self.constrained,
                acceptance=self.acceptance,
            )

        return LoadedModel(open_policy, turns)


@dataclass(frozen=True)
class ReadySource:
    """A policy that is ready, for one worker in this process.

    Attributes:
        policy: decides.
    """

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
    """The same replies in every episode; for demonstrations and tests.

    Attributes:
        replies: raw replies in the dialect's text.
        dialect: what they are written in.
    """

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
    """A model on a server, which every worker asks for itself; greedy.

    Attributes:
        model: ``openai:URL#NAME``.
        dialect: by default known by the model's name.
    """

    model: str
    dialect: str | None = None

    @property
    def asked(self) -> dict[str, JsonValue]:
        """Its fields."""
        return {"model": self.model, "dialect": self.dialect}

    def open(self) -> RemotePolicy:
        """Find the server; see ``RemotePolicy``."""
        return RemotePolicy(self.model, self.dialect)


def policy_source(
    model: str, dialect: str | None = None, decoding: str = "auto", constrained: bool = False, acceptance: str = "exact"
) -> PolicySource:
    """The source of a model's policy; arguments as for ``load_policy``.

    Raises:
        UsageError: a server is asked to decode in a way that only models here can.
    """
    if not is_remote(model):
        return LocalSource(model, dialect, decoding, constrained, acceptance)
    refuse_decoding(model, decoding, constrained, acceptance)
    return RemoteSource(model, dialect)
