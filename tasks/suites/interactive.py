"""What an interactive suite has to do: name its tasks, and make their environments."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol, runtime_checkable

from pydantic import JsonValue

from ...env.base import Environment
from ...env.control import Control
from ...env.guard.guard import Guard


class EnvironmentProvider(Protocol):
    """Makes the environments of one worker's episodes; it may keep a browser from one to the next."""

    @property
    def settings(self) -> dict[str, JsonValue]:
        """Versions and settings that may change results."""

    def environment(self, task: str) -> Environment:
        """A fresh environment for one episode, which shares no state with another; EnvironmentFailure if it breaks."""

    def alive(self) -> bool:
        """Whether what episodes need still runs, such as the browser; called from another thread."""

    def close(self) -> None:
        """Release everything."""


class InteractiveSuite(Protocol):
    """A benchmark of episodes. It is pickled into each worker."""

    @property
    def name(self) -> str:
        """As on the command line."""

    def tasks(self, subset: str | None = None) -> Sequence[str]:
        """The tasks of a subset, or of the whole, in the suite's order; UsageError if there is no such subset."""

    def check(self, tasks: Sequence[str]) -> None:
        """Raise UnknownTaskError, with the nearest names, where a task is unknown."""

    def open(self, control: Control, guard: Guard) -> EnvironmentProvider:
        """A worker's environment provider, ready; MissingPartError where something must be installed first.

        Its environments are stopped by ``control``, and act through ``guard``.
        """


@runtime_checkable
class SupportsSelection(Protocol):
    """A suite of which not every task can be run everywhere."""

    @property
    def left_out(self) -> Mapping[str, Sequence[str]]:
        """Why each task that cannot be run here cannot."""

    @property
    def selection(self) -> str:
        """How many tasks can be run here and why the others cannot, in one line."""
