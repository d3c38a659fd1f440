"""Defaults for options, from the environment and from ``saccade.toml``.

The first that is set counts: the command line, the environment (such as ``SACCADE_MODEL``), the project's
``saccade.toml`` (in the working directory or the nearest folder above it), the user's ``saccade.toml`` (in
their configuration directory), the built-in value. An option takes part if it has an environment variable.

A project's file may come from others, within a downloaded folder. So it cannot choose a server, which would
get screenshots and the API key; nor a file or folder outside its own; nor what protects the user. No file
holds API keys.
"""

from __future__ import annotations

import difflib
import os
import re
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import typer

from ...actions.errors import UsageError
from ...actions.files import read_text_file
from ...env.environ import shown

_ERROR: Final = "saccade.settings.error"
_LOADING: Final = ("device", "dtype", "attention", "quantize")
_USERS_ONLY: Final = ("sandbox", "stop_chord", "guard")
_FOLDERS: Final = ("data", "osworld_cache", "runs")
_HUB_ID: Final = re.compile(r"\w[\w.-]*(/\w[\w.-]*)?")
_HINTS: Final = {
    "api_key": "API keys are read from the environment only: SACCADE_API_KEY",
    "out": "the folder in which each run gets its own is called `runs`",
}
KEYS: Final[dict[str, tuple[type, ...]]] = {
    **dict.fromkeys(
        ("model", "dialect", "decoding", "acceptance", "history", "viewport", *_LOADING, *_USERS_ONLY, *_FOLDERS),
        (str,),
    ),
    **dict.fromkeys(("constrained", "headed"), (bool,)),
    **dict.fromkeys(("max_steps", "max_images", "max_pixels", "workers"), (int,)),
    **dict.fromkeys(("temperature", "max_seconds"), (float, int)),
}
"""Each key is an option of the same name; with the types that its value may have."""


@dataclass(frozen=True)
class OptionDefault:
    """An option's default: its key in ``saccade.toml``, and the variable or file that sets it, or ``built-in``."""

    key: str
    value: Any
    origin: str


def project_file() -> Path | None:
    """The ``saccade.toml`` in the working directory or the nearest folder above it."""
    found = (folder / "saccade.toml" for folder in (Path.cwd(), *Path.cwd().parents))
    return next((path for path in found if path.is_file() and path != user_file()), None)


def user_file() -> Path:
    """The user's own file, whether or not it exists."""
    return Path(typer.get_app_dir("saccade"), "saccade.toml")


def read_files() -> dict[Path, dict[str, Any]]:
    """What the project's and the user's file set, in this order.

    Raises:
        UsageError: a file cannot be read, or sets what it may not.
    """
    project = project_file()
    files = [path for path in (project, user_file()) if path is not None and path.is_file()]
    return {path: read_toml(path, from_project=path == project) for path in files}


def apply_settings(context: typer.Context) -> None:
    """Give all commands their defaults from the files, and print what a project's file chooses.

    An error in a file is kept for ``check_settings``, so that ``--help`` works nevertheless.
    """
    try:
        files = read_files()
    except UsageError as error:
        context.meta[_ERROR] = error
        return
    values = {key: value for each in reversed(files.values()) for key, value in each.items()}
    context.default_map = _defaults(context.command, values)
    command = getattr(context.command, "commands", {}).get(context.invoked_subcommand)
    used = {key for key, _ in _options(command)}
    chosen = {key: value for key, value in files.get(project_file() or Path(), {}).items() if key in used}
    if chosen:
        words = ", ".join(f"{key} = {_shown(value)}" for key, value in chosen.items())
        sys.stderr.write(f"saccade: {project_file()} sets {words}\n")


def check_settings(context: typer.Context) -> None:
    """Raise the error that a file has, if the command has options that a file may set."""
    error = context.meta.get(_ERROR)
    if error is not None and any(_options(context.command)):
        raise error


def all_settings(app: Any) -> Iterator[OptionDefault]:
    """Every option of the command line that can be set by variable or file, in alphabetical order.

    Raises:
        UsageError: a file cannot be read, or sets what it may not.
    """
    files = read_files()
    for key, value in dict(sorted(_options(app))).items():
        variable = f"SACCADE_{key.upper()}"
        path = next((path for path, values in files.items() if key in values), None)
        if os.environ.get(variable):
            yield OptionDefault(key, _shown(os.environ[variable]), variable)
        elif path is not None:
            yield OptionDefault(key, _shown(files[path][key]), str(path))
        else:
            yield OptionDefault(key, value, "built-in")


def _shown(value: Any) -> Any:
    """A value for people: an address without a password or query in it."""
    return value if isinstance(value, (int, float)) else shown(str(value))


def _options(command: Any) -> Iterator[tuple[str, Any]]:
    """The options of a command, or of a group's commands, that can be set; with their built-in values."""
    for each in getattr(command, "commands", {}).values():
        yield from _options(each)
    for parameter in getattr(command, "params", ()):
        if parameter.envvar == f"SACCADE_{parameter.name.upper()}":
            yield parameter.name, parameter.default


def _defaults(command: Any, values: dict[str, Any]) -> dict[str, Any]:
    if commands := getattr(command, "commands", None):
        return {name: _defaults(each, values) for name, each in commands.items()}
    return {key: values[key] for key, _ in _options(command) if key in values}


def read_toml(path: Path, *, from_project: bool) -> dict[str, Any]:
    """What a file sets; relative paths are relative to its folder.

    Raises:
        UsageError: it cannot be read, has an unknown key or a wrong value, or sets what it may not.
    """
    try:
        values = tomllib.loads(read_text_file(path, limit=1 << 20))
    except (OSError, ValueError) as error:
        raise UsageError(f"cannot read {path}: {error}") from error
    for key, value in values.items():
        if key not in KEYS:
            raise UsageError(f"{path}: unknown key `{key}`; {_hint(key)}")
        if type(value) not in KEYS[key]:
            raise UsageError(f"{path}: {key} must be a value of type {KEYS[key][0].__name__}, not {_shown(value)!r}")
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
            f"{path}: a project's file may not set {key} = {_shown(value)!r}, because it {reason}; set it in your "
            f"own file (see `saccade config`), as SACCADE_{key.upper()}, or with --{key.replace('_', '-')}"
        )
