"""What must hold at the end of an episode, checked on the environment's side; the policy never sees it.

text=Order placed      the page shows this text; capitals and white space do not matter
url=*/orders/*         the page's address; ``*`` stands for any characters
title=*Done*           the page's title; on a desktop that of any window
file=~/invoice.pdf     a file or folder exists
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol, get_args, runtime_checkable

from ..actions.errors import UsageError
from ..actions.schema import Action
from ..perception.observation import Observation
from .base import Environment, StepResult, SupportsVerdict, Verdict
from .wrappers import EnvironmentWrapper

EvidenceKind = Literal["text", "url", "title"]
_KINDS = (*get_args(EvidenceKind), "file")


@runtime_checkable
class SupportsEvidence(Protocol):
    """An environment that shows what expectations are checked against."""

    @property
    def evidence_kinds(self) -> tuple[EvidenceKind, ...]:
        """Which kinds it has."""

    def evidence(self, kind: EvidenceKind) -> Sequence[str]:
        """The texts of this kind as they are now; raises ``EnvironmentFailure`` if they cannot be had."""


@dataclass(frozen=True)
class Expectation:
    """One thing that must hold at the end: ``kind`` is ``text``, ``url``, ``title`` or ``file``."""

    kind: str
    value: str

    def __str__(self) -> str:
        return f"{self.kind}={self.value}"

    def holds(self, environment: Environment) -> bool:
        """Whether it holds now."""
        if self.kind == "file":
            return Path(self.value).expanduser().exists()
        assert isinstance(environment, SupportsEvidence)
        return any(map(self._fits, environment.evidence(self.kind)))  # type: ignore[arg-type]

    def _fits(self, found: str) -> bool:
        if self.kind == "text":
            return _plain(self.value) in _plain(found)
        if self.kind == "title":
            return _matches(_plain(self.value), _plain(found))
        return _matches(self.value, found)


def parse_expectations(texts: Iterable[str]) -> tuple[Expectation, ...]:
    """Expectations from texts such as ``title=*Done*``.

    Raises:
        UsageError: one is none of the four kinds, or names nothing.
    """
    found: list[Expectation] = []
    for text in texts:
        kind, _, value = text.partition("=")
        if kind not in _KINDS or not value.strip() or "\0" in value:
            raise UsageError(f"expect (--expect) takes {', '.join(f'{kind}=…' for kind in _KINDS)}, not {text!r}")
        found.append(Expectation(kind, value))
    return tuple(found)


def check_expectations(expectations: Iterable[Expectation], kinds: Sequence[EvidenceKind], name: str) -> None:
    """Raise ``UsageError`` for one that can never hold in an environment, called ``name``, that has these kinds."""
    for each in expectations:
        if each.kind not in (*kinds, "file"):
            known = ", ".join(f"{kind}=…" for kind in (*kinds, "file"))
            raise UsageError(f"{each} (--expect) cannot be checked in the environment {name}; it knows {known}")


class Expecting(EnvironmentWrapper):
    """Judges an episode by what must hold at its end, and by what the environment itself says of it, if it does.

    Raises:
        UsageError: the environment cannot be asked for one of them.
    """

    def __init__(self, environment: Environment, expectations: Sequence[Expectation], name: str = "") -> None:
        super().__init__(environment)
        kinds = environment.evidence_kinds if isinstance(environment, SupportsEvidence) else ()
        check_expectations(expectations, kinds, name or type(environment).__name__)
        self._expectations = expectations
        self._reward = 0.0

    def reset(self, seed: int | None = None) -> Observation:
        """Start an episode."""
        self._reward = 0.0
        return super().reset(seed)

    def step(self, action: Action) -> StepResult:
        """Execute an action."""
        result = super().step(action)
        self._reward += result.reward
        return result

    def judge(self, last: Action | None) -> Verdict:
        """See ``SupportsVerdict``."""
        own = self._own_verdict(last)
        missed = [each for each in self._expectations if not each.holds(self._environment)]
        reasons = [own.reason if own else "", "not met: " if missed else "met: "]
        reasons[1] += "; ".join(map(str, missed or self._expectations))
        reward = float(not missed) if own is None else own.reward
        return Verdict(reward, not missed and (own is None or own.success), "; ".join(filter(None, reasons)))

    def _own_verdict(self, last: Action | None) -> Verdict | None:
        """What the environment says; None where it sets no task, and so judges none."""
        if isinstance(self._environment, SupportsVerdict):
            return self._environment.judge(last)
        if self.instruction is None:
            return None
        return Verdict(0.0, self._reward > 0, "" if self._reward > 0 else "the environment gave no reward")


def _plain(text: str) -> str:
    return " ".join(text.split()).casefold()


def _matches(pattern: str, text: str) -> bool:
    """Whether the whole text fits a pattern in which ``*`` stands for any characters; linear in both."""
    first, *rest = pattern.split("*")
    if not rest:
        return text == pattern
    *middle, last = rest
    if not text.startswith(first) or not text.endswith(last) or len(text) < len(first) + len(last):
        return False
    place, end = len(first), len(text) - len(last)
    for part in middle:
        place = text.find(part, place, end)
        if place < 0:
            return False
        place += len(part)
    return True
