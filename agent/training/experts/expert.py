"""Asks the expert of a MiniWoB++ task for the next action.

An expert looks into the page, which no policy may do: it is for collecting training data only.
"""

from __future__ import annotations

from functools import cache
from importlib import resources
from typing import Any, Final

from ....actions.errors import UsageError
from ....actions.schema import Action, action_adapter
from ....env.browser.miniwob import MiniWobEnvironment

_FILES: Final = ("sight.js", "clicks.js", "fields.js", "drags.js")
EXPERT_TASKS: Final = (
    "bisect-angle",
    "choose-date",
    "choose-date-easy",
    "choose-date-medium",
    "choose-date-nodelay",
    "circle-center",
    "click-button",
    "click-button-sequence",
    "click-checkboxes",
    "click-checkboxes-large",
    "click-checkboxes-soft",
    "click-checkboxes-transfer",
    "click-collapsible",
    "click-collapsible-2-nodelay",
    "click-collapsible-nodelay",
    "click-color",
    "click-dialog",
    "click-dialog-2",
    "click-link",
    "click-option",
    "click-pie-nodelay",
    "click-shades",
    "click-shape",
    "click-tab",
    "click-tab-2",
    "click-tab-2-easy",
    "click-tab-2-hard",
    "click-tab-2-medium",
    "click-test",
    "click-test-2",
    "click-test-transfer",
    "click-widget",
    "count-shape",
    "count-sides",
    "drag-box",
    "drag-items",
    "drag-items-grid",
    "drag-shapes",
    "drag-sort-numbers",
    "email-inbox-delete",
    "email-inbox-important",
    "enter-date",
    "enter-password",
    "enter-text",
    "enter-text-2",
    "enter-text-dynamic",
    "enter-time",
    "find-midpoint",
    "find-word",
    "focus-text",
    "focus-text-2",
    "grid-coordinate",
    "highlight-text",
    "identify-shape",
    "login-user",
    "navigate-tree",
    "number-checkboxes",
    "odd-or-even",
    "read-table",
    "resize-textarea",
    "right-angle",
    "simple-algebra",
    "simple-arithmetic",
    "text-transform",
    "tic-tac-toe",
    "unicode-test",
    "use-autocomplete",
    "use-autocomplete-nodelay",
    "use-colorwheel",
    "use-colorwheel-2",
    "use-slider",
    "use-slider-2",
    "visual-addition",
)
"""The tasks that there are experts for."""


@cache
def expert_script() -> str:
    """The script that defines ``nextAction(window, task)`` in a page."""
    folder = resources.files(__package__)
    return "\n".join(folder.joinpath(name).read_text(encoding="utf-8") for name in _FILES)


def as_action(answer: Any) -> Action | None:
    """The action that ``nextAction`` answered; None where the expert knows none."""
    return None if answer is None else action_adapter.validate_python(answer)


class MiniWobExpert:
    """The expert of the task that an environment runs; it continues from any state.

    Raises:
        UsageError: there is no expert for the task.
    """

    def __init__(self, environment: MiniWobEnvironment) -> None:
        self._environment = environment
        if environment.task not in EXPERT_TASKS:
            raise UsageError(f"there is no expert for {environment.task}; there are for {', '.join(EXPERT_TASKS)}")

    def next_action(self) -> Action | None:
        """What to do now; None at the end, or if the expert does not know."""
        script = f"task => {{ {expert_script()}\nreturn nextAction(window, task); }}"
        return as_action(self._environment.evaluate(script, self._environment.task))
