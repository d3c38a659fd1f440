"""The commands ``doctor`` and ``config``."""

from __future__ import annotations

import json as to_json
import sys
from dataclasses import asdict

import typer

from . import options
from .help import Commands
from .settings import all_settings, project_file, user_file

app = Commands()


@app.command(rich_help_panel="Set up")
def doctor(json: options.Json = False) -> None:
    """Print what is installed, what is missing, and how to fix it.

    Examples:
      saccade doctor
      saccade doctor --json

    Exit status: 0 when a plain `saccade run` works, 1 when something it needs is missing.
    """
    from ..doctor.doctor import doctor_and_print

    raise typer.Exit(doctor_and_print(json_output=json))


@app.command(rich_help_panel="Set up")
def config(context: typer.Context, json: options.Json = False) -> None:
    """Print the defaults of options, and where each comes from.

    Order of precedence: command line, environment, saccade.toml of the project (in the working directory or a
    folder above it), your own saccade.toml, built-in.

    Examples:
      saccade config
      SACCADE_MODEL=ByteDance-Seed/UI-TARS-1.5-7B saccade config
    """
    found = list(all_settings(context.find_root().command))
    files = {"project": project_file(), "user": user_file()}
    if json:
        named = {kind: path and str(path) for kind, path in files.items()}
        sys.stdout.write(
            to_json.dumps({"files": named, "settings": [asdict(each) for each in found]}, default=str) + "\n"
        )
        return
    for kind, path in files.items():
        missing = "" if path and path.is_file() else " (does not exist)"
        sys.stdout.write(f"{kind + ' file':14}{path or 'saccade.toml in no folder from here up'}{missing}\n")
    for each in found:
        sys.stdout.write(f"{each.key:14}{'-' if each.value is None else each.value!s:40}{each.origin}\n")
