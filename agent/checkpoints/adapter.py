"""LoRA adapters (arXiv 2106.09685): small weights in a folder of their own, which change a checkpoint that it names.

The files are those of ``peft``. They may come from others, so of the configuration only numbers are used: which
matrices are changed is read off the names of the weights, and other kinds of adapters are refused.
"""

from __future__ import annotations

import json
import logging
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ...actions.errors import UsageError, first_problem
from ...actions.extras import need_package
from ...env.private_files import private_folder, private_part, write_private
from .model_card import first_line, read_json

CONFIG_FILE: Final = "adapter_config.json"
WEIGHTS_FILE: Final = "adapter_model.safetensors"
_PREFIX: Final = "base_model.model."
_KINDS: Final = (".lora_A.weight", ".lora_B.weight", ".lora_magnitude_vector")
_LONGEST_CHAIN: Final = 8
_CHANGES: Final = ("use_dora", "modules_to_save", "rank_pattern", "alpha_pattern", "fan_in_fan_out", "lora_bias")
_CHANGES_TOO: Final = ("trainable_token_indices", "layer_replication", "megatron_config", "target_parameters")
"""Settings that change what the weights mean and are not supported."""


class AdapterConfig(BaseModel):
    """The part of ``adapter_config.json`` that is used.

    Attributes:
        base_model_name_or_path: the checkpoint that it changes, as ``load_checkpoint`` takes it.
        r: the rank of the change.
        lora_alpha: the change is scaled by ``lora_alpha / r``, or with ``use_rslora`` by its root.
        target_modules: which matrices, as peft reads it; ours come from the names of the weights.
    """

    model_config = ConfigDict(frozen=True)

    peft_type: Literal["LORA"]
    base_model_name_or_path: str = Field(min_length=1, max_length=4096)
    r: int = Field(ge=1, le=65536)
    lora_alpha: float = Field(gt=0, lt=1e6)
    lora_dropout: float = 0.0
    use_rslora: bool = False
    bias: Literal["none"] = "none"
    target_modules: str | list[str] | None = None
    task_type: str | None = "CAUSAL_LM"
    inference_mode: bool = True


def read_adapter(directory: Path) -> AdapterConfig | None:
    """The configuration of an adapter's folder; None where it holds no adapter.

    Raises:
        UsageError: it is broken, or not a LoRA adapter as they are supported here.
    """
    path = directory / CONFIG_FILE
    if not path.is_file():
        return None
    content = read_json(path)
    for name in (*_CHANGES, *_CHANGES_TOO):
        if content.get(name):
            raise UsageError(f"{path} asks for {name}, which is not supported; merge the adapter into its base")
    try:
        return AdapterConfig.model_validate(content)
    except ValidationError as error:
        raise UsageError(f"{path}: {first_problem(error)}; only LoRA adapters are supported") from error


def next_base(chain: Sequence[Path], config: AdapterConfig) -> str:
    """The base of the last adapter of a chain.

    Raises:
        UsageError: the chain is too long or leads back to itself.
    """
    if len(chain) > _LONGEST_CHAIN or chain[-1].resolve() in {each.resolve() for each in chain[:-1]}:
        raise UsageError(f"the adapter in {chain[0]} has no base that is a checkpoint; merge it (saccade merge)")
    return config.base_model_name_or_path


def apply_adapter(network: Any, directory: Path, *, merge: bool) -> Any:
    """A network with an adapter's change: merged into its weights, or beside them, as those in few bits need it.

    Raises:
        MissingPartError: peft is not installed.
        UsageError: the adapter is broken or does not fit.
    """
    peft: Any = need_package("peft")
    config = read_adapter(directory)
    assert config is not None
    tensors = _read_tensors(directory)
    targets = sorted({_target(name, directory) for name in tensors})
    modules = dict(network.named_modules())
    if missing := [name for name in targets if name not in modules]:
        raise UsageError(f"the adapter in {directory} changes {missing[0]}, which its base does not have")
    try:
        tuner = with_adapter(network, config.model_copy(update={"target_modules": targets, "lora_dropout": 0.0}))
        inner = {name.removeprefix(_PREFIX): each for name, each in tensors.items()}
        found = peft.set_peft_model_state_dict(tuner.model, inner)
    except (RuntimeError, ValueError) as error:
        raise UsageError(f"the adapter in {directory} does not fit its base: {first_line(error)}") from error
    lost = [name for name in found.missing_keys if "lora_" in name] + list(found.unexpected_keys)
    if lost:
        raise UsageError(f"the adapter in {directory} is not complete: {lost[0]}")
    return (tuner.merge_and_unload() if merge else tuner.model).eval()


def with_adapter(network: Any, config: AdapterConfig) -> Any:
    """Put a new adapter into a network's layers, beside their weights; returns what peft controls it by.

    Its own weights are in float32, whatever format the network has.

    Raises:
        MissingPartError: peft is not installed.
    """
    logging.getLogger("bitsandbytes").setLevel(logging.ERROR)  # peft imports it, and here it has nothing to say
    peft: Any = need_package("peft")
    settings = peft.LoraConfig(**config.model_dump() | {"inference_mode": False})
    tuner = peft.LoraModel(network, settings, "default")
    for name, weights in tuner.model.named_parameters():
        if "lora_" in name:
            weights.data = weights.data.float()
    return tuner


def adapter_tensors(tuner: Any) -> dict[str, Any]:
    """The weights of an adapter by their names in its file."""
    peft: Any = need_package("peft")
    return {_PREFIX + name: each for name, each in peft.get_peft_model_state_dict(tuner.model).items()}


def _target(name: str, directory: Path) -> str:
    """The module that a tensor belongs to."""
    kind = next((each for each in _KINDS if name.endswith(each)), None)
    if kind is None or not name.startswith(_PREFIX):
        raise UsageError(f"{directory / WEIGHTS_FILE} holds {name[:80]!r}, which is not a part of a LoRA adapter")
    return name.removeprefix(_PREFIX).removesuffix(kind)


def _read_tensors(directory: Path) -> Mapping[str, Any]:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    path = directory / WEIGHTS_FILE
    try:
        tensors = load_file(path)
    except (OSError, SafetensorError) as error:
        raise UsageError(f"{path} cannot be used ({first_line(error)}); train or download it again") from error
    if not tensors or not all(bool(each.isfinite().all()) for each in tensors.values()):
        raise UsageError(f"{path} cannot be used (weights are missing or not numbers); train it again")
    return tensors


def save_adapter(directory: Path, config: AdapterConfig, tensors: Mapping[str, Any]) -> None:
    """Write an adapter as ``peft`` does; the configuration comes last, so that a folder with one is complete."""
    from safetensors.torch import save_file

    assert math.isfinite(config.lora_alpha)
    private_folder(directory)
    with private_part(directory / WEIGHTS_FILE) as part:
        save_file({name: each.detach().cpu().contiguous() for name, each in tensors.items()}, part)
    write_private(directory / CONFIG_FILE, json.dumps(config.model_dump(), indent=2) + "\n")
