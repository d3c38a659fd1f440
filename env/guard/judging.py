"""What an action would do that matters: judged from its target's words, from keys, typed text and addresses.

What a page says of itself counts as evidence for a consequence, never as evidence against one, except for plain
words such as "Cancel". What tells nothing is not taken for harmless: it is reported as not judged.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Collection
from typing import Final, NamedTuple

from ...actions import schema
from ...actions.keys import MODIFIERS
from ..browser.addresses import complete_address
from .intent import CONSEQUENCES, ActionIntent, Consequence, Target
from .sites import site_of
from .words import parts_of, phrases, words_of


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


_NAMED: Final[tuple[Consequence, ...]] = tuple(
    each for each in CONSEQUENCES if each in ("send", "publish", "pay", "delete", "install", "credential", "permission")
)
_CHOICES: Final = _names("option tab textbox searchbox combobox listbox slider spinbutton scrollbar")
"""Roles that choose or hold something, and do nothing further."""
_SETTINGS: Final = _names("checkbox radio switch menuitemcheckbox menuitemradio")
_MARKER: Final = re.compile(r"\{\{[\w.-]+\}\}")
_COMMANDS: Final = re.compile(
    r"(?:^|[\n;&|][^\S\n]*)(?:sudo|su|rm|dd|mkfs\S*|chmod|chown|curl|wget|bash|sh|zsh|powershell|pwsh|cmd|nc|ncat|ssh|scp|"
    r"eval|exec|python\d?|perl|ruby|node|pip\d?|npm|apt(?:-get)?|dnf|yum|brew|systemctl|kill|killall|crontab|reg|"
    r"schtasks|certutil|mshta|osascript|iex|invoke-\w+)\s+\S",
    re.IGNORECASE,
)
_SEEN_ONLY: Final = _names(
    "escape up down left right pageup pagedown home end capslock numlock scrolllock volumeup volumedown volumemute"
)
"""Keys that move and look, wherever they go."""
_ICONS: Final = {
    "trash": "delete", "delete": "delete", "remove": "delete", "bin": "delete", "erase": "delete",
    "send": "send", "paperplane": "send", "submit": "send", "pay": "pay", "buy": "pay", "purchase": "pay",
    "checkout": "pay", "publish": "publish", "share": "publish", "install": "install", "grant": "permission",
    "authorize": "permission", "approve": "permission",
}  # fmt: skip
_HARMLESS_ICONS: Final = _names(
    "close menu hamburger arrow chevron caret next prev previous back forward play pause mute search magnifier expand "
    "collapse toggle nav zoom calendar datepicker dropdown info help home refresh reload star more less up down left "
    "right plus minus increment decrement scroll carousel slider theme day sort clear x logo avatar"
)
_SENDERS: Final = frozenset(("ctrl", "meta"))
_MOST_WORDS: Final = 12
"""Words of a button's name in which a command is looked for."""
_AROUND: Final = 60
_AWAY: Final = (
    schema.Click, schema.DoubleClick, schema.MouseDown, schema.MouseUp, schema.Drag, schema.LongPress, schema.Type,
    schema.Press, schema.Hotkey, schema.KeyDown, schema.KeyUp,
)  # fmt: skip


class Judgement(NamedTuple):
    """The consequences that an action would have, and whether that could be told."""

    consequences: frozenset[Consequence]
    judged: bool = True

    def and_(self, other: Judgement) -> Judgement:
        """Both."""
        return Judgement(self.consequences | other.consequences, self.judged and other.judged)


NOTHING: Final = Judgement(frozenset())
NOT_JUDGED: Final = Judgement(frozenset(), judged=False)


def judge(intent: ActionIntent, home: Collection[str] = ()) -> Judgement:
    """What an action would do; ``home`` has the sites on which the task began."""
    match intent.kind:
        case "save_download":
            return _only("download")
        case "upload_files":
            return _only("upload") if _away(intent.address, home) else NOTHING
        case "accept_dialog":
            return Judgement(_said(intent.text, _AROUND))
    action = intent.action
    if action is None:
        return NOT_JUDGED
    away = isinstance(action, _AWAY) and _away(intent.address, home)
    away = away or (isinstance(action, schema.Type) and any(_away(each.origin, home) for each in intent.targets))
    found = _judge_action(action, intent, home)
    return found.and_(_only("leave_site")) if away and not _looks_only(action) else found


