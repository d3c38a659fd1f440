"""Saccade as an agent of BrowserGym and AgentLab, which sees screenshots and acts by coordinates.

Paper: The BrowserGym Ecosystem (arXiv 2412.05467). The interface is that of ``browsergym.experiments`` 0.14
and ``agentlab`` 0.4: ``Agent`` (``action_set``, ``obs_preprocessor``, ``get_action``) and ``AgentArgs``
(``prepare``, ``make_agent``, ``close``). Neither is imported but for the action set.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

import numpy as np

from ...actions.errors import EnvironmentFailure, MissingPartError, UsageError
from ...actions.schema import Finished
from ...agent.limits import Limits
from ...agent.policy import Policy, Turn
from ...env.guard.guard import Guard
from ...perception.observation import Screenshot
from .coord import CoordWriter, farewell
from .guest import Decision, Guest

SUBSETS = ("chat", "infeas", "coord", "nav")
"""The parts of BrowserGym's action set that are used."""
_KEPT = ("goal", "goal_object", "chat_messages", "screenshot", "url", "last_action", "last_action_error")


class BrowserGymAgent:
    """A policy behind ``get_action``; one object is one episode, as in AgentLab.

    Args:
        policy: decides.
        attempts: how often it is asked about one screen before it is given up.
        guard: decides what the harness is given; by default everything.
    """

    def __init__(self, policy: Policy, attempts: int = Limits.unreadable, guard: Guard | None = None) -> None:
        self._writer = CoordWriter()
        self._guest = Guest(policy, self._writer.write, attempts, guard=guard or Guard.of("open"))
        self._said_done = False
        self._guest.start()

    @property
    def turns(self) -> Sequence[Turn]:
        """The episode so far, as the policy sees it."""
        return self._guest.turns

    @cached_property
    def action_set(self) -> Any:
        """BrowserGym's own ``HighLevelActionSet``, strict: what is not a call is refused, never skipped.

        Raises:
            MissingPartError: BrowserGym is not installed.
        """
        try:
            from browsergym.core.action.highlevel import HighLevelActionSet
        except ImportError as error:
            raise MissingPartError("BrowserGym is not installed here: pip install browsergym-core") from error
        return HighLevelActionSet(subsets=list(SUBSETS), multiaction=True, strict=True)

    def obs_preprocessor(self, obs: Mapping[str, Any]) -> dict[str, Any]:
        """What the agent looks at, and the harness keeps: no DOM and no accessibility tree."""
        return {name: obs[name] for name in _KEPT if name in obs}

    def get_action(self, obs: Mapping[str, Any]) -> tuple[str | None, dict[str, Any]]:
        """The calls to execute, one on each line, and what is known about them.

        None ends the episode: after the policy has said that it is done, or where no reply was of any use.

        Args:
            obs: ``goal_object`` or ``goal``, ``screenshot`` (height x width x 3, uint8) and
                ``last_action_error``.

        Raises:
            UsageError: the goal holds pictures, which a policy cannot be shown.
            EnvironmentFailure: there is no screenshot.
        """
        if self._said_done:
            return None, {"think": "The task was said to be done before."}
        if error := obs.get("last_action_error"):
            self._guest.failed(str(error))
        decision = self._guest.decide(_goal(obs), _screenshot(obs))
        self._said_done = isinstance(decision.end, Finished)
        calls = [*decision.written, *([farewell(decision.end)] if decision.end else [])]
        return "\n".join(calls) or None, _info(decision)


@dataclass(frozen=True)
class SaccadeArgs:
    """What AgentLab's ``Study`` makes agents from; it can be pickled, hashed and compared.

    Attributes:
        model: ``embedded``, a directory or a hub id; loaded once per process.
        dialect: by default the checkpoint's.
        decoding: what drafts its replies.
        constrained: whether replies are held to the grammar of the dialect.
        agent_name: what it is called in results.
    """

    model: str = "embedded"
    dialect: str | None = None
    decoding: str = "auto"
    constrained: bool = False
    agent_name: str = "Saccade"

    def prepare(self) -> None:
        """Load the checkpoint, so that the first episode does not wait for it."""
        _policy(self)

    def make_agent(self) -> BrowserGymAgent:
        """An agent for one episode; raises ``MissingPartError`` where the checkpoint or a package is missing."""
        return BrowserGymAgent(_policy(self))

    def close(self) -> None:
        """Forget the checkpoint."""
        _policy.cache_clear()

    def set_benchmark(self, benchmark: object, demo_mode: bool) -> None:
        """Take note of the benchmark; nothing depends on it."""

    def set_reproducibility_mode(self) -> None:
        """Be deterministic; decoding is greedy in any case."""


@lru_cache(maxsize=1)
def _policy(args: SaccadeArgs) -> Policy:
    from ..models.load import load_policy

    return load_policy(args.model, dialect=args.dialect, decoding=args.decoding, constrained=args.constrained)


def _goal(obs: Mapping[str, Any]) -> str:
    parts = obs.get("goal_object") or ({"type": "text", "text": obs.get("goal") or ""},)
    if any(part["type"] != "text" for part in parts):
        raise UsageError("this task's goal holds pictures, which Saccade's policies cannot be shown")
    return "\n".join(part["text"] for part in parts)


def _screenshot(obs: Mapping[str, Any]) -> Screenshot:
    pixels = obs.get("screenshot")
    if pixels is None:
        raise EnvironmentFailure("the harness gave no screenshot; switch its screenshots on")
    try:
        return Screenshot(np.array(pixels))
    except ValueError as error:
        raise EnvironmentFailure(f"the harness's screenshot is no picture: {error}") from error


def _info(decision: Decision[str]) -> dict[str, Any]:
    """As AgentLab has it: ``think`` is shown, ``stats`` are numbers that it adds up."""
    stats = {
        "prompt_tokens": sum(usage.prompt_tokens for usage in decision.usage),
        "reply_tokens": sum(usage.reply_tokens for usage in decision.usage),
        "replies": len(decision.usage),
    }
    extra = {"reply": decision.raw, "problem": decision.problem, "useless": list(decision.useless)}
    return {"think": decision.thought, "stats": stats, "extra_info": extra}
