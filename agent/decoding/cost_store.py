"""Keeps learned costs of forwards between processes, so that a new one knows at once what drafts cost here.

One private file in the user's state folder holds the costs of the last few combinations of model shape, machine and
number format. Whatever else it holds is ignored and replaced; where it cannot be written, nothing is kept.
"""

from __future__ import annotations

import contextlib
import json
import platform
from pathlib import Path
from typing import Any, Final

import torch

from ...actions.files import read_file, read_text_file
from ...actions.untrusted import parse_json
from ...env.private_files import private_folder, private_part, write_private
from ...env.trajectory.ownership import state_folder
from .costs import LearnedCosts

FILE_NAME: Final = "forward-costs.json"
_MOST: Final = 32
"""Combinations that are kept, those that were used last."""
_LARGEST: Final = 1 << 18
_FIRST: Final = 32
"""Forwards after which costs are kept for the first time; then after every half as many more."""


class CostStore:
    """Loads and saves the costs of one model on one machine.

    Args:
        costs: go on from what is known; saved from time to time.
        shape: what determines the model's arithmetic, in words.
        device: where it runs.
    """

    def __init__(self, costs: LearnedCosts, shape: str, device: torch.device) -> None:
        self._costs = costs
        self._key = f"{shape}, {_machine(device)}, torch {torch.__version__}"
        with contextlib.suppress(RuntimeError):  # there is no home
            costs.load(_read(_file()).get(self._key))
        self._saved = costs.count

    def save_sometimes(self) -> None:
        """Save if much was learned since the last time."""
        if self._costs.count >= max(_FIRST, self._saved * 1.5):
            self._saved = self._costs.count
            with contextlib.suppress(OSError, RuntimeError):
                self._save(_file())

    def _save(self, file: Path) -> None:
        known = _read(file)
        known.pop(self._key, None)
        known[self._key] = self._costs.dump()
        kept = dict(list(known.items())[-_MOST:])
        private_folder(file.parent)
        with private_part(file) as part:
            write_private(part, json.dumps(kept))


def _file() -> Path:
    return state_folder() / FILE_NAME


def _read(file: Path) -> dict[str, Any]:
    """What a file holds, by combination; nothing if it is missing or of another kind."""
    try:
        found = parse_json(read_file(file, _LARGEST))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _machine(device: torch.device) -> str:
    """The processor, in words, with the number of threads where they count."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    name = platform.processor() or platform.machine()
    with contextlib.suppress(OSError, ValueError):
        lines = read_text_file("/proc/cpuinfo").splitlines()
        name = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), name)
    return f"{name} with {torch.get_num_threads()} threads"
