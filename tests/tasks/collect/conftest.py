"""``saccade collect``, as the tests of it run it."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from saccade.tasks.cli.app import main

Command = Callable[..., dict[str, Any]]


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str]) -> Command:
    """Runs ``saccade collect`` and returns what it prints as JSON."""

    def run(*words: object) -> dict[str, Any]:
        with pytest.raises(SystemExit) as left:
            main(["collect", *map(str, words), "--json"])
        assert not left.value.code, capsys.readouterr().err
        found: dict[str, Any] = json.loads(capsys.readouterr().out.splitlines()[-1])
        return found

    return run
