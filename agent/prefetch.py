"""Prefetch: a policy prefills the next prompt while the environment acts, settles and is recorded.

While an action is executed, the policy (``SupportsPrefetch``) may prefill what it knows already of the next prompt. The
environment's previews (``SupportsPreview``) are guesses of the next screenshot, and the settled one is certain. This
changes when work is done, never the reply.
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

    def prefetch(self, context: Context, *, certain: bool = False) -> None:
        """Prefill in the background what ``predict`` will probably be called with, or certainly; returns at once."""

    def prefetch_history(self, context: Context) -> None:
        """Prefill in the background what comes before the next screenshot, which is not known; returns at once.

        ``context`` has all turns; its own screenshot is that of the last one.
        """


class Prefetcher:
    """Passes previews from an environment to a policy, where both support it."""

    def __init__(self, policy: Policy, environment: Environment) -> None:
        self._policy = policy if isinstance(policy, SupportsPrefetch) else None
        self._environment = environment if isinstance(environment, SupportsPreview) else None

    def known(self, context: Context) -> None:
        """Tell the policy what it will be asked."""
        if self._policy is not None:
            self._policy.prefetch(context, certain=True)

    @contextmanager
    def after(self, context: Context) -> Iterator[None]:
        """Pass previews on during the enclosed step, as the newest screenshot of ``context``."""
        policy, environment = self._policy, self._environment
        if policy is None:
            yield
            return
        policy.prefetch_history(context)
        if environment is None:
            yield
            return

        def show(screenshot: Screenshot) -> None:
            policy.prefetch(replace(context, screenshot=screenshot))

        environment.preview_to(show)
        try:
            yield
        finally:
            environment.preview_to(None)
