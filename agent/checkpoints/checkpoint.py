"""Loads a Qwen-VL checkpoint from a directory or the hub, with its tokenizer, image processor and card."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast, get_args

from ...actions.errors import MissingPartError, UsageError
from ...actions.extras import need_package
from ...perception.resize import ImageSpec
from ..prompts.chatml import ChatFormat, chat_format
from .adapter import apply_adapter, next_base, read_adapter
from .loading import Quantization, parse_quantization
from .memory import FreeMemory, MemoryNeed, free_memory
from .model_card import CARD_FILE, Family, ModelCard, first_line, read_card, read_json
from .processor import Tokenizer, read_image_spec, read_template, read_tokenizer
from .untrusted_files import check_files, check_sizes

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedConfig, PreTrainedModel

EMBEDDED = "embedded"
_FAMILIES: tuple[Family, ...] = get_args(Family)
_HUB_FILES = ("*.json", "*.safetensors", "*.jinja", "*.txt")
_SMALL = 1_000_000_000
_SAMPLES = 64


@dataclass(frozen=True)
class Checkpoint:
    """A loaded model.

    Attributes:
        model: the network, in evaluation mode.
        tokenizer: its tokenizer.
        image_spec: how screenshots are resized and cut into patches.
        card: its dialect and prompt style.
        family: its architecture.
        name: its name in records.
        chat: what its chat template adds around the messages.
    """

    model: PreTrainedModel
    tokenizer: Tokenizer
    image_spec: ImageSpec
    card: ModelCard
    family: Family
    name: str
    chat: ChatFormat

    @cached_property
    def vocabulary(self) -> Mapping[str, int]:
        """The tokenizer's tokens with their ids; it takes a tenth of a second to read them all."""
        return self.tokenizer.get_vocab()

    def fingerprint(self, settings: str) -> str:
        """A hash of some weights of each tensor and of ``settings``, such as prompt and limits.

        Training changes every tensor at least a little, so a few numbers of each tell two models apart.
        """
        found = hashlib.sha256(settings.encode())
        for name, weights in sorted(self.model.state_dict().items()):
            found.update(f"{name} {tuple(weights.shape)} {weights.dtype}".encode())
            flat = weights.reshape(-1)
            some = flat[:: max(1, flat.numel() // _SAMPLES)][:_SAMPLES]
            found.update(some.float().cpu().numpy().tobytes())
        return found.hexdigest()


def load_checkpoint(
    model: str | Path,
    device: str = "auto",
    dtype: str = "auto",
    attention: str = "auto",
    quantize: str = "none",
    *,
    free_memory: FreeMemory = free_memory,
) -> Checkpoint:
    """Load any Qwen2-VL, Qwen2.5-VL or Qwen3-VL checkpoint, or a LoRA adapter with its base.

    Args:
        model: a directory, a hub id such as ``ByteDance-Seed/UI-TARS-1.5-7B``, or ``embedded``.
        device: a torch device; ``auto`` takes the GPU if there is one.
        dtype: a torch dtype's name; ``auto`` is float32 for small models on a CPU, else bfloat16.
        attention: an attention implementation of transformers; ``auto`` is ``sdpa`` for images and ``grouped``
            (``decoding.attention``) for text.
        quantize: ``8bit`` or ``4bit`` keeps the matrices of the language model's layers in so many bits, which changes
            replies; ``none`` does not.
        free_memory: says how much memory is free on a device.

    Raises:
        MissingPartError: the checkpoint, a part of it, transformers or what quantizes is missing.
        UsageError: its architecture is not supported, a file in it is invalid, or the memory is too small for it.
    """
    *adapters, directory = located_with_base(model)
    top = adapters[0] if adapters else directory
    config, family = _read_config(directory)
    name = str(model) if model == EMBEDDED or not Path(model).exists() else top.resolve().name
    image_spec = read_image_spec(directory, family, config)
    card = read_card(next((each for each in adapters if (each / CARD_FILE).is_file()), directory), family, name)
    tokenizer = read_tokenizer(directory, config)
    target = _device(device)
    number_format, quantization = _dtype(dtype, target, config), parse_quantization(quantize)
    need = MemoryNeed.of(directory, config, card.max_images)
    need.check(name, number_format.itemsize, quantization, target, free_memory)
    network = _read_weights(
        directory, config, number_format, attention, _quantized(quantization, number_format, target)
    )
    for adapter in reversed(adapters):
        network = apply_adapter(network, adapter, merge=quantization == "none")
        if (adapter / "heads").is_dir():  # where drafting heads are looked for
            network.name_or_path = str(adapter)
    chat = chat_format(read_template(directory, tokenizer))
    return Checkpoint(network.to(target), tokenizer, image_spec, card, family, name, chat)


def located_with_base(model: str | Path) -> list[Path]:
    """The directory of a checkpoint; before it, if the model is an adapter, its own and those of adapters under it.

    Raises:
        MissingPartError: there is none, or the adapter's base is not there.
        UsageError: a file in one is no file, or an adapter is not one that is supported.
    """
    chain = [locate(model)]
    check_files(chain[0])
    while (adapter := read_adapter(chain[-1])) is not None:
        base = next_base(chain, adapter)
        try:
            chain.append(locate(base))
        except MissingPartError as error:
            raise MissingPartError(f"the adapter in {chain[-1]} was trained for {base}, which is not here") from error
        check_files(chain[-1])
    return chain


def locate(model: str | Path, download: Callable[[str], Path] | None = None) -> Path:
    """The directory of a checkpoint: as given, of the embedded policy, or of a download from the hub.

    Raises:
        MissingPartError: there is no such directory, or it cannot be downloaded.
    """
    if model == EMBEDDED:
        directory = Path(__file__).parent.parent / "embedded" / "weights"
        if not (directory / "config.json").is_file():
            raise MissingPartError(
                "the embedded policy's weights are not in this copy; train them or name a checkpoint"
            )
        return directory
    path = Path(model).expanduser()
    if path.is_dir():
        return path
    if path.exists():
        raise MissingPartError(f"{path} is a file; give the directory that holds config.json and the weights")
    if not re.fullmatch(r"[\w-][\w.-]*/[\w-][\w.-]*", str(model)):
        raise MissingPartError(f"no checkpoint directory {path}; give a directory, a hub id or '{EMBEDDED}'")
    return (download or _download)(str(model))


def _download(hub_id: str) -> Path:
    hub = need_package("huggingface_hub")
    try:
        return Path(hub.snapshot_download(hub_id, allow_patterns=list(_HUB_FILES)))
    except (OSError, hub.errors.HfHubHTTPError, ValueError) as error:
        reason = str(error).strip().partition("\n")[0] or type(error).__name__
        raise MissingPartError(
            f"no directory {hub_id}, and it cannot be had from the hub ({reason}); download it where there "
            f"is a network (hf download {hub_id} --local-dir DIR) and give DIR"
        ) from error


def _read_config(directory: Path) -> tuple[PreTrainedConfig, Family]:
    path = directory / "config.json"
    if not path.is_file():
        raise MissingPartError(f"{directory} has no config.json; give the directory of a saved checkpoint")
    content = read_json(path)
    check_sizes(path, content)
    kind = content.get("model_type")
    if kind not in _FAMILIES:
        raise UsageError(f"{directory} is a {kind} model; Saccade runs {', '.join(_FAMILIES)} checkpoints")
    try:
        from transformers import AutoConfig
    except ImportError as error:
        raise MissingPartError("install transformers to load a checkpoint: pip install transformers") from error
    try:
        config = AutoConfig.from_pretrained(directory, local_files_only=True, trust_remote_code=False)
    except Exception as error:
        raise UsageError(f"{path} is not a usable {kind} configuration: {first_line(error)}") from error
    layers = getattr(config.text_config, "layer_types", None) or ()
    if any(layer != "full_attention" for layer in layers):
        raise UsageError(f"{path} asks for sliding-window attention, which is not supported; switch it off there")
    return config, cast("Family", kind)


def _quantized(quantize: Quantization, dtype: torch.dtype, device: torch.device) -> dict[str, Any]:
    """What transformers is given to quantize weights as it reads them; the vision tower stays as it is."""
    if quantize == "none":
        return {}
    for package in ("bitsandbytes", "accelerate"):
        need_package(package)
    from transformers import BitsAndBytesConfig

    skip = ["model.visual", "lm_head"]
    if quantize == "8bit":
        config = cast("Any", BitsAndBytesConfig)(load_in_8bit=True, llm_int8_skip_modules=skip)
    else:
        config = cast("Any", BitsAndBytesConfig)(
            load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_compute_dtype=dtype, llm_int8_skip_modules=skip
        )
    return {"quantization_config": config, "device_map": {"": device}}


def _read_weights(
    directory: Path, config: PreTrainedConfig, dtype: torch.dtype, attention: str, more: Mapping[str, Any]
) -> Any:
    from transformers import AutoModelForImageTextToText

    from ..decoding.attention import WINDOWS

    if not any(directory.glob("*.safetensors")) and not any(directory.glob("pytorch_model*.bin")):
        raise MissingPartError(f"{directory} has no weights (*.safetensors); download them into it")
    options = {
        "config": config,
        "dtype": dtype,
        "attn_implementation": attention_names(attention),
        "local_files_only": True,
        "trust_remote_code": False,
        "weights_only": True,
        **more,
    }
    load = cast("Any", AutoModelForImageTextToText).from_pretrained
    try:
        with without_progress_bars():
            network, info = load(directory, output_loading_info=True, **options)
    except Exception as error:
        raise UsageError(f"the weights in {directory} cannot be loaded: {first_line(error)}") from error
    if missing := sorted(info["missing_keys"]):
        raise UsageError(
            f"the weights in {directory} lack {len(missing)} tensors, {missing[0]} first; download them again"
        )
    if attention == "auto" and config.model_type == "qwen2_5_vl":
        network.model.visual.config._attn_implementation = WINDOWS
    return network.eval()


def attention_names(attention: str) -> str | dict[str, str]:
    """What transformers is told to use for images and for text; see ``load_checkpoint``."""
    if attention != "auto":
        return attention
    from ..decoding.attention import GROUPED, register_grouped_attention

    register_grouped_attention()
    return {"": "sdpa", "vision_config": "sdpa", "text_config": GROUPED}


@contextmanager
def without_progress_bars() -> Iterator[None]:
    """Let transformers show none."""
    from transformers.utils import logging as module

    logging = cast("Any", module)
    shown = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            logging.enable_progress_bar()


def _device(device: str) -> torch.device:
    import torch

    if device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        chosen = torch.device(device)
    except RuntimeError as error:
        raise UsageError(f"unknown device {device!r}; use auto, cpu or cuda") from error
    if chosen.type == "cuda" and not torch.cuda.is_available():
        raise MissingPartError("there is no CUDA device here; use device='cpu'")
    return chosen


def _dtype(dtype: str, device: torch.device, config: PreTrainedConfig) -> torch.dtype:
    import torch
    from transformers import AutoModelForImageTextToText

    if dtype != "auto":
        chosen = getattr(torch, dtype, None)
        if not isinstance(chosen, torch.dtype) or not chosen.is_floating_point:
            raise UsageError(f"unknown dtype {dtype!r}; use auto, float32, bfloat16 or float16")
        return chosen
    if device.type != "cpu":
        return torch.bfloat16
    with torch.device("meta"):
        model = cast("Any", AutoModelForImageTextToText).from_config(config)
    return torch.float32 if model.num_parameters() < _SMALL else torch.bfloat16
