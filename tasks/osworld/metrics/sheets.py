"""Metrics that compare spreadsheets.

All rules of ``compare_table`` but ``style``, ``sparkline`` and ``pivot_table``: those three need
a formula engine, or compare what only one program writes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any, TypeVar

from ....actions.errors import MissingPartError
from ....actions.extras import need_package
from .matching import fits
from .workbook import Workbook, charts, dimensions, filters, style

Rule = Mapping[str, Any]
T = TypeVar("T")


class WorkbookPair:
    """The spreadsheet that the agent left, and the one to compare it with, if there is one."""

    def __init__(self, result: Workbook, expected: Workbook | None) -> None:
        self.result, self._expected = result, expected

    @property
    def expected(self) -> Workbook:
        """The expected spreadsheet; raises ``ValueError`` if there is none."""
        if self._expected is None:
            raise ValueError("the rule compares with an expected spreadsheet, and there is none")
        return self._expected

    def find(self, index: int | str) -> tuple[Workbook, str]:
        """Book and name of a sheet: ``0`` or ``RI0`` by number, ``RNSheet1`` by name; ``E`` for expected.

        Raises:
            ValueError: the index is something else.
        """
        text = f"RI{index}" if isinstance(index, int) else index
        if text[:2] not in ("RI", "RN", "EI", "EN"):
            raise ValueError(f"{index!r} names no sheet")
        book = self.result if text[0] == "R" else self.expected
        if text[1] == "N":
            return book, text[2:]
        number = int(text[2:])
        return book, book.names[number] if number < len(book.names) else ""

    def both(self, rule: Rule, read: Callable[[Workbook, str], T]) -> tuple[T, T]:
        """What is read from the two sheets that a rule compares."""
        return read(*self.find(rule["sheet_idx0"])), read(*self.find(rule["sheet_idx1"]))

    def sheet(self, rule: Rule) -> Any:
        """The one sheet that a rule is about, with its styles; None if there is no such sheet."""
        book, name = self.find(rule["sheet_idx"])
        return book.sheet(name)


def compare_table(result: str | None, expected: str | None = None, *, rules: Sequence[Rule]) -> float:
    """Every rule holds for a spreadsheet, compared with an expected one where a rule says so."""
    if result is None or not Path(result).is_file():
        return 0.0
    with ExitStack() as stack:
        try:
            book = stack.enter_context(closing(Workbook(result)))
        except MissingPartError:
            raise
        except Exception:  # readers raise many kinds of errors for what is not a spreadsheet
            return 0.0
        wanted = None if expected is None else stack.enter_context(closing(Workbook(expected)))
        pair = WorkbookPair(book, wanted)
        return float(all(_holds(pair, rule) for rule in rules))


def _holds(pair: WorkbookPair, rule: Rule) -> bool:
    holds = RULES.get(rule["type"])
    if holds is None:
        raise NotImplementedError(f"compare_table knows no rule {rule['type']!r}")
    return holds(pair, rule)


def _names(pair: WorkbookPair, rule: Rule) -> bool:
    return pair.result.names == pair.expected.names


def _data(pair: WorkbookPair, rule: Rule) -> bool:
    actual, wanted = pair.both(rule, Workbook.table)
    digits = rule.get("precision", 4)
    return actual is not None and bool(actual.round(digits).equals(wanted.round(digits)))


def _printed(pair: WorkbookPair, rule: Rule) -> bool:
    actual, wanted = pair.both(rule, Workbook.printed)
    if actual is None or wanted is None:
        return False
    if rule.get("ignore_case", False):
        actual, wanted = [line.lower() for line in actual], [line.lower() for line in wanted]
    return actual == wanted


def _fuzzy(pair: WorkbookPair, rule: Rule) -> bool:
    (book, name), (other, second) = pair.find(rule["sheet_idx0"]), pair.find(rule["sheet_idx1"])
    return all(
        _alike(_plain(book.value(name, cell), each), _plain(other.value(second, cell), each), each)
        for each in rule["rules"]
        for cell in _cells(each["range"])
    )


def _cells(ranges: Sequence[str]) -> Iterator[str]:
    letter = need_package("openpyxl.utils").get_column_letter
    for cells in need_package("openpyxl.worksheet.cell_range").MultiCellRange(ranges):
        yield from (f"{letter(column)}{row}" for row, column in cells.cells)


def _plain(value: Any, rule: Rule) -> str:
    """A cell's text without what the rule lets differ."""
    text = str(value)
    for old, new in rule.get("normalization", ()):
        text = text.replace(old, new)
    if "trim_leadings" in rule:
        text = text.lstrip(rule["trim_leadings"])
    if "trim_trailings" in rule:
        text = text.rstrip(rule["trim_trailings"])
    text = "".join(letter for letter in text if letter not in rule.get("ignore_chars", ""))
    return text.lower() if rule.get("ignore_case", False) else text


