"""What is printed in the terminal during a run, and of a benchmark's result."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import TextIO

from rich.console import Console
from rich.text import Text

from ...actions.schema import Action, CallUser, Drag, points
from ...actions.untrusted import visible
from ...env.control import Control
from ...env.environ import shown
from ...env.signals import hangup_ignored
from ...env.trajectory.events import ActionEvent, EndEvent, Event, ObservationEvent, PredictionEvent, StartEvent, Usage
from ..report.data import RunStatus, Tone

_STYLES: Mapping[Tone, str] = {
    "good": "bold green",
    "bad": "bold red",
    "open": "bold yellow",
    "claim": "bold bright_black",
}


class Narrator:
    """A trajectory listener that prints each step as it happens.

    Attributes:
        on_closed: called once when nothing can be printed any more, as the terminal or a pipe's reader is gone; any
            thread may call it.
    """

    def __init__(self, stream: TextIO) -> None:
        self.on_closed: Callable[[], None] = lambda: None
        self._console = _Console(file=stream, highlight=False, soft_wrap=True)

    def __call__(self, event: Event) -> None:
        """Print one event."""
        match event:
            case StartEvent():
                self._start(event)
            case PredictionEvent():
                self._prediction(event)
            case ActionEvent():
                self._action(event)
                self._beside(event.notes)
            case ObservationEvent():
                self._beside(event.notes)

    def note(self, message: str, style: str = "dim") -> None:
        """Print one line that is no event."""
        self._print(Text(visible(shown(message)), style=style))

    def verdict(self, end: EndEvent, status: RunStatus, more: str = "") -> None:
        """Print how an episode ended, and why it is judged so; green and red are for what was judged."""
        word = status.word.upper() if status.tone in ("good", "bad") else status.word
        message = f" ({end.message})" if end.message else ""
        self.note(f"{word}  {end.end}{message} after {plural(end.steps, 'step')}{more}", _STYLES[status.tone])
        if end.verdict:
            self.note(f"judged      {end.verdict}")

    def _start(self, event: StartEvent) -> None:
        self._print(Text.assemble(("task    ", "dim"), (visible(event.instruction), "bold")))
        screen = event.environment_settings.screen
        size = f", {screen.width} x {screen.height} pixels" if screen else ""
        seed = "" if event.seed is None else f", seed {event.seed}"
        where = f"{event.environment}{size}{seed}, policy {event.policy}"
        self._print(Text.assemble(("on      ", "dim"), visible(where)))

    def _prediction(self, event: PredictionEvent) -> None:
        head = (f"step {event.step + 1:<3}", "bold cyan")
        cost = (f"{event.seconds * 1000:6.0f} ms  ", "dim")
        if event.error is not None:
            line = Text.assemble(head, cost, (f"unreadable reply: {visible(event.error)}", "yellow"))
        else:
            line = Text.assemble(head, cost, visible(event.thought) or ("(no thought)" if event.raw else ""))
        line.append(_decoding(event.usage), "dim")
        self._print(line)
        for note in event.notes:
            self.note(f"        {note}", "yellow")

    def _action(self, event: ActionEvent) -> None:
        seconds = sum(event.timings.values())
        cost = (f"        {seconds * 1000:6.0f} ms  ", "dim")
        line = Text.assemble(cost, (visible(describe(event.action)), "green"))
        if event.error is not None:
            handed_over = isinstance(event.action, CallUser)
            error = visible(event.error)
            line.append(f"  {error}" if handed_over else f"  had no effect: {error}", "yellow")
        self._print(line)

    def _beside(self, notes: Sequence[str]) -> None:
        for note in notes:
            self.note(f"                    {note}", "yellow")

    def _print(self, line: Text) -> None:
        if self._console.quiet:
            return
        words = visible(line.plain)
        if words != line.plain:
            line = Text(words)
        try:
            self._console.print(line)
        except OSError:
            self._console.quiet = True
            self.on_closed()


class _Console(Console):
    def on_broken_pipe(self) -> None:
        """Leave it to the caller, which has keys to release, instead of ending the program."""
        raise BrokenPipeError


def output_closed(control: Control) -> Callable[[], None]:
    """Stops a run that nobody can follow any more, unless it shall outlive its terminal."""
    return lambda: None if hangup_ignored() else control.stop("stopped, as its output was closed")


def _decoding(usage: Usage) -> str:
    """Tokens and forwards of a reply, if a local model wrote it."""
    if not usage.forwards:
        return ""
    drafted = f", {usage.accepted_tokens} drafted" if usage.accepted_tokens else ""
    spared = f"; {usage.left_out_tokens} of the prompt left out" if usage.left_out_tokens else ""
    return f"  [{usage.reply_tokens} tokens{drafted}, {usage.forwards} forwards{spared}]"


def describe(action: Action) -> str:
    """An action in a few words, for people: ``click (384, 324)``."""
    where = " to ".join(f"({point.x:.0f}, {point.y:.0f})" for point in points(action))
    skip = {"kind", "point", "start", "end"} if isinstance(action, Drag) else {"kind", "point"}
    rest = [_word(value) for value in action.model_dump(exclude=skip, exclude_defaults=True).values()]
    return " ".join(part for part in (action.kind, *rest, where) if part)


def plural(count: int, noun: str) -> str:
    """``1 step``, ``2 steps``."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def _word(value: object) -> str:
    if isinstance(value, tuple):
        return "+".join(map(str, value))
    return json.dumps(value, ensure_ascii=False) if isinstance(value, str) else str(value)
