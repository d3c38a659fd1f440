"""``saccade run``: one task, one episode, one folder with its trajectory and report."""

from __future__ import annotations

import json
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

from ... import __version__
from ...actions.errors import UsageError
from ...actions.geometry import Size
from ...agent.limits import Limits
from ...agent.loop import Agent
from ...env.base import Environment
from ...env.browser.determinism import HAR_NAME, DeterminismSettings
from ...env.chords import Chord, Chords
from ...env.control import Control
from ...env.registry import DesktopOptions, make_environment
from ...env.trajectory.events import EndEvent, StartEvent
from ...env.trajectory.trajectory import FILE_NAME, Trajectory, TrajectoryWriter
from ...perception.observation import Observation
from ..models.load import ModelPolicy, load_policy
from ..replay.variables import Substitution
from ..report import write_report
from ..terminal.consent import require_consent
from ..terminal.folders import run_folder
from ..terminal.keys import terminal_keys
from ..terminal.narrator import Narrator
from ..terminal.parse import parse_size
from ..terminal.stop_chords import stop_chord_listener

DEFAULT_ENVIRONMENT = "miniwob:click-test-2"


@dataclass(frozen=True)
class RunRequest:
    """What ``saccade run`` was asked for; see its ``--help``."""

    task: str | None = None
    url: str | None = None
    environment: str | None = None
    seed: int = 0
    model: str = "embedded"
    dialect: str | None = None
    temperature: float = 0.0
    decoding: str = "auto"
    constrained: bool = False
    max_steps: int = 30
    max_seconds: float = 900.0
    viewport: str | None = None
    headed: bool = False
    allow_file: bool = False
    desktop: DesktopOptions = field(default_factory=DesktopOptions)
    values: dict[str, str] = field(default_factory=dict)
    har: bool = False
    yes: bool = False
    stop_chord: str = "ctrl+alt+q"
    out: Path | None = None

    @property
    def place(self) -> str:
        """Where to act, as ``make_environment`` names it.

        Raises:
            UsageError: task, address and environment do not go together.
        """
        on_desktop = self.desktop != DesktopOptions()
        if self.environment is None and self.url is None and not on_desktop:
            if self.task is not None:
                raise UsageError("say where to act: --url ADDRESS, --app PROGRAM, or --env miniwob:TASK")
            return DEFAULT_ENVIRONMENT
        place = self.environment or ("desktop" if on_desktop else "browser")
        if self.url is not None and place != "browser":
            raise UsageError(f"--url goes with --env browser, not with {place}")
        if on_desktop and place != "desktop":
            raise UsageError(
                f"--app, --display, --monitor and --sandbox go with --env desktop, not with {place}"
            )
        if place in ("browser", "desktop") and self.task is None:
            raise UsageError(f'the {place} needs the task, such as "Click the Login button"')
        if place == "browser" and self.url is None:
            raise UsageError("the browser needs --url ADDRESS")
        return place


@dataclass(frozen=True)
class RunResult:
    """What a run left behind."""

    end: EndEvent
    instruction: str
    trajectory: Path
    report: Path
    seconds: float

    def as_json(self) -> str:
        """One line for scripts."""
        return json.dumps(
            {
                "success": self.end.success,
                "reward": self.end.reward,
                "steps": self.end.steps,
                "end": self.end.end,
                "message": self.end.message,
                "instruction": self.instruction,
                "seconds": round(self.seconds, 3),
                "trajectory": str(self.trajectory),
                "report": str(self.report),
            },
            ensure_ascii=False,
        )

    @property
    def exit_status(self) -> int:
        """0 achieved, 1 not achieved, 2 something broke, 130 stopped by a person."""
        special = {"error": 2, "interrupted": 130}
        return special.get(self.end.end, 0 if self.end.success else 1)


def run_and_print(request: RunRequest, json_output: bool) -> int:
    """Run and tell: progress for people, and with ``json_output`` one object as the last line of stdout."""
    narrator = Narrator(sys.stderr if json_output else sys.stdout)
    outcome = run_task(request, narrator)
    _tell_outcome(narrator, outcome)
    if json_output:
        sys.stdout.write(outcome.as_json() + "\n")
    if outcome.end.end == "error":
        sys.stderr.write(f"saccade: {outcome.end.message}\n")
    return outcome.exit_status


