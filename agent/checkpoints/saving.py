"""Writes checkpoints: the weights of a network with the files of the checkpoint that it came from, and averages."""

from __future__ import annotations

import math
import shutil
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from ...actions.errors import UsageError
from ...env.private_files import make_private, private_folder
from .checkpoint import Checkpoint, load_checkpoint, located_with_base, without_progress_bars

_TAKEN: Final = ("*.json", "*.jinja", "*.txt", "*.model")
_OWN: Final = ("config.json", "generation_config.json", "adapter_config.json", "training.json")
"""Files that belong to weights, and are not taken over."""


def save_checkpoint(checkpoint: Checkpoint, model: str | Path, directory: Path) -> Path:
    """Write a network as a checkpoint of its own, in the number format of the checkpoint that it came from.

    Args:
        checkpoint: with the network; it may have changed since it was loaded.
        model: what it was loaded from: its tokenizer, processor, template and card are taken over.
        directory: made if needed.

    Raises:
        UsageError: the directory holds a checkpoint already.
    """
    if (directory / "config.json").exists() or (directory / "adapter_config.json").exists():
        raise UsageError(f"{directory} holds a checkpoint already; name another folder (--out)")
    *adapters, base = located_with_base(model)
    private_folder(directory)
    for source in (base, *reversed(adapters)):
        for file in _files(source):
            shutil.copyfile(file, directory / file.name)
    network: Any = checkpoint.model
    stored = stored_format(base)
    weights = {name: each.detach().to("cpu", stored) for name, each in network.state_dict().items()}
    if network.config.tie_word_embeddings:
        weights.pop("lm_head.weight", None)
    with without_progress_bars():
        network.save_pretrained(directory, state_dict=weights)
    make_private(directory)
    return directory


def _files(source: Path) -> Iterable[Path]:
    return (
        file
        for pattern in _TAKEN
        for file in sorted(source.glob(pattern))
        if file.name not in _OWN and not file.name.endswith(".index.json")
    )


def stored_format(directory: Path) -> Any:
    """The number format of most of a checkpoint's stored weights; float32 where they are not in safetensors."""
    import torch
    from safetensors import safe_open

    known = {"F16": torch.float16, "BF16": torch.bfloat16}
    formats: Counter[str] = Counter()
    for path in directory.glob("*.safetensors"):
        with safe_open(path, "pt") as file:
            for name in file.keys():  # noqa: SIM118 - it is no mapping
                part = file.get_slice(name)
                formats[part.get_dtype()] += math.prod(part.get_shape())
    return known.get(formats.most_common(1)[0][0] if formats else "", torch.float32)


def merge_checkpoints(models: Sequence[str], directory: Path) -> Path:
    """Write one checkpoint of some: an adapter with its base becomes whole, and several are averaged.

    The mean of weights that were trained from the same start is often better than each (arXiv 2203.05482).

    Raises:
        UsageError: they are not of the same shapes, or the directory holds a checkpoint.
    """
    first = load_checkpoint(models[0], device="cpu", dtype="float32")
    network: Any = first.model
    total = {name: each.detach().clone() for name, each in network.state_dict().items()}
    for model in models[1:]:
        other: Any = load_checkpoint(model, device="cpu", dtype="float32").model
        found = other.state_dict()
        if {n: each.shape for n, each in found.items()} != {n: each.shape for n, each in total.items()}:
            raise UsageError(f"{model} has other weights than {models[0]}; average checkpoints of one base")
        for name, each in found.items():
            if each.is_floating_point():
                total[name] += each
    if len(models) > 1:
        network.load_state_dict({n: e / len(models) if e.is_floating_point() else e for n, e in total.items()})
    return save_checkpoint(replace(first, model=network), models[0], directory)
