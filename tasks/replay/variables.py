"""Variables of a recording: repeat it with other values than it was recorded with.

``{{name}}`` marks text that was never recorded, such as a password. A run that was given ``--set name=value``
records the value, which can be replaced wherever it was typed or is part of the task. A value from the command
line is written into the recording before it is repeated. A secret is not: it comes from the environment
(``SACCADE_SECRET_NAME``) or a prompt, and goes only to the keyboard.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace

from ...actions.errors import UsageError
from ...actions.schema import Type
from ...agent.replay.recording import MARK, RecordedStep, Recording

PREFIX = "SACCADE_SECRET_"
Ask = Callable[[str], str]


def parse_settings(given: Iterable[str]) -> dict[str, str]:
    """Values by name from ``name=value`` texts.

    Raises:
        UsageError: one has no ``=`` or no name, or a name comes twice.
    """
    values: dict[str, str] = {}
    for text in given:
        name, equals, value = text.partition("=")
        if not equals or not MARK.fullmatch(f"{{{{{name}}}}}"):
            raise UsageError(f"--set takes name=value, such as --set city=Paris, not {text!r}")
        if name in values:
            raise UsageError(f"--set names {name} twice")
        values[name] = value
    return values


def substitution(values: Mapping[str, str], recorded: Mapping[str, str]) -> Callable[[str], str]:
    """A function that puts values, by name, into a text: for its marks, and for the values as recorded."""
    marks = {f"{{{{{name}}}}}": value for name, value in values.items()}
    marks |= {recorded[name]: value for name, value in values.items() if recorded.get(name)}
    pattern = "|".join(map(re.escape, sorted(marks, key=len, reverse=True)))
    return lambda text: re.sub(pattern, lambda match: marks[match.group()], text) if marks else text


def substituted(recording: Recording, substitute: Callable[[str], str]) -> Recording:
    """A recording whose typed texts, and the replies that typed them, are changed."""
    return replace(recording, steps=tuple(_changed(step, substitute) for step in recording.steps))


def _changed(step: RecordedStep, substitute: Callable[[str], str]) -> RecordedStep:
    actions = tuple(
        action.model_copy(update={"text": substitute(action.text)}) if isinstance(action, Type) else action
        for action in step.actions
    )
    return replace(step, raw=substitute(step.raw), actions=actions) if actions != step.actions else step


def refuse_marks(instruction: str) -> None:
    """Raise ``UsageError`` if the task has a mark left: a model must not get a secret."""
    if left := MARK.search(instruction):
        name = left.group(1)
        raise UsageError(f"the task asks for {{{{{name}}}}}; give it with --set {name}=VALUE")


def secret_names(recording: Recording) -> list[str]:
    """Names that are still marked in typed texts, in order."""
    texts = [action.text for step in recording.steps for action in step.actions if isinstance(action, Type)]
    return list(dict.fromkeys(name for text in texts for name in MARK.findall(text)))


def secrets(names: Iterable[str], environ: Mapping[str, str], ask: Ask | None) -> dict[str, str]:
    """The secrets of a recording by name, from ``environ`` or from a person, whom ``ask`` prompts without echo.

    Raises:
        UsageError: one is not set, and there is nobody to ask.
    """
    found: dict[str, str] = {}
    for name in names:
        variable = PREFIX + name.upper().replace("-", "_")
        value = environ.get(variable)
        if value is None and ask is not None:
            value = ask(f"{name}: ")
        if value is None:
            raise UsageError(f"the recording needs {{{{{name}}}}}: set {variable}, or use --set {name}=VALUE")
        found[name] = value
    return found
