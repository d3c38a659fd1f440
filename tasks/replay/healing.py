"""Healed recordings: a verified replay becomes a new version beside the recording it repeated."""

from __future__ import annotations

import itertools
import json
import re
import shutil
from pathlib import Path

from ...actions.errors import UsageError
from ...agent.replay.policy import ReplayStep
from ...env.private_files import make_private, private_folder, write_private
from ...env.trajectory.ownership import SIGNATURE_NAME
from ...env.trajectory.trajectory import FILE_NAME, Trajectory
from ..terminal.narrator import describe

DIFF_NAME = "healed.json"


def keep_healed(recording: Path, replay: Path, steps: tuple[ReplayStep, ...]) -> Path:
    """Copy a replay's run as the next version of its recording; nothing is overwritten.

    Returns:
        The new version's folder, such as ``login.v3`` beside ``login.v2``; its ``healed.json`` says what changed.

    Raises:
        UsageError: the folder cannot be written.
    """
    folder = recording if recording.is_dir() else recording.parent
    target = _next_version(folder.resolve())
    part = target.with_name(f".{target.name}.part")
    try:
        shutil.rmtree(part, ignore_errors=True)
        private_folder(part, exist_ok=False)
        shutil.copytree(replay / "screenshots", part / "screenshots")
        shutil.copyfile(replay / FILE_NAME, part / FILE_NAME)
        if (replay / SIGNATURE_NAME).is_file():  # it stays the user's own
            shutil.copyfile(replay / SIGNATURE_NAME, part / SIGNATURE_NAME)
        changes = difference(Trajectory.load(folder), Trajectory.load(replay), steps)
        text = json.dumps({"was": folder.name, "changes": changes}, indent=1, ensure_ascii=False)
        write_private(part / DIFF_NAME, text + "\n")
        make_private(part)
        part.rename(target)
    except OSError as error:
        shutil.rmtree(part, ignore_errors=True)
        raise UsageError(f"cannot write {target}: {error.strerror}; free some space, or copy {replay}") from error
    return target


def difference(recording: Trajectory, replay: Trajectory, steps: tuple[ReplayStep, ...]) -> list[dict[str, object]]:
    """List the healed steps: the recorded actions and those that replaced them."""
    recorded = {step.index: step for step in recording.steps}
    changes: list[dict[str, object]] = []
    for step in steps:
        if step.outcome != "own":
            continue
        was = recorded.get(step.recorded) if step.recorded is not None else None
        before = was.prediction.actions if was and was.prediction else ()
        now = replay.steps[step.step].prediction
        changes.append(
            {
                "step": step.step,
                "recorded_step": step.recorded,
                "was": [describe(action) for action in before],
                "now": [describe(action) for action in now.actions] if now else [],
            }
        )
    return changes


def _next_version(folder: Path) -> Path:
    """The first free ``NAME.vN`` beside a recording that is ``NAME`` or ``NAME.vM``."""
    name, number = folder.name, 1
    if found := re.fullmatch(r"(.+)\.v(\d+)", name):
        name, number = found.group(1), int(found.group(2))
    free = (folder.with_name(f"{name}.v{n}") for n in itertools.count(number + 1))
    return next(path for path in free if not path.exists())