def _alike(actual: str, wanted: str, rule: Rule) -> bool:
    match rule["type"]:
        case "includes":
            return wanted in actual
        case "included_by":
            return actual in wanted
        case "exact_match":
            return actual == wanted
        case "fuzzy_match":
            ratio = need_package("rapidfuzz").fuzz.ratio(actual, wanted)
            return bool(ratio >= rule.get("threshold", 85.0))
    raise NotImplementedError(f"sheet_fuzzy knows no type {rule['type']!r}")


def _same(read: Callable[[Any, Rule], Any], missing: Any) -> Callable[[WorkbookPair, Rule], bool]:
    """A rule that compares one thing of two sheets; a sheet that is not there has ``missing``."""

    def holds(pair: WorkbookPair, rule: Rule) -> bool:
        sheets = pair.both(rule, Workbook.sheet)
        first, second = (missing if sheet is None else read(sheet, rule) for sheet in sheets)
        return bool(first == second)

    return holds


def _freeze(pair: WorkbookPair, rule: Rule) -> bool:
    actual, wanted = pair.both(rule, Workbook.sheet)
    return actual is not None and bool(actual.freeze_panes == wanted.freeze_panes)


def _zoom(pair: WorkbookPair, rule: Rule) -> bool:
    sheet = pair.sheet(rule)
    return sheet is not None and fits(sheet.sheet_view.zoomScale or 100.0, rule)


def _validation(pair: WorkbookPair, rule: Rule) -> bool:
    if (sheet := pair.sheet(rule)) is None:
        return False
    found, wanted = sheet.data_validations.dataValidation, rule["dv_props"]
    return len(found) >= len(wanted) and all(
        any(all(fits(getattr(each, prop), test) for prop, test in props.items()) for props in wanted) for each in found
    )


def _cell(pair: WorkbookPair, rule: Rule) -> bool:
    book, name = pair.find(rule["sheet_idx"])
    if (sheet := book.sheet(name)) is None:
        return False
    coordinate = rule["coordinate"]
    try:
        return all(
            fits(book.value(name, coordinate) if prop == "value" else style(prop, sheet[coordinate]), test)
            for prop, test in rule["props"].items()
        )
    except (TypeError, AttributeError):  # such as a text that is compared with a number
        return False


RULES: Mapping[str, Callable[[WorkbookPair, Rule], bool]] = {
    "sheet_name": _names,
    "sheet_data": _data,
    "sheet_print": _printed,
    "sheet_fuzzy": _fuzzy,
    "chart": _same(lambda sheet, rule: charts(sheet, set(rule.get("chart_props", ()))), {}),
    "row_props": _same(lambda sheet, rule: dimensions(sheet, "row", set(rule.get("props", ()))), {}),
    "col_props": _same(lambda sheet, rule: dimensions(sheet, "column", set(rule.get("props", ()))), {}),
    "filter": _same(lambda sheet, rule: filters(sheet), {}),
    "freeze": _freeze,
    "zoom": _zoom,
    "data_validation": _validation,
    "check_cell": _cell,
}
"""The check of each type of rule."""


def compare_conference_city_in_order(result: str, expected: Mapping[str, Any]) -> float:
    """The cells C2 to C22 hold each of ``expected`` in its order, or one of several texts."""
    with closing(need_package("openpyxl").load_workbook(result)) as book:
        held = [cell.value for (cell,) in book.active["C2:C22"]]
    wanted = [[each] if isinstance(each, str) else each for each in expected["expected"]]
    if len(wanted) < len(held) or not all(isinstance(value, str) for value in held):
        return 0.0
    return float(all(any(text in value for text in texts) for value, texts in zip(held, wanted, strict=False)))
