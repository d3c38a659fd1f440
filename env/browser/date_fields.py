"""Dates and times typed in ISO form into a page's date and time fields.

Such a field takes digits in the order that the browser's language has, so an ISO date that is typed gives another
date or none. It gets the value instead, as if the person had entered it; anything else is typed.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from playwright.sync_api import CDPSession

_DATE = r"(?P<year>\d{4})[-/.](?P<month>\d{1,2})[-/.](?P<day>\d{1,2})"
_TIME = r"(?P<hour>\d{1,2}):(?P<minute>\d{2})(?::(?P<second>\d{2})(?P<fraction>\.\d{1,3})?)?"
_FORMS: Final = {
    "date": re.compile(_DATE),
    "time": re.compile(_TIME),
    "datetime-local": re.compile(rf"{_DATE}[T ]{_TIME}"),
    "month": re.compile(r"(?P<year>\d{4})[-/.](?P<month>\d{1,2})"),
    "week": re.compile(r"(?P<year>\d{4})-?W(?P<week>\d{1,2})", re.IGNORECASE),
}
_LONGEST: Final = 30
_PATIENCE_MS: Final = 1000
_SET: Final = """((values) => {
  let focused = document.activeElement;
  for (let depth = 0; focused && depth < 20; depth++) {
    const inner = focused.shadowRoot ? focused.shadowRoot.activeElement : null;
    let framed = null;
    try { framed = focused.contentDocument ? focused.contentDocument.activeElement : null; } catch (error) {}
    if (!inner && !framed) break;
    focused = inner || framed;
  }
  if (!focused || focused.tagName !== "INPUT" || focused.disabled || focused.readOnly) return false;
  const value = values[focused.type];
  if (value === undefined) return false;
  const view = focused.ownerDocument.defaultView;
  const setter = Object.getOwnPropertyDescriptor(view.HTMLInputElement.prototype, "value").set;
  const before = focused.value;
  setter.call(focused, value);
  if (focused.value === "") { setter.call(focused, before); return false; }
  focused.dispatchEvent(new view.Event("input", { bubbles: true, composed: true }));
  focused.dispatchEvent(new view.Event("change", { bubbles: true }));
  return true;
})"""


def iso_values(text: str) -> dict[str, str]:
    """What a text means as the value of each type of field; empty if it is no date or time in ISO form."""
    text = text.strip() if len(text) <= _LONGEST else ""
    found = ((kind, form.fullmatch(text)) for kind, form in _FORMS.items())
    values = {kind: _value(kind, match.groupdict()) for kind, match in found if match}
    if "datetime-local" in values:
        day, _, time = values["datetime-local"].partition("T")
        values |= {"date": day, "time": time}
    return values


def fill_date_field(devtools: CDPSession, text: str) -> bool:
    """Enter a date or time in ISO form into the field with the focus; whether it was entered."""
    values = iso_values(text)
    if not values:
        return False
    asked = {"expression": f"{_SET}({json.dumps(values)})", "returnByValue": True, "timeout": _PATIENCE_MS}
    answer = devtools.send("Runtime.evaluate", asked)
    return answer.get("result", {}).get("value") is True


def _value(kind: str, parts: dict[str, str | None]) -> str:
    number = {name: int(part) for name, part in parts.items() if part and name != "fraction"}
    day = f"{number.get('year', 0):04}-{number.get('month', 0):02}-{number.get('day', 0):02}"
    time = f"{number.get('hour', 0):02}:{number.get('minute', 0):02}"
    if "second" in number:
        time += f":{number['second']:02}{parts['fraction'] or ''}"
    whole = {"date": day, "time": time, "datetime-local": f"{day}T{time}", "month": day[:7]}
    return whole.get(kind, f"{number.get('year', 0):04}-W{number.get('week', 0):02}")
