"""The file ``saccade.toml``: which keys it has, and which of them a project's file may set.

A project's file may come from others, within a downloaded folder. So it cannot choose a server, which would
get screenshots and the API key; nor a file or folder outside its own; nor what protects the user. No file
holds API keys.
"""

from __future__ import annotations

import difflib
import re
import tomllib
from pathlib import Path
from typing import Any, Final

from ...actions.errors import UsageError

_USERS_ONLY: Final = ("sandbox", "stop_chord")
_FOLDERS: Final = ("data", "osworld_cache", "runs")
_HUB_ID: Final = re.compile(r"\w[\w.-]*(/\w[\w.-]*)?")
_HINTS: Final = {
    "api_key": "API keys are read from the environment only: SACCADE_API_KEY",
    "out": "the folder in which each run gets its own is called `runs`",
}
KEYS: Final[dict[str, tuple[type, ...]]] = {
    **dict.fromkeys(("model", "dialect", "decoding", "acceptance", "viewport", *_USERS_ONLY, *_FOLDERS), (str,)),
    **dict.fromkeys(("constrained", "headed"), (bool,)),
    **dict.fromkeys(("max_steps", "workers"), (int,)),
    **dict.fromkeys(("temperature", "max_seconds"), (float, int)),
}
"""Each key is an option of the same name; with the types that its value may have."""


def read_toml(path: Path, *, from_project: bool) -> dict[str, Any]:
    """What a file sets; relative paths are relative to its folder.

    Raises:
        UsageError: it cannot be read, has an unknown key or a wrong value, or sets what it may not.
    """
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UsageError(f"cannot read {path}: {error}") from error
    for key, value in values.items():
        if key not in KEYS:
            raise UsageError(f"{path}: unknown key `{key}`; {_hint(key)}")
        if type(value) not in KEYS[key]:
            raise UsageError(f"{path}: {key} must be a value of type {KEYS[key][0].__name__}, not {value!r}")
    if from_project:
        _refuse_unsafe(path, values)
    for key in {*_FOLDERS, "model"} & set(values):
        place = path.parent / Path(values[key]).expanduser()
        if key in _FOLDERS or place.is_dir():
            values[key] = str(place)
    return values


def _hint(key: str) -> str:
    near = difflib.get_close_matches(key, KEYS, n=1, cutoff=0.4)
    return _HINTS.get(key) or (f"did you mean `{near[0]}`?" if near else f"known are {', '.join(KEYS)}")


def _refuse_unsafe(path: Path, values: dict[str, Any]) -> None:
    root = path.parent.resolve()
    for key, value in values.items():
        place = (root / Path(str(value)).expanduser()).resolve()
        inside = place.is_relative_to(root)
        if key in _USERS_ONLY:
            reason = "protects you"
        elif key == "decoding" and ":" in value:
            reason = "names a draft model"
        elif key == "model" and not _HUB_ID.fullmatch(value) and not (inside and place.is_dir()):
            reason = "is a server or lies outside the project"
        elif key in {*_FOLDERS, "model"} and not inside:
            reason = "lies outside the project"
        else:
            continue
        raise UsageError(
            f"{path}: a project's file may not set {key} = {value!r}, because it {reason}; set it in your "
            f"own file (see `saccade config`), as SACCADE_{key.upper()}, or with --{key.replace('_', '-')}"
        )
