"""Reading a benchmark's files row by row, so that what is malformed is named by file and line."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from ...actions.errors import DataError
from ...actions.files import open_file, read_file
from ...actions.untrusted import DECODER, check_depth, contained, parse_json

Fault = Callable[[DataError], None]
"""Called with the error of a row that cannot be used; it may raise, or let the reading go on with the next."""
_SPACE = " \t\r\n"
LONGEST_FILE = 1 << 34
"""Bytes of a file of rows."""


def throw(error: DataError) -> None:
    """The strict ``Fault``."""
    raise error


@dataclass(frozen=True)
class DataRow:
    """One object of a file.

    Attributes:
        where: file and line, and the place in a list, for messages.
        data: its fields, unchecked; the methods check what they return, and raise DataError.
        index: which of the file's rows it is, from 0.
    """

    where: str
    data: Mapping[str, Any]
    index: int = 0

    def fail(self, reason: str) -> DataError:
        """The error that says what is wrong with this row."""
        return DataError(f"{self.where}: {reason}")

    def text(self, key: str, default: str | None = None) -> str:
        """A string, or the default where it is missing."""
        value = self._get(key, default)
        if not isinstance(value, str):
            raise self.fail(f"{key} is {_kind(value)}, not a text")
        return value

    def integer(self, key: str) -> int:
        """A whole number."""
        value = self._get(key)
        if isinstance(value, bool) or not isinstance(value, int):
            raise self.fail(f"{key} is {_kind(value)}, not a whole number")
        return value

    def numbers(self, key: str, count: int) -> tuple[float, ...]:
        """A list of ``count`` numbers."""
        return self.as_numbers(key, self._get(key), count)

    def picture(self, folder: Path, key: str) -> Path:
        """The file of a picture in a folder, by the name in a field; the name may not lead out of the folder."""
        return self.inside(folder, self.text(key))

    def inside(self, folder: Path, name: str) -> Path:
        """The path of a name in a folder, out of which it may not lead."""
        try:
            return contained(folder, name)
        except OSError as error:
            raise self.fail(str(error.strerror)) from error

    def texts(self, key: str) -> tuple[str, ...]:
        """A list of strings; empty where the key is missing."""
        value = self._get(key, [])
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise self.fail(f"{key} is not a list of texts")
        return tuple(value)

    def row(self, key: str) -> DataRow:
        """An object inside this one."""
        return self.as_row(key, self._get(key))

    def rows(self, key: str) -> Iterator[DataRow]:
        """A list of objects inside this one."""
        for index, value in enumerate(self.items(key)):
            yield self.as_row(f"{key}[{index}]", value)

    def items(self, key: str) -> list[Any]:
        """A list of anything."""
        value = self._get(key)
        if not isinstance(value, list):
            raise self.fail(f"{key} is {_kind(value)}, not a list")
        return value

    def as_row(self, name: str, value: object) -> DataRow:
        """A value found in this row as a row of its own."""
        if not isinstance(value, dict):
            raise self.fail(f"{name} is {_kind(value)}, not an object")
        return DataRow(f"{self.where}: {name}", value)

    def as_numbers(self, name: str, value: object, count: int) -> tuple[float, ...]:
        """A value found in this row as a list of ``count`` numbers."""
        if not isinstance(value, list | tuple) or not all(_is_number(item) for item in value):
            raise self.fail(f"{name} is not a list of numbers")
        if len(value) != count:
            raise self.fail(f"{name} has {len(value)} numbers, not {count}")
        try:
            numbers = tuple(float(item) for item in value)
        except OverflowError:
            numbers = (math.inf,)
        if not all(map(math.isfinite, numbers)):
            raise self.fail(f"{name} has a number beyond all use")
        return numbers

    def _get(self, key: str, default: object = None) -> Any:
        value = self.data.get(key, default)
        if value is None:
            raise self.fail(f"{key} is missing")
        return value


def read_rows(file: Path, fault: Fault = throw) -> Iterator[DataRow]:
    """The rows of a ``.jsonl`` file, or of a ``.json`` file that holds a list; DataError where that list is broken.

    Broken lines of ``.jsonl``, and rows that are no objects, go to ``fault``.
    """
    in_lines = file.suffix == ".jsonl"
    for index, (line, value) in enumerate(_lines(file, fault) if in_lines else _items(file)):
        where = f"{file}:{line}" if in_lines else f"{file}:{line}: [{index}]"
        if isinstance(value, dict):
            yield DataRow(where, value, index)
        else:
            fault(DataError(f"{where} is {_kind(value)}, not an object"))


def read_object(file: Path) -> DataRow:
    """A file that holds one object; else DataError."""
    try:
        value = parse_json(_text(file))
    except ValueError as error:
        raise _no_json(file, error) from error
    if not isinstance(value, dict):
        raise DataError(f"{file}:1: {_kind(value)}, not an object")
    return DataRow(str(file), value)


def _lines(file: Path, fault: Fault) -> Iterator[tuple[int, object]]:
    with _opened(file) as stream:
        for number, line in enumerate(stream, start=1):
            if not line.strip():
                continue
            try:
                yield number, parse_json(line)
            except ValueError as error:  # JSON or UTF-8
                fault(DataError(f"{file}:{number}: not JSON: {getattr(error, 'msg', error)}"))


def _items(file: Path) -> Iterator[tuple[int, object]]:
    """The items of a list and the lines they begin on."""
    text = _text(file)
    try:
        at = _next(text, 0, "[")
        line, counted = 1, 0
        while text[at : at + 1] != "]":
            line, counted = line + text.count("\n", counted, at), at
            value, at = DECODER.raw_decode(text, at)
            check_depth(value)
            yield line, value
            at = _after(text, at)
            if text[at : at + 1] != "]":
                at = _next(text, at, ",")
    except (ValueError, RecursionError) as error:
        raise _no_json(file, error) from error


def _no_json(file: Path, error: Exception) -> DataError:
    place = f":{error.lineno}" if isinstance(error, json.JSONDecodeError) else ""
    return DataError(f"{file}{place}: not JSON: {getattr(error, 'msg', error)}")


def _next(text: str, at: int, sign: str) -> int:
    at = _after(text, at)
    if text[at : at + 1] != sign:
        raise json.JSONDecodeError(f"expected {sign!r} of a list", text, at)
    return _after(text, at + 1)


def _after(text: str, at: int) -> int:
    while at < len(text) and text[at] in _SPACE:
        at += 1
    return at


def _text(file: Path) -> str:
    try:
        return read_file(file, LONGEST_FILE).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(f"{file}: not UTF-8 at byte {error.start}") from error
    except FileNotFoundError:
        raise
    except OSError as error:
        raise DataError(f"{file}: {error.strerror}") from error


def _opened(file: Path) -> BinaryIO:
    try:
        return open_file(file, LONGEST_FILE)
    except OSError as error:
        raise DataError(f"{file}: {error.strerror}") from error


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _kind(value: object) -> str:
    names = {dict: "an object", list: "a list", str: "a text", bool: "a truth value", type(None): "null"}
    return names.get(type(value), "a number")
