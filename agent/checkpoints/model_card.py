"""The model card next to a checkpoint's weights: its dialect and how it is prompted."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, PositiveInt, ValidationError

from ...actions.errors import UsageError, first_problem
from ...actions.files import read_file
from ...actions.untrusted import parse_json
from ...env.trajectory.events import ScreenSize
from ...perception.resize import ImageSpec

CARD_FILE = "saccade.json"

Family = Literal["qwen2_vl", "qwen2_5_vl", "qwen3_vl"]
PromptStyle = Literal["standard", "instruction-only"]

_DIALECTS: dict[Family, str] = {"qwen2_vl": "uitars-1.0", "qwen2_5_vl": "uitars-1.5", "qwen3_vl": "uitars-1.0"}


class ModelCard(BaseModel):
    """Facts about a checkpoint that its configuration does not hold.

    Attributes:
        dialect: the name of the dialect it was trained on.
        prompt: ``standard`` begins with the dialect's own prompt, ``instruction-only`` with the bare task.
        max_images: maximum number of screenshots in its context.
        forgets: whether the reply to a dropped screenshot is dropped too.
        max_replies: maximum number of earlier replies in its context, the newest ones; None for all.
        viewport: the screen size it was trained on; None for any.
        max_new_tokens: replies are cut off here.
        tolerance: how far a point may be off along an axis and still count as the same, as a share of the
            screenshot's longer side; 0 if it was not measured (docs/replay.md).
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    dialect: str
    prompt: PromptStyle = "standard"
    max_images: Annotated[PositiveInt, Field(le=1000)] = 5
    forgets: bool = False
    max_replies: Annotated[PositiveInt, Field(le=1000)] | None = Field(default=None, repr=False)
    viewport: ScreenSize | None = None
    max_new_tokens: Annotated[PositiveInt, Field(le=1 << 20)] = 256
    tolerance: float = Field(default=0.0, ge=0, lt=1)


def with_max_images(card: ModelCard, max_images: int | None) -> ModelCard:
    """The card with another maximum number of screenshots, if one is given.

    Raises:
        UsageError: it is not positive.
    """
    if max_images is not None and max_images < 1:
        raise UsageError(f"a context needs at least one screenshot, not {max_images} (--max-images)")
    return card if max_images is None else card.model_copy(update={"max_images": max_images})


def with_max_pixels(spec: ImageSpec, max_pixels: int | None) -> ImageSpec:
    """The specification with another limit of pixels, if one is given.

    Raises:
        UsageError: not even one visual token would be left.
    """
    if max_pixels is None:
        return spec
    token = spec.limits.factor**2
    if max_pixels < token:
        raise UsageError(f"a screenshot needs at least {token} pixels, not {max_pixels} (--max-pixels)")
    return replace(spec, max_pixels=max_pixels, min_pixels=min(spec.min_pixels, max_pixels))


def read_card(directory: Path, family: Family, name: str) -> ModelCard:
    """The checkpoint's card, with defaults by family and name.

    Raises:
        UsageError: the file is not JSON, or has unknown keys or invalid values.
    """
    path = directory / CARD_FILE
    given = read_json(path) if path.is_file() else {}
    dialect = "uitars-1.5" if "ui-tars-1.5" in name.lower() else _DIALECTS[family]
    try:
        return ModelCard.model_validate({"dialect": dialect} | given)
    except ValidationError as error:
        raise UsageError(f"{path}: {first_problem(error)}; see docs/models.md") from error


def read_json(path: Path) -> dict[str, Any]:
    """The JSON object in a file of a checkpoint.

    Raises:
        UsageError: it cannot be read, or holds something else.
    """
    try:
        content = parse_json(read_file(path))
    except (OSError, ValueError) as error:
        raise UsageError(f"{path} is not readable JSON ({error}); write or download it again") from error
    if not isinstance(content, dict):
        raise UsageError(f"{path} must hold a JSON object; write or download it again")
    return content


def first_line(error: Exception) -> str:
    """The kind of an error and the first line of its message."""
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__
