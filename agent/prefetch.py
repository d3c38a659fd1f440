"""Prefetch: a policy prefills the next prompt while the environment waits for the screen to settle.

The environment's preview (``SupportsPreview``) goes to the policy (``SupportsPrefetch``), which keeps what fits
the settled screen. This changes when work is done, never the reply.
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
    """A policy that can prefill before it is asked."""

    def prefetch(self, context: Context) -> None:
        """Prefill in the background what ``predict`` will probably be called with; returns at once."""


class Prefetcher:
    """Passes previews from an environment to a policy, where both support it."""

    def __init__(self, policy: Policy, environment: Environment) -> None:
        self._policy = policy if isinstance(policy, SupportsPrefetch) else None
        self._environment = environment if isinstance(environment, SupportsPreview) else None

    @contextmanager
    def after(self, context: Context) -> Iterator[None]:
        """Pass previews on during the enclosed step, as the newest screenshot of ``context``."""
        policy, environment = self._policy, self._environment
        if policy is None or environment is None:
            yield
            return

        def show(screenshot: Screenshot) -> None:
            policy.prefetch(replace(context, screenshot=screenshot))

        environment.preview_to(show)
        try:
            yield
        finally:
            environment.preview_to(None)
