"""The environment of a replay: the recorded one, with settings that may differ from the recording."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ...actions.errors import UsageError
from ...actions.geometry import Size
from ...env.base import Environment
from ...env.browser.determinism import HAR_NAME, DeterminismSettings
from ...env.browser.har import checked_har
from ...env.control import Control
from ...env.guard.guard import Guard
from ...env.registry import DesktopOptions, make_environment
from ...env.secrets import Secrets
from ...env.trajectory.events import EnvironmentSettings, StartEvent
from ...env.trajectory.trajectory import Trajectory


@dataclass(frozen=True)
class ReplayOverrides:
    """Settings that differ from the recording; None takes the recorded one.

    Attributes:
        environment: another environment.
        url: another first page.
        headed: whether a browser shows its window.
        seed: another layout.
        display: the X display to act on, instead of a private desktop.
        har: whether the browser's network comes from the recording instead of a server.
        files: what the browser's file choosers are answered with.
        allow_domains: hosts that the browser may reach besides the first page's site; it reaches no others.
        allow_private: whether names may lead the browser to this computer and private networks.
    """

    environment: str | None = None
    url: str | None = None
    headed: bool = False
    seed: int | None = None
    display: str | None = None
    har: bool = False
    files: tuple[Path, ...] = ()
    allow_domains: tuple[str, ...] = ()
    allow_private: bool = False

    @property
    def changed(self) -> bool:
        """Whether the environment may set another task than the recorded one."""
        return self.environment is not None or self.seed is not None

    def settings(self, start: StartEvent) -> EnvironmentSettings:
        """The settings of the replay's environment: the recorded ones that it uses, and what differs from them."""
        recorded = start.environment_settings
        name = self.environment or start.environment
        if name != start.environment:
            recorded = EnvironmentSettings(url=recorded.url, app=recorded.app, sandbox=recorded.sandbox)
        return recorded.model_copy(
            update={
                "url": (self.url or recorded.url) if name == "browser" else None,
                "app": recorded.app if name == "desktop" and self.display is None else None,
                "display": self.display or recorded.display,
            }
        )

    def make_environment(
        self, trajectory: Trajectory, guard: Guard, control: Control, downloads: Path, secrets: Secrets | None = None
    ) -> Environment:
        """The environment for a recording, in the size of its screens.

        Raises:
            UsageError: the recording does not say enough, or was made on a screen that somebody sees.
        """
        name = self.environment or trajectory.start.environment
        url = self.settings(trajectory.start).url
        if name == "browser" and url is None:
            raise UsageError("the recording does not say on which page it started; give its url (--url ADDRESS)")
        first = trajectory.steps[0].observation
        size = Size(round(first.size.width / first.device_scale), round(first.size.height / first.device_scale))
        return make_environment(
            name,
            guard=guard,
            url=url if name == "browser" else None,
            headed=self.headed,
            viewport=size if name == "browser" or (name == "desktop" and self.display is None) else None,
            downloads=downloads,
            allow_file=bool(url and url.startswith("file:")),
            desktop=self._desktop(trajectory) if name == "desktop" else None,
            control=control,
            determinism=self._determinism(trajectory) if self.har else None,
            secrets=secrets,
            files=self.files,
            allow_domains=self.allow_domains,
            allow_private=self.allow_private,
            wheel_click=trajectory.start.environment_settings.wheel_click,
        )

    def _determinism(self, trajectory: Trajectory) -> DeterminismSettings:
        settings = trajectory.start.environment_settings
        name = settings.har or (HAR_NAME if (trajectory.directory / HAR_NAME).is_file() else None)
        if name is None or settings.now is None:
            raise UsageError(f"{trajectory.directory} holds no network traffic; record it with har (run --har)")
        har = checked_har(trajectory.directory, name)
        return DeterminismSettings(har, True, settings.now, trajectory.start.seed or 0)

    def _desktop(self, trajectory: Trajectory) -> DesktopOptions:
        settings = trajectory.start.environment_settings
        if self.display is not None:
            return DesktopOptions(display=self.display)
        if settings.display not in (None, "private"):
            raise UsageError(
                "the recording was made on a screen that somebody sees; choose a display for the replay (--display :0)"
            )
        return DesktopOptions(app=settings.app, sandbox=settings.sandbox or "none")
