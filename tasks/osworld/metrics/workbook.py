"""The content of a spreadsheet file: tables, cells with styles, XML, and exported CSV."""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Mapping
from operator import attrgetter
from pathlib import Path
from typing import Any

from ....actions.extras import need_package

_MAIN = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"


class Workbook:
    """One ``.xlsx`` file; for another file it raises what its readers raise."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.cells: Any = need_package("openpyxl").load_workbook(path)
        self._tables: Any = need_package("pandas").ExcelFile(path)
        self.names: list[str] = list(self._tables.sheet_names)

    def close(self) -> None:
        """Close the file."""
        self._tables.close()

    def table(self, name: str) -> Any:
        """A sheet's values as a data frame; None if there is no such sheet."""
        return need_package("pandas").read_excel(self._tables, sheet_name=name) if name in self.names else None

    def sheet(self, name: str) -> Any:
        """A sheet with its styles; None if there is no such sheet."""
        return self.cells[name] if name in self.cells.sheetnames else None

    def printed(self, name: str) -> list[str] | None:
        """The lines of the CSV file that was exported beside it, without empty ones at the end."""
        file = Path(f"{self.path.removesuffix(Path(self.path).suffix)}-{name}.csv")
        if not file.is_file():
            return None
        data = file.read_bytes()
        try:
            text = data.decode()
        except UnicodeDecodeError:
            text = data.decode("latin-1")
        return [line.strip() for line in text.rstrip().splitlines()]

    def value(self, name: str, coordinate: str) -> Any:
        """The value of a cell: a float, a text, or None; of a formula, the last computed value."""
        try:
            with zipfile.ZipFile(self.path) as archive:
                cell = _cell(archive, name, coordinate)
                return None if cell is None else _value(archive, cell)
        except (KeyError, ValueError, IndexError, zipfile.BadZipFile):
            return None


def parse_xml(data: bytes) -> Any:
    """The root of an XML document, which may name no other files."""
    etree = need_package("lxml.etree")
    return etree.fromstring(data, etree.XMLParser(resolve_entities=False, no_network=True))


def _xml(archive: zipfile.ZipFile, name: str) -> Any:
    return parse_xml(archive.read(name))


def _cell(archive: zipfile.ZipFile, name: str, coordinate: str) -> Any:
    numbers = {
        sheet.get("name"): sheet.get("sheetId")
        for sheet in _xml(archive, "xl/workbook.xml").iterfind(f"{_MAIN}sheets/{_MAIN}sheet")
    }
    root = _xml(archive, f"xl/worksheets/sheet{numbers[name]}.xml")
    found = root.iterfind(f"{_MAIN}sheetData/{_MAIN}row/{_MAIN}c")
    return next((cell for cell in found if cell.get("r") == coordinate), None)


def _value(archive: zipfile.ZipFile, cell: Any) -> Any:
    found = cell.findtext(f"{_MAIN}v")
    match cell.get("t", "n"):
        case "n":
            return None if found is None else float(found)
        case "s":
            shared = _xml(archive, "xl/sharedStrings.xml").findall(f"{_MAIN}si")
            return "".join(text.text or "" for text in shared[int(found or "")].iter(f"{_MAIN}t"))
        case "inlineStr":
            return cell.findtext(f"{_MAIN}is/{_MAIN}t")
        case "str" | "e":
            return found
    return None


def style(name: str, cell: Any) -> Any:
    """One style property of a cell; most are None for an empty cell."""
    if name == "fill_type":
        return getattr(cell.fill, "tagname", None)
    if name in ("bgcolor", "fgcolor"):
        return cell.fill.fgColor.rgb
    if name == "merge":
        return isinstance(cell, need_package("openpyxl.cell.cell").MergedCell)
    read = _STYLES.get(name)
    if read is None:
        raise NotImplementedError(f"no style is called {name!r}")
    return None if cell.value is None else read(cell)


_FONT = ("name", "family", "bold", "italic", "underline", "size")
_STYLES: Mapping[str, Callable[[Any], Any]] = {
    "number_format": lambda cell: cell.number_format if cell.data_type == "n" else None,
    **{f"font_{name}": attrgetter(f"font.{name}") for name in _FONT},
    "font_color": attrgetter("font.color.rgb"),
    "hyperlink": lambda cell: cell.hyperlink or "",
}


def charts(sheet: Any, wanted: set[str]) -> dict[str, dict[str, Any]]:
    """The wanted properties of each chart, by the ranges that it draws."""
    found = {}
    for chart in sheet._charts:
        series = ";".join(f"{_range(each.val)},{_range(each.cat)}" for each in chart.series)
        found[series] = {name: read(chart) for name, read in _CHART.items() if name in wanted}
    return found


def _range(data: Any) -> str:
    for kind in ("numRef", "strRef"):
        reference: Any = getattr(data, kind, None)
        if reference is not None and hasattr(reference, "f"):
            return str(reference.f)
    return ""


def _title(owner: Any) -> Any:
    try:
        return owner.title.tx.rich.p[0].r[0].t
    except (AttributeError, IndexError, TypeError):
        return None


def _anchor(chart: Any) -> list[Any]:
    """As published: the row of the lower corner twice, the row of the upper one never."""
    anchor = chart.anchor
    return [anchor.editAs, anchor._from.col, anchor.to.row, anchor.to.col, anchor.to.row]


_CHART: Mapping[str, Callable[[Any], Any]] = {
    "title": _title,
    "legend": lambda chart: None if chart.legend is None else chart.legend.position,
    "anchor": _anchor,
    "width": attrgetter("width"),
    "height": attrgetter("height"),
    "type": attrgetter("tagname"),
    "direction": attrgetter("barDir"),
    "xtitle": lambda chart: _title(chart.x_axis),
    "ytitle": lambda chart: _title(chart.y_axis),
    "ztitle": lambda chart: _title(getattr(chart, "z_axis", None)),
}


def dimensions(sheet: Any, kind: str, wanted: set[str]) -> dict[Any, dict[str, Any]]:
    """The wanted properties of each row or column (``kind``) that has some."""
    found = getattr(sheet, f"{kind}_dimensions")
    return {number: {name: getattr(each, name) for name in wanted} for number, each in found.items()}


def filters(sheet: Any) -> dict[str, Any]:
    """The automatic filter: its range, its columns and its order."""
    found = sheet.auto_filter
    columns = sorted((_column(each) for each in found.filterColumn), key=lambda each: each["column"])
    order = found.sortState
    return {
        "ref": found.ref,
        "columns": columns,
        "order": None if order is None else [order.ref, order.caseSensitive, order.sortMethod, order.columnSort],
        "conditions": [] if order is None else [(each.ref, each.descending) for each in order.sortCondition],
    }


def _column(found: Any) -> dict[str, Any]:
    custom = found.customFilters
    return {
        "column": found.colId,
        "buttons": (found.hiddenButton, found.showButton),
        "values": None if found.filters is None else (found.filters.blank, set(found.filters.filter)),
        "rules": None if custom is None else (custom._and, {(e.operator, e.val) for e in custom.customFilter}),
    }
