"""Variables and secrets of tasks and recordings, for every command.

``{{name}}`` marks a text. A variable is given with ``--set name=value``: its value stands in the task, is recorded, and
can be replaced in a replay. A secret is given with ``--secret name``: its value comes from the environment
(``SACCADE_SECRET_NAME``) or a prompt, goes only to the keyboard, and the mark stays wherever anybody reads. ``--set
name='{{name}}'`` says that the braces are meant as they are.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace

from ...actions.errors import UsageError
from ...actions.schema import Type
from ...agent.replay.recording import MARK, RecordedStep, Recording
from ...env.environ import SECRET_PREFIX
from ...env.secrets import marker

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


def parse_secret_names(given: Iterable[str]) -> tuple[str, ...]:
    """Names of secrets.

    Raises:
        UsageError: one is no name; it is not shown, as it may be a secret. Or a name comes twice.
    """
    names = tuple(given)
    if not all(MARK.fullmatch(marker(name)) for name in names):
        raise UsageError(
            "--secret takes a name, such as --secret password; "
            "the value is read from SACCADE_SECRET_PASSWORD or asked for"
        )
    if double := next((name for name in names if names.count(name) > 1), None):
        raise UsageError(f"--secret names {double} twice")
    return names


def fill_task(task: str | None, values: Mapping[str, str], secrets: Iterable[str]) -> str | None:
    """The task with values in place of their marks; those of secrets stay, and it names every secret.

    Raises:
        UsageError: a mark has neither value nor secret, or a value has no mark.
    """
    secrets = tuple(secrets)
    marks = set(MARK.findall(task or ""))
    refuse_unused(values, marks, "the task")
    if both := next((name for name in secrets if name in values), None):
        raise UsageError(f"{both} is a value (--set) and a secret (--secret); let it be one of them")
    if task is None:
        return None
    task = substitution(values, {})(task)
    refuse_marks(task, {*secrets, *literal(values)})
    if unnamed := [marker(name) for name in secrets if name not in marks]:
        task += f"\n(Secrets that you can type by their markers: {', '.join(unnamed)})"
    return task


def refuse_marks(instruction: str, known: Iterable[str] = ()) -> None:
    """Raise ``UsageError`` if the task has a mark left that is not ``known``."""
    known = set(known)
    if name := next((name for name in MARK.findall(instruction) if name not in known), None):
        raise UsageError(
            f"the task asks for {marker(name)}: give its value (--set {name}=VALUE), or a secret if nobody may "
            f"see it (--secret {name}); itself as its value (--set {name}='{marker(name)}') keeps the braces"
        )


def refuse_unused(names: Iterable[str], used: Iterable[str], where: str) -> None:
    """Raise ``UsageError`` for a name that was given and that nothing uses."""
    used = sorted(used)
    if unused := next((name for name in names if name not in used), None):
        named = (
            f"it names {', '.join(map(marker, used))}" if used else f"it names nothing; write {marker(unused)} in it"
        )
        raise UsageError(f"nothing in {where} is called {unused}; {named}")


def marks_in(text: str) -> list[str]:
    """The names that a text marks, in order."""
    return MARK.findall(text)


def literal(values: Mapping[str, str]) -> set[str]:
    """The names whose marks are meant as they are written."""
    return {name for name, value in values.items() if value == marker(name)}


def steps_that_type(
    recording: Recording, values: Mapping[str, str], recorded: Mapping[str, str]
) -> dict[int, tuple[str, ...]]:
    """The steps that type a variable whose value is another one than recorded: its names, by index of the step."""
    found: dict[int, list[str]] = {}
    for name in (name for name, value in values.items() if value != recorded.get(name)):
        changes = substitution({name: values[name]}, recorded)
        for index, step in enumerate(recording.steps):
            if _changed(step, changes).actions != step.actions:
                found.setdefault(index, []).append(name)
    return {index: tuple(names) for index, names in found.items()}


def secret_names(recording: Recording) -> list[str]:
    """Names that are still marked in typed texts, in order."""
    texts = [action.text for step in recording.steps for action in step.actions if isinstance(action, Type)]
    return list(dict.fromkeys(name for text in texts for name in MARK.findall(text)))


def read_secrets(names: Iterable[str], environ: Mapping[str, str], ask: Ask | None) -> dict[str, str]:
    """Secrets by name, from ``environ`` or from a person, whom ``ask`` prompts without echo.

    Raises:
        UsageError: one is not set, and there is nobody to ask; or it is empty.
    """
    found: dict[str, str] = {}
    for name in names:
        variable = SECRET_PREFIX + name.upper().replace("-", "_")
        value = environ.get(variable)
        if value is None and ask is not None:
            value = ask(f"{name}: ")
        if value is None:
            raise UsageError(f"{marker(name)} is needed: set {variable}, or run this in a terminal, which asks for it")
        found[name] = value
    return checked_secrets(found)


def checked_secrets(given: Mapping[str, str]) -> dict[str, str]:
    """Secrets without the line end of the file that one may be from.

    Raises:
        UsageError: a name is none, or nothing is left of a secret.
    """
    parse_secret_names(given)
    found = {name: value.rstrip("\r\n") for name, value in given.items()}
    if empty := next((name for name, value in found.items() if not value), None):
        raise UsageError(f"the secret {empty} is empty")
    return found
