"""Events without the secrets in their texts, just before they are written."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, TypeVar

from pydantic import BaseModel

Model = TypeVar("Model", bound=BaseModel)
_EXACT: Final = frozenset(
    ("event", "kind", "key", "keys", "button", "direction", "end", "fault", "screenshot", "sha256")
)
"""Fields whose texts are names and hashes, and hold no text of a person, a page or a model."""


def concealed(model: Model, conceal: Callable[[str], str]) -> Model:
    """A copy with ``conceal`` applied to every text in it, at any depth."""
    fields = {name: getattr(model, name) for name in type(model).model_fields if name not in _EXACT}
    changed = {name: new for name, old in fields.items() if (new := _concealed(old, conceal)) != old}
    return model.model_copy(update=changed) if changed else model


def _concealed(value: Any, conceal: Callable[[str], str]) -> Any:
    match value:
        case str():
            return conceal(value)
        case BaseModel():
            return concealed(value, conceal)
        case dict():
            return {conceal(key): _concealed(each, conceal) for key, each in value.items()}
        case list():
            return [_concealed(each, conceal) for each in value]
        case tuple() if type(value) is tuple:
            return tuple(_concealed(each, conceal) for each in value)
    return value
