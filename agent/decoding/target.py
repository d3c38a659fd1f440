"""The target model that drafters draft for, with its dialect and the grammars of its replies."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Final, cast

from ...actions.dialects import Dialect
from ...actions.geometry import Size
from .grammar import GrammarConstraint, TokenTable
from .network import Network
from .reply_grammar import reply_grammar
from .sampling import GenerationLimits

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

    from ..checkpoints.checkpoint import Checkpoint

ANY_SIZE: Final = Size(1000, 1000)
"""A screenshot size to use before the first screenshot is known."""


@dataclass(eq=False)
class TargetModel:
    """A checkpoint with its layers, the dialect of its replies, and the limits on them."""

    checkpoint: Checkpoint
    network: Network
    dialect: Dialect
    limits: GenerationLimits
    _last: tuple[tuple[Size, Size], GrammarConstraint] | None = field(default=None, init=False, repr=False)

    def grammar(self, screenshot: Size = ANY_SIZE, resized: Size = ANY_SIZE) -> GrammarConstraint:
        """The grammar of replies to a screenshot, given its size and the size that the model sees; the last is cached.

        Raises:
            MissingPartError: llguidance is not installed.
            UsageError: there is no grammar for the dialect.
        """
        sizes = (screenshot, resized)
        if self._last is None or self._last[0] != sizes:
            text = reply_grammar(self.dialect, screenshot, resized, self.checkpoint.vocabulary)
            self._last = (sizes, GrammarConstraint(self._table, text))
        return self._last[1]

    @cached_property
    def _table(self) -> TokenTable:
        tokenizer = cast("PreTrainedTokenizerFast", self.checkpoint.tokenizer)
        return TokenTable(tokenizer, self.network.vocabulary, self.limits.stop_ids)
