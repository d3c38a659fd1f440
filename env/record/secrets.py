"""Text that a recording must not keep, recognised by where it is typed; a replay fills in its markers."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import count

from ...perception.redact import within
from ...perception.screen import Region
from ..input_events import ButtonInput, KeyInput, TextInput
from ..secrets import Secrets, marker
from .source import RecordedEvent

PASSWORD = "password"
SECRET = "secret"
_BEGUN = 3
"""Characters of a secret after which it may be what is being typed."""
_CORRECTED = 4
"""Wrong characters that a person types before correcting them."""


def marked(text: str, variables: Mapping[str, str]) -> str:
    """A text with markers in the place of the values of variables, the longest first."""
    values = {value: marker(name) for name, value in variables.items() if value}
    pattern = "|".join(map(re.escape, sorted(values, key=len, reverse=True)))
    return re.sub(pattern, lambda match: values[match.group()], text) if values else text


class TypedSecrets(Secrets):
    """Names for secret texts that are typed: equal texts get one name, so a password typed twice is one variable."""

    def begun(self, text: str) -> bool:
        """Whether the end of a text may go on, after corrections, as one of the secrets."""
        for secret in self.texts:
            tail = text[-len(secret) - _CORRECTED :]
            if len(secret) > 1 and secret[: min(_BEGUN, len(secret) - 1)] in tail and secret not in tail:
                return True
        return False

    def name(self, kind: str, text: str) -> str:
        """The marker to record for a text: ``{{password}}``, ``{{password-2}}``, ``{{secret-1}}``."""
        known = next((name for name in self.names if self.fill(marker(name)) == text), None)
        if known is None:
            numbers = (kind if number == 1 and kind == PASSWORD else f"{kind}-{number}" for number in count(1))
            known = next(name for name in numbers if name not in self.names)
            self.add(known, text)
        return marker(known)


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
