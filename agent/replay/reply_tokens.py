"""Expected replies in a checkpoint's own tokens, and what of them is not asked of the model."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property

from ...actions.errors import ParseError
from ..checkpoints.processor import Tokenizer
from ..decoding.verify_replies import ExpectedTokens
from .expected import ExpectedReply
from .point_tolerance import Read, coordinates, lenient_tokens


class ReplyTokens:
    """Spells expected replies.

    Args:
        tokenizer: the checkpoint's.
        stop: the token that ends a reply.
    """

    def __init__(self, tokenizer: Tokenizer, stop: int) -> None:
        self._tokenizer = tokenizer
        self._stop = stop

    def spell(self, expected: ExpectedReply, read: Read, tolerance: float) -> ExpectedTokens:
        """A reply as tokens, and where others will do.

        Args:
            expected: the reply.
            read: what a reply means for the newest screenshot.
            tolerance: how far points may be off along an axis, in pixels.
        """
        ids: list[int] = []
        unasked: set[int] = set()
        for piece, asked in _pieces(expected):
            tokens = self._encode(piece)
            unasked |= set() if asked else set(range(len(ids), len(ids) + len(tokens)))
            ids += tokens
        lenient = self._lenient(expected.raw, ids, read, tolerance) if tolerance > 0 else {}
        return ExpectedTokens((*ids, self._stop), frozenset(unasked), lenient)

    def _lenient(
        self, raw: str, ids: Sequence[int], read: Read, tolerance: float
    ) -> dict[int, frozenset[int]]:
        try:
            numbers = coordinates(raw, read)
        except ParseError:
            return {}
        texts = [self._tokenizer.decode([token]) for token in ids]
        return lenient_tokens(texts, numbers, self._digits, tolerance)

    def _encode(self, text: str) -> list[int]:
        return self._tokenizer.encode(text, add_special_tokens=False) if text else []

    @cached_property
    def _digits(self) -> dict[int, str]:
        vocabulary = self._tokenizer.get_vocab()
        return {token: text for text, token in vocabulary.items() if text.isascii() and text.isdigit()}


def _pieces(expected: ExpectedReply) -> Iterator[tuple[str, bool]]:
    """A reply cut where asking begins and ends, and whether each piece is asked about."""
    begin = 0
    for start, end in expected.unasked:
        yield expected.raw[begin:start], True
        yield expected.raw[start:end], False
        begin = end
    yield expected.raw[begin:], True
