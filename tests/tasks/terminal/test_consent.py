"""The question before the agent takes a person's screen."""

import io

import pytest

from saccade.actions.errors import UsageError
from saccade.tasks.terminal.consent import require_consent


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("answer", ["y\n", "YES\n"])
def test_a_person_who_agrees_was_told_what_happens_and_how_to_stop_it(answer: str) -> None:
    stream = io.StringIO()
    require_consent("display :0", yes=False, stdin=Terminal(answer), stream=stream)
    assert "mouse and the keyboard of display :0" in stream.getvalue()
    assert "ctrl+alt+q" in stream.getvalue()


@pytest.mark.parametrize("answer", ["\n", "n\n", "", "perhaps\n"])
def test_anything_but_yes_is_no(answer: str) -> None:
    with pytest.raises(UsageError, match="nothing was done"):
        require_consent("display :0", yes=False, stdin=Terminal(answer), stream=io.StringIO())


def test_without_a_terminal_only_a_flag_allows_it() -> None:
    stream = io.StringIO()
    with pytest.raises(UsageError, match="--yes"):
        require_consent("display :0", yes=False, stdin=io.StringIO("y\n"), stream=stream)
    require_consent("display :0", yes=True, stdin=io.StringIO(), stream=stream)
    assert stream.getvalue() == ""
