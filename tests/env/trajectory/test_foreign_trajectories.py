"""Folders of others: nothing outside them is read, and only what this user recorded counts as own."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from made_runs import made_run
from saccade.actions.errors import TrajectoryError
from saccade.env.trajectory import ownership
from saccade.env.trajectory.trajectory import FILE_NAME, Trajectory


def changed(folder: Path, line: int, **values: Any) -> None:
    """Change fields of a line, and leave the seal open, as somebody does who stands by a change."""
    file = folder / FILE_NAME
    lines = [json.loads(each) for each in file.read_bytes().splitlines()]
    lines[line].update(values)
    lines[-1]["sha256"] = ""
    file.write_text("".join(json.dumps(each) + "\n" for each in lines), encoding="utf-8")


def test_a_trajectory_that_is_a_link_out_a_pipe_or_a_device_is_refused(tmp_path: Path) -> None:
    made_run(tmp_path / "mine")
    for number, make in enumerate(
        [
            lambda file: file.symlink_to(tmp_path / "mine" / FILE_NAME),
            lambda file: file.symlink_to("/dev/zero"),
            os.mkfifo,
            Path.mkdir,
        ]
    ):
        folder = tmp_path / f"foreign{number}"
        folder.mkdir()
        make(folder / FILE_NAME)
        with pytest.raises(TrajectoryError, match=r"trajectory\.jsonl: cannot be read: "):
            Trajectory.load(folder)


@pytest.mark.parametrize("digest", ["../../secret", "/etc/passwd", "a\0b", "\ud800", "x" * 300])
def test_a_screenshot_has_the_name_of_a_file_in_the_folder(tmp_path: Path, digest: str) -> None:
    made_run(tmp_path / "run")
    (tmp_path / "secret.png").write_bytes(b"secret")
    changed(tmp_path / "run", 1, screenshot=digest)
    with pytest.raises(TrajectoryError, match="the screenshot of step 1 is unreadable"):
        Trajectory.load(tmp_path / "run").check()


def test_a_screenshot_is_no_link_out_of_the_folder(tmp_path: Path) -> None:
    run = made_run(tmp_path / "run")
    made_run(tmp_path / "other")
    file = run.image_path(run.steps[0].observation)
    file.unlink()
    file.symlink_to(tmp_path / "other" / "screenshots" / file.name)
    with pytest.raises(TrajectoryError, match="leads out of its folder by a link"):
        run.check()
    shutil.rmtree(tmp_path / "run" / "screenshots")
    (tmp_path / "run" / "screenshots").symlink_to(tmp_path / "other" / "screenshots")
    with pytest.raises(TrajectoryError, match="leads out of its folder by a link"):
        run.check()


@pytest.mark.parametrize(
    ("line", "values"),
    [
        (0, {"time": 1e308}),
        (0, {"time": -1}),
        (0, {"seed": 10**30}),
        (1, {"size": [-5, 5]}),
        (1, {"size": [10**9, 5]}),
        (1, {"device_scale": 0}),
        (1, {"device_scale": 1e-300}),
        (1, {"step": -1}),
        (4, {"steps": 10**400}),
        (2, {"usage": {"forwards": 10**399}}),
        (0, {"extra": {"a": [[[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]]]}, "saccade_version": 5}),
    ],
)
def test_numbers_beyond_all_use_are_refused_with_their_line(tmp_path: Path, line: int, values: dict[str, Any]) -> None:
    made_run(tmp_path, final=False)
    changed(tmp_path, line, **values)
    with pytest.raises(TrajectoryError, match=rf"trajectory\.jsonl:{line + 1}: ") as error:
        Trajectory.load(tmp_path)
    assert "\n" not in str(error.value)


def test_a_recording_is_ones_own_until_it_is_changed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made_run(tmp_path / "run")
    assert Trajectory.load(tmp_path / "run").own
    assert Trajectory.load(tmp_path / "run" / FILE_NAME).own
    shutil.copytree(tmp_path / "run", tmp_path / "copy")
    assert Trajectory.load(tmp_path / "copy").own
    changed(tmp_path / "copy", 0, policy="openai:http://evil.example/v1#x")
    assert not Trajectory.load(tmp_path / "copy").own
    made_run(tmp_path / "cut", end=None)
    assert not Trajectory.load(tmp_path / "cut").own
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "somebody else"))
    assert not Trajectory.load(tmp_path / "run").own
    made_run(tmp_path / "theirs")
    assert Trajectory.load(tmp_path / "theirs").own
    monkeypatch.undo()
    assert not Trajectory.load(tmp_path / "theirs").own


def test_the_key_is_private_and_no_run_fails_without_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    made_run(tmp_path / "run")
    (key,) = (tmp_path / "state" / "saccade").iterdir()
    assert (key.stat().st_mode & 0o777, key.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    assert (tmp_path / "run" / ownership.SIGNATURE_NAME).stat().st_mode & 0o777 == 0o600
    key.chmod(0o644)
    assert not Trajectory.load(tmp_path / "run").own, "others may have read the key"
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "file"))
    assert not made_run(tmp_path / "without").own


def test_a_signature_that_is_no_file_is_none(tmp_path: Path) -> None:
    made_run(tmp_path / "run")
    signature = tmp_path / "run" / ownership.SIGNATURE_NAME
    known = signature.read_bytes()
    for make in (
        os.mkfifo,
        lambda file: file.symlink_to("/dev/zero"),
        Path.mkdir,
        lambda file: file.write_bytes(b"\xff"),
    ):
        signature.unlink()
        make(signature)
        assert not Trajectory.load(tmp_path / "run").own
        if signature.is_dir():
            signature.rmdir()
            signature.touch()
    signature.write_bytes(known)
    assert Trajectory.load(tmp_path / "run").own
