"""``saccade replay``: a recorded run again, verified by a model, exactly, or offline."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Literal

from ...agent.checkpoints.loading import PLAINLY, LoadOptions
from ...agent.limits import Limits
from ...agent.policy import Policy
from ...agent.replay.policy import ReplayPolicy, ReplayStep
from ...agent.replay.recording import Recording, recording
from ...env.base import Environment
from ...env.chords import Chords
from ...env.control import Control
from ...env.expect import Expectation
from ...env.guard.asking import Asker, OnAsk
from ...env.guard.policy import GuardPolicy, read_guard_policy
from ...env.private_files import write_private
from ...env.secrets import Secrets
from ...env.trajectory.events import EndEvent, PolicySettings
from ...env.trajectory.trajectory import FILE_NAME, Listener, Trajectory
from ...env.wrappers import RedactedScreen
from ..episode import Replayed, RunResult, exit_status, run_episode
from ..models.load import ModelPolicy, load_policy
from ..report import write_report
from ..report.replay_outcome import RECORD_NAME
from ..terminal.folders import RUNS, run_folder
from ..terminal.guard_questions import make_guard
from ..terminal.parse import parse_region
from ..terminal.stop_chords import stop_chord_listener
from .agreement import Agree, NamedUse, refuse, to_agree
from .checks import check_place
from .environment import ReplayOverrides
from .exact import AwaitRecordedScreens, ExactPolicy
from .healing import keep_healed
from .screens import Drift
from .variables import (
    literal,
    marks_in,
    read_secrets,
    refuse_marks,
    refuse_unused,
    secret_names,
    steps_that_type,
    substituted,
    substitution,
)

Mode = Literal["verify", "exact", "offline"]
_LIMITS = Limits(repeats=8)


@dataclass(frozen=True)
class ReplayRequest:
    """What ``saccade replay`` was asked for; see its ``--help``."""

    directory: Path
    mode: Mode = "verify"
    overrides: ReplayOverrides = field(default_factory=ReplayOverrides)
    model: str | None = None
    max_images: int | None = None
    max_pixels: int | None = None
    history: str = "full"
    load: LoadOptions = PLAINLY
    tolerance: float | None = None
    values: dict[str, str] = field(default_factory=dict)
    secrets: dict[str, str] = field(default_factory=dict, repr=False)
    expect: tuple[Expectation, ...] = ()
    allow: tuple[str, ...] = ()
    guard: str | GuardPolicy | None = None
    on_ask: OnAsk | Asker | None = None
    anchor: Path | None = None
    patience: float = 10.0
    ignore: tuple[str, ...] = ()
    update: bool = False
    out: Path | None = None
    runs: Path = RUNS


@dataclass(frozen=True)
class PreparedReplay:
    """A request whose recording may be executed: checked, with its variables filled in and its secrets read."""

    request: ReplayRequest
    trajectory: Trajectory
    recording: Recording
    instruction: str
    secrets: Secrets = field(default_factory=Secrets, repr=False)
    changed: dict[int, tuple[str, ...]] = field(default_factory=dict)
    """Names of variables with other values than recorded, by the index of the step that types them."""

    @property
    def model_name(self) -> str:
        """The model that verifies: the one asked for, else the one that made the recording."""
        made_by = self.trajectory.start.policy
        return self.request.model or ("embedded" if made_by in ("person", "recording") else made_by)

    @property
    def place(self) -> str:
        """Where it acts, as ``make_environment`` names it."""
        return self.request.overrides.environment or self.trajectory.start.environment

    @property
    def guard_policy(self) -> GuardPolicy:
        """The policy of the guard: what this user did on these very screens may be done again without a question.

        Raises:
            UsageError: there is no such profile or file.
        """
        if isinstance(self.request.guard, GuardPolicy):
            return self.request.guard
        repeats = self.request.mode == "exact" and self.trajectory.own
        at_stake = self.place == "browser" or (self.place == "desktop" and self.request.overrides.display is not None)
        return read_guard_policy(self.request.guard or ("standard" if at_stake and not repeats else "open"))

    def uses(self, secret_names: Sequence[str]) -> list[NamedUse]:
        """What the replay would use although only the recording names it."""
        request = self.request
        return to_agree(
            self.trajectory.start,
            self.recording,
            request.overrides,
            model=None if request.mode == "exact" or request.model is not None else self.model_name,
            secrets=secret_names,
            executed=request.mode != "offline",
            allowed=request.allow,
        )

    def load_model(self) -> ModelPolicy:
        """Load that model; raises ``MissingPartError`` or another ``UsageError`` if it cannot be used."""
        made_with = self.trajectory.start.policy_settings if self.request.model is None else PolicySettings()
        asked = self.request
        return load_policy(
            self.model_name,
            dialect=made_with.dialect,
            max_images=asked.max_images or made_with.max_images,
            max_pixels=asked.max_pixels or made_with.max_pixels,
            history=asked.history if asked.history != "full" else made_with.history or "full",
            load=asked.load,
        )


@dataclass(frozen=True)
class ReplayResult:
    """What a replay left behind.

    Attributes:
        mode: ``verify`` or ``exact``.
        end: the last event of its own run.
        steps: the outcome of each step of a verified replay.
        model_seconds: time spent by the model.
        drift: where the screen of an exact replay stopped matching the recording.
        directory: the folder of its own run.
        report: the HTML report.
        seconds: wall time, from its first screen to its end.
        updated: the healed recording, where one was written.
    """

    mode: Mode
    end: EndEvent
    steps: Sequence[ReplayStep]
    model_seconds: float
    drift: Drift | None
    directory: Path
    report: Path
    seconds: float
    updated: Path | None = None

    @property
    def judged(self) -> bool:
        """Whether anything judged it: the environment, an expectation, or the recorded screens of an exact replay."""
        return self.end.judged or self.mode == "exact"

    @property
    def success(self) -> bool:
        """Whether the task was achieved, as judged; an exact replay must not leave the recording either."""
        if self.drift is not None:
            return False
        return self.end.success if self.end.judged else self.judged and self.end.end == "finished"

    @property
    def healed(self) -> list[int]:
        """Steps, as indices from 0, at which the model's own answer replaced the recorded one."""
        return [step.step for step in self.steps if step.outcome == "own"]

    @property
    def exit_status(self) -> int:
        """0 achieved, or finished where nothing judges; 1 not achieved; 2 something broke; 130 stopped by a person."""
        return exit_status(self.end) if self.drift is None else 1

    def as_json(self) -> str:
        """One line for scripts; steps count from 1, as on the console and in the report."""
        last = max(self.end.steps, 1)
        stopped = self.drift.step + 1 if self.drift else None if self.exit_status == 0 else last
        return json.dumps(
            {
                "mode": self.mode,
                "success": self.success,
                "judged": self.judged,
                "verdict": self.end.verdict,
                "end": self.end.end,
                "message": self.end.message,
                "steps": self.end.steps,
                "seconds": round(self.seconds, 3),
                "known": sum(step.outcome == "known" for step in self.steps),
                "agreed": sum(step.outcome in ("agreed", "near") for step in self.steps),
                "healed": [step + 1 for step in self.healed],
                "forwards": sum(step.forwards for step in self.steps),
                "model_ms": round(self.model_seconds * 1000, 1),
                "stopped_at": stopped,
                "drift": list(self.drift.box) if self.drift and self.drift.box and not self.drift.variables else None,
                "changed_variables": list(self.drift.variables) if self.drift else [],
                "trajectory": str(self.directory / FILE_NAME),
                "report": str(self.report),
                "updated": str(self.updated) if self.updated else None,
            },
            ensure_ascii=False,
        )


