"""Pictures of a screen: an X display by name, or the one the user sees."""

from __future__ import annotations

import contextlib
import os
import sys
import threading
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, NamedTuple, TypeVar

import numpy as np

from ..actions.errors import EnvironmentFailure, MissingPartError, UsageError
from ..actions.geometry import Point
from .observation import Screenshot

if TYPE_CHECKING:
    from mss import MSS

AnswerT = TypeVar("AnswerT")


class Region(NamedTuple):
    """Part of the screen, in input points."""

    left: int
    top: int
    width: int
    height: int


class ScreenCamera:
    """Takes exact pictures of one screen; the connection stays open, and any thread may use it.

    Args:
        display: an X display such as ``:7``; None is the user's own screen, on any system.
        monitor: number of the monitor, from 1; None is the primary one.
        region: only this part; it must lie on the screen.

    Raises:
        MissingPartError: there is no screen to look at.
        UsageError: there is no such monitor, or the region reaches beyond the screen.
        EnvironmentFailure: the display does not answer.
    """

    def __init__(
        self, display: str | None = None, monitor: int | None = None, region: Region | None = None
    ) -> None:
        if display is None and sys.platform == "linux" and not os.environ.get("DISPLAY"):
            raise MissingPartError(
                "no X display here (DISPLAY is not set); "
                "use a private desktop (--app PROGRAM), or name one (--display :N)"
            )
        self._display = display
        self._monitor = monitor
        self._wanted = region
        self._lock = threading.Lock()
        self._mss: MSS | None = self._open()
        self.region = self._ask(self._find_region)

    def grab(self) -> Screenshot:
        """Take one picture.

        Its pixels are a view on what the screen handed over, in the order red, green, blue: copying millions
        of pixels costs several times as much as taking the picture, and is left to who needs a copy.

        Raises:
            EnvironmentFailure: the display is gone, or the camera was closed.
        """
        region = self.region
        where = {"left": region.left, "top": region.top, "width": region.width, "height": region.height}
        shot = self._ask(lambda camera: camera.grab(where))
        raw = np.frombuffer(shot.raw, np.uint8).reshape(shot.height, shot.width, 4)
        return Screenshot(raw[:, :, 2::-1], shot.width / region.width, Point(region.left, region.top))

    def close(self) -> None:
        """Let the screen go; may be called more than once."""
        with self._lock:
            self._hang_up()

    def _hang_up(self) -> None:
        camera, self._mss = self._mss, None  # closed once: mss frees what it closes
        if camera is not None:
            with contextlib.suppress(Exception):  # the display may be gone
                camera.close()

    def _open(self) -> MSS:
        from mss import MSS

        name = self._display or os.environ.get("DISPLAY", "the screen")
        with _breaking(f"cannot open the display {name}"):
            # Only on X11 is there more than one display to name.
            return MSS(display=self._display) if sys.platform == "linux" else MSS()

    def _ask(self, question: Callable[[MSS], AnswerT]) -> AnswerT:
        """Ask the screen; once more over a new connection, as a screen that was resized needs one."""
        from mss.exception import ScreenShotError

        with self._lock, _breaking("cannot take a picture"):
            if self._mss is None:
                raise EnvironmentFailure("the camera was closed; make a new environment")
            try:
                return question(self._mss)
            except ScreenShotError:
                self._hang_up()
                self._mss = self._open()
                return question(self._mss)

    def _find_region(self, camera: MSS) -> Region:
        whole, *monitors = camera.monitors
        if self._wanted is not None:
            return _on_screen(self._wanted, _region(whole))
        number = self._monitor
        if number is None:
            primary = (each for each, found in enumerate(monitors, 1) if found.get("is_primary"))
            number = next(primary, 1)
        if not 1 <= number <= len(monitors):
            shown = ", ".join(f"{each} ({_words(_region(found))})" for each, found in enumerate(monitors, 1))
            raise UsageError(f"there is no monitor {number}; there are: {shown}")
        return _region(monitors[number - 1])


@contextlib.contextmanager
def _breaking(what: str) -> Iterator[None]:
    """Turn a screen that is gone into an ``EnvironmentFailure``; mss asserts, among other ways to fail."""
    from mss.exception import ScreenShotError

    try:
        yield
    except (ScreenShotError, OSError, AssertionError) as error:
        reason = (str(error).strip().splitlines() or ["the display is gone"])[0]
        raise EnvironmentFailure(f"{what}: {reason}") from error


def _region(monitor: dict[str, int]) -> Region:
    return Region(monitor["left"], monitor["top"], monitor["width"], monitor["height"])


def _on_screen(region: Region, screen: Region) -> Region:
    beyond = (
        region.left < screen.left
        or region.top < screen.top
        or region.left + region.width > screen.left + screen.width
        or region.top + region.height > screen.top + screen.height
    )
    if beyond or region.width < 1 or region.height < 1:
        raise UsageError(f"the region {_words(region)} is not within the screen {_words(screen)}")
    return region


def _words(region: Region) -> str:
    return f"{region.width} x {region.height} at {region.left}, {region.top}"
