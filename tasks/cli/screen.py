"""Commands for scripts: ``type``, ``screenshot`` and ``act`` on a screen, ``parse`` for a model's reply."""

from __future__ import annotations

import json as to_json
import sys
from pathlib import Path
from typing import Annotated

import typer

from . import options
from .help import Commands
from .options import OUTPUT, WHERE

app = Commands()


@app.command("type", rich_help_panel="For scripts")
def _type(display: options.Display = None, json: options.Json = False) -> None:
    """Type the text on stdin into the window with the focus.

    The text is UTF-8 and arrives character for character. A line break is the Enter key.

    Example:
      printf 'Grüße, 你好 ☃' | saccade type --display :7
    """
    from ..commands.desktop_tools import type_text

    type_text(sys.stdin.buffer.read(), display)
    if json:
        sys.stdout.write('{"ok": true}\n')


@app.command(rich_help_panel="For scripts")
def screenshot(
    out: Annotated[Path, OUTPUT("The PNG file to write.", "FILE")],
    display: options.Display = None,
    monitor: options.Monitor = None,
    region: Annotated[str | None, WHERE("Only this part of the screen.", "X,Y,WxH")] = None,
    json: options.Json = False,
) -> None:
    """Write a picture of a screen as PNG.

    Examples:
      saccade screenshot --display :7 --out screen.png
      saccade screenshot --display :7 --region 0,0,640x480 --out corner.png
    """
    from ..commands.desktop_tools import take_screenshot

    size = take_screenshot(out, display, monitor, region)
    written = to_json.dumps({"file": str(out), "size": list(size)})
    sys.stdout.write(f"{written if json else f'{out}: {size.width} x {size.height}'}\n")


@app.command(rich_help_panel="For scripts")
def act(
    display: options.Display = None,
    monitor: options.Monitor = None,
    guard: options.Guard = None,
    on_ask: options.OnAsk = None,
    json: options.Json = False,
) -> None:
    """Execute the actions on stdin, one JSON object per line.

    They are executed with the mouse and keyboard of a screen. Points are in pixels of the picture that
    `saccade screenshot` takes. Each line is answered by one line: {"ok": true}, or {"error": ...}.

    The guard is open on a display that you name, and standard on the screen that you see. Standard input holds
    the actions, so you cannot be asked: --on-ask says what becomes of what would be asked about, by default deny.

    Example:
      echo '{"kind": "click", "point": [640, 360]}' | saccade act --display :7

    Exit status: 0 all were executed, 2 some were not.
    """
    from ...env.guard.asking import unattended
    from ...env.guard.grants import Grants
    from ...env.guard.guard import Guard
    from ...env.guard.policy import read_guard_policy
    from ..commands.desktop_tools import act as execute
    from ..terminal.guard_questions import parse_on_ask

    policy = read_guard_policy(guard or ("standard" if display is None else "open"))
    keeper = Guard(policy, ask=unattended(parse_on_ask(on_ask) or "deny"), grants=Grants())
    failed = False
    for line in execute(sys.stdin.buffer, display, monitor, keeper):
        sys.stdout.write(line + "\n")
        sys.stdout.flush()
        failed = failed or line.startswith('{"error"')
    raise typer.Exit(2 if failed else 0)


@app.command(rich_help_panel="For scripts")
def parse(
    dialect: options.Dialect = None,
    size: Annotated[str, WHERE("Size of the screenshot that the model saw.", "WxH")] = "1920x1080",
    json: options.Json = False,
) -> None:
    """Parse a model's raw reply on stdin; print it as JSON.

    The line of JSON holds the thought and the actions; points are in pixels of the screenshot. A reply that
    cannot be parsed gives {"error": ...}.

    Example:
      echo "Action: click(start_box='(500,500)')" | saccade parse --dialect uitars-1.0 --size 1280x720
    """
    from ...actions.dialects import get_dialect
    from ...actions.errors import ParseError, UsageError
    from ..terminal.parse import parse_size

    if dialect is None:
        raise UsageError("name the format of the reply: --dialect NAME, such as uitars-1.5")
    reader, screenshot_size = get_dialect(dialect), parse_size(size)
    try:
        reply = reader.parse(sys.stdin.buffer.read().decode(errors="replace"), screenshot_size)
        answer = {"thought": reply.thought, "actions": [each.model_dump(mode="json") for each in reply.actions]}
    except ParseError as error:
        answer = {"error": error.reason}
    sys.stdout.buffer.write(to_json.dumps(answer, ensure_ascii=False).encode(errors="replace") + b"\n")
