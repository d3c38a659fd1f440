"""OSWorld's metrics under their own names: what was left behind against what was wanted, from 0 to 1.

A metric gets the result, mostly the path of a fetched file or None where there was none, then what is
expected, then its options by name. Packages beyond the standard library are in the extra ``osworld``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from . import documents, sheets, texts, values

Metric = Callable[..., float]

METRICS: Mapping[str, Metric] = {
    metric.__name__: metric for module in (values, texts, sheets, documents) for metric in module.METRICS
}
"""Every metric that is known, by its name in the JSON."""

PACKAGES: Mapping[str, tuple[str, ...]] = {
    "fuzzy_match": ("rapidfuzz",),
    **{metric.__name__: ("lxml", "openpyxl", "pandas", "rapidfuzz") for metric in sheets.METRICS},
    **{metric.__name__: ("docx", "lxml", "rapidfuzz") for metric in documents.METRICS},
}
"""Packages of the extra that a metric imports when it is used."""
