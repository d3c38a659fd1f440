"""Renders training pages and reads their labels from the DOM. The policy sees pixels only."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ...env.browser.chromium import find_browser

if TYPE_CHECKING:
    from playwright.sync_api import Page

Picture = NDArray[np.uint8]


class DomElement(TypedDict):
    """One thing that can be clicked, in pixels of the page's own picture."""

    role: str
    text: str
    box: list[float]
    point: list[float]


class PageRecord(TypedDict):
    """What is known about one picture: its elements and the centre of every visible character."""

    task: str
    utterance: str
    elements: list[DomElement]
    chars: list[tuple[str, float, float]]
    extra: dict[str, Any]


SCAN_JS = r"""
function scanPage(win, clip) {
  const doc = win.document;
  const inside = (x, y) => x >= clip.x && y >= clip.y && x < clip.x + clip.w && y < clip.y + clip.h;
  const hits = (el, x, y) => {
    const top = doc.elementFromPoint(x, y);
    return top !== null && (top === el || el.contains(top));
  };
  const roleOf = (el) => {
    if (el.dataset && el.dataset.role) return el.dataset.role;
    if (el.classList.contains('ui-dialog-titlebar-close')) return 'close';
    if (el.classList.contains('ui-tabs-anchor')) return 'tab';
    if (el.tagName === 'BUTTON') return 'button';
    if (el.tagName === 'A' || el.classList.contains('alink')) return 'link';
    if (el.tagName === 'TEXTAREA') return 'textbox';
    if (el.tagName === 'SELECT') return 'list';
    if (el.tagName !== 'INPUT') return 'other';
    if (['button', 'submit', 'reset'].includes(el.type)) return 'button';
    if (['checkbox', 'radio'].includes(el.type)) return el.type;
    return 'textbox';
  };
  const chars = [];
  const walker = doc.createTreeWalker(clip.root || doc.body, 4);
  const range = doc.createRange();
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    const parent = node.parentElement;
    if (!parent || ['SCRIPT', 'STYLE'].includes(parent.tagName) || !node.data.trim()) continue;
    for (let i = 0; i < node.data.length; i++) {
      if (!node.data[i].trim()) continue;
      range.setStart(node, i);
      range.setEnd(node, i + 1);
      const r = range.getBoundingClientRect();
      const x = r.x + r.width / 2, y = r.y + r.height / 2;
      if (r.width < 1 || !inside(x, y)) continue;
      const top = doc.elementFromPoint(x, y);
      if (top === null || !(top === parent || parent.contains(top) || top.contains(parent))) continue;
      chars.push([node.data[i], x - clip.x, y - clip.y]);
    }
  }
  const elements = [];
  const selector = 'button,a,input,textarea,select,.alink,[data-role]';
  for (const el of (clip.root || doc).querySelectorAll(selector)) {
    if (el.parentElement.closest('[data-role]')) continue;
    const rects = Array.from(el.getClientRects()).filter((r) => r.width > 1 && r.height > 1);
    if (rects.length === 0) continue;
    const r = rects[0];
    let best = null, count = 0;
    for (let i = 1; i < 10; i++) for (let j = 1; j < 10; j++) {
      const x = r.x + r.width * i / 10, y = r.y + r.height * j / 10;
      if (!inside(x, y) || !hits(el, x, y)) continue;
      count += 1;
      const d = (Math.abs(i - 5) + Math.abs(j - 5)) / 10;
      if (best === null || d < best.d) best = {d: d, x: x, y: y};
    }
    if (count < 8) continue;
    elements.push({
      role: roleOf(el),
      text: (el.dataset.name || el.textContent || el.value || '').replace(/\s+/g, ' ').trim(),
      box: [r.left - clip.x, r.top - clip.y, r.right - clip.x, r.bottom - clip.y],
      point: [best.x - clip.x, best.y - clip.y],
    });
  }
  return {chars: chars, elements: elements};
}
"""


@dataclass
class PageSketch:
    """A page to be: its HTML and what its own request wants.

    Attributes:
        body: the HTML.
        task: what kind of page it is.
        utterance: what the page itself asks for.
        extra: what its record says besides: ``bare`` (no bar on top), ``native`` (the browser's own style),
            ``wanted`` (the button that it asks for), ``done``, ``loading``, ``over`` (the names in a dialog
            that lies over the page) and ``dismiss`` (the one of them that closes it).
    """

    body: str
    task: str
    utterance: str = ""
    extra: dict[str, Any] = field(default_factory=dict)

    @property
    def labels(self) -> dict[str, Any]:
        """Its part of the page's record."""
        return {"task": self.task, "utterance": self.utterance, "extra": self.extra}


@contextmanager
def open_page(width: int, height: int) -> Iterator[Page]:
    """Open one browser page of the given viewport."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        bundled = playwright.chromium.executable_path
        browser = playwright.chromium.launch(executable_path=find_browser(bundled=bundled))
        try:
            yield browser.new_page(viewport={"width": width, "height": height})
        finally:
            browser.close()


def screenshot(page: Page) -> Picture:
    """The viewport's pixels."""
    return np.asarray(Image.open(io.BytesIO(page.screenshot())).convert("RGB"))


def save_shard(folder: Path, name: str, pictures: list[Picture], records: list[PageRecord]) -> None:
    """Write pictures of one size and their labels; the labels come last and mark the shard complete."""
    folder.mkdir(parents=True, exist_ok=True)
    np.save(folder / f"{name}.npy", np.stack(pictures))
    (folder / f"{name}.json").write_text(json.dumps(records), encoding="utf-8")
