"""OSWorld's metrics by their published names: each compares a result with what is expected, from 0 to 1.

A public function of a module here is a metric. It takes the result (mostly the path of a fetched file), then
what is expected, then its options by name; an unknown option's value is a ``NotImplementedError``. Packages
beyond the standard library are in the extra ``osworld``.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping
from types import ModuleType
from typing import Any

from . import documents, sheets, texts, values

Metric = Callable[..., float]


def _public(module: ModuleType) -> dict[str, Metric]:
    functions = inspect.getmembers(module, inspect.isfunction)
    return {name: each for name, each in functions if name[0] != "_" and each.__module__ == module.__name__}


def _zero_without_files(metric: Metric) -> Metric:
    """The metric, with a score of 0 where a file is missing."""

    @functools.wraps(metric)
    def score(*files: Any, **options: Any) -> float:
        return 0.0 if any(file in (None, "") for file in files) else metric(*files, **options)

    return score


_FILES = {**_public(texts), **_public(documents)}
METRICS: Mapping[str, Metric] = {
    **_public(values),
    **_public(sheets),
    **{name: _zero_without_files(metric) for name, metric in _FILES.items()},
}
"""Every metric that is known, by its name in the JSON."""

PACKAGES: Mapping[str, tuple[str, ...]] = {
    "fuzzy_match": ("rapidfuzz",),
    **dict.fromkeys(_public(sheets), ("lxml", "openpyxl", "pandas", "rapidfuzz")),
    **dict.fromkeys(_public(documents), ("docx", "lxml", "rapidfuzz")),
}
"""Optional packages that a metric imports when it is used."""
