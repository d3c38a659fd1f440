"""One option for all tests: how many cases a test that draws its cases at random tries."""

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add ``--scale``."""
    parser.addoption("--scale", type=int, default=1, help="multiply the number of random cases (1: a quick check)")


@pytest.fixture
def scale(request: pytest.FixtureRequest) -> int:
    """How many times as many random cases as in a quick check are tried."""
    value: int = request.config.getoption("--scale")
    return value
