"""The audit of a run: what was about to be done, asked and answered, and every line of its trajectory, chained by hash.

``audit.jsonl`` lies beside ``trajectory.jsonl``. Each of its lines holds the hash of the line before it and ends with
its own, so that no byte can be changed and no line taken out without a trace. A line for what is about to be written
or done comes first, and what came of it after: a run that is killed leaves a chain that can be checked to its end.

Who can write all of a folder can make another chain. So its newest hash can be kept in a file elsewhere, the anchor.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import secrets
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple

from ...actions.characters import LONGEST_TEXT, clipped
from ...actions.errors import TrajectoryError
from ...actions.files import read_file
from ...actions.untrusted import contained, parse_json
from ..private_files import open_private, write_private

AUDIT_NAME: Final = "audit.jsonl"
_TRAJECTORY: Final = "trajectory.jsonl"
_LARGEST: Final = 1 << 30
_END: Final = re.compile(rb',"hash":"([0-9a-f]{64})"\}')
_GENESIS: Final = "0" * 64
_ANCHORED: Final = frozenset(("begin", "question", "answer", "grant", "denied"))
"""Kinds of lines whose hashes are anchored at once; so are the first line of each step, and the last."""

_EXACT: Final = frozenset(("sha256", "kind", "decision"))
"""Fields whose texts are names and hashes."""
State = Literal["intact", "cut off"]


class AuditChain:
    """Appends to the audit of a new run.

    Args:
        file: to write; what is there is the audit of a run that never began.
        conceal: puts markers in place of secrets.
        anchor: a file elsewhere, to which hashes are appended.

    Raises:
        TrajectoryError: a file cannot be written.
    """

    def __init__(self, file: Path, conceal: Callable[[str], str] | None = None, anchor: Path | None = None) -> None:
        self.file = file
        self._conceal = conceal or str
        self._anchor = anchor
        self._number = 0
        self._head = _GENESIS
        self._run = ""
        try:
            write_private(file, b"")
            self._descriptor = os.open(file, os.O_WRONLY | os.O_APPEND)
        except OSError as error:
            raise _cannot_write(file, error) from error
        self.append("begin", {"version": 1, "run": secrets.token_hex(16)})

    def append(self, kind: str, known: Mapping[str, Any]) -> None:
        """Write one line by one system call.

        Raises:
            TrajectoryError: it cannot be written; what was about to be done must not be.
        """
        line = {"n": self._number, "time": time.time(), "entry": kind, "prev": self._head, **self._hidden(known)}
        body = json.dumps(line, separators=(",", ":")).encode()[:-1]
        head = hashlib.sha256(body).hexdigest()
        self._write(body + f',"hash":"{head}"}}\n'.encode())
        self._head, self._run = head, self._run or head
        self._number += 1
        if kind in _ANCHORED:
            self.anchor()

    def announce(self, line: bytes, *, anchor: bool) -> None:
        """Write that a line of the trajectory comes next."""
        self.append("line", {"sha256": hashlib.sha256(line).hexdigest()})
        if anchor:
            self.anchor()

    def anchor(self) -> None:
        """Keep the newest hash elsewhere, if there is an anchor."""
        if self._anchor is None:
            return
        line = json.dumps({"run": self._run, "n": self._number - 1, "hash": self._head})
        try:
            with open_private(self._anchor, "a", encoding="utf-8") as stream:
                stream.write(f"{line}\n")
        except OSError as error:
            raise _cannot_write(self._anchor, error) from error

    def close(self) -> None:
        """Close the file."""
        os.close(self._descriptor)

    def _write(self, line: bytes) -> None:
        try:
            if os.write(self._descriptor, line) != len(line):
                raise OSError(28, "No space left on device")
        except OSError as error:
            raise _cannot_write(self.file, error) from error

    def _hidden(self, value: Any) -> Any:
        """JSON without secrets, and with the beginning of texts that are too long."""
        match value:
            case str():
                return clipped(self._conceal(value), LONGEST_TEXT // 8)
            case Mapping():
                return {name: each if name in _EXACT else self._hidden(each) for name, each in value.items()}
            case list() | tuple():
                return [self._hidden(each) for each in value]
        return value


class Audited(NamedTuple):
    """An audit that was checked, and found unchanged.

    Attributes:
        state: ``intact``, or ``cut off`` where the run was killed, or its last lines were taken away.
        lines: of the audit.
        events: lines of the trajectory.
        kinds: how many lines of each other kind there are.
        run: the hash of the first line, by which an anchor knows the run.
        head: the hash of the last line.
    """

    state: State
    lines: int
    events: int
    kinds: dict[str, int]
    run: str
    head: str


def verify_audit(folder: Path, anchor: Path | None = None) -> Audited:
    """Check a run's audit and its trajectory against each other, and against an anchor.

    Raises:
        TrajectoryError: a byte was changed or a line was taken out; or there is no audit.
    """
    hashes, parsed, torn = _chain(folder / AUDIT_NAME, _lines(folder, AUDIT_NAME))
    if not parsed:
        raise TrajectoryError(f"{folder / AUDIT_NAME}: holds no whole line")
    announced = [line.get("sha256") for line in parsed if line["entry"] == "line"]
    events = _lines(folder, _TRAJECTORY)
    ended = _matching(folder / _TRAJECTORY, announced, events)
    if anchor is not None:
        _check_anchor(anchor, hashes)
    kinds: dict[str, int] = {}
    for line in parsed:
        if line["entry"] != "line":
            kinds[line["entry"]] = kinds.get(line["entry"], 0) + 1
    state: State = "intact" if ended and not torn else "cut off"
    return Audited(state, len(parsed), len(events) - 1, kinds, hashes[0], hashes[-1])


def _chain(file: Path, lines: list[bytes]) -> tuple[list[str], list[dict[str, Any]], bool]:
    """The hashes and the contents of a chain's lines, and whether a last one is torn."""
    head, hashes, parsed = _GENESIS, [], []
    for number, line in enumerate(lines[:-1]):
        end = _END.fullmatch(line[-75:])
        body = line[:-75]
        if end is None or hashlib.sha256(body).hexdigest().encode() != end[1]:
            raise TrajectoryError(f"{file}:{number + 1}: was changed after it was written")
        try:
            content = parse_json(body + b"}")
        except ValueError as error:
            raise TrajectoryError(f"{file}:{number + 1}: is no line of an audit: {error}") from error
        if not isinstance(content, dict) or content.get("n") != number or content.get("prev") != head:
            raise TrajectoryError(f"{file}:{number + 1}: does not follow the line before it; a line is missing")
        head = end[1].decode()
        hashes.append(head)
        parsed.append(content)
    return hashes, parsed, bool(lines[-1])


