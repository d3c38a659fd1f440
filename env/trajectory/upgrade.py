"""Events of older schema versions, brought to the newest one; one function for each older version."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pydantic import BaseModel, TypeAdapter, ValidationError

from ...actions.errors import NewerSchemaError, TrajectoryError
from .events import SCHEMA_VERSION, EnvironmentSettings, PolicySettings, StartEvent

_SUITE = ("miniwob", "chromium", "mode", "device_scale", "programs", "tasks_sha256", "left_out")
"""What the suites of version 2 stated about themselves."""
_RUN = {name: name for name in ("max_steps", "max_seconds", "variables", "replay_of")} | {"replay": "replay_mode"}
"""Version 2's names of what is a field of the start itself since version 3."""


def _typed_settings(event: dict[str, Any]) -> dict[str, Any]:
    """Version 3: the settings have types; what has no place, or not the right type, goes to ``extra``."""
    if event.get("event") != "start":
        return event
    settings = event.get("settings", {})
    if not isinstance(settings, dict):
        return event  # refused with the other unreadable starts
    policy: dict[str, Any] = {}
    environment: dict[str, Any] = {}
    run: dict[str, Any] = {}
    extra: dict[str, Any] = {}
    for name, value in settings.items():
        if _fits(PolicySettings, name, value):
            policy[name] = value
        elif name in _SUITE:
            environment.setdefault("suite", {})[name] = value
        elif name != "suite" and _fits(EnvironmentSettings, name, value):
            environment[name] = value
        elif name in _RUN and _fits(StartEvent, _RUN[name], value):
            run[_RUN[name]] = value
        else:
            extra[name] = value
    rest = {name: value for name, value in event.items() if name != "settings"}
    return {**rest, "policy_settings": policy, "environment_settings": environment, **run, "extra": extra}


def _fits(model: type[BaseModel], name: str, value: object) -> bool:
    if name not in model.model_fields:
        return False
    expected: Any = model.model_fields[name].annotation
    try:
        TypeAdapter(expected).validate_python(value)
    except ValidationError:
        return False
    return True


UPGRADES: dict[int, Callable[[dict[str, Any]], dict[str, Any]]] = {
    1: dict,  # version 2 added ``sha256`` to the end, which version 1 does not have
    2: _typed_settings,
}
"""For each older schema version, what turns one of its events into the next version's."""


def upgrade(where: str, start: object, data: object) -> object:
    """An event's JSON as this version writes it; ``start`` is that of its trajectory's first event.

    Raises:
        NewerSchemaError: a newer version wrote it.
        TrajectoryError: ``start`` has no version.
    """
    version = start.get("schema_version") if isinstance(start, dict) else None
    if not isinstance(version, int) or version < 1:
        raise TrajectoryError(f"{where}: no schema_version; this is not a Saccade trajectory")
    if version > SCHEMA_VERSION:
        newer = f"schema version {version} is newer than this Saccade reads ({SCHEMA_VERSION}); update it"
        raise NewerSchemaError(f"{where}: {newer}")
    if version == SCHEMA_VERSION or not isinstance(data, dict):
        return data
    for older in range(version, SCHEMA_VERSION):
        data = UPGRADES[older](data)
    return {**data, "schema_version": SCHEMA_VERSION} if "schema_version" in data else data
