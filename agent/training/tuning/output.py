"""What a training leaves behind: an adapter's folder, or a whole checkpoint."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

from ....actions.errors import UsageError
from ...checkpoints.adapter import adapter_tensors, save_adapter
from ...checkpoints.saving import save_checkpoint
from .tuner import Tuner


def write_result(tuner: Tuner, directory: Path, *, whole: bool) -> Path:
    """Write the weights as they are; the tuner cannot go on afterwards if an adapter is written as a ``whole``.

    Raises:
        UsageError: an adapter beside weights in few bits is to be merged into them.
    """
    tuned, plan = tuner.tuned, tuner.plan
    if directory.exists():  # of an earlier end of the same training
        shutil.rmtree(directory)
    if tuned.adapter is None:
        return save_checkpoint(tuned.checkpoint, plan.model, directory)
    if whole:
        if plan.settings.get("quantize", "none") != "none":
            raise UsageError("weights in few bits cannot take an adapter; write it as it is and use saccade merge")
        network = tuned.adapted.merge_and_unload()
        return save_checkpoint(replace(tuned.checkpoint, model=network), plan.model, directory)
    save_adapter(directory, tuned.adapter, adapter_tensors(tuned.adapted))
    return directory
