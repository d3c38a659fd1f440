"""What a person, or a script, sees of a replay."""

from __future__ import annotations

import getpass
import json
import shlex
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from ...actions.errors import UsageError
from ...actions.untrusted import one_line
from ...env.control import Control
from ..models.purpose import afterwards, purpose
from ..replay.agreement import NamedUse, refuse
from ..replay.offline import OfflineComparison, compare
from ..replay.replay import PreparedReplay, ReplayRequest, ReplayResult, prepare, replay
from ..report.data import outcome
from ..report.times import seconds_in_words
from ..terminal.consent import confirmed, require_consent
from ..terminal.keys import terminal_keys
from ..terminal.narrator import Narrator, describe, output_closed


def replay_and_print(
    request: ReplayRequest, *, consent: bool, json_output: bool, command: Sequence[str] = ("replay",)
) -> int:
    """Replay and print the result; returns the exit status.

    ``command`` is the command line, for the message that says how to allow what a recording of others names.
    """
    narrator = Narrator(sys.stderr if json_output else sys.stdout)
    ask = getpass.getpass if sys.stdin.isatty() else None
    prepared = prepare(request, ask, partial(_agree, request.directory, command))
    if request.mode == "offline":
        return _offline(prepared, narrator, json_output)
    if (display := request.overrides.display) is not None:
        require_consent(f"the display {display}", yes=consent)
    control = Control()
    narrator.on_closed = output_closed(control)
    with control.stop_signals(), terminal_keys(control, narrator.note):
        if request.mode == "verify":
            _print_loading(prepared, narrator)
        done = replay(prepared, control=control, listeners=[narrator])
    _print_result(done, narrator)
    if request.mode == "verify" and done.exit_status == 1 and (said := afterwards(prepared.model_name, prepared.place)):
        narrator.note(said, "yellow")
    if json_output:
        sys.stdout.write(done.as_json() + "\n")
    return done.exit_status


def _agree(directory: Path, command: Sequence[str], uses: Sequence[NamedUse]) -> None:
    """Ask a person, once, about all that a recording of others names."""
    listed = "".join(f"\n  - {use}" for use in uses)
    answer = confirmed(f"{one_line(str(directory))} was not recorded by you on this computer. Its replay would{listed}")
    if answer is None:
        options = [word for use in uses for word in ("--allow", use.name)]
        raise refuse(directory, uses, f"Allow it with: {one_line(shlex.join(['saccade', *command, *options]))}")
    if not answer:
        raise UsageError(f"{directory} was not allowed to do that; nothing was done")


def _print_loading(prepared: PreparedReplay, narrator: Narrator) -> None:
    if said := purpose(prepared.model_name, prepared.place):
        narrator.note(said, "yellow")
    narrator.note(f"loading {prepared.model_name} ...")


def _print_result(done: ReplayResult, narrator: Narrator) -> None:
    took = f", {seconds_in_words(done.seconds)}"
    narrator.verdict(done.end, outcome(done.end, mode=done.mode, drifted=done.drift is not None), took)
    if done.steps:
        forwards = sum(step.forwards for step in done.steps)
        narrator.note(
            f"healed      {', '.join(str(step + 1) for step in done.healed) or 'nothing'}; "
            f"{forwards} forwards, {done.model_seconds:.2f} s of the model"
        )
    if done.updated is not None:
        narrator.note(f"updated     {done.updated}")
    narrator.note(f"report      {done.report}")


def _offline(prepared: PreparedReplay, narrator: Narrator, json_output: bool) -> int:
    _print_loading(prepared, narrator)
    model, tolerance = prepared.load_model(), prepared.request.tolerance
    tolerance = model.tolerance if tolerance is None else tolerance
    found = compare(
        model, prepared.recording, prepared.instruction, tolerance, partial(_print_step, narrator), prepared.secrets
    )
    agreed = sum(each.agrees for each in found)
    narrator.note(f"{agreed} of {len(found)} steps as recorded", "bold")
    read, spared = sum(each.prompt_tokens for each in found), sum(each.left_out_tokens for each in found)
    left_out = f", {spared} left out ({spared / (read + spared):.0%})" if spared else ""
    narrator.note(f"prompts     {read} tokens{left_out}; {sum(each.seconds for each in found):.2f} s of the model")
    if json_output:
        sys.stdout.write(_offline_json(found) + "\n")
    return 0 if agreed == len(found) else 1


def _print_step(narrator: Narrator, each: OfflineComparison) -> None:
    was = "; ".join(map(describe, each.recorded))
    if each.agrees:
        narrator.note(f"step {each.step + 1:<3} same       {was}", "green")
        return
    now = each.error or "; ".join(map(describe, each.now))
    narrator.note(f"step {each.step + 1:<3} different  {was}  ->  {now}", "yellow")


def _offline_json(found: Sequence[OfflineComparison]) -> str:
    different = [each for each in found if not each.agrees]
    return json.dumps(
        {
            "mode": "offline",
            "success": not different,
            "steps": len(found),
            "agreed": len(found) - len(different),
            "same_kind": sum(each.kind for each in found),
            "healed": [each.step + 1 for each in different],
            "differences": [
                {
                    "step": each.step + 1,
                    "was": [action.model_dump(mode="json") for action in each.recorded],
                    "now": [action.model_dump(mode="json") for action in each.now],
                    "distance": each.distance,
                    "error": each.error,
                }
                for each in different
            ],
            "forwards": sum(each.forwards for each in found),
            "prompt_tokens": sum(each.prompt_tokens for each in found),
            "left_out_tokens": sum(each.left_out_tokens for each in found),
            "model_ms": round(sum(each.seconds for each in found) * 1000, 1),
            "stopped_at": None,
            "report": None,
        },
        ensure_ascii=False,
    )
