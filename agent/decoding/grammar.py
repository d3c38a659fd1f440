"""Constrained decoding: which tokens a grammar allows next, and which it forces.

The grammar engine is llguidance: it reads Lark, works on the bytes of tokens, and can roll back tokens.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ...actions.errors import UsageError
from ...actions.extras import need_package

if TYPE_CHECKING:
    from llguidance import LLMatcher, LLTokenizer
    from transformers import PreTrainedTokenizerFast


class TokenTable:
    """A tokenizer's tokens as bytes; expensive, so create one per tokenizer.

    Args:
        tokenizer: a fast tokenizer.
        vocabulary: number of the model's logits, which may exceed the number of tokens.
        stop_ids: tokens that end a reply; by default the tokenizer's end token, which is ``stop_id`` in any case.

    Raises:
        MissingPartError: llguidance is not installed.
    """

    def __init__(
        self, tokenizer: PreTrainedTokenizerFast, vocabulary: int | None = None, stop_ids: Collection[int] = ()
    ) -> None:
        from_tokenizer = need_package("llguidance.hf").from_tokenizer
        end = tokenizer.eos_token_id
        # llguidance takes the first one for the end token.
        stops = sorted(stop_ids, key=lambda token: (token != end, token)) or None
        self.tokens: LLTokenizer = from_tokenizer(tokenizer, n_vocab=vocabulary, eos_token=stops)
        self.vocabulary = int(self.tokens.vocab_size)
        self.stop_ids = frozenset(self.tokens.eos_tokens)
        self.stop_id = int(self.tokens.eos_token)
        self.special = frozenset(tokenizer.get_added_vocab())


class GrammarConstraint:
    """A compiled grammar over a tokenizer's tokens.

    Args:
        tokenizer: or its ``TokenTable``, which several grammars may share.
        grammar: in llguidance's form of Lark, as ``reply_grammar`` writes it.

    Raises:
        UsageError: the grammar has an error.
    """

    def __init__(self, tokenizer: PreTrainedTokenizerFast | TokenTable, grammar: str) -> None:
        from llguidance import LLMatcher

        self.table = tokenizer if isinstance(tokenizer, TokenTable) else TokenTable(tokenizer)
        self._matcher = LLMatcher(self.table.tokens, grammar, log_level=0)
        if self._matcher.is_error():
            raise UsageError(f"the grammar cannot be used: {self._matcher.get_error()}")

    def start(self) -> GrammarState:
        """The state before the first token of a reply."""
        return GrammarState(self.table, self._matcher.deep_copy())


class GrammarState:
    """The state of a reply in its grammar."""

    def __init__(self, table: TokenTable, matcher: LLMatcher) -> None:
        self._table = table
        self._matcher = matcher
        self._stopped = False

    def copy(self) -> GrammarState:
        """An independent copy."""
        twin = GrammarState(self._table, self._matcher.deep_copy())
        twin._stopped = self._stopped
        return twin

    @property
    def complete(self) -> bool:
        """Whether the reply may end here."""
        return not self._stopped and bool(self._matcher.is_accepting())

    def mask(self) -> NDArray[np.bool_]:
        """The tokens that may come next, stop tokens included; of forced text, only the one that the tokenizer uses."""
        if self._stopped:
            return np.zeros(self._table.vocabulary, dtype=np.bool_)
        bits = np.frombuffer(self._matcher.compute_bitmask(), dtype=np.uint8)
        mask = np.unpackbits(bits, count=self._table.vocabulary, bitorder="little").view(np.bool_)
        if (error := self._matcher.get_error()) != "":
            raise RuntimeError(f"the grammar engine failed: {error}")
        return mask

    def accepts(self, tokens: Sequence[int]) -> int:
        """How many of these tokens spell text that may follow, however it is divided into tokens."""
        ends = next((i for i, token in enumerate(tokens) if token in self._table.stop_ids), len(tokens))
        if self._stopped:
            return 0
        count = int(self._matcher.validate_tokens(list(tokens[:ends])))
        if count < len(tokens) and count == ends:
            state = self.copy()
            state._matcher.consume_tokens(list(tokens[:ends]))
            return count + int(state.complete)
        return count

    def advance(self, token: int) -> None:
        """Commit a token.

        Raises:
            ValueError: the grammar does not allow it; the state is unchanged.
        """
        if token in self._table.stop_ids and self.complete:
            self._stopped = True
        elif token in self._table.stop_ids or self._stopped or self._matcher.try_consume_tokens([token]) != 1:
            raise ValueError(f"the grammar does not allow token {token} here")

    def rollback(self, count: int) -> None:
        """Take back the last ``count`` tokens."""
        if count and self._stopped:
            self._stopped, count = False, count - 1
        if count and not self._matcher.rollback(count):
            raise ValueError(f"cannot take back {count} tokens: {self._matcher.get_error()}")

    def forced(self) -> tuple[int, ...]:
        """The forced text that comes next, in the tokens that the tokenizer would use; others may spell it, too.

        Tokens that could merge with later text are left out.
        """
        if self._stopped:
            return ()
        tokens = tuple(int(token) for token in self._matcher.compute_ff_tokens())
        alone = not tokens and self.complete and self._matcher.is_stopped() and len(self._table.stop_ids) == 1
        return (self._table.stop_id,) if alone else tokens