def run_task(request: RunRequest, narrator: Narrator) -> RunResult:
    """Run one episode and write its report.

    Raises:
        UsageError: the request cannot be met; nothing was executed.
        EnvironmentFailure: the environment could not be started.
        TrajectoryError: the folder cannot be written.
        Stopped: a person stopped it before it began.
    """
    chords = Chords(stop=Chord.parse(request.stop_chord))
    if request.place == "desktop" and (screen := request.desktop.screen):
        require_consent(screen, yes=request.yes, stop=request.stop_chord)
    control = Control()
    with run_folder(request.out, request.place) as directory, terminal_keys(control, narrator.note):
        return _run_in(directory, request, narrator, control, chords)


def _run_in(
    directory: Path, request: RunRequest, narrator: Narrator, control: Control, chords: Chords
) -> RunResult:
    narrator.note(f"loading {request.model} ...")
    with control.interrupting():
        policy = load_policy(
            request.model,
            dialect=request.dialect,
            temperature=request.temperature,
            seed=request.seed,
            decoding=request.decoding,
            constrained=request.constrained,
        )
    rehearsal = (
        DeterminismSettings(directory / HAR_NAME, False, time.time(), request.seed) if request.har else None
    )
    environment = make_environment(
        request.place,
        url=request.url,
        headed=request.headed,
        viewport=_viewport(request, policy),
        downloads=directory / "downloads",
        allow_file=request.allow_file,
        desktop=request.desktop,
        control=control,
        rehearsal=rehearsal,
    )
    started = time.monotonic()
    try:
        with stop_chord_listener(control, chords, environment):
            start, first = _start(request, policy, environment, rehearsal)
            limits = Limits(steps=request.max_steps, seconds=request.max_seconds)
            with TrajectoryWriter(directory, start, [narrator]) as trajectory:
                agent = Agent(policy, environment, limits, control=control)
                end = agent.run(start.instruction, first, trajectory)
    finally:
        environment.close()
    report = write_report(Trajectory.load(directory))
    return RunResult(end, start.instruction, directory / FILE_NAME, report, time.monotonic() - started)


def _viewport(request: RunRequest, policy: ModelPolicy) -> Size | None:
    """The page's size as asked for, else what the model was trained on; MiniWoB++ keeps its own."""
    if request.viewport is not None:
        return parse_size(request.viewport)
    return policy.viewport if request.place == "browser" else None


def _start(
    request: RunRequest, policy: ModelPolicy, environment: Environment, rehearsal: DeterminismSettings | None
) -> tuple[StartEvent, Observation]:
    """Reset the environment; what is asked of the policy, and the first screen."""
    first = environment.reset(request.seed)
    task = Substitution(request.values, {})(request.task or environment.instruction or "")
    start = StartEvent(
        saccade_version=__version__,
        instruction=task,
        environment=request.place,
        policy=policy.name,
        seed=request.seed,
        settings={
            "url": request.url,
            **(request.desktop.settings() if request.place == "desktop" else {}),
            "dialect": policy.dialect,
            "temperature": request.temperature,
            "decoding": list(policy.decoding),
            "constrained": request.constrained,
            "fingerprint": policy.fingerprint,
            "screen": list(first.screenshot.size),
            "max_steps": request.max_steps,
            "max_seconds": request.max_seconds,
            **({"variables": dict(request.values)} if request.values else {}),
            **({"har": rehearsal.har.name, "now": rehearsal.now} if rehearsal else {}),
        },
        time=time.time(),
    )
    return start, first


def _tell_outcome(narrator: Narrator, outcome: RunResult) -> None:
    end = outcome.end
    reward = "" if end.reward is None else f", reward {end.reward:g}"
    detail = f" ({end.message})" if end.message else ""
    verdict = "SUCCESS" if end.success else "FAILURE"
    style = "bold green" if end.success else "bold red"
    narrator.note(
        f"{verdict}  {end.end}{detail} after {end.steps} steps, {outcome.seconds:.1f} s{reward}", style
    )
    narrator.note(f"trajectory  {outcome.trajectory}")
    narrator.note(f"report      {outcome.report}")
