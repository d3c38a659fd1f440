"""Metrics that compare text documents: ``.docx``, and of ``.odt`` the text."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ....actions.extras import need_package
from .workbook import parse_xml

Rules = Mapping[str, Any]
_WORD = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
_TEXT = "{urn:oasis:names:tc:opendocument:xmlns:text:1.0}"
_OOR = "{http://openoffice.org/2001/registry}"
_FONT = "/org.openoffice.Office.Writer/DefaultFont"


def _document(path: str) -> Any:
    return need_package("docx").Document(path)


def _paragraphs(path: str) -> list[str]:
    if path.endswith(".docx"):
        return [paragraph.text for paragraph in _document(path).paragraphs]
    with zipfile.ZipFile(path) as archive:
        root = parse_xml(archive.read("content.xml"))
    return ["".join(_odt_text(paragraph)) for paragraph in root.iter(f"{_TEXT}p")]


def _odt_text(paragraph: Any) -> Iterator[str]:
    """The text of a paragraph and its spans; what is deeper, such as notes, is left out as published."""
    yield paragraph.text or ""
    for child in paragraph:
        if child.tag == f"{_TEXT}span":
            yield child.text or ""
            yield from (inner.tail or "" for inner in child)
        yield child.tail or ""


def _one_line(lines: list[str]) -> str:
    return re.sub(r"\s+", " ", "\n".join(lines)).strip()


def _ratio(first: str, second: str) -> float:
    return float(need_package("rapidfuzz").fuzz.ratio(first, second) / 100)


def compare_docx_files(
    result: str,
    expected: str,
    *,
    ignore_blanks: bool = True,
    ignore_case: bool = False,
    ignore_order: bool = False,
    content_only: bool = False,
    fuzzy_match: bool = False,
    delete_empty_lines: bool = False,
) -> float:
    """The same paragraphs, of ``.docx`` or ``.odt``; with ``fuzzy_match`` or ``content_only`` how alike."""
    if Path(result).suffix not in (".docx", ".odt") or Path(result).suffix != Path(expected).suffix:
        return 0.0
    texts = [_paragraphs(path) for path in (result, expected)]
    if ignore_order:
        texts = [sorted(lines) for lines in texts]
    if delete_empty_lines:
        texts = [[line for line in lines if line.strip()] for lines in texts]
    if content_only or ignore_blanks:
        first, second = (_one_line(lines) for lines in texts)
        if ignore_case:
            first, second = first.lower(), second.lower()
        return _ratio(first, second) if content_only or fuzzy_match else float(first == second)
    return _line_by_line(texts[0], texts[1], ignore_case, fuzzy_match)


def _line_by_line(actual: list[str], wanted: list[str], ignore_case: bool, fuzzy: bool) -> float:
    if len(actual) != len(wanted):
        return 0.0
    if ignore_case:
        actual, wanted = [line.lower() for line in actual], [line.lower() for line in wanted]
    if not fuzzy:
        return float(actual == wanted)
    return sum(map(_ratio, actual, wanted)) / len(actual) if actual else 1.0


def compare_docx_files_and_ignore_new_lines(result: str, expected: str, *, ignore_blanks: bool = True) -> float:
    """The same paragraphs, empty ones left out."""
    if not result.endswith(".docx") or not expected.endswith(".docx"):
        return 0.0
    actual, wanted = ([line for line in _paragraphs(path) if line] for path in (result, expected))
    return float(_one_line(actual) == _one_line(wanted) if ignore_blanks else actual == wanted)


def compare_init_lines(result: str, expected: str) -> float:
    """The same paragraphs as far as both go."""
    pairs = zip(_paragraphs(result), _paragraphs(expected), strict=False)
    return float(all(first == second for first, second in pairs))


def compare_docx_tables(result: str, expected: str) -> float:
    """The same tables, cell by cell, blanks at the ends left out."""
    actual, wanted = (list(map(_table, _document(path).tables)) for path in (result, expected))
    return float(actual == wanted)


def _table(table: Any) -> tuple[int, int, list[str]]:
    rows, columns = len(table.rows), len(table.columns)
    return rows, columns, [table.cell(i, j).text.strip() for i in range(rows) for j in range(columns)]


def compare_line_spacing(result: str, expected: str) -> float:
    """The same text, and the same space between lines in every paragraph."""
    if not compare_docx_files(result, expected):
        return 0.0
    books = [_document(path).paragraphs for path in (result, expected)]
    actual, wanted = ([each.paragraph_format.line_spacing for each in paragraphs] for paragraphs in books)
    return float(actual == wanted)


def compare_font_names(result: str, rules: Rules) -> float:
    """Every piece of text is in the font ``font_name``."""
    return float(all(run.font.name == rules["font_name"] for run in _runs(result)))


def _runs(path: str) -> Iterator[Any]:
    for paragraph in _document(path).paragraphs:
        yield from paragraph.runs


def compare_subscript_contains(result: str, expected: str) -> float:
    """Some piece of text is a subscript in both."""
    paragraphs = zip(*(_document(path).paragraphs for path in (result, expected)), strict=False)
    runs = (pair for both in paragraphs for pair in zip(*(each.runs for each in both), strict=False))
    return float(any(first.font.subscript and second.font.subscript for first, second in runs))


def contains_page_break(result: str, rules: Rules) -> float:
    """There is a page break; as many as ``page_break_count`` says, where it does."""
    kinds = [each.get(f"{_WORD}type") for run in _runs(result) for each in run.element.iter(f"{_WORD}br")]
    breaks = kinds.count("page")
    return float(breaks > 0 and rules.get("page_break_count") in (None, breaks))


def has_page_numbers_in_footers(result: str) -> float:
    """The first line of every footer holds a digit."""
    footers = [section.footer.paragraphs for section in _document(result).sections]
    return float(all(lines and any(letter.isdigit() for letter in lines[0].text) for lines in footers))


def is_first_line_centered(result: str) -> float:
    """The first paragraph is centred."""
    centre = need_package("docx.enum.text").WD_PARAGRAPH_ALIGNMENT.CENTER
    return float(_document(result).paragraphs[0].paragraph_format.alignment == centre)


def evaluate_strike_through_last_paragraph(result: str, expected: str) -> float:
    """The same text, and the last paragraph struck through."""
    if not compare_docx_files(result, expected):
        return 0.0
    return float(all(run.font.strike for run in _document(result).paragraphs[-1].runs))


def check_italic_font_size_14(result: str, expected: str) -> float:
    """The same text, and every piece in italics 14 points high."""
    if not compare_docx_files(result, expected):
        return 0.0
    sizes = [run.font.size for run in _runs(result) if run.italic]
    return float(all(size is not None and size.pt == 14 for size in sizes))


def check_tabstops(
    result: str, expected: str, *, word_number_split_by_tabstop: int | None = None, index: int = 0
) -> float:
    """How near tab stops are to where they should be, as a share of the line; words before them as asked."""
    actual, wanted = (_document(path) for path in (result, expected))
    first, second = ([each for each in book.paragraphs if each.text.strip()] for book in (actual, wanted))
    if len(first) != len(second):
        return 0.0
    if word_number_split_by_tabstop is not None:
        counts = (len(each.text.split("\t")[index].split()) for each in first)
        if any(count != word_number_split_by_tabstop for count in counts):
            return 0.0
    section = wanted.sections[0]
    width = section.page_width - section.left_margin - section.right_margin
    off = 0.0
    for pair in zip(first, second, strict=True):
        stops = [_stops(each) for each in pair]
        if [kind for kind, _ in stops[0]] != [kind for kind, _ in stops[1]]:
            return 0.0
        off += sum(abs(a - b) for (_, a), (_, b) in zip(*stops, strict=True)) / width
    return 1 - off / len(first)


def _stops(paragraph: Any) -> list[tuple[Any, int]]:
    kinds = need_package("docx.enum.text").WD_TAB_ALIGNMENT
    stops = [(stop.alignment, stop.position) for stop in paragraph.paragraph_format.tab_stops]
    return [stop for stop in stops if stop[0] != kinds.CLEAR and stop != (kinds.LEFT, 0)]


def find_default_font(result: str, rules: Rules) -> float:
    """LibreOffice's settings name ``font_name`` as Writer's default font."""
    items = parse_xml(Path(result).read_bytes()).iter("item")
    fonts = [
        value.text
        for item in items
        if item.get(f"{_OOR}path") == _FONT
        for prop in item.iter("prop")
        if prop.get(f"{_OOR}name") == "Standard"
        for value in prop.iter("value")
    ]
    return float(bool(fonts) and fonts[-1] == rules["font_name"])
