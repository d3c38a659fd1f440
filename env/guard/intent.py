"""What is about to be done, as data: the guard judges it, and the audit keeps it."""

from __future__ import annotations

from typing import Literal, get_args

from pydantic import BaseModel, ConfigDict

from ...actions.schema import Action
from ...perception.observation import Region

Consequence = Literal[
    "send",  # a message, a form
    "publish",
    "pay",
    "delete",
    "install",
    "credential",  # a password or a secret is typed, changed or shown
    "permission",  # someone or something is given access
    "download",
    "upload",
    "leave_site",
    "shell",
    "system_keys",  # keys that the window manager or the system takes
]
CONSEQUENCES: tuple[Consequence, ...] = get_args(Consequence)
Decision = Literal["allow", "ask", "deny"]
Act = Literal["accept_dialog", "save_download", "upload_files"]
"""What is done besides the actions of a policy."""
LONGEST_NAME = 300
"""Most characters of a target's words."""


class _Fact(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Target(_Fact):
    """What an action hits: the element under a point, or the one with the keyboard's focus.

    Attributes:
        known: whether anything could be found out; not of a picture, a plug-in or a program that tells nothing.
        role: its ARIA role, or what its tag stands for, such as ``button``, ``link`` or ``textbox``.
        name: its accessible name.
        shown: the words that are seen on it, where they differ.
        around: the words of the dialog that it is in, or the headings of its form.
        active: whether it does something when it is clicked, as far as its role or its look tells.
        editable: whether text can be typed into it; ``lines`` says whether it takes several lines.
        hides: whether it shows dots for what is typed.
        href: where a link leads.
        sends_to: the address that its form is sent to by POST; empty where it is not.
        submits: the name of the button that Enter presses in its form.
        submitting: whether a click on it sends the form.
        origin: of the frame that it is in, such as ``https://example.org``; ``null`` where the frame has none.
        hints: what its code calls it: id, classes, type.
        box: where it is, in input points of the screen or page.
    """

    known: bool = True
    role: str = ""
    name: str = ""
    shown: str = ""
    around: str = ""
    active: bool = False
    editable: bool = False
    lines: bool = False
    hides: bool = False
    href: str = ""
    sends_to: str = ""
    submits: str = ""
    submitting: bool = False
    origin: str = ""
    hints: str = ""
    box: Region | None = None


UNKNOWN = Target(known=False)


class ActionIntent(_Fact):
    """One action, just before it is done.

    Attributes:
        kind: of the action, or of another act.
        action: with the markers of secrets, not their texts; None for another act.
        text: what is typed, or the words of another act: a dialog's message, a file's name.
        held: keys that are down already.
        targets: what each point of the action hits, or what has the focus, for keys.
        address: of the page in front; empty where there is none.
        window: the title of the window that gets the input, where it is known.
        program: whose window it is.
    """

    kind: str
    action: Action | None = None
    text: str = ""
    held: tuple[str, ...] = ()
    targets: tuple[Target, ...] = ()
    address: str = ""
    window: str = ""
    program: str = ""


class Ruling(_Fact):
    """What is to become of an intent, and why.

    Attributes:
        decision: allow, ask or deny.
        consequences: what it would do that matters.
        judged: whether it could be told what it does.
        reason: in words, for a person and for the model.
    """

    decision: Decision
    consequences: tuple[Consequence, ...] = ()
    judged: bool = True
    reason: str = ""
