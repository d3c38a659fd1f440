"""CapsLock, NumLock and the layout that is switched to, read and set at once (the XKB extension).

Xlib for Python lacks this extension; these are its four requests used here (X Keyboard Extension protocol,
sections 4, 7 and 16).
"""

from __future__ import annotations

from typing import Any, NamedTuple

from .connection import Connection

_NAME = "XKEYBOARD"
_CORE_KEYBOARD = 0x0100
_ALL_MODIFIERS = 0xFF


class Locks(NamedTuple):
    """What is switched on for all keys to come: bits of the locked modifiers, number of the locked layout."""

    modifiers: int
    layout: int


NO_LOCKS = Locks(0, 0)


class LockKeys:
    """Reads and sets the locks of one server; one without the extension is taken to have no locks."""

    def __init__(self, connection: Connection) -> None:
        self._display = connection.display
        found = self._display.query_extension(_NAME)
        self._opcode: int | None = found.major_opcode if found is not None and found.present else None
        if self._opcode is not None:
            _requests()["use"](display=self._display.display, opcode=self._opcode, major=1, minor=0)

    def get(self) -> Locks:
        """The locks as they are."""
        if self._opcode is None:
            return NO_LOCKS
        state = _requests()["get"](display=self._display.display, opcode=self._opcode, device=_CORE_KEYBOARD)
        return Locks(state.locked_modifiers, state.locked_layout)

    def set(self, locks: Locks) -> None:
        """Set the locks; latched modifiers are released."""
        if self._opcode is not None:
            _requests()["set"](
                display=self._display.display,
                opcode=self._opcode,
                device=_CORE_KEYBOARD,
                affected_locks=_ALL_MODIFIERS,
                locks=locks.modifiers,
                lock_layout=1,
                layout=locks.layout,
                affected_latches=_ALL_MODIFIERS,
                latch_layout=0,
                latched_layout=0,
            )
            self._display.flush()


def _requests() -> dict[str, Any]:
    """The requests as classes; made on first use, since Xlib is not loaded before."""
    from Xlib.protocol import rq

    def request(base: type, number: int, *fields: Any, reply: tuple[Any, ...] = ()) -> type:
        head = (rq.Card8("opcode"), rq.Opcode(number), rq.RequestLength())
        answer = (rq.ReplyCode(), rq.Card8("device"), rq.Card16("sequence_number"), rq.ReplyLength())
        parts = {"_request": rq.Struct(*head, *fields), "_reply": rq.Struct(*answer, *reply)}
        return type("XkbRequest", (base,), parts)

    def bytes_named(names: str) -> tuple[Any, ...]:
        return tuple(map(rq.Card8, names.split()))

    state = bytes_named("modifiers base_modifiers latched_modifiers locked_modifiers layout locked_layout")
    locks = bytes_named("affected_locks locks lock_layout layout affected_latches")
    device, version = rq.Card16("device"), (rq.Card16("major"), rq.Card16("minor"))
    latches = (rq.Pad(2), rq.Card8("latch_layout"), rq.Card16("latched_layout"))
    return {
        "use": request(rq.ReplyRequest, 0, *version, reply=(rq.Pad(24),)),
        "get": request(rq.ReplyRequest, 4, device, rq.Pad(2), reply=(*state, rq.Pad(18))),
        "set": request(rq.Request, 5, device, *locks, *latches),
    }
