"""Which words on a button, in a dialog or on a field say what it does, in the languages of ``words.json``."""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterator, Sequence
from functools import cache, lru_cache
from importlib import resources

_WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)*")
_PARTS = re.compile(r"(?<=[a-z])(?=[A-Z])|[\W_]+|(?<=[a-z])(?=\d)")
_UNSPACED = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af\u0900-\u097f]")
"""Letters of scripts in which words are found without the spaces around them."""
_LONGEST = 1000
_LOOKALIKES = str.maketrans("аеорсухіјѕԁһӏкмнтвԛԝαεορτυχικνηβμı", "aeopcyxijsdhlkmhtbqwaeoptuxiknnbui")
"""Cyrillic and Greek letters that look like Latin ones."""


def plain(text: str) -> str:
    """A text as words are compared: folded, and without what cannot be seen."""
    folded = unicodedata.normalize("NFKC", text[:_LONGEST]).casefold()
    seen = "".join(each for each in folded if unicodedata.category(each) not in ("Cf", "Cc"))
    return unicodedata.normalize("NFKC", seen)


@lru_cache(maxsize=2048)
def words_of(text: str) -> tuple[str, ...]:
    """The words of a text."""
    spaced = re.sub(r"[\x00-\x1f]", " ", text)
    return tuple(word.replace("’", "'") for word in _WORD.findall(plain(spaced)))


def parts_of(code: str) -> tuple[str, ...]:
    """The words that names in code are made of: ``btnDelete icon-trash`` has four."""
    return tuple(each.lower() for each in _PARTS.split(code[:_LONGEST]) if each)


class Phrases:
    """Phrases of one meaning; a phrase is a sequence of words."""

    def __init__(self, texts: Sequence[str]) -> None:
        self._unspaced = tuple(plain(text).replace(" ", "") for text in texts if _UNSPACED.search(text))
        phrases = [words_of(text) for text in texts if not _UNSPACED.search(text)]
        self._wholes = frozenset(phrases)
        self._by_first: dict[str, list[tuple[str, ...]]] = {}
        for phrase in phrases:
            self._by_first.setdefault(phrase[0], []).append(phrase)

    def is_whole(self, text: str) -> bool:
        """Whether the text is one of them, and nothing else."""
        return any(words in self._wholes for words in _readings(text)) or _squeezed(text) in self._unspaced

    def begins(self, text: str) -> bool:
        """Whether the text begins with one of them."""
        squeezed = _squeezed(text)
        starts = any(squeezed.startswith(each) for each in self._unspaced)
        return starts or any(next(self._at(words, 0), 0) for words in _readings(text))

    def within(self, text: str, most: int) -> bool:
        """Whether one of them is among the first so many words of the text."""
        squeezed = _squeezed(text)[: 4 * most]
        if any(each in squeezed for each in self._unspaced):
            return True
        return any(next(self._at(words, place), 0) for words in _readings(text) for place in range(len(words[:most])))

    def without(self, text: str) -> str:
        """The text without them."""
        words, left, place = words_of(text), [], 0
        while place < len(words):
            length = max(self._at(words, place), default=0)
            left.append("|" if length else words[place])
            place += length or 1
        return " ".join(left) if len(left) < len(words) or "|" in left else text

    def _at(self, words: Sequence[str], place: int) -> Iterator[int]:
        """The lengths of those that stand at a place of some words."""
        for phrase in self._by_first.get(words[place], ()) if place < len(words) else ():
            if tuple(words[place : place + len(phrase)]) == phrase:
                yield len(phrase)


@lru_cache(maxsize=2048)
def _readings(text: str) -> tuple[tuple[str, ...], ...]:
    """The words of a text, and how they read where letters of another script stand for those that look like them."""
    words = words_of(text)
    other = tuple(word.translate(_LOOKALIKES) for word in words)
    return (words,) if other == words else (words, other)


def _squeezed(text: str) -> str:
    return plain(text).replace(" ", "")


@cache
def phrases(meaning: str) -> Phrases:
    """The phrases of a meaning in ``words.json``: a consequence, ``dismiss``, ``yes`` ..."""
    text = resources.files(__package__).joinpath("words.json").read_text(encoding="utf-8")
    by_language: dict[str, str] = json.loads(text)[meaning]
    return Phrases([each.strip() for listed in by_language.values() for each in listed.split("|")])
