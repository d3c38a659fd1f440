"""Text that a recording must not keep, recognised by where it is typed; a replay fills in its markers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from urllib.parse import quote, quote_plus

from ...perception.redact import within
from ...perception.screen import Region
from ..input_events import ButtonInput, KeyInput, TextInput
from .source import RecordedEvent

PASSWORD = "password"
SECRET = "secret"


def marker(name: str) -> str:
    """What stands for a variable in recorded text."""
    return "{{" + name + "}}"


class Secrets:
    """Names for secret texts: equal texts get one name, so a password typed twice is one variable.

    The texts themselves are kept in memory only.
    """

    def __init__(self) -> None:
        self._names: dict[tuple[str, str], str] = {}
        self._counts: dict[str, int] = {}

    def conceal(self, kind: str, text: str) -> str:
        """The marker to record for a text: ``{{password}}``, ``{{password-2}}``, ``{{secret-1}}``."""
        if (kind, text) not in self._names:
            number = self._counts[kind] = self._counts.get(kind, 0) + 1
            bare = kind == PASSWORD and number == 1
            self._names[kind, text] = marker(kind if bare else f"{kind}-{number}")
        return self._names[kind, text]

    def scrub(self, address: str) -> str:
        """An address with markers for the secrets so far: forms put typed text there."""
        for (_, text), name in sorted(self._names.items(), key=lambda item: -len(item[0][1])):
            for written in (text, quote(text, safe=""), quote_plus(text)):
                address = address.replace(written, name)
        return address


class SecretRegions:
    """Marks as secret what is typed after a click into one of some regions (in input points of the screen)."""

    def __init__(self, regions: Sequence[Region]) -> None:
        self._regions = regions
        self._inside = False

    def mark(self, events: Iterable[RecordedEvent]) -> Iterator[RecordedEvent]:
        """The events, with what is typed into a region marked."""
        for event, frame in events:
            if isinstance(event, ButtonInput) and event.down:
                self._inside = any(within(event.point, region) for region in self._regions)
            elif self._inside and isinstance(event, KeyInput | TextInput) and not event.secret:
                event = replace(event, secret=SECRET)
            yield event, frame
