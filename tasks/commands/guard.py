"""``saccade grants``: lists and revokes lasting answers to the guard's questions."""

from __future__ import annotations

import json
import sys
import time

from ...actions.untrusted import visible
from ...env.guard.grants import Grant, Grants


def print_grants(id: str | None, *, revokes: bool, json_output: bool) -> None:
    """Print the grants, or those that are revoked: one by its id, or all.

    Raises:
        UsageError: there is no such grant; or the file cannot be read or written.
    """
    kept = Grants()
    found = kept.revoke(id) if revokes else kept.all()
    if json_output:
        name = "revoked" if revokes else "grants"
        sys.stdout.write(json.dumps({name: [each.model_dump(mode="json") for each in found]}) + "\n")
        return
    for each in found:
        sys.stdout.write(f"{'revoked ' if revokes else ''}{_line(each)}\n")
    if not found:
        sys.stdout.write("nothing is granted\n")


def _line(grant: Grant) -> str:
    when = time.strftime("%Y-%m-%d %H:%M", time.localtime(grant.time))
    return f"{grant.id}  {when}  {grant.what:12} on {visible(grant.place)}"
