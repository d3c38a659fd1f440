"""Text that a recording must not keep, told by where it is typed; a replay fills in what stands for it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from urllib.parse import quote, quote_plus

from ...perception.redact import within
from ...perception.screen import Region
from ..input_events import ButtonInput, Input, KeyInput, TextInput

PASSWORD = "password"
SECRET = "secret"

Release = Callable[[Input], None]
"""Is given an event that was held, marked where it is secret."""
Hold = Callable[[Input, Release], None]
"""Takes an event and releases it, at once or later, in order."""


def pass_on(event: Input, release: Release) -> None:
    """Hold nothing back."""
    release(event)


def marker(name: str) -> str:
    """What stands for a variable in recorded text."""
    return "{{" + name + "}}"


class Secrets:
    """Names for secret texts: equal texts have one name, so a password typed twice is one variable.

    The texts themselves are only in memory, as long as the recording goes on.
    """

    def __init__(self) -> None:
        self._names: dict[tuple[str, str], str] = {}
        self._counts: dict[str, int] = {}

    def conceal(self, kind: str, text: str) -> str:
        """What is recorded in place of a text: ``{{password}}``, ``{{password-2}}``, ``{{secret-1}}``."""
        if (kind, text) not in self._names:
            number = self._counts[kind] = self._counts.get(kind, 0) + 1
            bare = kind == PASSWORD and number == 1
            self._names[kind, text] = marker(kind if bare else f"{kind}-{number}")
        return self._names[kind, text]

    def scrubbed(self, address: str) -> str:
        """An address without the secrets known so far: forms put what was typed there."""
        for (_, text), name in sorted(self._names.items(), key=lambda item: -len(item[0][1])):
            for written in (text, quote(text, safe=""), quote_plus(text)):
                address = address.replace(written, name)
        return address


class SecretRegions:
    """Knows from the last click whether what is typed goes into a region that must not be kept.

    Args:
        regions: in input points of the screen.
    """

    def __init__(self, regions: Sequence[Region]) -> None:
        self._regions = tuple(regions)
        self._inside = False

    def marked(self, event: Input) -> Input:
        """The event, marked as secret where it is."""
        if isinstance(event, ButtonInput) and event.down:
            self._inside = any(within(event.point, region) for region in self._regions)
        elif self._inside and isinstance(event, KeyInput | TextInput) and not event.secret:
            return replace(event, secret=SECRET)
        return event
