"""Metrics that compare files of text: plain, CSV, JSON, and archives of them."""

from __future__ import annotations

import csv
import difflib
import json
import re
import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from ....actions.extras import need_package
from .matching import fits, has_values

Rules = Mapping[str, Any]
_CLOCK = re.compile(r"([01]\d|2[0-3]):[0-5]\d:([0-5]\d|60)")


def _read(path: str | Path) -> str:
    return Path(path).read_text(encoding="utf-8")


def compare_text_file(actual: str, expected: str, *, ignore_blanks: bool = False, ignore_case: bool = False) -> float:
    """The same text; ``ignore_blanks`` takes any white space for one blank and none at the ends."""

    def plain(text: str) -> str:
        text = re.sub(r"\s+", " ", re.sub(r"[\t\n]", " ", text).strip()) if ignore_blanks else text
        return text.lower() if ignore_case else text

    return float(plain(_read(actual)) == plain(_read(expected)))


def diff_text_file(result: str, expect: str) -> float:
    """Similarity of the lines (Ratcliff and Obershelp's ratio)."""
    lines = [_read(path).splitlines() for path in (result, expect)]
    return difflib.SequenceMatcher(a=lines[0], b=lines[1]).ratio()


def compare_config(actual: str, rules: Rules) -> float:
    """A file's text is exactly ``expected``."""
    return float(_read(actual) == rules["expected"])


def compare_result_files(result: str, expected: str) -> float:
    """The same text without outer blanks; a number may be part of a text, or differ by less than 0.0001."""
    actual, wanted = (_read(path).strip() for path in (result, expected))
    try:
        number = float(wanted)
        return float(wanted in actual or abs(float(actual) - number) < 1e-4)
    except ValueError:
        return float(actual == wanted)


def compare_python_pure_text(result: str, expected: str) -> float:
    """The same program, except for empty lines, trailing blanks, tabs, and the shebang and encoding lines."""
    try:
        return float(_program(_read(result)) == _program(_read(expected)))
    except (OSError, UnicodeDecodeError):
        return 0.0


def _program(text: str) -> list[str]:
    lines, start = text.splitlines(), 0
    heads = ("#!", "# -*- coding:", "# coding:", "# coding=")
    while start < min(3, len(lines)) and lines[start].strip().startswith(heads):
        start += 1
    return [line.expandtabs(4).rstrip() for line in lines[start:] if line.strip()]


def file_contains(result: str, rules: Rules) -> float:
    """Contains every text of ``expected``."""
    try:
        text = _read(result)
    except (OSError, UnicodeDecodeError):
        return 0.0
    return float(all(each in text for each in rules["expected"]))


def check_line_number(result: str, rules: Rules) -> float:
    """The number of lines with a time of day is ``expected``."""
    if not Path(result).is_file():
        return 0.0
    found = sum(_CLOCK.search(line) is not None for line in _read(result).splitlines())
    return float(found == int(rules["expected"]))


def check_list(result: str, rules: Rules) -> float:
    """Some line matches each pattern of ``expect``, and none one of ``unexpect``."""
    lines = _read(result).splitlines(keepends=True)

    def found(pattern: str) -> bool:
        return any(re.search(pattern, line) for line in lines)

    wanted = all(map(found, rules.get("expect", ())))
    return float(wanted and not any(map(found, rules.get("unexpect", ()))))


def check_csv(result: str, rules: Rules) -> float:
    """Some record has the values of each of ``expect``, and none those of one of ``unexpect``."""
    with Path(result).open(encoding="utf-8", newline="") as stream:
        records = list(csv.DictReader(stream))

    def found(values: Mapping[str, Any]) -> bool:
        return any(has_values(record, values) for record in records)

    wanted = all(map(found, rules.get("expect", ())))
    return float(wanted and not any(map(found, rules.get("unexpect", ()))))


def compare_csv(result: str, expected: str | Sequence[str], *, strict: bool = True, ignore_case: bool = False) -> float:
    """The same lines as one of the expected files; not ``strict`` leaves blanks at ends of lines out."""
    if (actual := _lines(result)) is None:
        return 0.0

    def plain(line: str) -> str:
        line = line if strict else line.strip()
        return line.lower() if ignore_case else line

    wanted = [_lines(path) for path in ([expected] if isinstance(expected, str) else expected)]
    rows = [plain(line) for line in actual]
    return float(any(rows == [plain(line) for line in each] for each in wanted if each is not None))


def _lines(path: str) -> list[str] | None:
    try:
        data = Path(path).read_bytes()
    except OSError:
        return None
    try:
        return data.decode().splitlines()
    except UnicodeDecodeError:
        return data.decode("latin-1").splitlines()


def check_json(result: str, rules: Rules, *, is_yaml: bool = False) -> float:
    """The value at each ``key`` of ``expect`` is as its rule says, and of ``unexpect`` is not."""
    if not Path(result).is_file():
        return 0.0
    try:
        value = need_package("yaml").safe_load(_read(result)) if is_yaml else json.loads(_read(result))
        wanted = all(fits(_at(value, rule["key"]), rule) for rule in rules.get("expect", ()))
        return float(wanted and not any(fits(_or_none(value, rule), rule) for rule in rules.get("unexpect", ())))
    except (ValueError, LookupError, TypeError, NotImplementedError):
        return 0.0


def _at(value: Any, path: Sequence[Any]) -> Any:
    for key in path:
        value = value[key]
    return value


def _or_none(value: Any, rule: Rules) -> Any:
    try:
        return _at(value, rule["key"])
    except (KeyError, TypeError):
        return None


def check_json_settings(result: str, rules: Rules) -> float:
    """A JSON object has the values of ``expected``."""
    try:
        value = json.loads(_read(result))
    except (OSError, ValueError):
        return 0.0
    return float(has_values(value, rules["expected"]))


def check_json_keybindings(result: str, rules: Rules) -> float:
    """A JSON list, possibly below one line of comment, contains ``expected``."""
    text = _read(result)
    for attempt in (text, text.partition("\n")[2]):
        try:
            value = json.loads(attempt)
        except ValueError:
            continue
        if isinstance(value, list):
            return float(rules["expected"] in value)
    return 0.0


def is_included_all_json_objects(gold: str, result: str) -> float:
    """Every value of the first object is in the second."""
    return float(has_values(json.loads(_read(result)), json.loads(_read(gold))))


def run_sqlite3(result: str, rules: Rules) -> float:
    """The first value of the query ``sql`` on a read-only database; NULL is 0."""
    with closing(sqlite3.connect(f"{Path(result).as_uri()}?mode=ro", uri=True)) as connection:
        return float(connection.execute(rules["sql"]).fetchone()[0] or 0)
