"""Files and folders that only their owner can read, under every umask."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from saccade.env.private_files import make_private, open_private, private_folder, private_part, write_private


@pytest.fixture(params=[0o000, 0o022, 0o077, 0o277, 0o777])
def umask(request: pytest.FixtureRequest) -> Iterator[int]:
    before = os.umask(request.param)
    yield request.param
    assert os.umask(before) == request.param, "the process keeps its umask"


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_what_is_made_is_private(umask: int, tmp_path: Path) -> None:
    made = private_folder(tmp_path / "a" / "b" / "c")
    write_private(made / "text", "x\u00e9")
    with open_private(made / "lines", "a", encoding="utf-8") as stream:
        stream.write("y")
    with private_part(made / "part") as part:
        part.touch(0o666)
    foreign = made / "foreign"
    foreign.mkdir(0o777)
    (foreign / "f").touch(0o666) if not umask & 0o300 else None
    make_private(foreign)
    assert {mode(path) for path in (tmp_path / "a", tmp_path / "a" / "b", made, foreign)} == {0o700}
    assert {mode(path) for path in made.rglob("*") if path.is_file()} == {0o600}
    assert sorted(path.name for path in made.iterdir()) == ["foreign", "lines", "part", "text"]
    assert (made / "text").read_bytes() == "x\u00e9".encode()


def test_what_is_there_keeps_its_mode(tmp_path: Path) -> None:
    theirs = tmp_path / "theirs"
    theirs.mkdir()
    theirs.chmod(0o755)
    (theirs / "file").write_text("old", encoding="utf-8")
    (theirs / "file").chmod(0o640)
    private_folder(theirs)
    with open_private(theirs / "file", "a") as stream:
        stream.write("er")
    assert (mode(theirs), mode(theirs / "file"), (theirs / "file").read_text()) == (0o755, 0o640, "older")
    with pytest.raises(FileExistsError):
        private_folder(theirs, exist_ok=False)
    with pytest.raises(FileExistsError):
        private_folder(theirs / "file")
    with pytest.raises(FileExistsError):
        open_private(theirs / "file", "x")


def test_a_part_that_fails_leaves_nothing(tmp_path: Path) -> None:
    def write() -> None:
        with private_part(tmp_path / "whole") as part:
            part.write_text("half", encoding="utf-8")
            raise ValueError

    with pytest.raises(ValueError, match=r"^$"):
        write()
    assert list(tmp_path.iterdir()) == []
