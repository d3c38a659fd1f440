"""A desktop as an environment: a private one with a program on it, or an existing screen."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from typing import NamedTuple

from ...actions.errors import EnvironmentFailure, MissingPartError, UsageError
from ...actions.geometry import Point, Size, clamp, inside
from ...actions.schema import Action, OpenApp, Wait, ends_episode, points
from ...perception.observation import Observation, Screenshot
from ...perception.screen import Region, ScreenCamera
from ...perception.screen_settle import ScreenSettler, screen_settler
from ...perception.settle import Clock, SettleLimits
from ..base import Preview, StepResult
from ..chords import ChordGuard
from ..control import Control
from ..expect import EvidenceKind
from ..guard.guard import Guard, Permit
from ..input import perform
from ..screen_input import ScreenInput
from ..x11.windows import Windows
from .input import open_input
from .sandbox import Sandbox
from .scene import ScreenScene
from .target import DesktopTarget, ExistingDesktop, PrivateDesktop


class DesktopEnvironment:
    """Programs under a real pointer and a real keyboard.

    By default the desktop is private: an invisible X display, with ``app`` started afresh for every episode.
    Otherwise it is an existing screen, as it is; **the agent then takes the pointer from its user**, so ask
    first.

    Args:
        app: command of the program to start, as one string or in words; None starts an empty desktop.
        guard: decides what may be done.
        display: an existing display, such as ``:7``, instead of a private one.
        private: False takes the user's own screen (``$DISPLAY``; on macOS and Windows, the screen).
        size: of a private screen, in pixels.
        sandbox: of a private desktop's programs.
        monitor: number of the monitor to observe, from 1; None is the primary one.
        region: observe this part only.
        device: injects the input; by default the one that fits the screen.
        control: by which a person stops and pauses the run.

    Raises:
        UsageError: the arguments do not go together.
        MissingPartError: a program or a screen is missing.
        EnvironmentFailure: the display does not start.
    """

    def __init__(
        self,
        app: str | Sequence[str] | None = None,
        *,
        guard: Guard,
        display: str | None = None,
        private: bool = True,
        size: Size = Size(1280, 720),
        sandbox: Sandbox | None = None,
        monitor: int | None = None,
        region: Region | None = None,
        device: ScreenInput | None = None,
        control: Control | None = None,
        limits: SettleLimits = SettleLimits(),
        clock: Clock = time.monotonic,
    ) -> None:
        self._control = control or Control()
        self.guard = guard
        self._chords = ChordGuard()
        existing = display is not None or not private
        if existing and (app is not None or sandbox is not None):
            raise UsageError("a program or a sandbox goes with a private desktop; leave the display out")
        self._target: DesktopTarget = (
            ExistingDesktop(display) if existing else PrivateDesktop(app, size, sandbox, self._control)
        )
        self._view = (monitor, region)
        self._device = device
        self._limits = limits
        self._clock = clock
        self._preview: Preview | None = None
        self._screen: _Screen | None = None
        self._screenshot: Screenshot | None = None
        self._broken = False
        self._closed = False

    @property
    def evidence_kinds(self) -> tuple[EvidenceKind, ...]:
        """Titles of windows, which only an X display tells."""
        return () if self.display is None else ("title",)

    @property
    def instruction(self) -> None:
        """None: a desktop has no task of its own."""
        return None

    @property
    def display(self) -> str | None:
        """The X display that is acted on; None where the screen is not X11's."""
        return self._target.display

    def reset(self, seed: int | None = None) -> Observation:
        """Start the program afresh on a private desktop; an existing screen stays as it is."""
        if self._closed:
            raise EnvironmentFailure("the environment was closed; make a new one")
        self._screenshot = None
        if self._broken or not self._target.running:
            self._drop_screen()
            self._target.restart()
            self._broken = False
        with self._noting_failure():
            screen = self._open_screen()
            self.guard.begin()
            screen.device.release_all()
            self._chords.released()
            if self._target.private:
                screen.move_to_middle()
            self._target.begin()
            return replace(self._observe(screen), notes=self._target.new_notes())

    def step(self, action: Action) -> StepResult:
        """Execute one action; see ``Environment.step``. After a stop nothing is held down."""
        screen = self._screen
        if screen is None or self._screenshot is None:
            raise EnvironmentFailure("no episode is running; call reset before step")
        with self._noting_failure():
            begun = self._clock()
            error = self._refusal(action, self._screenshot) or self._guarded(screen, action)
            acted = self._clock()
            observation = self._observe(screen)
            notes = self._target.new_notes()
        return StepResult(observation, error=error, notes=notes, timings={"act": acted - begun, **observation.timings})

    def permit(self, action: Action) -> Permit:
        """The guard's leave for an action that is done by other means than mouse and keyboard.

        Raises:
            DeniedError: it may not be done.
            EnvironmentFailure: no episode is running.
        """
        if self._screen is None:
            raise EnvironmentFailure("no episode is running; call reset before step")
        return self.guard.admit(action, self._screen.scene)

    def evidence(self, kind: EvidenceKind) -> Sequence[str]:
        """See ``SupportsEvidence``: the titles of the windows."""
        if self.display is None or kind != "title":
            raise EnvironmentFailure(f"{kind} cannot be asked of this screen")
        with closing(Windows(self.display)) as windows:
            return windows.titles()

    def preview_to(self, show: Preview | None) -> None:
        """See ``SupportsPreview``."""
        self._preview = show

    def close(self) -> None:
        """Release everything; a private display ends with everything on it."""
        self._closed, self._screenshot = True, None
        try:
            self._drop_screen()
        finally:
            self._target.close()

    def __enter__(self) -> DesktopEnvironment:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @contextmanager
    def _noting_failure(self) -> Iterator[None]:
        """Note a failure, so that the next reset starts a new display."""
        try:
            yield
        except EnvironmentFailure:
            self._broken, self._screenshot = True, None
            raise

    def _refusal(self, action: Action, seen: Screenshot) -> str | None:
        if refused := self._chords.refusal(action, self._control.reserved):
            return refused
        for point in points(action):
            if not inside(point, seen.size):
                width, height = seen.size
                return f"({point.x:g}, {point.y:g}) is outside the screenshot of {width} x {height} pixels"
        if ends_episode(action) or isinstance(action, OpenApp | Wait):
            return None
        return self._target.why_empty()

    def _guarded(self, screen: _Screen, action: Action) -> str | None:
        """Act, if the guard permits it; returns why that had no effect, if so."""
        self._control.check()
        if ends_episode(action):
            return None
        try:
            return self._act(screen, self.guard.admit(action, screen.scene))
        except MissingPartError:
            raise
        except UsageError as error:  # it is denied, or names a key that this keyboard does not have
            return str(error)

    def _act(self, screen: _Screen, permit: Permit) -> str | None:
        action = permit.action
        match action:
            case OpenApp():
                return self._target.open_app(permit)
            case Wait():
                permit.spend()
                self._control.wait(action.seconds)
                return None
        done = perform(screen.device, permit, self._at)
        self._chords.executed(action)
        return None if done else f"this environment cannot execute {action.kind}"

    def _at(self, point: Point) -> Point:
        assert self._screenshot is not None
        return self._screenshot.screen_frame.to_frame(clamp(point, self._screenshot.size))

    def _observe(self, screen: _Screen) -> Observation:
        begun = self._clock()
        screen.settler.wait(lambda: self._show_preview(screen))
        settled = self._clock()
        self._screenshot = screen.camera.grab()
        timings = {"settle": settled - begun, "capture": self._clock() - settled}
        return Observation(self._screenshot, time.time(), None, timings)

    def _show_preview(self, screen: _Screen) -> None:
        if self._preview is not None:
            self._preview(screen.camera.grab())

    def _open_screen(self) -> _Screen:
        if self._screen is None:
            display = self._target.display
            device = self._device or open_input(display, self._control)
            try:
                camera = ScreenCamera(display, *self._view)
            except BaseException:
                device.close()
                raise
            scene = ScreenScene(display, device, camera.grab)
            self._screen = _Screen(device, camera, screen_settler(display, camera, self._limits), scene)
        return self._screen

    def _drop_screen(self) -> None:
        if (screen := self._screen) is not None:
            self._screen = None
            screen.close()


class _Screen(NamedTuple):
    device: ScreenInput
    camera: ScreenCamera
    settler: ScreenSettler
    scene: ScreenScene

    def move_to_middle(self) -> None:
        """Put the pointer into the middle of what is observed."""
        region = self.camera.region
        self.device.move(Point(region.left + region.width // 2, region.top + region.height // 2))

    def close(self) -> None:
        """Release the screen, which may be gone."""
        try:
            self.device.close()
        finally:
            self.scene.close()
            self.settler.close()
            self.camera.close()
