"""Reading ahead: a policy starts on the next screen while the environment waits for it to settle.

The action is on its way and what the policy said is known, so the next prompt is known but for its
screenshot. A first look at it (``SupportsPreview``) is handed to the policy (``SupportsPrefetch``); what it
computed is kept as far as it fits the settled screen. So this changes when work is done, never the answer.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Protocol, runtime_checkable

from ..env.base import Environment, SupportsPreview
from ..perception.observation import Screenshot
from .policy import Context, Policy


@runtime_checkable
class SupportsPrefetch(Protocol):
    """A policy that can begin to read before it is asked."""

    def read_ahead(self, context: Context) -> None:
        """Begin, in the background, on what ``predict`` will probably be asked next; returns at once."""


class Prefetcher:
    """Brings first looks from an environment to a policy, where both can.

    Args:
        policy: whom they are for.
        environment: where they come from.
    """

    def __init__(self, policy: Policy, environment: Environment) -> None:
        self._policy = policy if isinstance(policy, SupportsPrefetch) else None
        self._environment = environment if isinstance(environment, SupportsPreview) else None

    @contextmanager
    def after(self, context: Context) -> Iterator[None]:
        """During the enclosed step of the environment, hand over what may follow these turns."""
        policy, environment = self._policy, self._environment
        if policy is None or environment is None:
            yield
            return

        def show(screenshot: Screenshot) -> None:
            policy.read_ahead(replace(context, screenshot=screenshot))

        environment.preview_to(show)
        try:
            yield
        finally:
            environment.preview_to(None)
