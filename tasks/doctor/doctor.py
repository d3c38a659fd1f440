"""``saccade doctor``: runs the checks, each of which is a function that returns findings, and prints them."""

from __future__ import annotations

import dataclasses
import json
import queue
import sys
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import suppress

from rich.console import Console
from rich.text import Text

from . import checks, screen
from .checks import Finding, State

_STYLES: dict[State, str] = {"ok": "green", "missing": "bold red", "limited": "yellow"}
PATIENCE = 2.0
"""Seconds until checks that hang, such as on a display that does not answer, are abandoned."""
Check = Callable[[], Iterable[Finding]]
CHECKS: dict[str, Check] = {
    "Python": checks.python,
    "packages": checks.packages,
    "torch": checks.torch,
    "weights": checks.weights,
    "browser": checks.browser,
    "disk": checks.disk,
    "screen": screen.screen,
}
"""By the part that they check."""
if sys.platform == "linux":
    CHECKS |= {
        "accessibility": screen.accessibility,
        "private desktop": screen.programs,
        "sandbox": screen.sandbox,
        "fonts": screen.fonts,
    }


def doctor_and_print(json_output: bool) -> int:
    """Run all checks and print a table, or one line of JSON; returns the exit status."""
    findings = run_checks(CHECKS)
    healthy = not any(finding.needed and finding.state == "missing" for finding in findings)
    if json_output:
        found = [dataclasses.asdict(finding) for finding in findings]
        sys.stdout.write(json.dumps({"ok": healthy, "findings": found}, ensure_ascii=False) + "\n")
    else:
        _print(findings, healthy)
    return 0 if healthy else 1


def run_checks(wanted: dict[str, Check], patience: float = PATIENCE) -> list[Finding]:
    """Run checks at once, in so many seconds together; one that fails or hangs becomes a finding."""
    answers: queue.SimpleQueue[tuple[str, list[Finding]]] = queue.SimpleQueue()
    for part, check in wanted.items():
        # Daemons, so that one that hangs does not keep the program alive.
        threading.Thread(target=lambda *of: answers.put(_answer(*of)), args=(part, check), daemon=True).start()
    found: dict[str, list[Finding]] = {}
    deadline = time.monotonic() + patience
    with suppress(queue.Empty):
        while len(found) < len(wanted):
            part, findings = answers.get(timeout=max(deadline - time.monotonic(), 0))
            found[part] = findings
    silent = f"no answer within {patience:g} s"
    return [each for part in wanted for each in found.get(part, [Finding(part, "limited", silent)])]


def _answer(part: str, check: Check) -> tuple[str, list[Finding]]:
    try:
        return part, list(check())
    except (Exception, SystemExit) as error:  # a broken package may raise anything on import
        return part, [Finding(part, "limited", f"cannot be checked: {type(error).__name__}: {error}")]


def _print(findings: list[Finding], healthy: bool) -> None:
    console = Console(highlight=False, soft_wrap=True)
    for finding in findings:
        state = (f"{finding.state:8}", _STYLES[finding.state])
        console.print(Text.assemble(state, f"{finding.part:18}", finding.detail))
        if finding.fix is not None:
            console.print(Text.assemble(" " * 26, (finding.fix, "bold")))
    if healthy:
        console.print(Text("\n`saccade run` works here.", style="bold green"))
    else:
        parts = ", ".join(f.part for f in findings if f.needed and f.state == "missing")
        console.print(Text(f"\n`saccade run` does not work here yet; it needs: {parts}", style="bold red"))
