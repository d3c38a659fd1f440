"""Folders as an attacker or a broken disk would make them: golden recordings and imports, changed at random."""

from __future__ import annotations

import json
import os
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

from PIL import Image

OUTSIDE = "outside-secret"
"""A folder beside the hostile one; nothing in it may be read or written."""
TEXTS = (
    "",
    "../outside-secret/file",
    "/etc/passwd",
    "/dev/zero",
    "~/.ssh/id_rsa",
    "\x1b[2J\x1b]0;owned\x07",
    "\u202egnp.exe\u2066",
    "\ud800",
    "\0",
    "a\nb\rc",
    "x" * 5000,
    "{{password}}",
    "openai:http://127.0.0.1:9/v1#x",
    "http://127.0.0.1:9/",
    "file:///etc/passwd",
    "sh -c 'touch /tmp/owned'",
    "somebody/something",
    "browser",
    "desktop",
    "miniwob:../../x",
    "import os; os.system('touch /tmp/owned')",
    "pyautogui.click(x=1e308, y=-1)",
    "pyautogui.write('" + "a" * 3000 + "')",
    "20260101@120000000000",
    "99999999@999999999999",
)
NUMBERS: tuple[Any, ...] = (
    0, -1, 1, 2**31, 2**63, 2**64, 10**30, -(10**30), 10**399, 1e308, -1e308, 5e-324, 0.5,
    float("nan"), float("inf"), -float("inf"), True,
)  # fmt: skip
RAW = (
    b"1e999",
    b"-1e999",
    b"1" + b"0" * 400,
    b"1" * 5000,
    b"[" * 200 + b"]" * 200,
    b"[" * 100_000,
    b"NaN",
    b'"\\ud800"',
)
"""What ``json.dumps`` does not write."""
_MARK = "@@raw@@"


class Mutator:
    """Changes folders in ways that are drawn from a seed."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)

    def value(self) -> Any:
        """Anything."""
        kinds: list[Callable[[], Any]] = [
            lambda: self.chance.choice(TEXTS),
            lambda: self.chance.choice(NUMBERS),
            lambda: None,
            lambda: [],
            lambda: {},
            lambda: [self.chance.choice(NUMBERS)] * self.chance.randint(1, 4),
            lambda: {"a": {"b": self.chance.choice(TEXTS)}},
            lambda: _MARK,
        ]
        return self.chance.choice(kinds)()

    def json(self, data: Any) -> Any:
        """One place of a JSON value is another value, or gone, or there twice, or has another name."""
        path = self.chance.choice(list(_places(data)))
        if not path:
            return self.value()
        *way, last = path
        holder = data
        for part in way:
            holder = holder[part]
        match self.chance.randint(0, 5):
            case 0:
                del holder[last]
            case 1 if isinstance(holder, dict):
                holder[self.chance.choice([*TEXTS[:9], str(last) + "x"])] = holder.pop(last)
            case 2 if isinstance(holder, list):
                holder.extend([holder[last]] * self.chance.randint(1, 50))
            case _:
                holder[last] = self.value()
        return data

    def dumped(self, data: Any) -> bytes:
        """JSON in bytes, with what is not written by ``json.dumps`` put in."""
        text = json.dumps(data).encode()
        return text.replace(json.dumps(_MARK).encode(), self.chance.choice(RAW))

    def text(self, data: bytes) -> bytes:
        """Bytes, damaged as a whole."""
        at = self.chance.randrange(len(data) + 1)
        match self.chance.randint(0, 7):
            case 0:
                return data[:at]
            case 1:
                return data[:at] + self.chance.randbytes(self.chance.randint(1, 8)) + data[at:]
            case 2:
                return b"\xef\xbb\xbf" + data
            case 3:
                return data.replace(b"\n", b"\r\n")
            case 4:
                return data.decode("utf-8", "replace").encode("utf-16")
            case 5:
                return data * 2
            case 6:
                return data[:at] + b"\n" * self.chance.randint(1, 3) + data[at:]
            case _:
                return bytes(byte if self.chance.random() > 0.002 else self.chance.randrange(256) for byte in data)

    def lines(self, data: bytes) -> bytes:
        """Lines of JSON: one changed inside, or the file as a whole."""
        if self.chance.random() < 0.25:
            return self.text(data)
        lines = data.splitlines() or [b"{}"]
        for _ in range(self.chance.randint(1, 3)):
            at = self.chance.randrange(len(lines))
            match self.chance.randint(0, 9):
                case 0:
                    lines.insert(at, self.chance.choice(lines))
                case 1 if len(lines) > 1:
                    del lines[at]
                case 2:
                    lines[at] = lines[at].replace(b"{", b'{"event": 1, "task_id": "x", ', 1)  # a key twice
                case _:
                    try:
                        lines[at] = self.dumped(self.json(json.loads(lines[at])))
                    except (ValueError, RecursionError):
                        lines[at] = self.text(lines[at])
        return b"\n".join(lines) + b"\n"

    def place(self, file: Path) -> None:
        """A file is something else: a link out, a pipe, a device, a folder, or gone."""
        outside = file.parents[len(file.parts) - 1 - file.parts.index("hostile")].parent / OUTSIDE
        file.unlink()
        # The table itself is named on the command line, and may be a link.
        match self.chance.randint(1 if file.suffix == ".parquet" else 0, 6):
            case 0:
                file.symlink_to(outside / "file")
            case 1:
                os.mkfifo(file)
            case 2 if file.suffix != ".parquet":
                file.symlink_to("/dev/zero")
            case 3:
                file.mkdir()
            case 4 if file.suffix != ".parquet":
                file.symlink_to(file.name)
            case 5:
                file.write_bytes(b"")
            case _:
                pass

    def picture(self, data: bytes) -> bytes:
        """A picture that is damaged, of another kind, or claims to be huge."""
        match self.chance.randint(0, 3):
            case 0:
                return data[:16] + self.chance.randbytes(8) + data[24:]
            case 1:
                import io

                buffer = io.BytesIO()
                Image.new("RGB", (3, 3)).save(buffer, self.chance.choice(["EPS", "TIFF", "GIF", "JPEG", "WEBP"]))
                return buffer.getvalue()
            case _:
                return self.text(data)

    def folder(self, folder: Path) -> None:
        """One to three files of a folder named ``hostile`` are changed."""
        files = sorted(file for file in folder.rglob("*") if file.is_file() and not file.is_symlink())
        main = [file for file in files if file.suffix in (".jsonl", ".json", ".parquet", ".har")]
        for _ in range(self.chance.randint(1, 3)):
            file = self.chance.choice(main if self.chance.random() < 0.7 else files)
            if not file.is_file() or file.is_symlink():
                continue
            if self.chance.random() < 0.15:
                self.place(file)
            elif file.suffix == ".jsonl":
                file.write_bytes(self.lines(file.read_bytes()))
            elif file.suffix == ".png":
                file.write_bytes(self.picture(file.read_bytes()))
            elif file.suffix == ".json" and self.chance.random() < 0.8:
                try:
                    file.write_bytes(self.dumped(self.json(json.loads(file.read_bytes()))))
                except (ValueError, RecursionError):
                    file.write_bytes(self.text(file.read_bytes()))
            else:
                file.write_bytes(self.text(file.read_bytes()))


def _places(data: Any, path: tuple[Any, ...] = ()) -> Any:
    yield path
    if isinstance(data, dict | list):
        for key, value in data.items() if isinstance(data, dict) else enumerate(data):
            yield from _places(value, (*path, key))
