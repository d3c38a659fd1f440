"""Getters by OSWorld's names: they fetch results, and what results are compared with."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import Any

from ...actions.errors import DataError
from ...actions.extras import need_package
from ...env.private_files import write_private
from .command_sandbox import CommandFailure
from .task import Spec
from .task_environment import TaskEnvironment
from .windows import windows_of


def fetch(env: TaskEnvironment, spec: Spec) -> Any:
    """The value of a getter: text, a path, a list of paths, or an object.

    Raises:
        DataError: the getter is unknown, not as published, or needs a file that is not in the cache.
        EnvironmentFailure: the sandbox does not answer.
    """
    getter = GETTERS.get(str(spec.get("type")))
    if getter is None:
        raise DataError(f"{env.task.id}: no getter of type {spec.get('type')!r} is known")
    try:
        return getter(env, spec)
    except KeyError as error:
        raise DataError(f"{env.task.id}: {spec['type']} has no {error}") from error


def _files(spec: Spec) -> tuple[list[tuple[str, str]], set[int]]:
    """Path and name of each file, and which of them the metric is given."""
    several = bool(spec.get("multi"))
    paths, names = (spec["path"], spec["dest"]) if several else ([spec["path"]], [spec["dest"]])
    return list(zip(paths, names, strict=True)), set(spec.get("gives", [0]))


def _given(found: Sequence[Path | None]) -> Any:
    texts = [None if path is None else str(path) for path in found]
    return texts[0] if len(texts) == 1 else texts


def _vm_file(env: TaskEnvironment, spec: Spec) -> Any:
    files, gives = _files(spec)
    found: list[Path | None] = []
    for number, (path, name) in enumerate(files):
        data = env.sandbox.read(path)
        kept = None
        if data is not None:
            kept = env.result(_timed(name, spec))
            write_private(kept, data)
        if number in gives:
            found.append(kept)
    return _given(found)


def _timed(name: str, spec: Spec) -> str:
    if not spec.get("time_suffix"):
        return name
    path = PurePosixPath(name)
    now = datetime.now().strftime(spec.get("time_format", "%Y%m%d_%H%M%S"))
    return str(path.with_name(f"{path.stem}_{now}{path.suffix}"))


def _cloud_file(env: TaskEnvironment, spec: Spec) -> Any:
    files, gives = _files(spec)
    kept = [_cached(env, name) for _, name in files]
    return _given([path for number, path in enumerate(kept) if number in gives])


def _cached(env: TaskEnvironment, name: str) -> Path:
    return env.cache.need(env.cache.kept(env.task.id, name), f"{env.task.id}: {name}")


def _cache_file(env: TaskEnvironment, spec: Spec) -> str:
    made = env.result(spec["path"])
    return str(made if made.is_file() else _cached(env, spec["path"]))


def _printed(env: TaskEnvironment, spec: Spec, stream: str) -> str | None:
    """What a command wrote; None if it cannot be run, as with OSWorld's server."""
    try:
        return str(getattr(env.sandbox.run(spec["command"], shell=bool(spec.get("shell"))), stream))
    except CommandFailure:
        return None


def _last_row(env: TaskEnvironment, spec: Spec) -> Any:
    if (spec["file_type"], spec["file_content"]) != ("xlsx", "last_row"):
        raise DataError(f"{env.task.id}: content_from_vm_file knows the last_row of xlsx only")
    pandas = need_package("pandas")
    path = _vm_file(env, {"path": spec["path"], "dest": PurePosixPath(spec["path"]).name})
    if path is None:
        raise FileNotFoundError(spec["path"])
    return pandas.read_excel(path).iloc[-1].astype(str).tolist()


def _window_size(env: TaskEnvironment, spec: Spec) -> Any:
    for window in windows_of(env.display):
        if window.called(spec["app_class_name"], by_class=True):
            return {"width": window.size[0], "height": window.size[1]}
    return None


GETTERS: Mapping[str, Callable[[TaskEnvironment, Spec], Any]] = {
    "rule": lambda env, spec: spec["rules"],
    "vm_file": _vm_file,
    "cloud_file": _cloud_file,
    "cache_file": _cache_file,
    "vm_command_line": lambda env, spec: _printed(env, spec, "output"),
    "vm_command_error": lambda env, spec: _printed(env, spec, "error"),
    "list_directory": lambda env, spec: env.sandbox.tree(spec["path"]),
    "content_from_vm_file": _last_row,
    "vm_screen_size": lambda env, spec: {"width": env.size.width, "height": env.size.height},
    "vm_window_size": _window_size,
    "time_diff_range": lambda env, spec: spec["diff_range_in_minutes"],
}
"""By the name in the JSON; each takes the episode and the getter's object of the JSON."""
