"""From a model's name to where the workers of an evaluation get their policy from."""

from __future__ import annotations

from dataclasses import dataclass

from pydantic import JsonValue

from ...agent.remote.policy import RemotePolicy
from .load import is_remote, refuse_decoding
from .source import LocalSource, PolicySource


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


def source_of(
    model: str, dialect: str | None, decoding: str, constrained: bool, acceptance: str = "exact"
) -> PolicySource:
    """The source of a model's policy, as the options of a command name it.

    Raises:
        UsageError: a server is asked to decode in a way that only models here can.
    """
    if not is_remote(model):
        return LocalSource(model, dialect, decoding, constrained, acceptance)
    refuse_decoding(model, decoding, constrained, acceptance)
    return RemoteSource(model, dialect)
