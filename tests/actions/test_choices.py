"""Names out of a few."""

import pytest

from saccade.actions.choices import one_of
from saccade.actions.errors import UsageError


def test_a_name_is_one_of_a_few_or_the_few_are_said() -> None:
    assert one_of("text", ("full", "text"), "history", "--history") == "text"
    with pytest.raises(UsageError, match=r"unknown history 'Text'; use full, changed or text \(--history\)"):
        one_of("Text", ("full", "changed", "text"), "history", "--history")