def _matching(file: Path, announced: list[Any], events: list[bytes]) -> bool:
    """Whether the trajectory has the lines that were announced up to its end; the last one may be missing or torn."""
    whole = events[:-1]
    for number, line in enumerate(whole):
        if number >= len(announced):
            raise TrajectoryError(f"{file}:{number + 1}: the audit knows nothing of this line")
        if hashlib.sha256(line + b"\n").hexdigest() != announced[number]:
            raise TrajectoryError(
                f"{file}:{number + 1}: was changed after it was written, or a line is missing before it"
            )
    if len(whole) < len(announced) - 1:
        raise TrajectoryError(f"{file}: {len(announced) - len(whole)} lines are missing at its end")
    return len(whole) == len(announced) and bool(whole) and b'"event":"end"' in whole[-1][:40] and not events[-1]


def _check_anchor(anchor: Path, hashes: list[str]) -> None:
    """Compare a chain with what was kept of it elsewhere."""
    found = [line for line in _anchored(anchor) if line.get("run") == hashes[0]]
    if not found:
        raise TrajectoryError(
            f"{anchor}: knows nothing of this run; its first line was changed, or the anchor is another's"
        )
    for line in found:
        number = line.get("n")
        if not isinstance(number, int) or number >= len(hashes):
            raise TrajectoryError(f"{anchor}: the audit had more lines, {number} at least; its last ones are missing")
        if hashes[number] != line.get("hash"):
            raise TrajectoryError(f"{anchor}: line {number + 1} of the audit is another than the one that was written")


def _anchored(anchor: Path) -> Iterable[dict[str, Any]]:
    try:
        lines = read_file(anchor, _LARGEST).splitlines()
        return [line for line in map(parse_json, lines) if isinstance(line, dict)]
    except (OSError, ValueError) as error:
        raise TrajectoryError(f"{anchor}: cannot be read: {getattr(error, 'strerror', None) or error}") from error


def _lines(folder: Path, name: str) -> list[bytes]:
    """The lines of a file; the last is what follows its last line break."""
    try:
        return read_file(contained(folder, name), _LARGEST).split(b"\n")
    except OSError as error:
        raise TrajectoryError(f"{folder / name}: cannot be read: {error.strerror or error}") from error


def _cannot_write(path: Path, error: OSError) -> TrajectoryError:
    return TrajectoryError(f"cannot write {path}: {error.strerror}; free some space or choose another place")