def prepare(
    request: ReplayRequest, ask: Callable[[str], str] | None = None, agree: Agree | None = None
) -> PreparedReplay:
    """Read and check everything before anything is executed.

    Args:
        request: the recording, and how to repeat it.
        ask: prompts for secrets that are not set.
        agree: gets what a recording of others names and the request does not; by default that is refused.

    Raises:
        TrajectoryError: the recording is not whole.
        UsageError: a setting would be ignored, a variable or a secret is missing, or what the recording names was not
            agreed to.
    """
    trajectory = Trajectory.load(request.directory)
    if request.mode != "offline":
        check_place(request.overrides.environment or trajectory.start.environment, request.overrides, request.expect)
    recorded = recording(trajectory)
    start = trajectory.start
    marks = {*marks_in(start.instruction), *secret_names(recorded)}
    refuse_unused(request.values, {*marks, *start.variables}, "the recording")
    refuse_unused(request.secrets, marks, "the recording")
    substitute = substitution({**start.variables, **request.values}, start.variables)
    filled = substituted(recorded, substitute)
    instruction = substitute(start.instruction)
    kept = literal({**start.variables, **request.values})
    names = [name for name in secret_names(filled) if name not in {*kept, *request.secrets}]
    names = [] if request.mode == "offline" else names
    refuse_marks(instruction, {*kept, *names, *request.secrets})
    changed = steps_that_type(recorded, request.values, start.variables)
    prepared = PreparedReplay(request, trajectory, filled, instruction, changed=changed)
    _ = prepared.guard_policy
    if not trajectory.own and (uses := prepared.uses(names)):
        (agree or partial(_refuse, request))(uses)
    return replace(prepared, secrets=Secrets({**request.secrets, **read_secrets(names, os.environ, ask)}))


