"""The card next to a checkpoint's weights: which dialect it speaks and how it is prompted."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, PositiveInt, ValidationError

from ...actions.errors import UsageError
from ...actions.geometry import Size

CARD_FILE = "saccade.json"

Family = Literal["qwen2_vl", "qwen2_5_vl", "qwen3_vl"]
PromptStyle = Literal["standard", "instruction-only"]

_DIALECTS: dict[Family, str] = {
    "qwen2_vl": "uitars-1.0",
    "qwen2_5_vl": "uitars-1.5",
    "qwen3_vl": "uitars-1.0",
}


class ModelCard(BaseModel):
    """What Saccade must know about a checkpoint that its configuration does not say.

    Attributes:
        dialect: the name of the dialect it was trained to speak.
        prompt: ``standard`` begins with the dialect's own prompt, ``instruction-only`` with the bare task.
        max_images: never more screenshots than this in its context.
        forgets: whether a screenshot that is left out takes its reply with it.
        viewport: the screen size it was trained on, as a hint; None for any.
        max_new_tokens: a reply is cut off here.
        tolerance: how far a point may be off along an axis and still mean the same, as a share of the
            screenshot's longer side; 0 for a model that it was not measured for (docs/replay.md).
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    dialect: str
    prompt: PromptStyle = "standard"
    max_images: PositiveInt = 5
    forgets: bool = False
    viewport: Size | None = None
    max_new_tokens: PositiveInt = 256
    tolerance: float = Field(default=0.0, ge=0, lt=1)


def read_card(directory: Path, family: Family, name: str) -> ModelCard:
    """The checkpoint's card; what is not in it, or all of it, by family and name.

    Raises:
        UsageError: the file is not JSON or has keys or values that no card has.
    """
    given = {}
    path = directory / CARD_FILE
    if path.is_file():
        given = read_json(path)
    try:
        return ModelCard.model_validate({"dialect": _default_dialect(family, name)} | given)
    except ValidationError as error:
        problem = error.errors()[0]
        where = ".".join(str(part) for part in problem["loc"])
        raise UsageError(f"{path}: {where}: {problem['msg']}; see docs/models.md") from error


def read_json(path: Path) -> dict[str, Any]:
    """The JSON object in a file of a checkpoint.

    Raises:
        UsageError: it cannot be read, or holds something else.
    """
    try:
        content = json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise UsageError(f"{path} is not readable JSON ({error}); write or download it again") from error
    if not isinstance(content, dict):
        raise UsageError(f"{path} must hold a JSON object; write or download it again")
    return content


def _default_dialect(family: Family, name: str) -> str:
    return "uitars-1.5" if "ui-tars-1.5" in name.lower() else _DIALECTS[family]
