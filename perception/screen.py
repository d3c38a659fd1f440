"""Screenshots of a screen: an X display by name, or the user's own screen."""

from __future__ import annotations

import contextlib
import os
import sys
import threading
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from ..actions.errors import EnvironmentFailure, MissingPartError, UsageError
from ..actions.geometry import Point
from .observation import Region as Region
from .observation import Screenshot
from .x_patience import CallWatch, require_answer, watch_xcb

if TYPE_CHECKING:
    from mss import MSS

ResultT = TypeVar("ResultT")


class ScreenCamera:
    """Takes exact screenshots of one screen; the connection stays open, and any thread may use it.

    Args:
        display: an X display such as ``:7``; None is the user's own screen, on any system.
        monitor: number of the monitor, from 1; None is the primary one.
        region: only this part; it must lie on the screen.

    Raises:
        MissingPartError: there is no screen.
        UsageError: there is no such monitor, or the region reaches beyond the screen.
        EnvironmentFailure: the display does not answer.
    """

    def __init__(self, display: str | None = None, monitor: int | None = None, region: Region | None = None) -> None:
        if display is None and sys.platform == "linux" and not os.environ.get("DISPLAY"):
            raise MissingPartError(
                "no X display here (DISPLAY is not set); "
                "use a private desktop, app (--app PROGRAM), or name one, display (--display :N)"
            )
        self._display = display
        self._monitor = monitor
        self._wanted = region
        self._lock = threading.Lock()
        self._watch = CallWatch(lambda: None)
        self._closed = False
        self._mss: MSS | None = self._open()
        self.region = self._call(self._find_region)

    def grab(self) -> Screenshot:
        """Take one screenshot.

        Its pixels are a view of the screen's buffer, in the order red, green, blue: copying millions of
        pixels takes several times as long as the screenshot itself.

        Raises:
            EnvironmentFailure: the display has ended, or the camera was closed.
        """
        region = self.region
        where = {"left": region.left, "top": region.top, "width": region.width, "height": region.height}
        shot = self._call(lambda camera: camera.grab(where))
        raw = np.frombuffer(shot.raw, np.uint8).reshape(shot.height, shot.width, 4)
        return Screenshot(raw[:, :, 2::-1], shot.width / region.width, Point(region.left, region.top))

    def close(self) -> None:
        """Disconnect; may be called more than once."""
        with self._lock:
            self._closed = True
            self._disconnect()

    def _disconnect(self) -> None:
        camera, self._mss = self._mss, None  # closed once: mss frees what it closes
        self._watch.stop()
        if camera is not None:
            with contextlib.suppress(Exception):  # the display may be gone
                camera.close()

    def _open(self) -> MSS:
        from mss import MSS

        name = self._display or os.environ.get("DISPLAY", "the screen")
        with _environment_failures(f"cannot open the display {name}"):
            # Only on X11 is there more than one display to name.
            if sys.platform != "linux":
                return MSS()
            require_answer(self._display)
            camera = MSS(display=self._display)
            self._watch = watch_xcb(camera)
            return camera

    def _call(self, call: Callable[[MSS], ResultT]) -> ResultT:
        """Call the screen; if that fails, again over a new connection, which a resized screen needs."""
        from mss.exception import ScreenShotError

        with self._lock, _environment_failures("cannot take a picture"):
            if self._closed:
                raise EnvironmentFailure("the camera was closed; make a new environment")
            if self._mss is None:
                self._mss = self._open()
            try:
                with self._watch.call():
                    return call(self._mss)
            except (ScreenShotError, AssertionError):
                self._disconnect()
                self._mss = self._open()
                with self._watch.call():
                    return call(self._mss)

    def _find_region(self, camera: MSS) -> Region:
        whole, *monitors = camera.monitors
        if self._wanted is not None:
            return _on_screen(self._wanted, _region(whole))
        number = self._monitor
        if number is None:
            primary = (each for each, found in enumerate(monitors, 1) if found.get("is_primary"))
            number = next(primary, 1)
        if not 1 <= number <= len(monitors):
            shown = ", ".join(f"{each} ({_region(found)})" for each, found in enumerate(monitors, 1))
            raise UsageError(f"there is no monitor {number}; there are: {shown}")
        return _region(monitors[number - 1])


@contextlib.contextmanager
def _environment_failures(what: str) -> Iterator[None]:
    """Raise errors of mss, which include failed assertions, as ``EnvironmentFailure``."""
    from mss.exception import ScreenShotError

    try:
        yield
    except (ScreenShotError, OSError, AssertionError) as error:
        reason = (str(error).strip().splitlines() or ["the display is gone"])[0]
        raise EnvironmentFailure(f"{what}: {reason}") from error


def _region(monitor: dict[str, int]) -> Region:
    return Region(monitor["left"], monitor["top"], monitor["width"], monitor["height"])


def _on_screen(region: Region, screen: Region) -> Region:
    if region.union(screen) != screen or region.width < 1 or region.height < 1:
        raise UsageError(f"the region {region} is not within the screen {screen}")
    return region
