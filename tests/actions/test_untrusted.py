"""Files, names, JSON and texts of others: what leads out, never ends or steers is refused or made visible."""

from __future__ import annotations

from pathlib import Path

import pytest

from saccade.actions.untrusted import DEEPEST, contained, parse_json, visible


@pytest.mark.parametrize(
    "name", ["", "/etc/passwd", "../x", "a/../../x", "a\0b", "\ud800", "out/passwd", "loop", "deep/out/passwd"]
)
def test_a_name_that_leads_out_of_its_folder_is_refused(tmp_path: Path, name: str) -> None:
    folder = tmp_path / "run"
    (folder / "deep").mkdir(parents=True)
    (folder / "out").symlink_to("/etc")
    (folder / "deep" / "out").symlink_to("../../..")
    (folder / "loop").symlink_to("loop")
    with pytest.raises(OSError, match=r"leads out|is no name"):
        contained(folder, name)


def test_a_name_in_its_folder_is_kept_also_by_way_of_links_inside(tmp_path: Path) -> None:
    (tmp_path / "run" / "a").mkdir(parents=True)
    (tmp_path / "run" / "b").symlink_to("a")
    (tmp_path / "link").symlink_to("run")
    for folder in (tmp_path / "run", tmp_path / "link"):
        for name in ("a/x.png", "b/x.png", "./x.png", "..x", "new.png"):
            assert contained(folder, name) == folder / name


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (b'{"a": 1, "a": 2}', "the key 'a' comes twice"),
        (b'{"a": {"b": 1, "b": 1}}', "the key 'b' comes twice"),
        (b"[" * 100_000, "nested|too deep"),
        (b"[" * 101 + b"]" * 101, f"nested more than {DEEPEST} deep"),
        (b'{"a":' * 101 + b"1" + b"}" * 101, f"nested more than {DEEPEST} deep"),
        (b"1" * 401, "a number has 401 digits"),
        (b"\xff{}", "utf-8"),
        (b"{", "Expecting"),
        (b"{} {}", "Extra data"),
    ],
)
def test_json_that_is_broken_double_or_endless_is_refused(text: bytes, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        parse_json(text)


def test_other_json_is_read() -> None:
    assert parse_json(b'\xef\xbb\xbf{"a": [1, 2.5, null, "\\ud800"]}') == {"a": [1, 2.5, None, "\ud800"]}
    assert parse_json("[" * 100 + "]" * 100) is not None
    assert parse_json('{"a": [' + ", ".join(["{}"] * 1000) + "]}") == {"a": [{}] * 1000}


def test_what_steers_a_terminal_or_turns_the_text_around_is_shown() -> None:
    assert visible("\x1b[2Jok\x07\r\x9b1m\u202egnp.exe\u2066\ud83d") == (
        "\\x1b[2Jok\\x07\\r\\x9b1m\\u202egnp.exe\\u2066\\ud83d"
    )
    assert visible("naïve\n\tשלום 😀 你好") == "naïve\n\tשלום 😀 你好"
