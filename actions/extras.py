"""Optional packages, imported when they are used; a missing one is an error that names its extra."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Mapping
from typing import Any

from .errors import MissingPartError

_OSWORLD = ("docx", "lxml", "openpyxl", "pandas", "rapidfuzz", "yaml")
EXTRAS: Mapping[str, str] = {
    "gymnasium": "gym",
    "openai": "remote",
    "pyarrow": "parquet",
    "peft": "train",
    "accelerate": "train",
    "bitsandbytes": "quantize",
    "ray": "ray",
    **dict.fromkeys(_OSWORLD, "osworld"),
}
"""The extra of ``pyproject.toml`` that installs each optional package."""


def need_package(name: str) -> Any:
    """Import an optional package, or a module of one; raises ``MissingPartError`` if it is not installed."""
    try:
        return importlib.import_module(name)
    except ImportError as error:
        package = name.partition(".")[0]
        raise MissingPartError(f"{package} is not installed; {install_advice(package)} ({error})") from error


def has_package(name: str) -> bool:
    """Whether a package is installed."""
    return importlib.util.find_spec(name) is not None


def install_advice(package: str) -> str:
    """How to install an optional package, such as ``run: pip install 'saccade[remote]'``."""
    extra = EXTRAS.get(package)
    return f"run: pip install '{f'saccade[{extra}]' if extra else package}'"
