"""Downloads: saved under safe names in one folder, in bounded number and size."""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from playwright.sync_api import Download, Error

from ...guard.intent import Act
from ...notes import excerpt, quoted
from ...private_files import open_private, private_folder, private_part
from ..options import BrowserOptions

_NAME_BYTES = 200
"""Most bytes of a name: file systems take 255, and a number must still fit."""
_SUFFIX_BYTES = 40
"""A longer ending is not one."""
_UNSAFE = re.compile(r'[\x00-\x1f\x7f-\x9f/\\:*?"<>|\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff]')
_RESERVED = re.compile(r"^(con|prn|aux|nul|com[0-9]|lpt[0-9])(?=\.|$)", re.IGNORECASE)
"""Names of devices on Windows, whatever their ending."""


def safe_name(suggested: str) -> str:
    """A file name made of one that a page suggests, which may be anything.

    It has no path, no control or direction characters, no leading dot and no device's name, fits every usual file
    system, and keeps its ending.
    """
    name = _UNSAFE.sub("_", suggested).strip(" .")
    name = _RESERVED.sub(r"_\1", name) or "download"
    if len(name.encode()) <= _NAME_BYTES:
        return name
    stem, suffix = Path(name).stem, Path(name).suffix
    if len(suffix.encode()) > _SUFFIX_BYTES:
        stem, suffix = name, ""
    return _cut(stem, _NAME_BYTES - len(suffix.encode())) + suffix


def _cut(text: str, size: int) -> str:
    """The beginning of a text that fits into so many bytes of UTF-8."""
    return text.encode()[:size].decode(errors="ignore").rstrip(" .")


def reserve(folder: Path, name: str) -> Path:
    """Make an empty new file under a name, or that name with a number; nothing that exists is overwritten or followed.

    Raises:
        OSError: the folder cannot be written.
    """
    private_folder(folder)
    stem, suffix = Path(name).stem, Path(name).suffix
    number = 0
    while True:
        path = folder / (f"{stem} ({number}){suffix}" if number else name)
        try:
            open_private(path, "xb").close()
        except FileExistsError:
            number += 1
        else:
            return path


class Downloads:
    """Saves downloads to a folder, made when first needed, or refuses them without one.

    Args:
        options: the folder, how many are taken, bytes that all may have together, and what hides secrets in names.
        partial: the browser's folder for downloads that are not complete.
        note: is told what became of each.
        allows: the guard's word on each.
    """

    def __init__(
        self, options: BrowserOptions, partial: Path, note: Callable[[str], None], allows: Callable[[Act, str], bool]
    ) -> None:
        self._folder = options.downloads
        self._most = options.most_downloads
        self._left = self._largest = options.download_bytes
        self._conceal = options.secrets.conceal
        self._partial = partial
        self._note = note
        self._allows = allows
        self._running: list[Download] = []
        self.seen = 0

    @property
    def pending(self) -> int:
        """How many are not complete."""
        return len(self._running)

    def check(self) -> None:
        """Break off what has become too large."""
        if self._running and sum(map(_size, self._partial.iterdir())) > self._left:
            for download in tuple(self._running):
                self._cancel(download)

    def handle(self, download: Download) -> None:
        """Save one download when it is complete."""
        self.seen += 1
        name = safe_name(self._conceal(download.suggested_filename))
        if self._folder is None:
            self._note(f"download refused, as there is no downloads folder: {quoted(name)}")
        elif self.seen > self._most:
            self._note(f"download refused, as there were {self._most} already: {quoted(name)}")
        elif self._save(download, self._folder, name):
            return
        self._cancel(download)

    def _save(self, download: Download, folder: Path, name: str) -> bool:
        """Save one, if the guard allows it; else it is to be cancelled."""
        if not self._allows("save_download", name):
            self._note(f"download refused, as the guard does not allow it: {quoted(name)}")
            return False
        self._running.append(download)
        try:
            size = _size(Path(download.path()))  # waits until it is complete
            if size > self._left:
                self._note(f"download refused, as all may have {_bytes(self._largest)} together: {quoted(name)}")
                return True
            target = self._copy(download.save_as, reserve(folder, name))
            download.delete()
            self._left -= size
            self._note(f"download saved: {quoted(target.name)}, {_bytes(size)}")
        except Error as error:
            why = excerpt(error.message.splitlines()[0].removeprefix("Download.path: "))
            if "cancel" in why.lower():
                why = f"it was broken off, as all may have {_bytes(self._largest)} together"
            self._note(f"download failed: {quoted(name)}: {why}")
        except OSError as error:
            self._note(f"download failed: {quoted(name)}: {error.strerror}")
        finally:
            self._running.remove(download)
        return True

    def _copy(self, save_as: Callable[[Path], None], target: Path) -> Path:
        try:
            with private_part(target) as part:
                save_as(part)
        except BaseException:
            target.unlink(missing_ok=True)
            raise
        return target

    def _cancel(self, download: Download) -> None:
        with suppress(Error):  # the browser may have refused it itself
            download.cancel()


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:  # it is complete and gone
        return 0


def _bytes(size: float) -> str:
    for unit in ("bytes", "kB", "MB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if unit == "bytes" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} GB"
