"""A desktop as an environment: a private one with a program on it, or the screen a person sees."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import TracebackType

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
from ..input import perform
from .input import ScreenInput, open_input
from .sandbox import Sandbox
from .target import DesktopTarget, ExistingDesktop, PrivateDesktop


class DesktopEnvironment:
    """Programs under a real pointer and a real keyboard.

    By default the desktop is private: an X display that nobody sees, with ``app`` started afresh for every
    episode. Otherwise it is a screen that is there, as it is; **the agent then takes the pointer from whoever
    sits at it**, so ask them first.

    ``notes`` tells beside each step which program has ended.

    Args:
        app: command of the program to start, as typed in a shell or in words; None starts an empty desktop.
        display: a display that is there, such as ``:7``, instead of a private one.
        private: False takes the user's own screen (``$DISPLAY``; on macOS and Windows, the screen).
        size: of a private screen, in pixels.
        sandbox: the box that a private desktop's programs are locked in.
        monitor: number of the monitor to look at, from 1; None is the primary one.
        region: look at this part only.
        hands: what acts; by default the best there is for the screen.
        control: a person's hold on the run.
        limits: how long to wait for the screen to come to rest.
        clock: monotonic seconds.

    Raises:
        UsageError: what was asked for does not go together.
        MissingPartError: a program, or a screen, is missing.
        EnvironmentFailure: the display does not start.
    """

    def __init__(
        self,
        app: str | Sequence[str] | None = None,
        *,
        display: str | None = None,
        private: bool = True,
        size: Size = Size(1280, 720),
        sandbox: Sandbox | None = None,
        monitor: int | None = None,
        region: Region | None = None,
        hands: ScreenInput | None = None,
        control: Control | None = None,
        limits: SettleLimits = SettleLimits(),
        clock: Clock = time.monotonic,
    ) -> None:
        self._control = control or Control()
        self._guard = ChordGuard()
        given = display is not None or not private
        if given and (app is not None or sandbox is not None):
            raise UsageError("a program or a sandbox goes with a private desktop; leave the display out")
        self._seat: DesktopTarget = (
            ExistingDesktop(display) if given else PrivateDesktop(app, size, sandbox, self._control)
        )
        self._look_at = (monitor, region)
        self._given_hands = hands
        self._limits = limits
        self._clock = clock
        self._preview: Preview | None = None
        self._senses: _Senses | None = None
        self._screenshot: Screenshot | None = None
        self._broken = False
        self._closed = False
        self.notes: tuple[str, ...] = ()

    @property
    def instruction(self) -> None:
        """A desktop sets no task of its own."""
        return None

    @property
    def display(self) -> str | None:
        """The X display that is acted on; None where the screen is not X11's."""
        return self._seat.display

    def reset(self, seed: int | None = None) -> Observation:
        """Start the program afresh on a private desktop; a screen that is there stays as it is.

        Raises:
            EnvironmentFailure: the program shows no window, or the display is gone for good.
            UsageError: there is no such program.
            MissingPartError: there is no such screen.
        """
        if self._closed:
            raise EnvironmentFailure("the environment was closed; make a new one")
        self._screenshot = None
        if self._broken or not self._seat.running:
            self._drop_senses()
            self._seat.restart()
            self._broken = False
        with self._breaking():
            senses = self._open_senses()
            senses.hands.release_all()
            self._guard.released()
            if self._seat.private:
                senses.hands.move(senses.middle)
            self._seat.begin()
            self.notes = ()
            return self._observe(senses)

    def step(self, action: Action) -> StepResult:
        """Execute one action; see ``Environment.step``.

        Raises:
            EnvironmentFailure: the display is gone, or no episode is running.
            Stopped: a person stopped the run; nothing is held down.
        """
        senses = self._senses
        if senses is None or self._screenshot is None:
            raise EnvironmentFailure("no episode is running; call reset before step")
        with self._breaking():
            begun = self._clock()
            error = self._refusal(action, self._screenshot) or self._act(senses, action)
            acted = self._clock()
            observation = self._observe(senses)
            self.notes = self._seat.news()
        return StepResult(observation, error=error, timings={"act": acted - begun, **observation.timings})

    def preview_to(self, show: Preview | None) -> None:
        """See ``SupportsPreview``."""
        self._preview = show

    def close(self) -> None:
        """Release everything; a private display ends with all that runs on it."""
        self._closed, self._screenshot = True, None
        try:
            self._drop_senses()
        finally:
            self._seat.close()

    def __enter__(self) -> DesktopEnvironment:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @contextmanager
    def _breaking(self) -> Iterator[None]:
        """Remember a failure: the next reset then starts from nothing."""
        try:
            yield
        except EnvironmentFailure:
            self._broken, self._screenshot = True, None
            raise

    def _refusal(self, action: Action, seen: Screenshot) -> str | None:
        if refused := self._guard.refusal(action, self._control.reserved):
            return refused
        for point in points(action):
            if not inside(point, seen.size):
                width, height = seen.size
                return f"({point.x:g}, {point.y:g}) is outside the screenshot of {width} x {height} pixels"
        if ends_episode(action) or isinstance(action, OpenApp | Wait):
            return None
        return self._seat.emptiness()

    def _act(self, senses: _Senses, action: Action) -> str | None:
        self._control.check()
        match action:
            case OpenApp():
                return self._seat.open_app(action.name)
            case Wait():
                self._control.wait(action.seconds)
                return None
            case _ if ends_episode(action):
                return None
        try:
            done = perform(senses.hands, action, self._at)
        except MissingPartError:
            raise
        except UsageError as error:  # such as a key that this keyboard does not have
            return str(error)
        self._guard.executed(action)
        return None if done else f"this environment cannot execute {action.kind}"

    def _at(self, point: Point) -> Point:
        assert self._screenshot is not None
        return self._screenshot.screen_frame.to_frame(clamp(point, self._screenshot.size))

    def _observe(self, senses: _Senses) -> Observation:
        begun = self._clock()
        senses.settler.wait(lambda: self._show_preview(senses))
        settled = self._clock()
        self._screenshot = senses.camera.grab()
        timings = {"settle": settled - begun, "capture": self._clock() - settled}
        return Observation(self._screenshot, time.time(), None, timings)

    def _show_preview(self, senses: _Senses) -> None:
        if self._preview is not None:
            self._preview(senses.camera.grab())

    def _open_senses(self) -> _Senses:
        if self._senses is None:
            display = self._seat.display
            hands = self._given_hands or open_input(display, self._control)
            self._senses = _Senses(display, hands, *self._look_at, self._limits)
        return self._senses

    def _drop_senses(self) -> None:
        senses, self._senses = self._senses, None
        if senses is not None:
            senses.close()


class _Senses:
    """Eyes and hands on one screen, for as long as it is there."""

    def __init__(
        self,
        display: str | None,
        hands: ScreenInput,
        monitor: int | None,
        region: Region | None,
        limits: SettleLimits,
    ) -> None:
        self.hands = hands
        try:
            self.camera = ScreenCamera(display, monitor, region)
        except BaseException:
            hands.close()
            raise
        self.settler: ScreenSettler = screen_settler(display, self.camera, limits)

    @property
    def middle(self) -> Point:
        """The middle of what is looked at, in input points."""
        region = self.camera.region
        return Point(region.left + region.width // 2, region.top + region.height // 2)

    def close(self) -> None:
        """Let go of the screen; it may be gone."""
        try:
            self.hands.close()
        finally:
            self.settler.close()
            self.camera.close()
