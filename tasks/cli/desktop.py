"""Small commands that type, look and act on a screen, for scripts."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

Display = Annotated[
    str | None, typer.Option(help="X display, such as :7; by default the one you see.", metavar=":N")
]
Monitor = Annotated[int | None, typer.Option(help="Number of the monitor; by default the primary.", min=1)]

TYPE_HELP = """Type the text on stdin (UTF-8) into the window with the focus, character for character.

A line break is the Enter key.

\b
Example:
  printf 'Grüße, 你好 ☃' | saccade type --display :7"""

SCREENSHOT_HELP = """Write a picture of a screen as PNG.

\b
Examples:
  saccade screenshot --display :7 --out screen.png
  saccade screenshot --display :7 --region 0,0,640x480 --out corner.png"""

ACT_HELP = """Execute the actions on stdin, one JSON object per line, with the mouse and keyboard of a screen.

Points are in pixels of the picture that `saccade screenshot` takes. Each line is answered by one line:
{"ok": true}, or {"error": ...}.

\b
Example:
  echo '{"kind": "click", "point": [640, 360]}' | saccade act --display :7

Exit status: 0 all were executed, 2 some were not."""


def type_(display: Display = None) -> None:
    """See ``TYPE_HELP``."""
    from ..commands.desktop_tools import type_text

    type_text(sys.stdin.buffer.read(), display)


def screenshot(
    out: Annotated[Path, typer.Option(help="The PNG file to write.")],
    display: Display = None,
    monitor: Monitor = None,
    region: Annotated[
        str | None, typer.Option(help="Only this part of the screen.", metavar="X,Y,WxH")
    ] = None,
) -> None:
    """See ``SCREENSHOT_HELP``."""
    from ..commands.desktop_tools import take_screenshot

    size = take_screenshot(out, display, monitor, region)
    sys.stdout.write(f"{out}: {size.width} x {size.height}\n")


def act(display: Display = None, monitor: Monitor = None) -> None:
    """See ``ACT_HELP``."""
    from ..commands.desktop_tools import act as execute

    failed = False
    for line in execute(sys.stdin.buffer, display, monitor):
        sys.stdout.write(line + "\n")
        sys.stdout.flush()
        failed = failed or line.startswith('{"error"')
    raise typer.Exit(2 if failed else 0)


def register(app: typer.Typer) -> None:
    """Add the commands to the command line."""
    app.command("type", help=TYPE_HELP)(type_)
    app.command(help=SCREENSHOT_HELP)(screenshot)
    app.command(help=ACT_HELP)(act)
