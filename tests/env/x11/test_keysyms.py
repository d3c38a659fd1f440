"""What keysyms mean, against pynput's table of the same standard."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from saccade.env.desktop.private_display import PrivateDisplay
from saccade.env.x11.keysyms import KeysymMeaning, meaning


@pytest.mark.parametrize(
    ("keysym", "key"),
    [
        (0x61, "a"),
        (0x20, "space"),
        (0xE9, "é"),
        (0x1002603, "☃"),
        (0x101F600, "😀"),
        (0x6C1, "а"),
        (0x7E1, "α"),
        (0x13BC, "Œ"),
        (0x20AC, "€"),
        (0xFF0D, "enter"),
        (0xFF8D, "enter"),
        (0xFE20, "tab"),
        (0xFFB5, "5"),
        (0xFFAB, "+"),
        (0xFFEC, "meta"),
        (0xFFD5, "f24"),
        (0x1008FF13, "volumeup"),
        (0x100D800, ""),
        (0x1000001, ""),
        (0xFE08, ""),
        (0, ""),
    ],
)
def test_a_keysym_means_a_key_or_a_character(keysym: int, key: str) -> None:
    assert meaning(keysym) == KeysymMeaning(key)


def test_an_accent_waits_for_its_letter() -> None:
    assert meaning(0xFE51) == KeysymMeaning("\u0301", dead=True)


def test_old_pages_of_characters_agree_with_the_standard() -> None:
    """Letters typed on a Cyrillic, Greek, Hebrew, Japanese, Polish or Thai keyboard."""
    code = "import json, pynput._util.xorg_keysyms as x; print(json.dumps(list(x.SYMBOLS.values())))"
    with PrivateDisplay() as display:
        said = subprocess.run(
            [sys.executable, "-c", code], env={**os.environ, **display.environ}, capture_output=True, check=True
        )
    table = dict(json.loads(said.stdout))
    pages = (0x01, 0x04, 0x06, 0x07, 0x0C, 0x0D)
    letters = {keysym: character for keysym, character in table.items() if keysym & 0xFF > 0xA0 and character}
    known = {keysym: character for keysym, character in letters.items() if keysym >> 8 in pages and character.isalpha()}
    wrong = {
        hex(keysym): (meaning(keysym).key, right) for keysym, right in known.items() if meaning(keysym).key != right
    }
    assert wrong == {}
    assert len(known) > 300
