"""Trained drafting heads on disk, beside the checkpoint they were trained for.

``CHECKPOINT/heads/medusa/`` and ``CHECKPOINT/heads/mtp/`` hold ``heads.safetensors`` and ``config.json``. The
configuration holds the fingerprint of the model; heads of another model are refused.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, cast

import torch
from pydantic import BaseModel, ConfigDict, ValidationError
from torch import Tensor

from ....actions.errors import MissingPartError, UsageError, first_problem
from ....env.private_files import private_folder, private_part, write_private
from ...checkpoints.model_card import read_json
from ..draft import Drafter
from ..drafters.medusa import MedusaDrafter, MedusaHeads
from ..drafters.mtp import MtpDrafter, MtpModule, MtpShape
from ..drafters.output import DraftOutput

if TYPE_CHECKING:
    from ...checkpoints.checkpoint import Checkpoint
    from ..network import Network

Method = Literal["medusa", "mtp"]
METHODS: Final[tuple[Method, ...]] = ("medusa", "mtp")
FOLDER: Final = "heads"
WEIGHTS: Final = "heads.safetensors"
CONFIG: Final = "config.json"
VERSION: Final = 1
_DRAFT_IDS: Final = "draft_ids"
_ROWS: Final = 4096
_ADVICE: Final = "train them for this model (saccade train-heads), or decode without them"
_DIFFERENCES: Final = {
    "hidden_size": "states of another width",
    "vocabulary": "another vocabulary",
    "tokenizer": "another tokenizer",
    "weights": "other weights",
}

Heads = MedusaHeads | MtpModule


class Fingerprint(BaseModel):
    """Identifies the model that heads belong to; ``weights`` hashes its embeddings and its output layer."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    hidden_size: int
    vocabulary: int
    weights: str
    tokenizer: str

    @classmethod
    def of(cls, checkpoint: Checkpoint) -> Fingerprint:
        """The fingerprint of a loaded model; the same in float32, bfloat16 and float16."""
        model = cast("Any", checkpoint.model)
        digest = hashlib.sha256()
        weights = model.get_input_embeddings().weight.detach(), output_weight(checkpoint)
        for weight in weights:
            digest.update(_bytes(weight))
        words = json.dumps(sorted(checkpoint.tokenizer.get_vocab().items())).encode()
        return cls(
            hidden_size=weights[0].shape[1],
            vocabulary=len(weights[1]),
            weights=digest.hexdigest(),
            tokenizer=hashlib.sha256(words).hexdigest(),
        )


