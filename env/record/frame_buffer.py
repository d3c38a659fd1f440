"""What was on the screen just before something happened."""

from __future__ import annotations

import threading
import time
from collections import deque

from ...actions.errors import EnvironmentFailure
from ...perception.capture import Camera
from ...perception.observation import Observation
from ...perception.settle import Clock

_EVERY = 0.04
_SHARE = 5
"""At most one fifth of the time goes into taking pictures, however large the screen is."""


class FrameBuffer:
    """Takes a picture every now and then in a thread of its own and keeps the newest ones.

    A program needs longer to redraw than an event needs to be heard, so the newest picture that was complete
    when an event happened shows the screen as the person saw it when acting.

    Args:
        camera: looks at the screen; used by this thread only.
        clock: the clock of the events.

    Raises:
        EnvironmentFailure: the screen cannot be looked at.
    """

    def __init__(self, camera: Camera, clock: Clock = time.monotonic) -> None:
        self._camera = camera
        self._clock = clock
        self._ended = threading.Event()
        self._frames: deque[tuple[float, Observation]] = deque(maxlen=4)
        self._look()
        self._thread = threading.Thread(target=self._watch, name="looks at the screen", daemon=True)
        self._thread.start()

    def before(self, moment: float) -> Observation:
        """The newest picture that was complete at a moment; does not wait for one."""
        frames = tuple(self._frames)
        return next((seen for taken, seen in reversed(frames) if taken <= moment), frames[0][1])

    def close(self) -> Observation:
        """Stop looking; returns the last picture. May be called more than once."""
        self._ended.set()
        self._thread.join()
        return self._frames[-1][1]

    def _watch(self) -> None:
        rest = _EVERY
        try:
            while not self._ended.wait(rest):
                rest = max(_EVERY, _SHARE * self._look())
            self._look()
        except EnvironmentFailure:  # the screen is gone: the last picture remains
            pass

    def _look(self) -> float:
        """Take a picture; returns how long it took."""
        begun = self._clock()
        seen = Observation(self._camera.grab(), time.time())
        taken = self._clock()
        self._frames.append((taken, seen))
        return taken - begun
