"""Policies of the guard: what is allowed, asked about or denied. Three profiles, and files that change them."""

from __future__ import annotations

import hashlib
import re
import tomllib
from collections.abc import Iterable, Mapping
from datetime import datetime, time
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Annotated, Any, Final, Literal, get_args

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, JsonValue, ValidationError

from ...actions import schema
from ...actions.errors import UsageError, first_problem
from ...actions.files import read_text_file
from ...actions.keys import parse_chord
from ..browser.addresses import complete_address
from .intent import CONSEQUENCES, ActionIntent, Consequence, Decision, Ruling
from .judging import Judgement, judge
from .sites import host_of, site_of

ProfileName = Literal["open", "standard", "strict", "read-only"]
PROFILE_NAMES: Final[tuple[ProfileName, ...]] = ("open", "standard", "strict", "read-only")
_LARGEST: Final = 1 << 20
_ORDER: Final[tuple[Decision, ...]] = ("allow", "ask", "deny")
_STRONGLY: Final[tuple[Consequence, ...]] = ("pay", "install", "shell", "system_keys", "leave_site")
_HANDS: Final = (
    *("type", "press", "hotkey", "key_down", "key_up", "drag", "mouse_down", "mouse_up", "right_click", "open_app"),
    *("accept_dialog", "save_download", "upload_files"),
)
"""Kinds that change something, or may: what only looks does none of them."""
_CLICKS: Final = ("click", "double_click", "middle_click", "long_press")
_WORDS: Final[Mapping[Consequence, str]] = {
    "send": "sends something",
    "publish": "publishes something",
    "pay": "pays, buys or orders something",
    "delete": "deletes something",
    "install": "installs or runs a program",
    "credential": "types, shows or changes a password",
    "permission": "gives somebody a permission",
    "download": "saves a file",
    "upload": "uploads a file",
    "leave_site": "acts on another site than the task's",
    "shell": "runs a command in a shell",
    "system_keys": "presses keys of the system",
}


def _pattern(text: str) -> str:
    try:
        re.compile(text)
    except re.error as error:
        raise ValueError(f"it is no pattern: {error}") from error
    return text


def _kinds(names: tuple[str, ...]) -> tuple[str, ...]:
    known = {*action_kinds(), "accept_dialog", "save_download", "upload_files"}
    for name in names:
        if name not in known:
            raise ValueError(f"there is no kind {name!r}; there are {', '.join(sorted(known))}")
    return names


def _chord(text: str) -> str:
    return "+".join(sorted(key.lower() for key in parse_chord(text)))


def _hours(text: str) -> str:
    if not re.fullmatch(r"([01]\d|2[0-3]):[0-5]\d-([01]\d|2[0-3]):[0-5]\d", text):
        raise ValueError("hours are written 08:00-18:30")
    return text


def action_kinds() -> tuple[str, ...]:
    """The kinds of all actions."""
    return tuple(each.model_fields["kind"].default for each in get_args(get_args(schema.Action)[0]))


