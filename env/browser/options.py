"""How a browser profile is set up: what every environment in a browser can be given."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from pathlib import Path

from ...actions import schema
from ...actions.geometry import Size
from ...perception.page_settle import PageLimits
from ...perception.settle import Clock, Sleep
from ..control import Control
from ..secrets import Secrets
from .determinism import DeterminismSettings
from .events.page_events import DialogRule
from .input import WHEEL_CLICK
from .network.rules import NetworkRules

_VIEWPORT = Size(1280, 720)


@dataclass(frozen=True)
class BrowserOptions:
    """Options of a browser profile.

    Attributes:
        viewport: size of the page's area, in CSS pixels.
        clip: cut screenshots to this much of the top left corner, in CSS pixels; None shows the whole viewport.
        device_scale: screenshot pixels per CSS pixel.
        downloads: folder for downloads; None refuses them.
        most_downloads: how many downloads an episode may have.
        download_bytes: bytes that its downloads may have together.
        files: what file choosers are answered with; without any, they are cancelled.
        allow_file: whether ``file://`` pages may be opened.
        single_page: close every further tab at once instead of following it.
        refused: kinds of action that are answered with an error.
        dialogs: whether ``confirm`` and ``prompt`` are accepted or dismissed; ``alert`` and ``beforeunload``
            are always accepted.
        limits: how long to wait for the page to be stable.
        patience: seconds beyond the limits after which a browser that does not answer is killed.
        clock: monotonic seconds.
        sleep: waits for ``Wait`` and ``LongPress``; by default the browser continues meanwhile.
        control: lets a person pause and stop the run.
        determinism: makes pages deterministic; None leaves them as they are.
        secrets: texts that are black in screenshots, where a page shows them, and not in what is kept of its network.
        network: which hosts may be reached, through a proxy that nothing passes by; None sets no limit.
        wheel_click: CSS pixels by which a click of the wheel scrolls.
    """

    viewport: Size = _VIEWPORT
    clip: Size | None = None
    device_scale: float = 1.0
    downloads: Path | None = None
    most_downloads: int = 100
    download_bytes: int = 1_000_000_000
    files: tuple[Path, ...] = ()
    allow_file: bool = False
    single_page: bool = False
    refused: tuple[type[schema.Action], ...] = (schema.OpenApp, schema.PressHome)
    dialogs: DialogRule = "accept"
    limits: PageLimits = field(default_factory=PageLimits)
    patience: float = 60.0
    clock: Clock = time.monotonic
    sleep: Sleep | None = None
    control: Control = field(default_factory=Control)
    determinism: DeterminismSettings | None = None
    secrets: Secrets = field(default_factory=Secrets)
    network: NetworkRules | None = None
    wheel_click: float = WHEEL_CLICK
