"""Options that several commands share.

An option with an environment variable may also be set in ``saccade.toml`` by the variable's name without
``SACCADE_``, in lower case; ``settings`` says which value counts.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

WHERE, MODEL, LIMITS, OUTPUT = (
    partial[Any](typer.Option, rich_help_panel=heading) for heading in ("Where", "Model", "Limits", "Output")
)


def _environments(incomplete: str) -> list[str]:
    from ...env.browser.miniwob import miniwob_tasks

    names = ["browser", "desktop", *(f"miniwob:{task}" for task in miniwob_tasks())]
    return [name for name in names if name.startswith(incomplete)]


def _dialects(incomplete: str) -> list[str]:
    from ...actions.dialects import dialect_names

    return [name for name in dialect_names() if name.startswith(incomplete)]


def complete_suites(incomplete: str) -> list[str]:
    """Names of suites that begin so, for the shell."""
    from ..suites.catalog import catalog

    return [suite.name for suite in catalog(None, None) if suite.name.startswith(incomplete)]


def given(context: typer.Context, name: str) -> bool:
    """Whether an option was given on the command line, rather than set elsewhere."""
    source = context.get_parameter_source(name)
    return source is not None and source.name == "COMMANDLINE"


_DISPLAY_HELP = "X display, such as :7; by default the one you see."

Url = Annotated[str | None, WHERE(help="The page to start on.", metavar="URL")]
Env = Annotated[
    str | None,
    WHERE(
        help="Where to act: browser, desktop or miniwob:TASK.", metavar="ENV", autocompletion=_environments
    ),
]
Display = Annotated[str | None, WHERE(help=_DISPLAY_HELP, metavar=":N")]
Monitor = Annotated[
    int | None, WHERE(metavar="N", help="Number of the monitor; by default the primary.", min=1)
]
Headed = Annotated[bool, WHERE("--headed", help="Show the browser.", envvar="SACCADE_HEADED")]
Viewport = Annotated[
    str | None,
    WHERE(
        help="Size of the page or the private screen, WxH; by default what suits the model.",
        metavar="WxH",
        envvar="SACCADE_VIEWPORT",
    ),
]
Yes = Annotated[bool, WHERE("--yes", help="Use the mouse and keyboard of your screen without asking.")]

_CHECKPOINT = "'embedded', a checkpoint's folder or a hub id"
Model = Annotated[
    str,
    MODEL(help=f"{_CHECKPOINT}, or openai:URL#NAME on a server.", metavar="MODEL", envvar="SACCADE_MODEL"),
]
LocalModel = Annotated[str, MODEL(help=f"{_CHECKPOINT}.", metavar="MODEL", envvar="SACCADE_MODEL")]
OtherModel = Annotated[
    str | None, MODEL(help="Another model than the one that made the recording.", metavar="MODEL")
]
Dialect = Annotated[
    str | None,
    MODEL(
        help="The format of the model's replies; by default known by its checkpoint or name.",
        metavar="NAME",
        envvar="SACCADE_DIALECT",
        autocompletion=_dialects,
    ),
]
Decoding = Annotated[
    str,
    MODEL(
        help="How replies are drafted: auto, plain, or methods such as suffix+grammar.",
        metavar="METHODS",
        envvar="SACCADE_DECODING",
    ),
]
Constrained = Annotated[
    bool,
    MODEL(
        "--constrained",
        help="Allow only replies that the dialect can parse.",
        envvar="SACCADE_CONSTRAINED",
    ),
]
Threads = Annotated[int, MODEL(metavar="N", help="Threads of torch.", min=1)]

MaxSteps = Annotated[
    int,
    LIMITS(metavar="N", help="Stop an episode after so many predictions.", min=1, envvar="SACCADE_MAX_STEPS"),
]
Rounds = Annotated[int, LIMITS(metavar="N", help="Repeat so often; the fastest round counts.", min=1)]

Json = Annotated[
    bool, OUTPUT("--json", help="Print one JSON object as the last line of stdout, also for an error.")
]
Out = Annotated[
    Path | None, OUTPUT(help="Folder of the results; by default a new one in --runs.", metavar="DIR")
]
Runs = Annotated[
    Path,
    OUTPUT(help="Where new folders are made when there is no --out.", metavar="DIR", envvar="SACCADE_RUNS"),
]
Resume = Annotated[bool, OUTPUT("--resume", help="Continue what was interrupted.")]

Recording = Annotated[Path, typer.Argument(help="A run's folder.", metavar="RUN")]
Values = Annotated[
    list[str] | None,
    typer.Option("--set", help="name=value for {{name}} in the task.", metavar="NAME=VALUE"),
]
Data = Annotated[
    Path | None,
    WHERE(
        help="The folder that holds one folder per suite; by default data/.",
        metavar="DIR",
        envvar="SACCADE_DATA",
    ),
]
OsworldCache = Annotated[
    Path | None,
    WHERE(help="OSWorld's file cache; it is only read.", metavar="DIR", envvar="SACCADE_OSWORLD_CACHE"),
]
