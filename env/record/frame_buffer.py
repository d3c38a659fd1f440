"""The screen just before an event: the newest screenshots, each with the time when it was complete."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable

from ...actions.errors import EnvironmentFailure
from ...actions.geometry import Point, inside
from ...perception.capture import Camera
from ...perception.observation import Observation

_INTERVAL = 0.04
_IDLE_RATIO = 5
"""Screenshots take at most about one sixth of the time, however large the screen is."""


class FrameBuffer:
    """Keeps the newest screenshots; one thread adds them, any thread may read.

    A program needs longer to redraw than an event needs to arrive here, so the newest screenshot that was
    complete at the time of an event shows the screen as the person saw it when acting.
    """

    def __init__(self, size: int) -> None:
        self._frames: deque[tuple[float, Observation]] = deque(maxlen=size)

    def add(self, taken: float, frame: Observation) -> None:
        """Add a screenshot that was complete at ``taken``, in seconds of the events' clock."""
        self._frames.append((taken, frame))

    @property
    def newest(self) -> Observation:
        """The newest screenshot."""
        return self._frames[-1][1]

    @property
    def newest_time(self) -> float:
        """When it was complete; minus infinity without one."""
        return self._frames[-1][0] if self._frames else -float("inf")

    def before(self, moment: float) -> Observation:
        """The newest screenshot that was complete at a moment, else the oldest; does not wait."""
        frames = tuple(self._frames)
        return next((frame for taken, frame in reversed(frames) if taken <= moment), frames[0][1])


class ScreenWatcher(FrameBuffer):
    """Takes screenshots continually, by a thread that alone uses the camera, until it is closed or the screen is gone.

    Args:
        camera: takes them.
        pointer: where the pointer is, in input points of the screen; called in that thread.

    Raises:
        EnvironmentFailure: no screenshot can be taken.
    """

    def __init__(self, camera: Camera, pointer: Callable[[], Point | None] = lambda: None) -> None:
        super().__init__(4)
        self._camera = camera
        self._pointer = pointer
        self._closing = threading.Event()
        self._capture()
        self._thread = threading.Thread(target=self._watch, name="screen watcher", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Take a last screenshot and stop; may be called more than once."""
        self._closing.set()
        self._thread.join()

    def _watch(self) -> None:
        pause = _INTERVAL
        try:
            while not self._closing.wait(pause):
                pause = max(_INTERVAL, _IDLE_RATIO * self._capture())
            self._capture()
        except EnvironmentFailure:  # the screen is gone: the last screenshot remains
            pass

    def _capture(self) -> float:
        """Take a screenshot; returns how many seconds that took."""
        begun, since_epoch = time.monotonic(), time.time()
        pointer = self._pointer()
        screenshot = self._camera.grab()
        where = None if pointer is None else screenshot.screen_frame.to_pixels(pointer)
        frame = Observation(
            screenshot, since_epoch, pointer=where if where and inside(where, screenshot.size) else None
        )
        taken = time.monotonic()
        self.add(taken, frame)
        return taken - begun
