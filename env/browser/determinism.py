"""Deterministic web pages: network from a file, fixed clock, seeded ``Math.random``.

The network is recorded as HAR 1.2 with all bodies. A replay needs no server: a request that was not recorded
fails. WebSockets are not part of HAR, so a page that depends on them cannot be replayed.
"""

from __future__ import annotations

import base64
import json
import shutil
import tempfile
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from ..private_files import private_part, write_private
from ..secrets import Secrets, marker

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext, Route

HAR_NAME = "network.har"
_CERTAIN = 6
"""Bytes of a secret that are no coincidence in a picture."""

OFFLINE: Final = (
    "--host-resolver-rules=MAP * ~NOTFOUND",
    "--webrtc-ip-handling-policy=disable_non_proxied_udp",
    "--force-webrtc-ip-handling-policy",
)
"""Flags of a browser that answers from a file: nothing gets out, WebSockets and WebRTC included."""


@dataclass(frozen=True)
class DeterminismSettings:
    """How a page is made to behave the same every time.

    Attributes:
        har: the HAR file of the network.
        recorded: whether the network is replayed from the file; otherwise it is recorded to it.
        now: the fixed time of its clock, in seconds since the epoch; timers run on.
        seed: of ``Math.random``.
    """

    har: Path
    recorded: bool
    now: float
    seed: int = 0

    def prepare(self, context: BrowserContext, secrets: Secrets) -> None:
        """Set up a context before its first page is opened."""
        if self.recorded:
            context.route_from_har(self.har, not_found="abort")
            context.route_web_socket(lambda address: True, lambda socket: socket.close())
            if secrets:  # the file has markers in their place, and is asked for those
                context.route("**/*", partial(_ask_without_secrets, secrets))
        context.clock.set_fixed_time(datetime.fromtimestamp(self.now, UTC))
        script = resources.files(__package__).joinpath("seeded_random.js").read_text(encoding="utf-8")
        context.add_init_script(script.replace("SEED", str(self.seed)))


class HarRecording:
    """Records the network of one profile to a file of its own, and keeps it without secrets once it is closed."""

    def __init__(self, settings: DeterminismSettings) -> None:
        self._settings = settings
        self._folder = None if settings.recorded else Path(tempfile.mkdtemp(prefix="saccade-"))

    def context_options(self) -> dict[str, Any]:
        """Options for Playwright's ``new_context``."""
        options: dict[str, Any] = {"service_workers": "block"}
        if self._folder is not None:
            options |= {"record_har_path": self._folder / HAR_NAME, "record_har_content": "embed"}
        return options

    def keep(self, secrets: Secrets) -> None:
        """Move what was recorded to its place, with markers in place of the secrets; may be called again."""
        folder, self._folder = self._folder, None
        if folder is None:
            return
        try:
            raw = folder / HAR_NAME
            if raw.is_file():
                data = raw.read_bytes()
                with private_part(self._settings.har) as part:
                    write_private(part, _without_secrets(data, secrets) if secrets else data)
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def _ask_without_secrets(secrets: Secrets, route: Route) -> None:
    url, data = route.request.url, route.request.post_data_buffer
    changes: dict[str, Any] = {}
    if (bare := secrets.conceal(url)) != url:
        changes["url"] = bare
    if data is not None and (hidden := _hide_bytes(data, secrets)) != data:
        changes["post_data"] = hidden
    route.fallback(**changes)


def _without_secrets(har: bytes, secrets: Secrets) -> bytes:
    return json.dumps(_hide(json.loads(har), secrets), ensure_ascii=False, indent=1).encode("utf-8", "surrogatepass")


def _hide(value: Any, secrets: Secrets) -> Any:
    if isinstance(value, str):
        return secrets.conceal(value)
    if isinstance(value, list):
        return [_hide(each, secrets) for each in value]
    if isinstance(value, dict):
        if value.get("encoding") == "base64" and isinstance(value.get("text"), str):
            data = base64.b64encode(_hide_bytes(base64.b64decode(value["text"]), secrets)).decode()
            return {name: data if name == "text" else _hide(each, secrets) for name, each in value.items()}
        return {name: _hide(each, secrets) for name, each in value.items()}
    return value


def _hide_bytes(data: bytes, secrets: Secrets) -> bytes:
    """Text without secrets; of what is no text, only what is certainly one."""
    try:
        return secrets.conceal(data.decode()).encode()
    except UnicodeDecodeError:
        for name, text in zip(secrets.names, secrets.texts, strict=True):
            if len(text) >= _CERTAIN:
                data = data.replace(text.encode("utf-8", "surrogatepass"), marker(name).encode())
        return data
