"""Expected replies, and the contract of a policy that can verify them."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from ...actions.dialects import Dialect, Reply
from ...actions.errors import UsageError
from ...actions.geometry import Point, Size
from ...actions.schema import Action, Click, Finished, Press, Type, Wait
from ..policy import Context, Policy, Prediction, Usage

_PROBES: tuple[Action, ...] = (Click(point=Point(0, 0)), Type(text="a"), Press(key="a"), Wait(), Finished())


@dataclass(frozen=True)
class ExpectedReply:
    """A reply that a recording expects.

    Attributes:
        raw: its text.
        unverified: ``(start, end)`` of the characters that the model need not agree with: an empty thought,
            or a secret that it cannot know.
    """

    raw: str
    unverified: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True)
class Verification:
    """The result of verifying expected replies.

    Attributes:
        index: of the first reply that the policy agrees with; None if there is none.
        prediction: that reply; None if there is none.
        usage: what the verification cost.
    """

    index: int | None
    prediction: Prediction | None
    usage: Usage


@runtime_checkable
class VerifyingPolicy(Policy, Protocol):
    """A policy that can verify a reply at a lower cost than writing one."""

    @property
    def tolerance(self) -> float:
        """The largest distance along an axis at which two points count as the same.

        It is a share of the screenshot's longer side, measured for the model; 0 where it was not measured.
        """

    @property
    def fingerprint(self) -> str | None:
        """Hash of all that determines its replies besides the context; None if they are drawn at random.

        Equal fingerprints give equal replies to equal contexts.
        """

    def verify(self, context: Context, expected: Sequence[ExpectedReply], tolerance: float = 0.0) -> Verification:
        """Find the first of some replies that it would give itself.

        Args:
            context: as for ``predict``.
            expected: the replies, in order of preference.
            tolerance: the largest distance of points along an axis, in pixels of the newest screenshot.
        """

    def expect(self, context: Context, actions: Sequence[Action]) -> ExpectedReply:
        """Write actions as a reply without a thought.

        Raises:
            UsageError: its dialect cannot express them.
        """


def without_thought(dialect: Dialect, actions: Sequence[Action], screenshot: Size, resized: Size) -> ExpectedReply:
    """Write actions as a reply; the beginning that replies with any action share is not verified.

    Raises:
        UsageError: the dialect cannot express them.
    """
    raw = dialect.render(Reply("", tuple(actions)), screenshot, resized)
    beginnings = [raw]
    for probe in _PROBES:
        try:
            beginnings.append(dialect.render(Reply("", (probe,)), screenshot, resized))
        except UsageError:
            continue
    same = zip(*beginnings, strict=False)
    common = sum(1 for _ in itertools.takewhile(lambda letters: len(set(letters)) == 1, same))
    return ExpectedReply(raw, ((0, common),) if common else ())
