"""Defaults for options, from the environment and from ``saccade.toml``.

The first that is set counts: the command line, the environment (such as ``SACCADE_MODEL``), the project's
``saccade.toml`` (in the working directory or the nearest folder above it), the user's ``saccade.toml`` (in
their configuration directory), the built-in value. An option takes part if it has an environment variable.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import typer

from ...actions.errors import UsageError
from .saccade_toml import read_toml

_ERROR: Final = "saccade.settings.error"


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
        words = ", ".join(f"{key} = {value}" for key, value in chosen.items())
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
            yield OptionDefault(key, os.environ[variable], variable)
        elif path is not None:
            yield OptionDefault(key, files[path][key], str(path))
        else:
            yield OptionDefault(key, value, "built-in")


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
