"""Only regular files of bounded size are read: nothing hangs at a pipe, and no device fills the memory."""

import os
from pathlib import Path

import pytest

from saccade.actions.files import UnusableFileError, open_file, read_file, read_text_file


@pytest.fixture
def fifo(tmp_path: Path) -> Path:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    return path


def test_a_regular_file_is_read_whole(tmp_path: Path) -> None:
    file = tmp_path / "a.txt"
    file.write_text("naïve\n", encoding="utf-8")
    assert read_file(file) == "naïve\n".encode()
    assert read_text_file(file) == "naïve\n"
    with open_file(file) as stream:
        assert list(stream) == ["naïve\n".encode()]


def test_a_pipe_a_device_and_a_folder_are_refused_at_once(fifo: Path, tmp_path: Path) -> None:
    for path, kind in ((fifo, "a pipe"), (Path("/dev/zero"), "a device"), (tmp_path, "a folder")):
        with pytest.raises(UnusableFileError) as refused:
            read_file(path)
        assert refused.value.strerror == f"it is {kind}, not a file"
        assert refused.value.filename == str(path)


def test_a_link_to_a_pipe_is_refused_like_the_pipe(fifo: Path, tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(fifo)
    with pytest.raises(UnusableFileError):
        read_file(link)


def test_a_file_beyond_the_limit_is_not_read(tmp_path: Path) -> None:
    file = tmp_path / "large"
    file.write_bytes(b"x" * 11)
    assert read_file(file, limit=11) == b"x" * 11
    with pytest.raises(UnusableFileError, match="larger than 10 bytes"):
        read_file(file, limit=10)


def test_a_sparse_file_of_any_size_costs_nothing(tmp_path: Path) -> None:
    file = tmp_path / "sparse"
    with file.open("wb") as stream:
        stream.truncate(1 << 40)
    with pytest.raises(UnusableFileError, match="larger than 256 MB"):
        read_file(file)


def test_a_file_without_a_size_is_bounded_while_it_is_read() -> None:
    assert read_file("/proc/self/status")
    with pytest.raises(UnusableFileError, match="larger than 5 bytes"):
        read_file("/proc/self/status", limit=5)


def test_a_missing_file_is_the_systems_own_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read_file(tmp_path / "none")
