"""Expected replies, the contract of a policy that can verify them, and what such policies share."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from ...actions.dialects import Dialect, Reply
from ...actions.errors import UsageError
from ...actions.geometry import Point, ResizeLimits, Size, smart_resize
from ...actions.schema import Action, Click, Finished, Press, Type, Wait
from ..checkpoints.model_card import ModelCard
from ..decoding.layout import common_prefix
from ..policy import Context, Policy, Prediction, Usage

_PROBES: tuple[Action, ...] = (Click(point=Point(0, 0)), Type(text="a"), Press(key="a"), Wait(), Finished())


@dataclass(frozen=True)
class ExpectedReply:
    """A reply that a recording expects.

    Attributes:
        raw: its text.
        unverified: spans of characters that the model need not agree with: an empty thought, an unknown secret.
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
        """The largest distance along an axis at which two points count as the same, measured for the model.

        It is a share of the screenshot's longer side; 0 where it was not measured.
        """

    @property
    def fingerprint(self) -> str | None:
        """Hash of all that determines its replies besides the context; None if they are drawn at random."""

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


class DialectPolicy:
    """What policies of models share: a dialect, a model card, and how screenshots are resized; None for not at all."""

    def __init__(self, dialect: Dialect, card: ModelCard, resize: ResizeLimits | None) -> None:
        self._dialect = dialect
        self._card = card
        self._resize = resize

    @property
    def dialect(self) -> str:
        """The name of the dialect it speaks."""
        return self._dialect.name

    @property
    def viewport(self) -> Size | None:
        """The screen size the model was trained on; None for any."""
        return self._card.viewport

    @property
    def tolerance(self) -> float:
        """The card's tolerance for points, as a share of the screenshot's longer side."""
        return self._card.tolerance

    @property
    def max_images(self) -> int:
        """The maximum number of screenshots in its context; see ``SupportsImageLimit``."""
        return self._card.max_images

    def expect(self, context: Context, actions: Sequence[Action]) -> ExpectedReply:
        """Write actions as a reply; the beginning that replies with any action share is not verified.

        Raises:
            UsageError: the dialect cannot express them.
        """
        sizes = self._sizes(context)
        raw = self._dialect.render(Reply("", tuple(actions)), *sizes)
        beginnings = [raw]
        for probe in _PROBES:
            with suppress(UsageError):
                beginnings.append(self._dialect.render(Reply("", (probe,)), *sizes))
        common = min(common_prefix(raw, each) for each in beginnings)
        return ExpectedReply(raw, ((0, common),) if common else ())

    def _sizes(self, context: Context) -> tuple[Size, Size]:
        """The newest screenshot's size, and the size that the model sees."""
        size = context.screenshot.size
        return size, smart_resize(size, self._resize) if self._resize else size

    def _parse(self, raw: str, context: Context) -> Reply:
        return self._dialect.parse(raw, *self._sizes(context))
