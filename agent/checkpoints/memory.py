"""The memory that a checkpoint takes, said before it is loaded, with what makes it fit where it does not."""

from __future__ import annotations

import contextlib
import json
import logging
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast

from ...actions.errors import UsageError
from .loading import QUANTIZATIONS, Quantization

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedConfig

_LOG = logging.getLogger(__name__)

_SCREENSHOT: Final = 2_691
"""Tokens of a screenshot of 1920x1080 in most families."""
_TEXT: Final = 3_000
"""Tokens of the texts in a long episode."""
_WORTH_SAYING: Final = 1_000_000_000
_QUANTIZED: Final[Mapping[Quantization, float]] = {"8bit": 1.0, "4bit": 0.5 + 4 / 64}
"""Bytes per number; with 4 bits each 64 numbers share a scale in float32."""
_SERVER: Final = "run it on a server (--model openai:URL#NAME)"

FreeMemory = Callable[["torch.device"], int | None]
"""Bytes that are free on a device; None where nobody knows."""


@dataclass(frozen=True)
class MemoryNeed:
    """Bytes that a checkpoint takes.

    Attributes:
        shapes: of its tensors, by name.
        cache_numbers: numbers in the KV cache of a full context.
    """

    shapes: Mapping[str, tuple[int, ...]]
    cache_numbers: int

    @classmethod
    def of(cls, directory: Path, config: PreTrainedConfig, images: int) -> MemoryNeed:
        """What a checkpoint takes with so many screenshots of 1920x1080 in its context."""
        text = cast("Any", config).get_text_config()
        width = getattr(text, "head_dim", None) or text.hidden_size // text.num_attention_heads
        per_token = 2 * text.num_hidden_layers * text.num_key_value_heads * width
        return cls(tensor_shapes(directory), per_token * (images * _SCREENSHOT + _TEXT))

    def weights(self, itemsize: int, quantize: Quantization) -> int:
        """Bytes of the weights; matrices of the language model's layers are quantized, the others are not."""
        total = 0.0
        for name, shape in self.shapes.items():
            quantized = quantize != "none" and len(shape) == 2 and ".layers." in name
            total += math.prod(shape) * (_QUANTIZED[quantize] if quantized else itemsize)
        return int(total)

    def cache(self, itemsize: int) -> int:
        """Bytes of the KV cache."""
        return self.cache_numbers * itemsize

    def check(
        self, name: str, itemsize: int, quantize: Quantization, device: torch.device, free_memory: FreeMemory
    ) -> None:
        """Say what a checkpoint will take; nothing of a small one.

        Raises:
            UsageError: there is less; the message says what makes it fit.
        """
        weights, cache, free = self.weights(itemsize, quantize), self.cache(itemsize), free_memory(device)
        said = f"{name} takes {_gigabytes(weights)} for its weights and up to {_gigabytes(cache)} for its KV cache"
        if free is not None and weights + cache > free:
            advice = self._advice(itemsize, quantize, device, free, free_memory)
            raise UsageError(f"{said}, and {_gigabytes(free)} are free on {device}; {advice}")
        if weights > _WORTH_SAYING:
            _LOG.info("%s", said if free is None else f"{said}; {_gigabytes(free)} are free on {device}")

    def _advice(
        self, itemsize: int, quantize: Quantization, device: torch.device, free: int, free_memory: FreeMemory
    ) -> str:
        """The one thing that makes it fit and changes least."""
        import torch

        if itemsize > 2 and self.weights(2, quantize) + self.cache(2) <= free:
            return "load it in half precision (--dtype bfloat16)"
        for smaller in QUANTIZATIONS[QUANTIZATIONS.index(quantize) + 1 :]:
            needed = self.weights(2, smaller) + self.cache(2)
            if needed <= free:
                return f"load it in fewer bits (--quantize {smaller}: {_gigabytes(needed)})"
        if device.type != "cpu":
            host = free_memory(torch.device("cpu"))
            if host is not None and self.weights(2, quantize) + self.cache(2) <= host:
                return "run it on the processor (--device cpu)"
        return _SERVER


def tensor_shapes(directory: Path) -> dict[str, tuple[int, ...]]:
    """The shapes of a checkpoint's tensors, read from the headers of its ``*.safetensors`` files."""
    shapes: dict[str, tuple[int, ...]] = {}
    for path in sorted(directory.glob("*.safetensors")):
        # A header comes first: its length in 8 bytes, then JSON. Who loads a broken file says what is wrong with it.
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError, AttributeError), path.open("rb") as stream:
            header = json.loads(stream.read(int.from_bytes(stream.read(8), "little")))
            found = {name: tuple(map(int, each["shape"])) for name, each in header.items() if name != "__metadata__"}
            shapes |= found
    return shapes


def free_memory(device: torch.device) -> int | None:
    """Bytes that are free on a device: what the system could give, swap included, within the limits of a container."""
    import torch

    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0]
    limits = [_available(), _container()]
    known = [each for each in limits if each is not None]
    return min(known) if known else None


def _available() -> int | None:
    with contextlib.suppress(OSError, ValueError, KeyError):
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
        numbers = {name: int(rest.split()[0]) for name, _, rest in (line.partition(":") for line in lines)}
        return 1024 * (numbers["MemAvailable"] + numbers["SwapFree"])
    return None


def _container() -> int | None:
    """What a control group still allows; None without a limit."""
    group = Path("/sys/fs/cgroup")
    with contextlib.suppress(OSError, ValueError):
        limit, used = ((group / name).read_text(encoding="ascii") for name in ("memory.max", "memory.current"))
        return int(limit) - int(used)
    return None


def _gigabytes(count: int) -> str:
    return f"{count / 1e9:.1f} GB" if count >= 1e8 else f"{count / 1e6:.1f} MB"
