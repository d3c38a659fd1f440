"""Where the workers of an evaluation get their policy from."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

from pydantic import JsonValue

from ..agent.policy import Policy, ScriptedPolicy


@dataclass(frozen=True)
class OpenPolicy:
    """A policy that is ready.

    Attributes:
        policy: decides.
        settings: what of it may change results, such as the fingerprint of its weights.
    """

    policy: Policy
    settings: dict[str, JsonValue] = field(default_factory=dict)


class PolicySource(Protocol):
    """Opens a worker's policy in that worker's process; it is pickled to get there.

    An implementation may load weights, or connect to a server that serves all workers.
    """

    @property
    def asked(self) -> dict[str, JsonValue]:
        """What was asked for, in words that a person can compare."""

    def open(self) -> OpenPolicy:
        """Get it ready.

        Raises:
            UsageError: it cannot be had as asked for.
        """


@dataclass(frozen=True)
class LocalSource:
    """A checkpoint, loaded by every worker for itself; greedy, so that results do not depend on who ran what.

    Attributes:
        model: ``embedded``, a directory or a hub id.
        dialect: by default the checkpoint's.
        decoding: what drafts its replies.
        constrained: whether replies are held to the grammar of the dialect.
    """

    model: str = "embedded"
    dialect: str | None = None
    decoding: str = "auto"
    constrained: bool = False

    @property
    def asked(self) -> dict[str, JsonValue]:
        """Its fields."""
        return {
            "model": self.model,
            "dialect": self.dialect,
            "decoding": self.decoding,
            "constrained": self.constrained,
        }

    def open(self) -> OpenPolicy:
        """Load the checkpoint, to be run by one thread."""
        import torch

        from .models import load_policy

        torch.set_num_threads(1)
        policy = load_policy(
            self.model, dialect=self.dialect, decoding=self.decoding, constrained=self.constrained
        )
        settings: dict[str, JsonValue] = {
            "policy": policy.name,
            "dialect": policy.dialect,
            "decoding": list(policy.decoding),
            "constrained": self.constrained,
            "temperature": 0.0,
            "fingerprint": policy.fingerprint,
        }
        return OpenPolicy(policy, settings)


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

    def open(self) -> OpenPolicy:
        """Read them from the start."""
        policy = ScriptedPolicy(self.replies, self.dialect)
        return OpenPolicy(policy, {"policy": policy.name, "dialect": self.dialect})
