"""Replies that somebody expects, and what it means that a policy can say whether it would give them."""

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
    """A reply that somebody expects.

    Attributes:
        raw: its text.
        unasked: where in it, from one character up to another, the model is not asked: an empty thought, or
            a secret that it cannot know.
    """

    raw: str
    unasked: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True)
class Verification:
    """What a policy thinks of expected replies.

    Attributes:
        index: the first of them that it agrees with; None if none.
        prediction: that one; None if none.
        usage: what it cost to find out.
    """

    index: int | None
    prediction: Prediction | None
    usage: Usage


@runtime_checkable
class VerifyingPolicy(Policy, Protocol):
    """A policy that can check replies more cheaply than it can write one."""

    @property
    def tolerance(self) -> float:
        """How far a point may be off along an axis and still count as the same place.

        A share of the screenshot's longer side, measured for the model; 0 where it was not.
        """

    @property
    def fingerprint(self) -> str | None:
        """What its answers follow from besides the context; None if they are drawn at random.

        Equal fingerprints give equal answers to equal contexts.
        """

    def verify(
        self, context: Context, expected: Sequence[ExpectedReply], tolerance: float = 0.0
    ) -> Verification:
        """Say which of some replies it would give itself.

        Args:
            context: what ``predict`` would be asked.
            expected: the replies; the first that it agrees with is taken.
            tolerance: how far points may be off along an axis, in pixels of the newest screenshot.
        """

    def expect(self, context: Context, actions: Sequence[Action]) -> ExpectedReply:
        """The reply that does these actions and gives no thought.

        Raises:
            UsageError: its dialect has no words for them.
        """


def without_thought(
    dialect: Dialect, actions: Sequence[Action], screenshot: Size, resized: Size
) -> ExpectedReply:
    """The reply that does some actions; it is not asked about what all kinds of action begin with.

    Raises:
        UsageError: the dialect has no words for them.
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
