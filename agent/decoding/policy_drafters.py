"""The drafters of one policy, from the text of ``--decoding``; they draft from the replies of its earlier episodes."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Final, Protocol, runtime_checkable

from ...actions.errors import MissingPartError, UsageError
from ...actions.geometry import Size
from .adaptive import AdaptiveDrafter
from .cost_store import CostStore
from .costs import LearnedCosts
from .draft import Drafter
from .drafters.grammar import GrammarDrafter
from .drafters.suffix import SuffixDrafter
from .layout import Segment
from .target import TargetModel

_LOG = logging.getLogger(__name__)

DRAFT: Final = "draft:"


@runtime_checkable
class PromptAwareDrafter(Protocol):
    """A drafter that needs more of a prompt than its token ids."""

    def prepare(self, prompt: Sequence[Segment], screenshot: Size, resized: Size) -> None:
        """A reply to this prompt comes next; the model sees the newest screenshot resized."""


class ReplyGrammarDrafter(GrammarDrafter):
    """A grammar drafter whose grammar follows the size of the newest screenshot."""

    def __init__(self, target: TargetModel) -> None:
        super().__init__(target.grammar())
        self._target = target

    def prepare(self, prompt: Sequence[Segment], screenshot: Size, resized: Size) -> None:
        """Use the grammar for this screenshot from the next reply on."""
        self.constraint = self._target.grammar(screenshot, resized)


def _heads(target: TargetModel, method: str) -> Drafter:
    from .heads.checkpoint import load_drafter

    return load_drafter(method, target.checkpoint, target.network)


_BUILDERS: Final[Mapping[str, Callable[[TargetModel], Drafter]]] = {
    "suffix": lambda target: SuffixDrafter(unknown={target.network.image_token}),
    "grammar": ReplyGrammarDrafter,
    "medusa": lambda target: _heads(target, "medusa"),
    "mtp": lambda target: _heads(target, "mtp"),
}
METHODS: Final = (*_BUILDERS, f"{DRAFT}PATH")
"""Every method, as ``--decoding`` names it."""


def parse_methods(decoding: str) -> tuple[str, ...]:
    """The methods in a ``--decoding`` text: ``("auto",)`` for all available ones, none for ``plain``.

    Raises:
        UsageError: a method is unknown or named twice.
    """
    if decoding == "plain":
        return ()
    methods = tuple(part.strip() for part in decoding.split("+"))
    for method in methods:
        known = method in _BUILDERS or (method.startswith(DRAFT) and method != DRAFT)
        if not known and methods != ("auto",):
            raise UsageError(
                f"unknown decoding method {method!r}; use auto, plain, or some of {', '.join(METHODS)} joined by +"
            )
    if len({method.split(":")[0] for method in methods}) < len(methods):
        raise UsageError(f"{decoding!r} names a decoding method twice")
    return methods


class PolicyDrafters:
    """The drafters of one policy, combined in ``drafter``, from methods as ``parse_methods`` reads them.

    Raises:
        UsageError: a method is unknown, or does not fit the checkpoint or the dialect.
    """

    def __init__(self, target: TargetModel, decoding: str = "auto") -> None:
        methods = parse_methods(decoding)
        auto = methods == ("auto",)
        made = [_make(target, method, auto) for method in (_BUILDERS if auto else methods)]
        self._drafters = [drafter for drafter in made if drafter is not None]
        # Thread time on a CPU, so that drafters are not charged for other processes' time.
        self.clock = time.thread_time if target.network.device.type == "cpu" else time.perf_counter
        self.costs = costs = LearnedCosts()
        self._store = CostStore(costs, target.network.shape, target.network.device)
        self.drafter = AdaptiveDrafter(self._drafters, costs, self.clock)

    @property
    def methods(self) -> tuple[str, ...]:
        """The names of the drafters."""
        return tuple(drafter.name for drafter in self._drafters)

    def prepare(self, prompt: Sequence[Segment], screenshot: Size, resized: Size) -> None:
        """A reply to this prompt comes next; the model sees the newest screenshot resized."""
        self._store.save_sometimes()
        for drafter in self._drafters:
            if isinstance(drafter, PromptAwareDrafter):
                drafter.prepare(prompt, screenshot, resized)


def _make(target: TargetModel, method: str, optional: bool) -> Drafter | None:
    """The drafter of a method; None if it is ``optional`` and not available."""
    if method.startswith(DRAFT):
        from .drafters.draft_model import load_draft_model

        return load_draft_model(method.removeprefix(DRAFT), target)
    try:
        return _BUILDERS[method](target)
    except UsageError as error:
        if not optional:
            raise
        # Missing heads and grammars are normal; heads that do not fit deserve a warning.
        if method != "grammar" and not isinstance(error, MissingPartError):
            _LOG.warning("decoding without %s: %s", method, error)
        return None
