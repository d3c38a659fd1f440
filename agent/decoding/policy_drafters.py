"""Which drafters a policy uses: from ``suffix+grammar`` to drafters that know its checkpoint and dialect.

What drafters remember belongs to one policy: replies of its earlier episodes are drafted from in later ones,
and no other policy sees them.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Final, Protocol, runtime_checkable

from ...actions.errors import MissingPartError, UsageError
from ...actions.geometry import Size
from .adaptive import AdaptiveDrafter
from .draft import Drafter
from .drafters.grammar import GrammarDrafter
from .drafters.suffix import SuffixDrafter
from .layout import Segment
from .target import ANY_SIZE, ReplyGrammars, TargetModel

if TYPE_CHECKING:
    pass

_LOG = logging.getLogger(__name__)

DRAFT: Final = "draft:"


@runtime_checkable
class PromptAwareDrafter(Protocol):
    """A drafter that wants to know more about a prompt than its tokens."""

    def prepare(self, prompt: Sequence[Segment], screenshot: Size, resized: Size) -> None:
        """A reply to a prompt comes next, whose newest screenshot the model sees resized."""


class ReplyGrammarDrafter(GrammarDrafter):
    """Drafts what the dialect's grammar forces in replies to the newest screenshot."""

    def __init__(self, grammars: ReplyGrammars) -> None:
        self._grammars = grammars
        super().__init__(grammars.of(ANY_SIZE, ANY_SIZE))

    def prepare(self, prompt: Sequence[Segment], screenshot: Size, resized: Size) -> None:
        """The frame of coordinates may depend on the screenshot."""
        self.constrain(self._grammars.of(screenshot, resized))


def _suffix(target: TargetModel) -> Drafter:
    return SuffixDrafter(unknown={target.network.image_token})


def _grammar(target: TargetModel) -> Drafter:
    return ReplyGrammarDrafter(target.grammars)


def _medusa(target: TargetModel) -> Drafter:
    return _heads(target, "medusa")


def _mtp(target: TargetModel) -> Drafter:
    return _heads(target, "mtp")


def _heads(target: TargetModel, method: str) -> Drafter:
    from .heads.checkpoint import load_drafter

    return load_drafter(method, target.checkpoint, target.network)


_BUILDERS: Final[Mapping[str, Callable[[TargetModel], Drafter]]] = {
    "suffix": _suffix,
    "grammar": _grammar,
    "medusa": _medusa,
    "mtp": _mtp,
}
METHODS: Final = (*_BUILDERS, f"{DRAFT}PATH")
"""Every method, as ``--decoding`` names it."""


def parse_methods(decoding: str) -> tuple[str, ...]:
    """The methods in a ``--decoding`` text; only ``auto`` for all that there are, none for ``plain``.

    Raises:
        UsageError: one is not known or is named twice.
    """
    if decoding == "plain":
        return ()
    methods = tuple(part.strip() for part in decoding.split("+"))
    for method in methods:
        known = method in _BUILDERS or (method.startswith(DRAFT) and method != DRAFT)
        if not known and methods != ("auto",):
            raise UsageError(
                f"unknown decoding method {method!r}; use auto, plain, or some of {', '.join(METHODS)} "
                "joined by +"
            )
    if len({method.split(":")[0] for method in methods}) < len(methods):
        raise UsageError(f"{decoding!r} names a decoding method twice")
    return methods


class PolicyDrafters:
    """The drafters of one policy.

    Args:
        target: what they draft for.
        decoding: which ones, as ``parse_methods`` reads it.

    Raises:
        UsageError: a method is not known, or does not go with the checkpoint or the dialect.
    """

    def __init__(self, target: TargetModel, decoding: str = "auto") -> None:
        methods = parse_methods(decoding)
        auto = methods == ("auto",)
        made = [_make(target, method, auto) for method in (_BUILDERS if auto else methods)]
        self._drafters = [drafter for drafter in made if drafter is not None]
        # On a busy machine a drafter must not be charged for the time that others took.
        self.clock = time.thread_time if target.network.device.type == "cpu" else time.perf_counter
        self.drafter = AdaptiveDrafter(self._drafters, clock=self.clock)

    @property
    def methods(self) -> tuple[str, ...]:
        """The names of its drafters."""
        return tuple(drafter.name for drafter in self._drafters)

    def prepare(self, prompt: Sequence[Segment], screenshot: Size, resized: Size) -> None:
        """A reply to a prompt comes next, whose newest screenshot the model sees resized."""
        for drafter in self._drafters:
            if isinstance(drafter, PromptAwareDrafter):
                drafter.prepare(prompt, screenshot, resized)


def _make(target: TargetModel, method: str, optional: bool) -> Drafter | None:
    """The drafter of a method; None if it is not to be had and ``optional``."""
    if method.startswith(DRAFT):
        from .drafters.draft_model import load_draft_model

        return load_draft_model(method.removeprefix(DRAFT), target)
    try:
        return _BUILDERS[method](target)
    except UsageError as error:
        if not optional:
            raise
        # Heads and grammars that are not there are nothing to speak of, those that do not fit are.
        if method != "grammar" and not isinstance(error, MissingPartError):
            _LOG.warning("decoding goes on without %s: %s", method, error)
        return None
