"""Packages that some metrics need, imported when they are used."""

from __future__ import annotations

import importlib
import importlib.util
from typing import Any

from ...actions.errors import MissingPartError

EXTRA = "osworld"


def need_package(name: str) -> Any:
    """Import one of the extra's packages, or a module of one.

    Raises:
        MissingPartError: it is not installed.
    """
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise MissingPartError(f"{name} is missing; {install_line()}") from error


def has_package(name: str) -> bool:
    """Whether it is installed."""
    return importlib.util.find_spec(name) is not None


def install_line() -> str:
    """What installs them."""
    return f"run `pip install 'saccade[{EXTRA}]'`"
