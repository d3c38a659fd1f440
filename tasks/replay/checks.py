"""What a replay cannot use, refused before anything is loaded or started."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from ...actions.errors import UsageError
from ...env.browser.network.rules import NetworkRules
from ...env.expect import Expectation, check_expectations
from ...env.places import EVIDENCE, check_settings, kind_of, named
from ...env.registry import allowed_files
from .environment import ReplayOverrides

_LIVE: Final = (
    *("env", "url", "seed", "display", "headed", "har", "file", "out", "runs", "update", "expect"),
    *("guard", "on_ask", "anchor", "allow_domain", "allow_private"),
)
_PLACES: Final = ("url", "headed", "display", "har", "files", "allow_domains", "allow_private")
_LOADING: Final = ("device", "dtype", "attention", "quantize")
_UNUSED: Final[Mapping[str, tuple[str, ...]]] = {
    "verify": ("patience", "ignore"),
    "exact": ("model", *_LOADING, "max_images", "max_pixels", "history", "tolerance", "update"),
    "offline": ("patience", "ignore", *_LIVE),
}
_WHY: Final = {
    "verify": "a model checks each step",
    "exact": "an exact replay uses no model and heals nothing",
    "offline": "an offline comparison executes nothing",
}
_SEEDED: Final = ("miniwob", "memory")


def refuse_unused(mode: str, given: Iterable[str]) -> None:
    """Raise ``UsageError`` for a setting of those ``given`` that has no effect in a mode."""
    for name in given:
        if name in _UNUSED[mode]:
            raise UsageError(f"{named(name)} has no effect here, because {_WHY[mode]}; leave it out")


def check_place(name: str, overrides: ReplayOverrides, expect: Iterable[Expectation]) -> None:
    """Refuse what means nothing in the environment of a replay.

    Raises:
        UsageError: a setting would be ignored, or an expectation cannot be checked.
    """
    given = {each: getattr(overrides, each) for each in _PLACES}
    check_settings(name, {each: value for each, value in given.items() if value})
    if overrides.seed is not None and kind_of(name) not in _SEEDED:
        raise UsageError(f"{named('seed')} changes nothing in the environment {name}; leave it out")
    allowed_files(overrides.files)
    NetworkRules(overrides.allow_domains)
    check_expectations(expect, EVIDENCE[kind_of(name)], name)
