"""The commands ``grants`` and ``audit``: what you have allowed, and what a run did."""

from __future__ import annotations

import json as to_json
import sys
from pathlib import Path
from typing import Annotated

import typer

from . import options
from .help import Commands
from .options import ARGUMENT, OTHER

app = Commands()
audit = Commands(help="Check what a run did and was allowed to do.", no_args_is_help=True)
app.add_typer(audit, name="audit", rich_help_panel="Guard")


@app.command(rich_help_panel="Guard")
def grants(
    revoke: Annotated[str | None, OTHER("--revoke", "Take back one of them.", "ID")] = None,
    revoke_all: Annotated[bool, OTHER("--revoke-all", "Take back all of them.")] = False,
    json: options.Json = False,
) -> None:
    """List what you have allowed always, and take it back.

    When the guard asks before the agent acts, "always" is kept for that consequence on that site, or in that
    program. A grant that is taken back ends at once, in runs that are under way, too.

    Examples:
      saccade grants
      saccade grants --revoke 1f0c93ab
      saccade grants --revoke-all
    """
    from ..commands.guard import print_grants

    print_grants(None if revoke_all else revoke, revokes=revoke is not None or revoke_all, json_output=json)


@audit.command()
def verify(
    run: Annotated[Path, ARGUMENT("A run's folder.", "RUN")], anchor: options.Anchor = None, json: options.Json = False
) -> None:
    """Check that nothing in a run was changed since it was written.

    Every line of a run's trajectory, and every intent, question, answer and denial, is a line of audit.jsonl.
    Each holds the hash of the line before it. A run that was killed can be checked up to its last line.

    With --anchor, the chain is compared with the hashes that the run wrote there. Without one, somebody who can
    write the folder can make another chain.

    Examples:
      saccade audit verify runs/20260101-120000-click-test-2
      saccade audit verify runs/mine --anchor /mnt/log/anchor

    Exit status: 0 intact, 1 cut off, 2 changed or without an audit.
    """
    from ...env.trajectory.audit import verify_audit

    found = verify_audit(run, anchor)
    if json:
        sys.stdout.write(to_json.dumps(found._asdict()) + "\n")
    else:
        acts = ", ".join(f"{count} {kind}" for kind, count in found.kinds.items() if kind not in ("begin", "guard"))
        lines = f"{found.events} lines of the trajectory, {found.lines} of the audit"
        sys.stdout.write(f"{found.state}: {lines} ({acts})\nhead {found.head}\n")
    raise typer.Exit(0 if found.state == "intact" else 1)