def _bytes(weight: Tensor) -> bytes:
    """Some thousand rows, evenly spaced, in bfloat16, which all formats can be rounded to."""
    step = max(1, len(weight) // _ROWS)
    rows = weight[::step].float().cpu()
    # float16 cannot hold smaller numbers as exactly.
    rows = torch.where(rows.abs() < 1e-4, 0.0, rows).to(torch.bfloat16)
    return rows.contiguous().view(torch.int16).numpy().tobytes()


class HeadConfig(BaseModel):
    """The content of ``config.json``.

    Attributes:
        base: the model they were trained for.
        depth: tokens they were trained to draft.
        own: outputs of each Medusa head's own output layer; 0 where the model's is shared.
        accuracies: depths x ranks; accuracy of each guess on held-out replies.
        trained: how they were trained, for information.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    method: Method
    base: Fingerprint
    depth: int
    own: int = 0
    accuracies: tuple[tuple[float, ...], ...]
    trained: dict[str, float | int | str] = {}
    version: int = VERSION


@dataclass(frozen=True)
class TrainedHeads:
    """Heads (in float32), their configuration, and their draft vocabulary; None for the whole vocabulary."""

    heads: Heads
    config: HeadConfig
    draft_ids: Tensor | None = field(default=None, compare=False)


def heads_directory(checkpoint_dir: str | Path, method: str) -> Path:
    """The folder of a checkpoint's heads."""
    return Path(checkpoint_dir) / FOLDER / method


def build_heads(method: Method, text_config: object, depth: int, own: int = 0) -> Heads:
    """Untrained heads for a model's text configuration."""
    if method == "mtp":
        return MtpModule(MtpShape.of(text_config))
    return MedusaHeads(cast("Any", text_config).hidden_size, depth, own)


def save_heads(directory: Path, trained: TrainedHeads) -> None:
    """Write heads, in float16."""
    from safetensors.torch import save_file

    private_folder(directory)
    state = trained.heads.state_dict().items()
    tensors = {name: value.detach().to("cpu", torch.float16).contiguous() for name, value in state}
    if trained.draft_ids is not None:
        tensors[_DRAFT_IDS] = trained.draft_ids.to("cpu", torch.int32).contiguous()
    with private_part(directory / WEIGHTS) as part:
        save_file(tensors, part)
    write_private(directory / CONFIG, trained.config.model_dump_json(indent=2) + "\n")


def load_heads(directory: Path, checkpoint: Checkpoint) -> TrainedHeads:
    """Read heads and check that they are complete and belong to the model.

    Raises:
        MissingPartError: there are none.
        UsageError: they belong to another model, are broken, or come from a newer version.
    """
    config = _read_config(directory)
    _match(config.base, Fingerprint.of(checkpoint), directory)
    heads = build_heads(config.method, cast("Any", checkpoint.model).config.text_config, config.depth, config.own)
    tensors = _read_tensors(directory)
    draft_ids = tensors.pop(_DRAFT_IDS, None)
    try:
        heads.load_state_dict({name: value.float() for name, value in tensors.items()})
    except RuntimeError as error:
        raise _broken(directory / WEIGHTS, str(error).splitlines()[0]) from error
    if draft_ids is not None:
        draft_ids = draft_ids.long()
        rising = bool((draft_ids.diff() > 0).all())
        if not (len(draft_ids) and rising and draft_ids[0] >= 0 and draft_ids[-1] < config.base.vocabulary):
            raise _broken(directory / WEIGHTS, "its draft vocabulary is not in the model's")
    return TrainedHeads(heads.eval(), config, draft_ids)


def load_drafter(method: str, checkpoint: Checkpoint, network: Network, directory: Path | None = None) -> Drafter:
    """The drafter with a checkpoint's heads, by default those beside it; raises as ``load_heads`` does."""
    if method not in METHODS:
        raise UsageError(f"there are no {method!r} heads; use {' or '.join(METHODS)}")
    if directory is None:
        directory = heads_directory(cast("Any", checkpoint.model).name_or_path, method)
    trained = load_heads(directory, checkpoint)
    dtype = torch.float32 if network.device.type == "cpu" else network.dtype
    heads = trained.heads.to(network.device, dtype)
    output = DraftOutput(output_weight(checkpoint), trained.draft_ids)
    if isinstance(heads, MedusaHeads):
        return MedusaDrafter(heads, output, trained.config.accuracies)
    return MtpDrafter(heads, output, network.embed)


def output_weight(checkpoint: Checkpoint) -> Tensor:
    """A model's output layer, vocabulary x hidden size."""
    return cast("Tensor", cast("Any", checkpoint.model).get_output_embeddings().weight.detach())


def _read_config(directory: Path) -> HeadConfig:
    path = directory / CONFIG
    if not path.is_file():
        raise MissingPartError(f"there are no heads in {directory}; {_ADVICE}")
    content = read_json(path)
    version = content.get("version")
    if isinstance(version, int) and version > VERSION:
        raise UsageError(f"{path} was written by a newer Saccade; update it, or train the heads again")
    try:
        config = HeadConfig.model_validate(content)
    except ValidationError as error:
        raise _broken(path, first_problem(error)) from error
    shares = [share for row in config.accuracies for share in row]
    if len(config.accuracies) != config.depth or not shares or not all(0 <= share <= 1 for share in shares):
        raise _broken(path, "accuracies: not one row of shares for each depth")
    return config


def _read_tensors(directory: Path) -> dict[str, Tensor]:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    path = directory / WEIGHTS
    try:
        tensors = load_file(path)
    except (OSError, SafetensorError) as error:
        raise _broken(path, str(error).splitlines()[0]) from error
    if not all(bool(torch.isfinite(value).all()) for value in tensors.values()):
        raise _broken(path, "some weights are not numbers")
    return tensors


def _broken(path: Path, reason: str) -> UsageError:
    return UsageError(f"{path} cannot be used ({reason}); download it again or run saccade train-heads")


def _match(theirs: Fingerprint, ours: Fingerprint, directory: Path) -> None:
    for name, what in _DIFFERENCES.items():
        if getattr(theirs, name) != getattr(ours, name):
            raise UsageError(f"the heads in {directory} belong to a model with {what}; {_ADVICE}")
