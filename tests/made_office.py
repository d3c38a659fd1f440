"""Files for the metrics' cases, made from what a case says of them: text, spreadsheets, documents."""

from __future__ import annotations

import importlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

CASES = Path(__file__).parent / "tasks" / "fixtures" / "osworld_metrics.json"


def cases() -> list[dict[str, Any]]:
    """Every case: ``metric``, ``files`` by name, ``given`` (``@name`` is a file), ``options``, ``score``."""
    found: list[dict[str, Any]] = json.loads(CASES.read_text(encoding="utf-8"))["cases"]
    return found


def make(folder: Path, files: Mapping[str, Any]) -> None:
    """Make the files of a case."""
    for name, content in files.items():
        path = folder / name
        if name.endswith(".xlsx"):
            _spreadsheet(path, content)
        elif name.endswith(".docx"):
            _document(path, content)
        else:
            path.write_bytes(content.encode())


def given(folder: Path, values: list[Any]) -> list[Any]:
    """What the metric is given: files by their paths, all else as it is."""

    def one(value: Any) -> Any:
        if isinstance(value, list):
            return [one(each) for each in value]
        return str(folder / value[1:]) if isinstance(value, str) and value.startswith("@") else value

    return [one(value) if not isinstance(value, dict) else value for value in values]


def _spreadsheet(path: Path, content: Mapping[str, Any]) -> None:
    """Sheets by name, as rows; ``styles`` by cell, ``freeze``, ``zoom``, ``widths`` and the like."""
    openpyxl = importlib.import_module("openpyxl")
    fonts = importlib.import_module("openpyxl.styles").Font
    book = openpyxl.Workbook()
    book.remove(book.active)
    for name, rows in content["sheets"].items():
        sheet = book.create_sheet(name)
        for row in rows:
            sheet.append(row)
        for cell, style in content.get("styles", {}).items():
            sheet[cell].font = fonts(**style)
        sheet.freeze_panes = content.get("freeze")
        sheet.sheet_view.zoomScale = content.get("zoom")
        for column, width in content.get("widths", {}).items():
            sheet.column_dimensions[column].width = width
        sheet.auto_filter.ref = content.get("filter")
        if "chart" in content:
            _chart(sheet, content["chart"])
        if "validation" in content:
            kind = importlib.import_module("openpyxl.worksheet.datavalidation").DataValidation
            rule = kind(type="list", formula1=content["validation"]["formula1"])
            rule.add(content["validation"]["range"])
            sheet.add_data_validation(rule)
    book.save(path)


def _chart(sheet: Any, content: Mapping[str, Any]) -> None:
    charts = importlib.import_module("openpyxl.chart")
    chart = getattr(charts, content["type"])()
    chart.add_data(charts.Reference(sheet, range_string=content["range"]))
    chart.title = content["title"]
    sheet.add_chart(chart, "E2")


def _document(path: Path, content: Mapping[str, Any]) -> None:
    """Paragraphs, each a list of runs, a run a text or ``[text, properties]``; ``tables``; ``footer``."""
    docx = importlib.import_module("docx")
    enum = importlib.import_module("docx.enum.text")
    points = importlib.import_module("docx.shared").Pt
    book = docx.Document()
    for paragraph in content["paragraphs"]:
        held = paragraph if isinstance(paragraph, dict) else {"runs": paragraph}
        made = book.add_paragraph()
        made.paragraph_format.line_spacing = held.get("spacing")
        if held.get("centre"):
            made.alignment = enum.WD_PARAGRAPH_ALIGNMENT.CENTER
        for position in held.get("tabs", ()):
            made.paragraph_format.tab_stops.add_tab_stop(points(position))
        for run in held["runs"]:
            text, properties = (run, {}) if isinstance(run, str) else run
            piece = made.add_run(text)
            if properties.get("page_break"):
                piece.add_break(enum.WD_BREAK.PAGE)
            piece.italic = properties.get("italic")
            piece.font.name = properties.get("font")
            piece.font.strike = properties.get("strike")
            piece.font.subscript = properties.get("subscript")
            piece.font.size = points(properties["size"]) if "size" in properties else None
    for rows in content.get("tables", ()):
        table = book.add_table(len(rows), len(rows[0]))
        for i, row in enumerate(rows):
            for j, text in enumerate(row):
                table.cell(i, j).text = text
    if "footer" in content:
        book.sections[0].footer.paragraphs[0].text = content["footer"]
    book.save(path)
