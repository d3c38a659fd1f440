"""Saccade as an agent of OSWorld and of the many harnesses that took over its interface.

Paper: OSWorld (arXiv 2404.07972); the interface is that of ``mm_agents`` and ``lib_run_single`` there.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from ...actions.errors import EnvironmentFailure, UsageError
from ...actions.geometry import Size
from ...actions.schema import Action, Finished, Wait
from ...agent.limits import Limits
from ...agent.policy import Policy, Turn
from ...env.guard.guard import Guard
from ...perception.observation import Screenshot
from .computer13 import computer_13
from .guest import Decision, Guest
from .pyautogui_code import pyautogui_code

ActionSpace = Literal["pyautogui", "computer_13"]
Command = str | dict[str, Any]
"""A line of pyautogui code, a dictionary of ``computer_13``, or ``WAIT``, ``FAIL`` or ``DONE``."""


class OsWorldAgent:
    """A policy behind ``reset`` and ``predict``.

    Args:
        policy: decides, such as ``load_policy("embedded")`` of ``tasks.models``.
        action_space: what its actions are written in; OSWorld's ``DesktopEnv`` must be made with the same.
        attempts: how often it is asked about one screen before it is given up.
        guard: decides what the harness is given; by default everything, as the harness has a machine of its own.

    Raises:
        UsageError: there is no such action space.
    """

    observation_type = "screenshot"

    def __init__(
        self,
        policy: Policy,
        action_space: ActionSpace = "pyautogui",
        attempts: int = Limits.unreadable,
        guard: Guard | None = None,
    ) -> None:
        if action_space not in ("pyautogui", "computer_13"):
            raise UsageError(f"OSWorld has no action space {action_space!r}; choose pyautogui or computer_13")
        self.action_space = action_space
        self._guest: Guest[Command] = Guest(policy, self._write, attempts, guard=guard or Guard.of("open"))
        self._log = logging.getLogger(__name__)
        self._begun = False

    @property
    def turns(self) -> Sequence[Turn]:
        """The episode so far, as the policy sees it."""
        return self._guest.turns

    def reset(self, logger: logging.Logger | None = None, vm_ip: str | None = None, **_: object) -> None:
        """Begin a new episode.

        Args:
            logger: logs replies that are of no use.
            vm_ip: where the machine is; nothing goes there but by way of the harness.
        """
        self._log = logger or logging.getLogger(__name__)
        self._guest.start()
        self._begun = True

    def predict(self, instruction: str, obs: Mapping[str, Any]) -> tuple[str, list[Command]]:
        """The reply to a screen, and what of it is to be executed, in order.

        Where no reply was of any use, the answer is ``DONE``: the task is judged as it stands, while ``FAIL``
        would claim that it cannot be done, and win every task of which that is true.

        Args:
            instruction: the task.
            obs: ``screenshot`` holds the bytes of a PNG file; nothing else is looked at.

        Raises:
            EnvironmentFailure: there is no screenshot, or it is no picture.
        """
        if not self._begun:
            self.reset()
        decision = self._guest.decide(instruction, _screenshot(obs))
        for raw in decision.useless:
            self._log.warning("a useless reply: %s", raw)
        if decision.problem is not None:
            self._log.warning("%s", decision.problem)
        return decision.raw, [*decision.written, *_ending(decision)]

    def _write(self, action: Action, size: Size) -> Sequence[Command]:
        if action == Wait() or (isinstance(action, Wait) and self.action_space == "computer_13"):
            return ["WAIT"]
        if self.action_space == "computer_13":
            return computer_13(action, size)
        return [pyautogui_code(action, size)]


def _ending(decision: Decision[Command]) -> list[Command]:
    """The harness's word for an episode that ends here; dictionaries would not end it, so it is a word."""
    if decision.end is None:
        return ["DONE"] if decision.exhausted else []
    return ["DONE" if isinstance(decision.end, Finished) else "FAIL"]


def _screenshot(obs: Mapping[str, Any]) -> Screenshot:
    data = obs.get("screenshot")
    if not isinstance(data, bytes | bytearray):
        raise EnvironmentFailure("the harness gave no screenshot; obs['screenshot'] must be a PNG file's bytes")
    try:
        return Screenshot.from_png(bytes(data))
    except OSError as error:
        raise EnvironmentFailure(f"the harness's screenshot is no picture: {error}") from error
