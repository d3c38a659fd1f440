"""Options that several commands share; one with an environment variable may also be set in ``saccade.toml``."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from functools import partial, wraps
from pathlib import Path
from typing import Annotated, Any, TypeVar, cast

import typer

Request = TypeVar("Request")
Function = TypeVar("Function", bound=Callable[..., Any])


def _declare(make: Callable[..., Any], heading: str, *words: str, env: str = "", **settings: Any) -> Any:
    """An option or argument of typer's, under a heading.

    ``words`` are spellings that begin with ``--``, then the help, then what the value is called; ``env`` is
    the environment variable without ``SACCADE_``.
    """
    spellings = [word for word in words if word.startswith("--")]
    help_, metavar, *_ = [*(word for word in words if not word.startswith("--")), None]
    variable = f"SACCADE_{env}" if env else None
    return make(*spellings, help=help_, metavar=metavar, envvar=variable, rich_help_panel=heading, **settings)


ARGUMENT = partial(_declare, typer.Argument, "Arguments")
WHERE, MODEL, LIMITS, OUTPUT, OTHER = (
    partial(_declare, typer.Option, heading) for heading in ("Where", "Model", "Limits", "Output", "Options")
)


def _environments(incomplete: str) -> list[str]:
    from ...env.browser.miniwob_pages import miniwob_tasks

    names = ["browser", "desktop", *(f"miniwob:{task}" for task in miniwob_tasks())]
    return [name for name in names if name.startswith(incomplete)]


def _dialects(incomplete: str) -> list[str]:
    from ...actions.dialects import dialect_names

    return [name for name in dialect_names() if name.startswith(incomplete)]


def complete_suites(incomplete: str) -> list[str]:
    """Names of suites that begin so, for the shell."""
    from ..suites.registry import catalog

    return [suite.name for suite in catalog(None, None) if suite.name.startswith(incomplete)]


def given(context: typer.Context, name: str) -> bool:
    """Whether an option was given on the command line, rather than set elsewhere."""
    source = context.get_parameter_source(name)
    return source is not None and source.name == "COMMANDLINE"


def all_given(context: typer.Context) -> list[str]:
    """The names of all options that were given on the command line."""
    return [each.name for each in context.command.params if each.name and given(context, each.name)]


def refuse_both(context: typer.Context, first: str, second: str) -> None:
    """Raise ``UsageError`` if two options were given on the command line, of which the first makes the second void."""
    from ...actions.errors import UsageError

    if given(context, first) and given(context, second):
        names = {each.name: each.opts[0] for each in context.command.params}
        raise UsageError(f"{names[second]} has no effect with {names[first]}; give one of them")


def loads_model(command: Function) -> Function:
    """Give a command the options of loading a model, and collect them in its parameter ``load``."""
    from ...agent.checkpoints.loading import LoadOptions

    signature = inspect.signature(command, eval_str=True)
    own = [each for each in signature.parameters.values() if each.name != "load"]
    place = 1 + next(index for index, each in enumerate(own) if each.name == "model")
    loading = [
        inspect.Parameter(
            name, inspect.Parameter.POSITIONAL_OR_KEYWORD, default=getattr(LoadOptions, name), annotation=kind
        )
        for name, kind in _LOADING.items()
    ]

    @wraps(command)
    def collected(**given: Any) -> Any:
        options = {name: given.pop(name) for name in _LOADING}
        return command(**given, load=LoadOptions(**options))

    parameters = [*own[:place], *loading, *own[place:]]
    collected.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
    collected.__annotations__ = {each.name: each.annotation for each in parameters}
    del collected.__wrapped__
    return cast("Function", collected)


def request(kind: Callable[..., Request], given: Mapping[str, Any], **more: Any) -> Request:
    """What a command was asked for, made of the options that have the names of its fields, and of ``more``."""
    return kind(**{name: given[name] for name in inspect.signature(kind).parameters if name in given} | more)


def read_secrets(names: Sequence[str] | None) -> dict[str, str]:
    """The secrets that ``--secret`` names, from the environment or from a person at the terminal."""
    import getpass
    import os
    import sys

    from ..replay.variables import parse_secret_names
    from ..replay.variables import read_secrets as read

    return read(parse_secret_names(names or ()), os.environ, getpass.getpass if sys.stdin.isatty() else None)


Url = Annotated[str | None, WHERE("The page to start on.", "URL")]
Env = Annotated[
    str | None, WHERE("Where to act: browser, desktop or miniwob:TASK.", "ENV", autocompletion=_environments)
]
Display = Annotated[str | None, WHERE("X display, such as :7; by default the one you see.", ":N")]
Monitor = Annotated[int | None, WHERE("Number of the monitor; by default the primary.", "N", min=1)]
Files = Annotated[
    list[Path] | None, WHERE("--file", "A file that pages may be given when they ask; may be given again.", "FILE")
]
AllowDomains = Annotated[
    list[str] | None,
    WHERE(
        "--allow-domain",
        "Let the browser reach this host, besides the first page's site, and no others; may be given again.",
        "PATTERN",
    ),
]
AllowPrivate = Annotated[
    bool, WHERE("--allow-private", "Let allowed domains lead to this computer and private networks.")
]
Guard = Annotated[
    str | None,
    OTHER(
        "--guard",
        "What may be done without a question: open, standard, strict, read-only or a policy's file.",
        "POLICY",
        env="GUARD",
    ),
]
OnAsk = Annotated[
    str | None,
    OTHER("--on-ask", "Answer the guard's questions: deny, allow or exit; by default you are asked.", "ANSWER"),
]
Anchor = Annotated[Path | None, OUTPUT("--anchor", "A file elsewhere, for hashes of the run's audit.", "FILE")]
Headed = Annotated[bool, WHERE("--headed", "Show the browser.", env="HEADED")]
Viewport = Annotated[
    str | None, WHERE("Size of the page or private screen; by default what suits the model.", "WxH", env="VIEWPORT")
]
Yes = Annotated[bool, WHERE("--yes", "Use the mouse and keyboard of your screen without asking.")]

_CHECKPOINT = "'embedded', a checkpoint's folder or a hub id"
Model = Annotated[str, MODEL(f"{_CHECKPOINT}, or openai:URL#NAME on a server.", "MODEL", env="MODEL")]
LocalModel = Annotated[str, MODEL(f"{_CHECKPOINT}.", "MODEL", env="MODEL")]
OtherModel = Annotated[str | None, MODEL("Another model than the one that made the recording.", "MODEL")]
Dialect = Annotated[
    str | None, MODEL("Format of replies; by default the model's.", "NAME", env="DIALECT", autocompletion=_dialects)
]
Decoding = Annotated[str, MODEL("Drafting: auto, plain, or methods such as suffix+grammar.", "METHODS", env="DECODING")]
Constrained = Annotated[
    bool, MODEL("--constrained", "Allow only replies that the dialect can parse.", env="CONSTRAINED")
]
Acceptance = Annotated[
    str, MODEL("Accepted drafts: exact, or typical, which may change replies.", "RULE", env="ACCEPTANCE")
]
MaxImages = Annotated[
    int | None, MODEL("Screenshots that the model sees at most; by default the model's.", "N", env="MAX_IMAGES", min=1)
]
MaxPixels = Annotated[
    int | None, MODEL("Pixels to which screenshots are shrunk; by default the model's.", "N", env="MAX_PIXELS", min=1)
]
History = Annotated[
    str, MODEL("Earlier steps: full; changed or text shorten them and may change replies.", "KIND", env="HISTORY")
]
Threads = Annotated[int, MODEL("Threads of torch.", "N", min=1)]
Device = Annotated[str, MODEL("Where the model runs: auto, cpu, cuda or cuda:N.", "DEVICE", env="DEVICE")]
Dtype = Annotated[str, MODEL("Number format of its weights: auto, bfloat16, float16 or float32.", "TYPE", env="DTYPE")]
Attention = Annotated[
    str, MODEL("auto, or an attention implementation of transformers, such as eager.", "NAME", env="ATTENTION")
]
Quantize = Annotated[
    str, MODEL("Keep weights in fewer bits: none, 8bit or 4bit; changes replies.", "BITS", env="QUANTIZE")
]
_LOADING: Mapping[str, Any] = {"device": Device, "dtype": Dtype, "attention": Attention, "quantize": Quantize}

MaxSteps = Annotated[int, LIMITS("Stop an episode after so many predictions.", "N", env="MAX_STEPS", min=1)]
Rounds = Annotated[int, LIMITS("Repeat so often; the fastest round counts.", "N", min=1)]

Json = Annotated[bool, OUTPUT("--json", "Print one JSON object as the last line of stdout, also for an error.")]
Out = Annotated[Path | None, OUTPUT("Folder of the results; by default a new one in --runs.", "DIR")]
Runs = Annotated[Path, OUTPUT("Where new folders are made when there is no --out.", "DIR", env="RUNS")]
Resume = Annotated[bool, OUTPUT("--resume", "Continue what was interrupted.")]

Recording = Annotated[Path, ARGUMENT("A run's folder.", "RUN")]
Secret = Annotated[
    list[str] | None,
    OTHER("--secret", "What {{name}} types, unseen: read from SACCADE_SECRET_NAME, or asked for.", "NAME"),
]
Values = Annotated[list[str] | None, OTHER("--set", "name=value for {{name}} in the task.", "NAME=VALUE")]
Expect = Annotated[
    list[str] | None,
    OTHER("--expect", "What must hold at the end: text=, url=, title= or file=; may be given again.", "KIND=VALUE"),
]
Data = Annotated[Path | None, WHERE("The folder that holds one folder per suite; by default data/.", "DIR", env="DATA")]
OsworldCache = Annotated[Path | None, WHERE("OSWorld's file cache; it is only read.", "DIR", env="OSWORLD_CACHE")]