class GuardRule(BaseModel):
    """One rule: it decides where everything that it names fits.

    Attributes:
        decision: allow, ask or deny.
        consequences: one of them would come about.
        kinds: of action.
        chord: keys, those that are held included.
        text: a pattern that is found in what is typed, or in a dialog.
        domain: of the page, or of the address that is opened; ``example.org`` is also ``www.example.org``.
        link: whether all that is hit are links, which are followed by GET, and nothing else.
        window: the title, with ``*`` for any characters.
        hours: the time of day, such as ``08:00-18:00``.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    decision: Decision
    consequences: tuple[Consequence, ...] = ()
    kinds: Annotated[tuple[str, ...], AfterValidator(_kinds)] = ()
    chord: Annotated[str, AfterValidator(_chord)] | None = None
    text: Annotated[str, AfterValidator(_pattern)] | None = None
    domain: str | None = None
    link: bool | None = None
    window: str | None = None
    hours: Annotated[str, AfterValidator(_hours)] | None = None

    def fits(self, intent: ActionIntent, found: Judgement, now: datetime) -> bool:
        """Whether all that it names fits."""
        return (
            (not self.consequences or bool(found.consequences & {*self.consequences}))
            and (not self.kinds or intent.kind in self.kinds)
            and (self.chord is None or self.chord == _chord_of(intent))
            and (self.text is None or re.search(self.text, intent.text) is not None)
            and (self.link is None or self.link == _hits_links(intent))
            and (self.domain is None or any(_in_domain(each, self.domain) for each in _addresses(intent)))
            and (self.window is None or fnmatchcase(intent.window.casefold(), self.window.casefold()))
            and (self.hours is None or _within(self.hours, now.time()))
        )


class GuardPolicy(BaseModel):
    """What is allowed, asked about and denied.

    Attributes:
        name: of the profile that it is, or begins with.
        consequences: the decision for each; what a file leaves out is the profile's.
        unknown: the decision where it cannot be told what an action does.
        rules: the first that fits decides, whatever the consequences are.
        secrets: where each secret may be typed: domains, and titles or programs of windows with ``*``. One that is not
            named may be typed on the sites of the task, and in every window of a desktop.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: ProfileName
    consequences: dict[Consequence, Decision]
    unknown: Decision
    rules: tuple[GuardRule, ...] = Field(default=(), max_length=1000)
    secrets: dict[str, tuple[str, ...]] = Field(default_factory=dict)

    @property
    def permits_all(self) -> bool:
        """Whether nothing needs to be judged."""
        return not self.rules and {*self.consequences.values(), self.unknown} == {"allow"}

    @property
    def stated(self) -> dict[str, JsonValue]:
        """What an evaluation states of it, so that one with another policy is another; nothing of ``open``."""
        if self.permits_all:
            return {}
        whole = hashlib.sha256(self.model_dump_json().encode()).hexdigest()
        return {"guard": self.name if self == profile(self.name) else f"{self.name} {whole[:16]}"}

    def misplaced(self, intent: ActionIntent, names: Iterable[str], home: tuple[str, ...]) -> tuple[str, ...]:
        """Those of the secrets that may not be typed where an intent would type them."""
        return tuple(each for each in names if not self._may_type(each, intent, home))

    def _may_type(self, name: str, intent: ActionIntent, home: tuple[str, ...]) -> bool:
        places, address = self.secrets.get(name), typed_at(intent)
        if address or home:
            domains = home if places is None else places
            return any(_in_domain(address, each) for each in domains) or (not domains and not site_of(address))
        named = (intent.window.casefold(), intent.program.casefold())
        return places is None or any(fnmatchcase(each, place.casefold()) for place in places for each in named)

    def rule(self, intent: ActionIntent, home: tuple[str, ...] = (), now: datetime | None = None) -> Ruling:
        """Decide about an intent; ``home`` has the sites on which the task began."""
        found = judge(intent, home)
        consequences = tuple(each for each in CONSEQUENCES if each in found.consequences)
        fitting = next((each for each in self.rules if each.fits(intent, found, now or datetime.now())), None)
        if fitting is not None:
            reason = f"a rule of your policy says {fitting.decision}"
            return Ruling(decision=fitting.decision, consequences=consequences, judged=found.judged, reason=reason)
        decisions = [self.consequences.get(each, "deny") for each in consequences]
        decisions += [] if found.judged else [self.unknown]
        decision = max(decisions, key=_ORDER.index, default="allow")
        reasons = [_WORDS[each] for each in consequences]
        reasons += [] if found.judged else ["does something that cannot be judged"]
        return Ruling(decision=decision, consequences=consequences, judged=found.judged, reason=" and ".join(reasons))


