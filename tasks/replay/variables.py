"""Variables of a recording: what was said in it about one case, said about another.

Two kinds of text are marked. ``{{name}}`` stands for itself, such as a password that was never recorded; and
a run that was given ``--set name=value`` remembers which value it used, wherever that was typed or asked for.
A value from the command line is written into the recording before it is repeated. A secret is not: it comes
from the environment (``SACCADE_SECRET_NAME``) or a prompt, and goes nowhere but to the keyboard.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace

from ...actions.errors import UsageError
from ...actions.schema import Action, Type
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


class Substitution:
    """Puts values where a recording has marks.

    Args:
        values: by name.
        recorded: the values that the recording was made with, by name.
    """

    def __init__(self, values: Mapping[str, str], recorded: Mapping[str, str]) -> None:
        self._marks = {f"{{{{{name}}}}}": value for name, value in values.items()}
        self._marks |= {recorded[name]: value for name, value in values.items() if recorded.get(name)}

    def __call__(self, text: str) -> str:
        """The text with values in it."""
        if not self._marks:
            return text
        longest_first = sorted(self._marks, key=len, reverse=True)
        pattern = "|".join(map(re.escape, longest_first))
        return re.sub(pattern, lambda match: self._marks[match.group()], text)


def substituted(recording: Recording, substitute: Callable[[str], str]) -> Recording:
    """A recording with its typed texts, and its replies, changed."""
    return replace(recording, steps=tuple(_changed(step, substitute) for step in recording.steps))


def _changed(step: RecordedStep, substitute: Callable[[str], str]) -> RecordedStep:
    actions = tuple(_typed(action, substitute) for action in step.actions)
    return replace(step, raw=substitute(step.raw), actions=actions) if actions != step.actions else step


def _typed(action: Action, substitute: Callable[[str], str]) -> Action:
    return action.model_copy(update={"text": substitute(action.text)}) if isinstance(action, Type) else action


def refuse_marks(instruction: str) -> None:
    """See that a task has no marks left: a model cannot be told a secret.

    Raises:
        UsageError: it has one.
    """
    if left := MARK.search(instruction):
        name = left.group(1)
        raise UsageError(f"the task asks for {{{{{name}}}}}; give it with --set {name}=VALUE")


def secret_names(recording: Recording) -> list[str]:
    """Names that are still marked in what is typed, in the order in which they come."""
    texts = [action.text for step in recording.steps for action in step.actions if isinstance(action, Type)]
    return list(dict.fromkeys(name for text in texts for name in MARK.findall(text)))


def secrets(names: Iterable[str], environ: Mapping[str, str], ask: Ask | None) -> dict[str, str]:
    """The secrets of a recording, from the environment or from a person.

    Args:
        names: which.
        environ: where ``SACCADE_SECRET_NAME`` is looked up.
        ask: prompts a person without showing what they type; None if nobody is there.

    Raises:
        UsageError: one is not to be had.
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
