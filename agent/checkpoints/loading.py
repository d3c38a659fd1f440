"""How a checkpoint is loaded, as one set of options for all who load one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal, get_args

from ...actions.choices import one_of

Quantization = Literal["none", "8bit", "4bit"]
QUANTIZATIONS: Final[tuple[Quantization, ...]] = get_args(Quantization)


@dataclass(frozen=True)
class LoadOptions:
    """How a checkpoint is loaded; the fields are arguments of ``load_checkpoint``."""

    device: str = "auto"
    dtype: str = "auto"
    attention: str = "auto"
    quantize: str = "none"

    def given(self) -> list[str]:
        """The names of the fields that are not as they are by default."""
        return [name for name, value in vars(self).items() if value != getattr(LoadOptions, name)]


PLAINLY: Final = LoadOptions()
"""As the checkpoint and the machine suggest."""


def parse_quantization(text: str) -> Quantization:
    """The quantization of this name, as ``--quantize`` takes it.

    Raises:
        UsageError: there is none.
    """
    return one_of(text, QUANTIZATIONS, "quantization", "--quantize")
