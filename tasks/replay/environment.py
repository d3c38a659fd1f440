"""Where a recording is repeated: where it was made, unless something else is asked for."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ...actions.errors import UsageError
from ...actions.geometry import Size
from ...env.base import Environment
from ...env.browser.determinism import HAR_NAME, DeterminismSettings
from ...env.control import Control
from ...env.registry import DesktopOptions, make_environment
from ...env.trajectory.trajectory import Trajectory


@dataclass(frozen=True)
class ReplayOverrides:
    """What is to be other than recorded.

    Attributes:
        environment: another environment; None is the recorded one.
        url: another first page; None is the recorded one.
        headed: whether a browser shows its window.
        seed: another layout; None is the recorded one.
        display: the X display to act on, instead of a private desktop.
        har: whether the browser's network comes from the recording instead of a server.
    """

    environment: str | None = None
    url: str | None = None
    headed: bool = False
    seed: int | None = None
    display: str | None = None
    har: bool = False

    @property
    def changed(self) -> bool:
        """Whether the environment may ask for something else than when it was recorded."""
        return self.environment is not None or self.seed is not None

    def of(self, trajectory: Trajectory, control: Control, downloads: Path) -> Environment:
        """The environment for a recording, in the size of its screens.

        Raises:
            UsageError: the recording was made where nothing can be repeated.
        """
        name = self.environment or trajectory.start.environment
        url = self.url or trajectory.start.environment_settings.url
        if name == "browser" and url is None:
            raise UsageError("the recording does not say on which page it began; give --url ADDRESS")
        first = trajectory.steps[0].observation
        size = Size(round(first.size.width / first.device_scale), round(first.size.height / first.device_scale))
        return make_environment(
            name,
            url=url if name == "browser" else None,
            headed=self.headed,
            viewport=size if name == "browser" or (name == "desktop" and self.display is None) else None,
            downloads=downloads,
            allow_file=bool(url and url.startswith("file:")),
            desktop=self._desktop(trajectory) if name == "desktop" else None,
            control=control,
            determinism=self._determinism(trajectory) if self.har else None,
        )

    def _determinism(self, trajectory: Trajectory) -> DeterminismSettings:
        settings = trajectory.start.environment_settings
        har = trajectory.directory / (settings.har or HAR_NAME)
        if not har.is_file() or settings.now is None:
            raise UsageError(f"{trajectory.directory} holds no network; record it with run --har")
        return DeterminismSettings(har, True, settings.now, trajectory.start.seed or 0)

    def _desktop(self, trajectory: Trajectory) -> DesktopOptions:
        settings = trajectory.start.environment_settings
        if self.display is not None:
            return DesktopOptions(display=self.display)
        if settings.display not in (None, "private"):
            raise UsageError(
                "the recording was made on a screen that somebody sees; say on which one to repeat it, "
                "such as --display :0"
            )
        return DesktopOptions(app=settings.app, sandbox=settings.sandbox or "none")