def profile(name: ProfileName) -> GuardPolicy:
    """A profile: ``open`` allows everything, ``standard`` asks about consequences, ``strict`` denies the worst.

    ``read-only`` asks nothing: it looks, scrolls, opens addresses of the site and follows its links.
    """
    asked: Decision = "allow" if name == "open" else "ask"
    consequences = dict.fromkeys(CONSEQUENCES, asked)
    if name == "strict":
        consequences |= dict.fromkeys(_STRONGLY, "deny")
    if name != "read-only":
        return GuardPolicy(name=name, consequences=consequences, unknown=asked)
    hands = GuardRule(decision="deny", kinds=_HANDS)
    clicks = GuardRule(decision="deny", kinds=_CLICKS, link=False)
    denied: dict[Consequence, Decision] = dict.fromkeys(CONSEQUENCES, "deny")
    return GuardPolicy(name=name, consequences=denied, unknown="deny", rules=(hands, clicks))


def read_guard_policy(source: str | Path) -> GuardPolicy:
    """A policy by the name of its profile, or out of a TOML file.

    Raises:
        UsageError: there is neither; or the file says what no policy can.
    """
    for name in PROFILE_NAMES:
        if source == name:
            return profile(name)
    path = Path(source)
    if not path.is_file() and path.suffix != ".toml":
        raise UsageError(
            f"the guard (--guard) has no profile {str(source)!r}; name open, standard, strict, read-only or a file"
        )
    try:
        return _from_toml(tomllib.loads(read_text_file(path, _LARGEST)))
    except ValidationError as error:
        raise UsageError(f"{path} is no policy of the guard: {first_problem(error)}") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"{path} is not UTF-8 at byte {error.start}") from error
    except OSError as error:
        raise UsageError(f"cannot read the guard's policy {path}: {error.strerror}") from error
    except (ValueError, UsageError) as error:
        raise UsageError(f"{path} is no policy of the guard: {error}") from error


def _from_toml(data: dict[str, Any]) -> GuardPolicy:
    name = data.pop("profile", "standard")
    if name not in PROFILE_NAMES:
        raise ValueError(f"there is no profile {name!r}; there are {', '.join(PROFILE_NAMES)}")
    base = profile(name)
    given = data.pop("consequences", {})
    if not isinstance(given, dict):
        raise ValueError('consequences is a table, such as [consequences] with pay = "deny"')
    rules = data.pop("rules", [])
    rules = [*rules, *base.rules] if isinstance(rules, list) else rules
    return GuardPolicy.model_validate(
        {"name": name, "consequences": {**base.consequences, **given}, "unknown": base.unknown, "rules": rules, **data}
    )


def _chord_of(intent: ActionIntent) -> str | None:
    match intent.action:
        case schema.Hotkey():
            keys = intent.action.keys
        case schema.Press() | schema.KeyDown():
            keys = (intent.action.key,)
        case _:
            return None
    return "+".join(sorted({key.lower() for key in (*intent.held, *keys)}))


def typed_at(intent: ActionIntent) -> str:
    """The address that gets what is typed: of the page, or of the frame in it that has the focus."""
    origin = intent.targets[-1].origin if intent.targets else ""
    return origin if origin and not (origin == "null" and not host_of(intent.address)) else intent.address


def _hits_links(intent: ActionIntent) -> bool:
    return bool(intent.targets) and all(
        each.known and each.href.lower().startswith(("http:", "https:")) and not (each.editable or each.submitting)
        for each in intent.targets
    )


def _addresses(intent: ActionIntent) -> tuple[str, ...]:
    opened = (complete_address(intent.action.url),) if isinstance(intent.action, schema.Navigate) else ()
    return opened or (intent.address,)


def _in_domain(address: str, domain: str) -> bool:
    host, wanted = host_of(address), domain.casefold()
    if "*" in wanted:
        return fnmatchcase(host, wanted)
    return host == wanted or host.endswith(f".{wanted}") or site_of(address) == wanted


def _within(hours: str, now: time) -> bool:
    begin, end = (time.fromisoformat(each) for each in hours.split("-"))
    return begin <= now < end if begin <= end else now >= begin or now < end
