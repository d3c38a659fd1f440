"""What a check of the doctor reports."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

State = Literal["ok", "missing", "limited"]


@dataclass(frozen=True)
class Finding:
    """One part of the machine.

    Attributes:
        part: its name.
        state: ``limited`` when it is installed but not all of it works.
        detail: what was found, or what is not possible without it.
        fix: the command that fixes it; None where there is none, or nothing to fix.
        needed: whether a plain ``saccade run`` needs it.
    """

    part: str
    state: State
    detail: str
    fix: str | None = None
    needed: bool = False
