"""``saccade run``: one task, one episode, one folder with its trajectory and report."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, closing
from dataclasses import dataclass, field, replace
from pathlib import Path

from ...actions.dialects import get_dialect
from ...actions.errors import UsageError
from ...actions.geometry import Size
from ...agent.checkpoints.loading import PLAINLY, LoadOptions
from ...agent.limits import Limits
from ...agent.policy import Policy
from ...env.base import Environment
from ...env.browser.addresses import complete_address, refused_address
from ...env.browser.determinism import HAR_NAME, DeterminismSettings
from ...env.browser.network.rules import NetworkRules
from ...env.chords import Chord, Chords
from ...env.control import Control
from ...env.expect import Expectation, check_expectations
from ...env.guard.asking import Asker, OnAsk
from ...env.guard.policy import GuardPolicy, read_guard_policy
from ...env.places import EVIDENCE, check_settings, kind_of, named
from ...env.registry import DesktopOptions, allowed_files, make_environment
from ...env.secrets import Secrets
from ...env.trajectory.events import EnvironmentSettings
from ...env.trajectory.trajectory import FILE_NAME, Listener
from ..episode import RunResult, run_episode
from ..models.load import load_policy, refuse_decoding
from ..models.purpose import afterwards, purpose
from ..replay.variables import fill_task
from ..report.data import outcome
from ..report.times import seconds_in_words
from ..terminal.consent import require_consent
from ..terminal.folders import RUNS, run_folder
from ..terminal.guard_questions import make_guard
from ..terminal.keys import terminal_keys
from ..terminal.narrator import Narrator, output_closed
from ..terminal.stop_chords import stop_chord_listener

log = logging.getLogger(__name__)
DEFAULT_ENVIRONMENT = "miniwob:click-test-2"
_POLICY_OPTIONS = (
    "dialect",
    "temperature",
    "seed",
    "decoding",
    "constrained",
    "acceptance",
    "max_images",
    "max_pixels",
    "history",
    "load",
)


_BROWSER_OPTIONS = ("url", "viewport", "headed", "allow_file", "har", "files", "allow_domains", "allow_private")


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
    acceptance: str = "exact"
    max_images: int | None = None
    max_pixels: int | None = None
    history: str = "full"
    load: LoadOptions = PLAINLY
    max_steps: int = 30
    max_seconds: float = 900.0
    viewport: Size | None = None
    headed: bool = False
    allow_file: bool = False
    files: tuple[Path, ...] = ()
    allow_domains: tuple[str, ...] = ()
    allow_private: bool = False
    desktop: DesktopOptions = field(default_factory=DesktopOptions)
    values: dict[str, str] = field(default_factory=dict)
    secrets: dict[str, str] = field(default_factory=dict, repr=False)
    expect: tuple[Expectation, ...] = ()
    har: bool = False
    record_takeovers: bool = False
    yes: bool = False
    guard: str | GuardPolicy | None = None
    on_ask: OnAsk | Asker | None = None
    anchor: Path | None = None
    stop_chord: str = "ctrl+alt+q"
    out: Path | None = None
    runs: Path = RUNS

    @property
    def environment_name(self) -> str:
        """Where to act, as ``make_environment`` names it.

        Raises:
            UsageError: task, address and environment do not go together.
        """
        on_desktop = bool(self.desktop.given())
        if self.environment is None and self.url is None and not on_desktop:
            if self.task is not None:
                raise UsageError("say where to act: url (--url ADDRESS), app (--app PROGRAM), env (--env miniwob:TASK)")
            return DEFAULT_ENVIRONMENT
        name = self.environment or ("desktop" if on_desktop else "browser")
        if name in ("browser", "desktop") and self.task is None:
            raise UsageError(f'the {name} needs the task, such as "Click the Login button"')
        if name == "browser" and self.url is None:
            raise UsageError("the browser needs the url of the first page (--url ADDRESS)")
        return name

    def check(self) -> None:
        """Refuse what cannot be done, before anything is loaded or started.

        Raises:
            UsageError: a setting would be ignored, or cannot be met.
        """
        name = self.environment_name
        given = {each: getattr(self, each) for each in _BROWSER_OPTIONS}
        check_settings(name, {each: value for each, value in given.items() if value} | self.desktop.given())
        if self.viewport is not None and name == "desktop" and not self.desktop.private:
            raise UsageError(f"{named('viewport')} is the size of a private screen; leave it out for an existing one")
        if self.url and (refused := refused_address(complete_address(self.url), self.allow_file)):
            raise UsageError(refused)
        if self.record_takeovers and name != "desktop":
            raise UsageError(f"{named('record_takeovers')} is for desktops; in {name} nobody can take over")
        allowed_files(self.files)
        NetworkRules(self.allow_domains)
        _ = self.guard_policy
        check_expectations(self.expect, EVIDENCE[kind_of(name)], name)
        fill_task(self.task, self.values, self.secrets)
        if self.dialect is not None:
            get_dialect(self.dialect)
        refuse_decoding(
            self.model, self.decoding, self.constrained, self.acceptance, self.max_pixels, self.history, self.load
        )

    @property
    def guard_policy(self) -> GuardPolicy:
        """The policy of the guard: ``standard`` where something of a person's is at stake, else ``open``.

        Raises:
            UsageError: there is no such profile or file.
        """
        if isinstance(self.guard, GuardPolicy):
            return self.guard
        at_stake = self.environment_name == "browser" or self.visible_screen is not None
        return read_guard_policy(self.guard or ("standard" if at_stake else "open"))

    @property
    def visible_screen(self) -> str | None:
        """The screen that is taken from a person, in words; None for a browser or a private display."""
        return self.desktop.screen if self.environment_name == "desktop" else None


def run_and_print(request: RunRequest, json_output: bool) -> int:
    """Run with progress for people; with ``json_output`` one object is the last line of stdout."""
    narrator = Narrator(sys.stderr if json_output else sys.stdout)
    request.check()
    if (screen := request.visible_screen) is not None:
        require_consent(screen, yes=request.yes, stop=request.stop_chord)
    control = Control()
    narrator.on_closed = output_closed(control)
    with control.stop_signals(), terminal_keys(control, narrator.note):
        own_size = request.environment_name == "browser" and request.viewport is None
        if said := purpose(request.model, request.environment_name, own_size=own_size):
            narrator.note(said, "yellow")
        narrator.note(f"loading {request.model} ...")
        result = run_task(replace(request, yes=True), control=control, listeners=[narrator])
    reward = "" if result.end.reward is None else f", reward {result.end.reward:g}"
    narrator.verdict(result.end, outcome(result.end), f", {seconds_in_words(result.seconds)}{reward}")
    if result.exit_status == 1 and (said := afterwards(request.model, request.environment_name)):
        narrator.note(said, "yellow")
    narrator.note(f"trajectory  {result.trajectory.directory / FILE_NAME}")
    narrator.note(f"report      {result.report}")
    if json_output:
        sys.stdout.write(result.as_json() + "\n")
    if result.end.end == "error":
        sys.stderr.write(f"saccade: {result.end.message}\n")
    return result.exit_status


def run_task(
    request: RunRequest,
    policy: Policy | None = None,
    control: Control | None = None,
    listeners: Iterable[Listener] = (),
) -> RunResult:
    """Run one episode and write its report; prints nothing. A policy decides instead of the request's model.

    Raises:
        UsageError: the request cannot be met; nothing was executed.
        EnvironmentFailure: the environment could not be started.
        TrajectoryError: the folder cannot be written.
        Stopped: a person stopped it before it began.
    """
    request.check()
    chords = Chords(stop=Chord.parse(request.stop_chord))
    if (screen := request.visible_screen) is not None and not request.yes:
        raise UsageError(f"the agent would use the mouse and keyboard of {screen}; allow it with yes=True")
    control = control or Control()
    with control.stop_signals(), run_folder(request.out, request.environment_name, request.runs) as directory:
        with control.interrupting():
            policy = policy or load_policy(request.model, **{name: getattr(request, name) for name in _POLICY_OPTIONS})
        har = directory / HAR_NAME
        determinism = DeterminismSettings(har, False, time.time(), request.seed) if request.har else None
        environment = _environment(request, policy, directory, control, determinism)
        if request.record_takeovers:
            control.take_over = _take_overs(request, environment, directory, chords)
        with closing(environment), stop_chord_listener(control, chords, environment):
            return run_episode(
                policy,
                environment,
                fill_task(request.task, request.values, request.secrets),
                directory,
                name=request.environment_name,
                seed=request.seed,
                limits=Limits(steps=request.max_steps, seconds=request.max_seconds),
                control=control,
                listeners=listeners,
                environment_settings=_settings(request, determinism),
                variables=request.values,
                secrets=Secrets(request.secrets),
                expect=request.expect,
                anchor=request.anchor,
            )


def _take_overs(
    request: RunRequest, environment: Environment, directory: Path, chords: Chords
) -> Callable[[str], AbstractContextManager[None]]:
    """Record what a person does while the run waits for them; the display exists only after the reset."""

    def recording(task: str) -> AbstractContextManager[None]:
        from ...env.record.takeover import TakeOverRecorder

        display: str | None = getattr(environment, "display", None)
        name = request.environment_name
        return TakeOverRecorder(display, directory, name, chords, request.secrets, log.warning)(task)

    return recording


def _environment(
    request: RunRequest, policy: Policy, directory: Path, control: Control, determinism: DeterminismSettings | None
) -> Environment:
    viewport = request.viewport
    if viewport is None and request.environment_name == "browser":
        viewport = getattr(policy, "viewport", None)  # what the model was trained on
    return make_environment(
        request.environment_name,
        guard=make_guard(request.guard_policy, request.on_ask, control, directory),
        url=request.url,
        headed=request.headed,
        viewport=viewport,
        downloads=directory / "downloads",
        allow_file=request.allow_file,
        desktop=request.desktop,
        control=control,
        determinism=determinism,
        secrets=Secrets(request.secrets),
        files=request.files,
        allow_domains=request.allow_domains,
        allow_private=request.allow_private,
    )


def _settings(request: RunRequest, determinism: DeterminismSettings | None) -> EnvironmentSettings:
    """What the trajectory says of the environment: enough to make it again."""
    desktop = request.environment_name == "desktop"
    settings = request.desktop.settings() if desktop else EnvironmentSettings(url=request.url)
    if determinism is None:
        return settings
    return settings.model_copy(update={"har": determinism.har.name, "now": determinism.now})
