"""What is drafted for: a checkpoint, its dialect, and the grammars of its replies."""

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


@dataclass(frozen=True)
class TargetModel:
    """What is to be drafted for.

    Attributes:
        checkpoint: whose replies.
        network: its layers.
        dialect: the language of its replies.
        limits: what may be in them.
    """

    checkpoint: Checkpoint
    network: Network
    dialect: Dialect
    limits: GenerationLimits

    @cached_property
    def grammars(self) -> ReplyGrammars:
        """The grammars of its replies, for all who follow them.

        Raises:
            MissingPartError: llguidance is not installed.
            UsageError: there is no grammar for the dialect.
        """
        return ReplyGrammars(self)


class ReplyGrammars:
    """The grammars of a target's replies, by screenshot; the last one is kept.

    Raises:
        MissingPartError: llguidance is not installed.
        UsageError: there is no grammar for the dialect.
    """

    def __init__(self, target: TargetModel) -> None:
        self._dialect = target.dialect
        self._table: TokenTable | None = None
        self._target = target
        self._text = ""
        self.of(ANY_SIZE, ANY_SIZE)

    def of(self, screenshot: Size, resized: Size) -> GrammarConstraint:
        """The grammar of replies to a screenshot, which the model sees resized."""
        checkpoint = self._target.checkpoint
        special = checkpoint.tokenizer.get_vocab()
        text = reply_grammar(self._dialect, screenshot, resized, special)
        if text != self._text:
            self._table = self._table or TokenTable(
                cast("PreTrainedTokenizerFast", checkpoint.tokenizer),
                self._target.network.vocabulary,
                self._target.limits.stop_ids,
            )
            self._constraint = GrammarConstraint(self._table, text)
            self._text = text
        return self._constraint
