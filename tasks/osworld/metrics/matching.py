"""Rules of the form ``{"method": ..., "ref": ...}``, and records, as several metrics have them."""

from __future__ import annotations

import functools
import operator
import re
from collections.abc import Mapping
from typing import Any

from ....actions.extras import need_package

_COMPARISONS = ("eq", "ne", "le", "lt", "ge", "gt")


def fits(value: Any, rule: Mapping[str, Any]) -> bool:
    """Whether a value is as a rule says.

    Methods: ``eq ne le lt ge gt``; ``re`` with flags (``re.I``), found anywhere; ``approx:0.1``;
    ``range.te`` with ``l`` of ``lt``/``le`` at each end; ``spreadsheet_range`` between two sets of ranges;
    ``str_list_eq`` and ``str_set_eq`` of texts with commas.

    Raises:
        NotImplementedError: the method is another.
    """
    method, wanted = str(rule["method"]), rule["ref"]
    if method in _COMPARISONS:
        return bool(getattr(operator, method)(value, wanted))
    if method.split(".")[0] == "re":
        names = (getattr(re, name) for name in method.split(".")[1:])
        flags = functools.reduce(operator.or_, names, re.RegexFlag(0))
        return re.search(wanted, value, flags) is not None
    if method.startswith("approx:"):
        return _near(value, wanted, float(method.removeprefix("approx:")))
    if method.startswith("range."):
        low, high = (getattr(operator, f"l{end}") for end in method.removeprefix("range.")[:2])
        return bool(low(wanted[0], value) and high(value, wanted[1]))
    if method == "spreadsheet_range":
        ranges = need_package("openpyxl.worksheet.cell_range").MultiCellRange
        inner, outer = (ranges(text) for text in wanted)
        return all(each in value for each in inner) and all(each in outer for each in value)
    if method in ("str_list_eq", "str_set_eq"):
        parts = value.strip("\"'").split(",")
        return bool(parts == list(wanted) if method == "str_list_eq" else set(parts) == set(wanted))
    raise NotImplementedError(f"no rule has the method {method!r}")


def _near(value: Any, wanted: float, threshold: float) -> bool:
    try:
        return abs(float(value) - wanted) <= threshold
    except (TypeError, ValueError):
        return False


def has_values(record: Mapping[str, Any], wanted: Mapping[str, Any]) -> bool:
    """Whether a record has every value that is wanted."""
    return all(name in record and record[name] == value for name, value in wanted.items())
