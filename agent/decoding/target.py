"""The target model that drafters draft for, with its dialect and the grammars of its replies."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Final, cast

from ...actions.dialects import Dialect
from ...actions.geometry import Size
from .engine import GenerationLimits
from .grammar import GrammarConstraint, TokenTable
from .network import Network
from .reply_grammar import reply_grammar

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

    from ..checkpoints.checkpoint import Checkpoint

ANY_SIZE: Final = Size(1000, 1000)
"""A screenshot size to use before the first screenshot is known."""


@dataclass(frozen=True)
class TargetModel:
    """A checkpoint with its layers, the dialect of its replies, and the limits on them."""

    checkpoint: Checkpoint
    network: Network
    dialect: Dialect
    limits: GenerationLimits

    @cached_property
    def grammars(self) -> ReplyGrammars:
        """The grammars of its replies, shared by all users; raises as ``ReplyGrammars`` does."""
        return ReplyGrammars(self)


class ReplyGrammars:
    """The grammar of a target's replies for each screenshot size; the last one is cached.

    Raises:
        MissingPartError: llguidance is not installed.
        UsageError: there is no grammar for the dialect.
    """

    def __init__(self, target: TargetModel) -> None:
        self._target = target
        self._table: TokenTable | None = None
        self._cached: tuple[str, GrammarConstraint] | None = None
        self.of(ANY_SIZE, ANY_SIZE)

    def of(self, screenshot: Size, resized: Size) -> GrammarConstraint:
        """The grammar of replies to a screenshot, given its size and the size that the model sees."""
        target = self._target
        tokenizer = cast("PreTrainedTokenizerFast", target.checkpoint.tokenizer)
        text = reply_grammar(target.dialect, screenshot, resized, tokenizer.get_vocab())
        if self._cached is None or self._cached[0] != text:
            self._table = self._table or TokenTable(tokenizer, target.network.vocabulary, target.limits.stop_ids)
            self._cached = (text, GrammarConstraint(self._table, text))
        return self._cached[1]