def _judge_action(action: schema.Action, intent: ActionIntent, home: Collection[str]) -> Judgement:
    match action:
        case schema.Move() | schema.Scroll() | schema.Wait() | schema.RightClick():
            return NOTHING
        case schema.NavigateBack() | schema.PressBack() | schema.PressHome():
            return NOTHING
        case schema.Finished() | schema.CallUser():
            return NOTHING
        case schema.Navigate():
            return _only("leave_site") if _away(action.url, home) else NOTHING
        case schema.OpenApp():
            return _only("shell") if phrases("terminal").within(action.name, 4) else NOTHING
        case schema.Drag():
            return _dragged(intent)
        case schema.MouseDown() | schema.MouseUp() if action.button != "left":
            return NOTHING
        case schema.MiddleClick():
            return _clicked(intent, home) if any(each.href or not each.known for each in intent.targets) else NOTHING
        case schema.Click() | schema.DoubleClick() | schema.LongPress() | schema.MouseDown() | schema.MouseUp():
            return _clicked(intent, home)
        case schema.Type():
            return _typed(action, intent, home)
        case schema.Hotkey():
            return _pressed(tuple(action.keys), intent, home)
        case schema.Press() | schema.KeyDown() | schema.KeyUp():
            return _pressed((action.key,), intent, home)
    return NOT_JUDGED  # an action that came later than this table


def _clicked(intent: ActionIntent, home: Collection[str]) -> Judgement:
    found = NOTHING if intent.targets else NOT_JUDGED
    for target in intent.targets:
        found = found.and_(_activated(target, home))
    return found


def _activated(target: Target, home: Collection[str]) -> Judgement:
    """What a click on a target does, or Enter where it has the focus."""
    if not target.known:
        return NOT_JUDGED
    link = target.role == "link" and bool(target.href)
    leaves = _only("leave_site") if link and _away(target.href, home) else NOTHING
    if target.editable or target.role in _CHOICES:
        return leaves
    said = [each for each in (target.name, target.shown) if words_of(each)]
    if said and all(phrases("dismiss").is_whole(each) for each in said):
        return leaves
    found: frozenset[Consequence] = frozenset(
        each for each in _NAMED for text in said if _commands(each, text, target, link)
    )
    if not found and any(_agrees(each) for each in said):
        found = _said(target.around, _AROUND)
    if not found and target.submitting and target.sends_to:
        found = _sent(target.sends_to, said, home)
    if not said and target.active and not link:
        return leaves.and_(_by_icon(target))
    return leaves.and_(Judgement(found))


def _commands(consequence: Consequence, text: str, target: Target, link: bool) -> bool:
    """Whether the words on a target command something; a text that merely has a word in it does not."""
    wording, text = phrases(consequence), phrases("harmless").without(text)
    count = len(words_of(text))
    if link:
        return count <= 4 and wording.begins(text)
    if target.role in _SETTINGS or not target.active:
        return wording.is_whole(text)
    return wording.within(text, _MOST_WORDS) if count <= _MOST_WORDS else wording.begins(text)


def _agrees(text: str) -> bool:
    return phrases("yes").is_whole(text) or (len(words_of(text)) <= 4 and phrases("yes").begins(text))


def _said(text: str, most: int) -> frozenset[Consequence]:
    """The consequences that a dialog speaks of."""
    text = phrases("harmless").without(text)
    consented = {"cookie", "cookies"} & {*words_of(text)}
    asked: tuple[Consequence, ...] = ("pay", "delete", "install") if consented else _NAMED
    return frozenset(each for each in asked if phrases(each).within(text, most))


def _sent(address: str, said: list[str], home: Collection[str]) -> frozenset[Consequence]:
    """What a form does that is sent by POST, where its button's words do not tell."""
    away: frozenset[Consequence] = frozenset(("send", "leave_site")) if _away(address, home) else frozenset()
    plain = said and all(phrases("form").is_whole(each) or phrases("form").begins(each) for each in said)
    return away if plain or away else frozenset(("send",))


def _by_icon(target: Target) -> Judgement:
    """What a button without words does, by what its code calls it."""
    parts = parts_of(target.hints)
    found = frozenset(_ICONS[each] for each in parts if each in _ICONS)
    if found:
        return Judgement(frozenset(each for each in CONSEQUENCES if each in found))
    if target.submitting and target.sends_to:
        return _only("send")
    return NOTHING if _HARMLESS_ICONS & {*parts} else NOT_JUDGED


def _dragged(intent: ActionIntent) -> Judgement:
    if not intent.targets or not all(each.known for each in intent.targets):
        return NOT_JUDGED
    texts = [text for each in intent.targets for text in (each.name, each.shown)]
    return Judgement(frozenset(each for each in _NAMED for text in texts if phrases(each).within(text, 6)))


def _typed(action: schema.Type, intent: ActionIntent, home: Collection[str]) -> Judgement:
    text = action.text.replace("\r\n", "\n").replace("\r", "\n")
    target = intent.targets[-1] if intent.targets else None
    before, _, after = text.partition("\t")
    found = _only("shell") if text and (_in_terminal(intent) or _is_command(text, target)) else NOTHING
    if target is None or not target.known:
        return found.and_(NOT_JUDGED if text else NOTHING)
    if action.point is not None:
        found = found.and_(_activated(target, home))
    if target.hides and not _only_markers(text):
        found = found.and_(_only("credential"))
    if not target.editable:
        return found.and_(_keys_elsewhere(text, target, home))
    if after and ("\n" in after or " " in after):
        return found.and_(NOT_JUDGED)  # what has the focus after a Tab is not known
    return found.and_(_entered(target, intent.held, home)) if "\n" in before else found


