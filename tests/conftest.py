"""What all tests share: how many cases those try that draw them at random, and a state folder of their own."""

import os
import tempfile

import pytest


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
