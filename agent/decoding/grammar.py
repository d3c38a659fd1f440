"""Constrained decoding: which tokens a grammar allows next, and which it forces.

The grammar engine is llguidance: it needs nothing else, reads Lark, works on the bytes behind a
tokenizer's tokens (byte-level BPE and byte fallback alike), and takes back tokens.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ...actions.errors import MissingPartError, UsageError
from .tree import DraftTree

if TYPE_CHECKING:
    from llguidance import LLMatcher, LLTokenizer
    from transformers import PreTrainedTokenizerFast


class TokenTable:
    """A tokenizer's tokens as bytes; expensive to make, so make one per tokenizer.

    Args:
        tokenizer: a fast tokenizer.
        vocabulary: number of the model's scores, which may be more than the tokenizer's tokens.
        stop_ids: tokens that end a reply; by default the tokenizer's end token.

    Raises:
        MissingPartError: llguidance is not installed.
    """

    def __init__(
        self,
        tokenizer: PreTrainedTokenizerFast,
        vocabulary: int | None = None,
        stop_ids: Collection[int] = (),
    ) -> None:
        try:
            from llguidance.hf import from_tokenizer
        except ImportError as error:
            raise MissingPartError("constrained decoding needs llguidance: pip install llguidance") from error
        end = tokenizer.eos_token_id
        # llguidance takes the first one for the end token proper.
        stops = sorted(stop_ids, key=lambda token: (token != end, token)) or None
        self.tokens: LLTokenizer = from_tokenizer(tokenizer, n_vocab=vocabulary, eos_token=stops)
        self.vocabulary = int(self.tokens.vocab_size)
        self.stop_ids = frozenset(self.tokens.eos_tokens)
        self.stop_id = int(self.tokens.eos_token)
        self.special = frozenset(tokenizer.get_added_vocab())


class GrammarConstraint:
    """A compiled grammar over a tokenizer's tokens.

    Args:
        tokenizer: or its ``TokenTable``, where several grammars share one.
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

    @property
    def stop_id(self) -> int:
        """The token with which a reply most likely ends: the tokenizer's own end token."""
        return self.table.stop_id

    def start(self) -> GrammarState:
        """The state before the first token of a reply."""
        return GrammarState(self.table, self._matcher.deep_copy())


class GrammarState:
    """How far a reply has come in its grammar."""

    def __init__(self, table: TokenTable, matcher: LLMatcher) -> None:
        self._table = table
        self._matcher = matcher
        self._stopped = False

    def copy(self) -> GrammarState:
        """A state of its own at the same place."""
        twin = GrammarState(self._table, self._matcher.deep_copy())
        twin._stopped = self._stopped
        return twin

    @property
    def complete(self) -> bool:
        """Whether the reply may end here."""
        return not self._stopped and bool(self._matcher.is_accepting())

    def mask(self) -> NDArray[np.bool_]:
        """Vocabulary; the tokens that may come next, stop tokens included; none once the reply has ended.

        Where the text is forced, only the token is allowed with which the tokenizer would go on.
        """
        if self._stopped:
            return np.zeros(self._table.vocabulary, dtype=np.bool_)
        bits = np.frombuffer(self._matcher.compute_bitmask(), dtype=np.uint8)
        mask = np.unpackbits(bits, count=self._table.vocabulary, bitorder="little").view(np.bool_)
        if (error := self._matcher.get_error()) != "":
            raise RuntimeError(f"the grammar engine gave up: {error}")
        return mask

    def accepts(self, tokens: Sequence[int]) -> int:
        """How many of these tokens spell text that may follow, however they divide forced text."""
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
        """A token was committed.

        Raises:
            ValueError: the grammar does not allow it; the state is as before.
        """
        if token in self._table.stop_ids and self.complete:
            self._stopped = True
        elif token in self._table.stop_ids or self._stopped or self._matcher.try_consume_tokens([token]) != 1:
            raise ValueError(f"the grammar does not allow token {token} here")

    def rollback(self, count: int) -> None:
        """Take the last ``count`` tokens back."""
        if count and self._stopped:
            self._stopped, count = False, count - 1
        if count and not self._matcher.rollback(count):
            raise ValueError(f"cannot take back {count} tokens: {self._matcher.get_error()}")

    def forced(self) -> tuple[int, ...]:
        """The only way on as the tokenizer would write it, as far as there is only one.

        Other tokens may spell the same text, so this is a draft and not a reply. What could merge with
        the text behind it is left off.
        """
        if self._stopped:
            return ()
        tokens = tuple(int(token) for token in self._matcher.compute_ff_tokens())
        alone = not tokens and self.complete and self._matcher.is_stopped() and len(self._table.stop_ids) == 1
        return (self._table.stop_id,) if alone else tokens

    def masks_for_tree(self, tree: DraftTree) -> NDArray[np.bool_]:
        """Nodes x vocabulary; what may follow each node.

        Nothing may follow nodes that the grammar does not allow themselves.
        """
        masks = np.zeros((len(tree), self._table.vocabulary), dtype=np.bool_)
        self._fill(tree, 0, masks)
        return masks

    def _fill(self, tree: DraftTree, node: int, masks: NDArray[np.bool_]) -> None:
        masks[node] = self.mask()
        for token, child in tree.children(node).items():
            if masks[node, token]:
                self.advance(token)
                self._fill(tree, child, masks)
                self.rollback(1)
