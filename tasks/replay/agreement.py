"""A recording is data: what it names is used only when the user says so.

A recording of others names programs to start, pages to open, a model to ask and secrets to type. A replay uses each
only if the command line or the call names it, too, or a person agrees after being shown it. One's own recordings
(``env.trajectory.ownership``) need no agreement: the user named all of it when they were made.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from ...actions.errors import UsageError
from ...actions.schema import Navigate, OpenApp
from ...actions.untrusted import one_line
from ...agent.replay.recording import Recording
from ...env.browser.addresses import FILE_ADDRESS, complete_address
from ...env.trajectory.events import StartEvent
from ..models.load import is_remote
from .environment import ReplayOverrides


@dataclass(frozen=True)
class NamedUse:
    """Something that a recording names and its replay would use.

    Attributes:
        name: as the recording names it; agreed to by ``--allow``.
        use: what the replay would do with it, in words for a person.
    """

    name: str
    use: str

    def __str__(self) -> str:
        return one_line(self.use)


Agree = Callable[[Sequence[NamedUse]], None]
"""Gets what a person has to agree to; raises a ``UsageError`` if they do not."""


def refuse(directory: Path, uses: Sequence[NamedUse], how: str) -> UsageError:
    """The error for uses that nobody agreed to; ``how`` says what would allow them."""
    listed = "; ".join(map(str, uses))
    return UsageError(f"{directory} was not recorded by you on this computer, and its replay would {listed}. {how}")


def to_agree(
    start: StartEvent,
    recording: Recording,
    overrides: ReplayOverrides,
    *,
    model: str | None,
    secrets: Sequence[str],
    executed: bool,
    allowed: Sequence[str],
) -> list[NamedUse]:
    """What a replay would use although only the recording names it.

    Args:
        start: of the recording.
        recording: its steps.
        overrides: what was named instead.
        model: that the recording names and the replay would ask; None if it asks another one, or none.
        secrets: names of the secrets that it types.
        executed: whether the actions are executed, rather than only compared.
        allowed: names that were agreed to.
    """
    uses = [_model_use(model)] if model not in (None, "embedded") else []
    if executed:
        uses += _environment_uses(start, recording, overrides, allowed)
        uses += [NamedUse(f"{{{{{name}}}}}", f"type your secret {name} there") for name in secrets]
    return [use for use in dict.fromkeys(uses) if use.name not in allowed]


def _model_use(model: str | None) -> NamedUse:
    name = str(model)
    if is_remote(name):
        return NamedUse(name, f"send the screenshots, and your API key if there is one, to {name}")
    return NamedUse(name, f"load the model {name}")


def _environment_uses(
    start: StartEvent, recording: Recording, overrides: ReplayOverrides, allowed: Sequence[str]
) -> Iterator[NamedUse]:
    actions = [action for step in recording.steps for action in step.actions]
    name = overrides.environment or start.environment
    settings = overrides.settings(start)
    if name == "browser":
        agreed = {_origin(each) for each in (*allowed, overrides.url) if each}
        opened = [settings.url, *(action.url for action in actions if isinstance(action, Navigate))]
        for address in filter(None, opened):
            if (origin := _origin(address)) not in agreed and address != "about:blank":
                agreed.add(origin)
                yield NamedUse(address, f"open the page {address}{_place(address)}")
    if name == "desktop" and overrides.display is None:
        if settings.app is not None:
            boxed = "in a strict sandbox" if settings.sandbox == "strict" else "with all your rights"
            yield NamedUse(settings.app, f"start the program {settings.app} {boxed}")
        for action in actions:
            if isinstance(action, OpenApp):
                yield NamedUse(action.name, f"start the program {action.name}")


def _origin(address: str) -> str:
    """Scheme, host and port of an address; of one without a host, all of it."""
    full = complete_address(address)
    try:
        parts = urlsplit(full)
        port = parts.port or {"http": 80, "https": 443}.get(parts.scheme)
    except ValueError:
        return full
    return f"{parts.scheme}://{parts.hostname}:{port}" if parts.scheme in ("http", "https") and parts.hostname else full


def _place(address: str) -> str:
    """A word about an address that leads to this computer or its network; empty for any other."""
    full = complete_address(address)
    if FILE_ADDRESS.match(full):
        return " (a file of this computer)"
    try:
        host = urlsplit(full).hostname or ""
    except ValueError:
        return ""
    try:
        near = not ipaddress.ip_address(host).is_global
    except ValueError:
        near = bool(host) and ("." not in host or host.endswith((".localhost", ".local", ".internal", ".lan")))
    return " (on this computer or its network)" if near else ""
