"""``saccade run``: one task, one episode, one folder with its trajectory and report."""

from __future__ import annotations

import contextlib
import itertools
import json
import re
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from .. import __version__
from ..actions.errors import TrajectoryError, UsageError
from ..actions.geometry import Size
from ..agent.limits import Limits
from ..agent.loop import Agent
from ..env.base import Environment
from ..env.events import EndEvent, StartEvent
from ..env.registry import make_environment
from ..env.trajectory import FILE_NAME, Trajectory, TrajectoryWriter
from .console import Narrator
from .parse import parse_size
from .report import write_report

if TYPE_CHECKING:
    from ..agent.local import LocalPolicy

DEFAULT_ENVIRONMENT = "miniwob:click-test-2"
SMALL_MODEL = 50_000_000
"""Parameters below which one thread decodes as fast as several."""


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
    max_steps: int = 30
    max_seconds: float = 900.0
    viewport: str | None = None
    headed: bool = False
    allow_file: bool = False
    out: Path | None = None

    @property
    def place(self) -> str:
        """Where to act, as ``make_environment`` names it.

        Raises:
            UsageError: task, address and environment do not go together.
        """
        if self.environment is None and self.url is None:
            if self.task is not None:
                raise UsageError("say where to act: --url ADDRESS, or --env miniwob:TASK")
            return DEFAULT_ENVIRONMENT
        place = self.environment or "browser"
        if self.url is not None and place != "browser":
            raise UsageError(f"--url goes with --env browser, not with {place}")
        if place == "browser" and (self.task is None or self.url is None):
            missing = 'the task, such as "Click the Login button"' if self.task is None else "--url ADDRESS"
            raise UsageError(f"the browser needs {missing}")
        return place


@dataclass(frozen=True)
class Outcome:
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
        """0 achieved, 1 not achieved, 2 something broke, 130 stopped by Ctrl-C."""
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


def run_task(request: RunRequest, narrator: Narrator) -> Outcome:
    """Run one episode and write its report.

    Raises:
        UsageError: the request cannot be met; nothing was executed.
        EnvironmentFailure: the environment could not be started.
        TrajectoryError: the folder cannot be written.
    """
    directory = _folder(request.out, request.place)
    try:
        return _run_in(directory, request, narrator)
    except BaseException:
        # What failed before its first event leaves no folder behind.
        with contextlib.suppress(OSError):
            directory.rmdir()
        raise


def _run_in(directory: Path, request: RunRequest, narrator: Narrator) -> Outcome:
    narrator.note(f"loading {request.model} ...")
    policy = _load_policy(request)
    environment = make_environment(
        request.place,
        url=request.url,
        headed=request.headed,
        viewport=_viewport(request, policy),
        downloads=directory / "downloads",
        allow_file=request.allow_file,
    )
    started = time.monotonic()
    try:
        end, instruction = _run_episode(request, policy, environment, directory, narrator)
    finally:
        environment.close()
    report = write_report(Trajectory.load(directory))
    return Outcome(end, instruction, directory / FILE_NAME, report, time.monotonic() - started)


def _viewport(request: RunRequest, policy: LocalPolicy) -> Size | None:
    """The page's size as asked for, else what the model was trained on; MiniWoB++ keeps its own."""
    if request.viewport is not None:
        return parse_size(request.viewport)
    return policy.viewport if request.place == "browser" else None


def _run_episode(
    request: RunRequest,
    policy: LocalPolicy,
    environment: Environment,
    directory: Path,
    narrator: Narrator,
) -> tuple[EndEvent, str]:
    first = environment.reset(request.seed)
    instruction = request.task or environment.instruction or ""
    start = StartEvent(
        saccade_version=__version__,
        instruction=instruction,
        environment=request.place,
        policy=policy.name,
        seed=request.seed,
        settings={
            "url": request.url,
            "dialect": policy.dialect,
            "temperature": request.temperature,
            "decoding": list(policy.decoding),
            "screen": list(first.screenshot.size),
            "max_steps": request.max_steps,
            "max_seconds": request.max_seconds,
        },
        time=time.time(),
    )
    limits = Limits(steps=request.max_steps, seconds=request.max_seconds)
    with TrajectoryWriter(directory, start, [narrator]) as trajectory:
        return Agent(policy, environment, limits).run(instruction, first, trajectory), instruction


def _load_policy(request: RunRequest) -> LocalPolicy:
    import torch

    from ..agent.checkpoint import load_checkpoint
    from ..agent.local import LocalPolicy

    checkpoint = load_checkpoint(request.model)
    if sum(weights.numel() for weights in checkpoint.model.parameters()) < SMALL_MODEL:
        # Its forwards are over before a second thread is awake, and on a busy machine waiting for one
        # makes them a hundred times slower.
        torch.set_num_threads(1)
    return LocalPolicy(
        checkpoint,
        dialect=request.dialect,
        temperature=request.temperature,
        seed=request.seed,
        decoding=request.decoding,
    )


def _folder(out: Path | None, place: str) -> Path:
    """The run's folder, made; a new one in ``runs/`` by default.

    Raises:
        TrajectoryError: it holds a run already, or cannot be made.
    """
    if out is None:
        return _new_folder(place)
    if (out / FILE_NAME).exists():
        raise TrajectoryError(f"{out} already holds a run; choose another folder with --out")
    try:
        _make(out, exist_ok=True)
    except FileExistsError as error:
        raise TrajectoryError(f"{out} is not a folder; choose another --out") from error
    return out


def _new_folder(place: str) -> Path:
    """A folder in ``runs/`` that no other run has, named by time and place."""
    slug = re.sub(r"[^a-z0-9]+", "-", place.lower()).strip("-")
    name = f"{time.strftime('%Y%m%d-%H%M%S')}-{slug}"
    for number in itertools.count(1):
        directory = Path("runs") / (name if number == 1 else f"{name}-{number}")
        with contextlib.suppress(FileExistsError):
            _make(directory, exist_ok=False)
            return directory
    raise AssertionError("numbers do not end")


def _make(directory: Path, exist_ok: bool) -> None:
    try:
        directory.mkdir(parents=True, exist_ok=exist_ok)
    except FileExistsError:
        raise
    except OSError as error:
        message = f"cannot make {directory}: {error.strerror}; choose another --out"
        raise TrajectoryError(message) from error


def _tell_outcome(narrator: Narrator, outcome: Outcome) -> None:
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