def _refuse(request: ReplayRequest, uses: Sequence[NamedUse]) -> None:
    names = ", ".join(repr(use.name) for use in uses)
    raise refuse(request.directory, uses, f"Allow it with allow=[{names}]")


def replay(
    prepared: PreparedReplay,
    model: ModelPolicy | None = None,
    control: Control | None = None,
    listeners: Iterable[Listener] = (),
) -> ReplayResult:
    """Repeat a recording in a live environment; prints nothing.

    Args:
        prepared: the recording, and how to repeat it.
        model: verifies it; by default ``PreparedReplay.load_model`` loads one.
        control: stops and pauses the replay.
        listeners: called with each event of the new trajectory.

    Raises:
        UsageError: it cannot be repeated here; nothing was executed.
        EnvironmentFailure: the environment could not be started.
        TrajectoryError: the new run cannot be written.
    """
    request = prepared.request
    verify = request.mode == "verify"
    control = control or Control()
    name = f"replay {request.directory.resolve().name}"
    with control.stop_signals(), run_folder(request.out, name, request.runs) as directory:
        with control.interrupting():
            model = (model or prepared.load_model()) if verify else None
        result = _replay_in(directory, prepared, model, control, listeners)
    if request.update and result.exit_status == 0 and result.healed:
        return replace(result, updated=keep_healed(request.directory, result.directory, tuple(result.steps)))
    return result


def _replay_in(
    directory: Path,
    prepared: PreparedReplay,
    model: ModelPolicy | None,
    control: Control,
    listeners: Iterable[Listener],
) -> ReplayResult:
    request = prepared.request
    run = partial(_episode, prepared, directory, control, listeners)
    make = request.overrides.make_environment
    guard = make_guard(prepared.guard_policy, request.on_ask, control, directory)
    environment = make(prepared.trajectory, guard, control, directory / "downloads", prepared.secrets)
    redacted = [parse_region(text) for text in prepared.trajectory.start.environment_settings.redact or ()]
    hidden = RedactedScreen(environment, redacted) if redacted else environment
    with contextlib.closing(environment), stop_chord_listener(control, Chords(), environment):
        if model is not None:
            verifier = ReplayPolicy(model, prepared.recording, request.tolerance, request.tolerance is None)
            result, drift = run(verifier, hidden), None
            steps = verifier.paired()
        else:
            passed = (*redacted, *map(parse_region, request.ignore))
            exact = AwaitRecordedScreens(
                hidden, prepared.recording, passed, request.patience, variables=prepared.changed
            )
            result, steps, drift = run(ExactPolicy(prepared.recording, exact), exact), (), exact.drift
    record = {
        "recording": str(request.directory.resolve()),
        "mode": request.mode,
        "steps": [asdict(step) for step in steps],
        "drift": _drift_record(drift, directory),
    }
    write_private(directory / RECORD_NAME, json.dumps(record, indent=1) + "\n")
    predictions = [step.prediction for step in result.trajectory.steps if step.prediction]
    seconds = sum((sum(prediction.usage.timings.values()) for prediction in predictions), 0.0)
    report = write_report(result.trajectory)
    return ReplayResult(request.mode, result.end, steps, seconds, drift, directory, report, result.seconds)


def _drift_record(drift: Drift | None, directory: Path) -> dict[str, object] | None:
    """Where the screen differed from the recording; keeps the recorded screen beside the live one."""
    if drift is None:
        return None
    for screen in (drift.recorded, drift.live):
        write_private(directory / "screenshots" / f"{screen.digest}.png", screen.png())
    return {"step": drift.step, "expected": drift.recorded.digest, "live": drift.live.digest, "box": drift.box}


def _episode(
    prepared: PreparedReplay,
    directory: Path,
    control: Control,
    listeners: Iterable[Listener],
    policy: Policy,
    environment: Environment,
) -> RunResult:
    request, recorded = prepared.request, prepared.trajectory.start
    return run_episode(
        policy,
        environment,
        prepared.instruction,
        directory,
        name=request.overrides.environment or recorded.environment,
        seed=recorded.seed if request.overrides.seed is None else request.overrides.seed,
        limits=replace(_LIMITS, steps=2 * len(prepared.recording.steps) + 10),
        control=control,
        listeners=listeners,
        policy_settings=recorded.policy_settings.model_copy(update={"fingerprint": None}),
        environment_settings=request.overrides.settings(recorded),
        variables={**recorded.variables, **request.values},
        secrets=prepared.secrets,
        expect=request.expect,
        replayed=Replayed(str(request.directory), request.mode, prepared.trajectory.own),
        own_task_first=request.overrides.changed,
        anchor=request.anchor,
        report=False,
    )
