"""How ``--help`` looks: options and commands under headings, and examples as they were written."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

import typer
from typer.core import TyperCommand, TyperGroup

from ...actions.errors import Stopped
from .settings import check_settings

WORDS = "saccade.words"
"""Where a context's ``meta`` has the words of the command line."""
Function = TypeVar("Function", bound=Callable[..., Any])


class Commands(typer.Typer):
    """A group of commands with this help; settings are those of ``typer.Typer``."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(
            cls=_Group, rich_markup_mode=None, context_settings={"help_option_names": ["-h", "--help"]}, **settings
        )

    def command(self, name: str | None = None, **settings: Any) -> Callable[[Function], Function]:
        """As in ``typer.Typer``; the docstring is the help, and ``rich_help_panel`` the command's heading."""
        return super().command(name, cls=_Command, **settings)


class _Command(TyperCommand):
    def __init__(self, *positional: Any, help: str | None = None, **settings: Any) -> None:
        super().__init__(*positional, help=_keep_lines(help), **settings)

    def format_options(self, ctx: Any, formatter: Any) -> None:
        _write_options(self, ctx, formatter)

    def invoke(self, ctx: Any) -> Any:
        check_settings(ctx)
        return super().invoke(ctx)


class _Group(TyperGroup):
    def format_options(self, ctx: Any, formatter: Any) -> None:
        _write_options(self, ctx, formatter)
        commands: Mapping[str, Any] = self.commands
        room = formatter.width - 6 - max(map(len, commands))
        rows = ((each.rich_help_panel, (name, each.get_short_help_str(room))) for name, each in commands.items())
        _write_sections(formatter, rows, "Commands")

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        ctx.meta.setdefault(WORDS, tuple(args))  # by the outermost group, which gets all of them
        return super().parse_args(ctx, args)

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt as interrupt:  # typer would end without a word
            raise Stopped("stopped by Ctrl-C") from interrupt


def _keep_lines(text: str | None) -> str | None:
    r"""Mark paragraphs with indented lines with ``\b``, so that they are not wrapped."""
    if text is None:
        return None
    return "\n\n".join(f"\b\n{each}" if "\n  " in each else each for each in text.split("\n\n"))


def _write_options(command: Any, ctx: Any, formatter: Any) -> None:
    rows = (
        (getattr(each, "rich_help_panel", None), record)
        for each in command.get_params(ctx)
        if (record := each.get_help_record(ctx)) is not None
    )
    _write_sections(formatter, rows, "Options")


def _write_sections(formatter: Any, rows: Iterable[tuple[str | None, tuple[str, str]]], otherwise: str) -> None:
    """Write rows under their headings, in the order of their first rows; those without one come last."""
    sections: dict[str, list[tuple[str, str]]] = {}
    for heading, row in rows:
        sections.setdefault(heading or otherwise, []).append(row)
    for heading in sorted(sections, key=lambda heading: heading == otherwise):
        with formatter.section(heading):
            formatter.write_dl(sections[heading])
