"""What all tests share: how many cases those try that draw them at random, a browser, a state folder of their own."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from saccade.env.browser.chromium import Chromium


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add ``--scale``."""
    parser.addoption("--scale", type=int, default=1, help="multiply the number of random cases (1: a quick check)")


def pytest_configure(config: pytest.Config) -> None:
    """Keep the user's own state folder as it is: recordings made by tests are signed with a key of theirs."""
    if "PYTEST_XDIST_WORKER" not in os.environ:
        folder = tempfile.TemporaryDirectory(prefix="saccade-state-")
        os.environ["XDG_STATE_HOME"] = folder.name
        config.add_cleanup(folder.cleanup)


@pytest.fixture
def scale(request: pytest.FixtureRequest) -> int:
    """How many times as many random cases as in a quick check are tried."""
    value: int = request.config.getoption("--scale")
    return value


@pytest.fixture(scope="session")
def chromium() -> Iterator[Chromium]:
    """A browser for all tests of a process; each opens profiles of its own in it."""
    from saccade.env.browser.chromium import Chromium
    from saccade.env.browser.miniwob_pages import FLAGS

    with Chromium(flags=FLAGS) as browser:
        yield browser
