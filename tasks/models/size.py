"""How large a model is and where it would run, told without loading it."""

from __future__ import annotations

import contextlib
import ctypes
import json
import math
import sys
from pathlib import Path


def parameters(model: str) -> int:
    """How many parameters a checkpoint has, read from the headers of its files.

    Raises:
        MissingPartError: there is no such checkpoint.
    """
    from ...agent.checkpoints.checkpoint import locate

    directory = locate(model)
    counted = sum(_count(path) for path in directory.glob("*.safetensors"))
    return counted or sum(path.stat().st_size // 2 for path in directory.glob("pytorch_model*.bin"))


def has_gpu() -> bool:
    """Whether models run on a GPU here."""
    with contextlib.suppress(OSError):
        ctypes.CDLL("nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1")
        import torch  # takes a second, which machines without a driver need not spend

        return bool(torch.cuda.is_available())
    return False


def _count(path: Path) -> int:
    """The parameters in a file, whose header comes first: its length in 8 bytes, then JSON."""
    with contextlib.suppress(OSError, ValueError, KeyError), path.open("rb") as stream:
        header = json.loads(stream.read(int.from_bytes(stream.read(8), "little")))
        return sum(math.prod(tensor["shape"]) for name, tensor in header.items() if name != "__metadata__")
    return 0  # who loads it says what is wrong with it