def _is_command(text: str, target: Target | None) -> bool:
    """Whether a text that is typed is a command that Enter starts; what goes into a form is none."""
    in_form = target is not None and target.known and not target.lines and bool(target.submits)
    return "\n" in text and not in_form and _COMMANDS.search(text) is not None


def _keys_elsewhere(text: str, target: Target, home: Collection[str]) -> Judgement:
    """What typing does where no text is taken: single keys may be a program's own commands."""
    found = _activated(target, home) if target.active and ("\n" in text or " " in text) else NOTHING
    return found.and_(NOTHING if not text.strip("\n\t ") else NOT_JUDGED)


def _entered(target: Target, held: tuple[str, ...], home: Collection[str]) -> Judgement:
    """What Enter does in a field."""
    hints = (target.name, target.shown, " ".join(parts_of(target.hints)))
    writes = any(phrases("message").within(each, 8) for each in hints)
    if target.lines:
        return _only("send") if (_SENDERS & {*held}) or (writes and "shift" not in held) else NOTHING
    if not target.submits and not target.sends_to:
        return _only("send") if writes else NOTHING
    submit = target.model_copy(
        update={
            "name": target.submits, "shown": "", "role": "button", "active": bool(target.submits),
            "editable": False, "submitting": True,
        }
    )  # fmt: skip
    return _activated(submit, home)


def _pressed(keys: tuple[str, ...], intent: ActionIntent, home: Collection[str]) -> Judgement:
    """What a chord does, together with the keys that are down already."""
    chord = frozenset(key.lower() for key in (*intent.held, *keys))
    pressed = [key.lower() for key in keys if key.lower() not in MODIFIERS]
    if is_system_chord(chord):
        return _only("system_keys")
    if not pressed:
        return NOTHING
    if _in_terminal(intent) and chord - _SEEN_ONLY - {*MODIFIERS, "tab", "backspace"}:
        return _only("shell")
    found = NOTHING
    for key in pressed:
        found = found.and_(_pressed_key(key, chord, intent, home))
    return found


def _pressed_key(key: str, chord: frozenset[str], intent: ActionIntent, home: Collection[str]) -> Judgement:
    target = intent.targets[-1] if intent.targets else None
    if key in _SEEN_ONLY or (key == "tab" and not chord & {"alt", "meta"}):
        return NOTHING
    if chord & _SENDERS and key in ("c", "a", "f", "r", "+", "-", "0") and "shift" not in chord:
        return NOTHING
    if target is None or not target.known:
        return NOT_JUDGED
    if key == "enter":
        return _entered(target, tuple(chord), home) if target.editable else _focused(target, home)
    if key in ("space", " ") and not target.editable:
        return _focused(target, home)
    if target.editable:
        return NOTHING
    if key in ("delete", "backspace"):
        return _only("delete") if key == "delete" or chord & {"ctrl", "meta", "shift"} else NOTHING
    return NOT_JUDGED if len(key) == 1 or key.startswith("f") else NOTHING


def _focused(target: Target, home: Collection[str]) -> Judgement:
    return _activated(target, home) if target.active or target.href else NOTHING


def is_system_chord(chord: frozenset[str]) -> bool:
    """Whether a window manager or the system takes these keys."""
    if "meta" in chord:
        return sys.platform != "darwin" or bool(chord & {"space", "tab", "q"})
    if {"ctrl", "alt"} <= chord:
        return len(chord) > 2
    if "alt" in chord:
        return bool(chord & {"f1", "f2", "f4", "tab", "escape", "space"})
    return {"ctrl", "shift", "escape"} <= chord or "printscreen" in chord


def _looks_only(action: schema.Action) -> bool:
    return isinstance(action, schema.Press | schema.KeyDown | schema.KeyUp) and action.key.lower() in _SEEN_ONLY


def _only_markers(text: str) -> bool:
    """Whether a text consists of markers of secrets, which were given for this task."""
    return not _MARKER.sub("", text).strip()


def _in_terminal(intent: ActionIntent) -> bool:
    target = intent.targets[-1] if intent.targets else None
    names = [intent.window, intent.program, target.name if target and target.known and target.editable else ""]
    return any(phrases("terminal").within(each, 30) for each in names if each)


def _away(address: str, home: Collection[str]) -> bool:
    """Whether an address is of another site than the task's; without a task's site nothing is."""
    site = site_of(complete_address(address)) if address != "null" else ""
    return bool(home) and bool(site) and site not in home


def _only(consequence: Consequence) -> Judgement:
    return Judgement(frozenset((consequence,)))
