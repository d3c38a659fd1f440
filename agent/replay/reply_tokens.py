"""Expected replies as a checkpoint's tokens, and which of them need not match."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property

from ...actions.errors import ParseError
from ..checkpoints.processor import Tokenizer
from ..decoding.verify_replies import ExpectedTokens
from .expected import ExpectedReply
from .point_tolerance import Read, coordinates, tolerated_tokens


class ReplyTokens:
    """Tokenizes expected replies.

    Args:
        tokenizer: the checkpoint's.
        stop: the token that ends a reply.
    """

    def __init__(self, tokenizer: Tokenizer, stop: int) -> None:
        self._tokenizer = tokenizer
        self._stop = stop

    def ids(self, raw: str) -> tuple[int, ...]:
        """The tokens of a reply, and the one that ends it."""
        return (*self._encode(raw), self._stop)

    def spell(self, expected: ExpectedReply, read: Read, tolerance: float) -> ExpectedTokens:
        """Tokenize a reply, with the tokens that are accepted instead.

        Args:
            expected: the reply.
            read: parses a reply for the newest screenshot.
            tolerance: the largest distance of points along an axis, in pixels.
        """
        ids: list[int] = []
        unverified: set[int] = set()
        for piece, asked in _pieces(expected):
            tokens = self._encode(piece)
            unverified |= set() if asked else set(range(len(ids), len(ids) + len(tokens)))
            ids += tokens
        lenient = self._tolerated(expected.raw, ids, read, tolerance) if tolerance > 0 else {}
        return ExpectedTokens((*ids, self._stop), frozenset(unverified), lenient)

    def _tolerated(self, raw: str, ids: Sequence[int], read: Read, tolerance: float) -> dict[int, frozenset[int]]:
        try:
            numbers = coordinates(raw, read)
        except ParseError:
            return {}
        texts = [self._tokenizer.decode([token]) for token in ids]
        return tolerated_tokens(texts, numbers, self._digits, tolerance)

    def _encode(self, text: str) -> list[int]:
        return self._tokenizer.encode(text, add_special_tokens=False) if text else []

    @cached_property
    def _digits(self) -> dict[int, str]:
        vocabulary = self._tokenizer.get_vocab()
        return {token: text for text, token in vocabulary.items() if text.isascii() and text.isdigit()}


def _pieces(expected: ExpectedReply) -> Iterator[tuple[str, bool]]:
    """The pieces of a reply, and whether each is verified."""
    begin = 0
    for start, end in expected.unverified:
        yield expected.raw[begin:start], True
        yield expected.raw[start:end], False
        begin = end
    yield expected.raw[begin:], True
