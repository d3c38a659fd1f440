"""Saccade: a runtime for native GUI agents that look, think, act and look again.

    import saccade

    result = saccade.run("Click the Login button", url="https://example.org")
    print(result.success, result.answer, result.report)

Each name of ``__all__`` is imported when it is first used, so that this import is fast and needs no torch, no
display and no network. docs/api.md explains the names. The rooms, from the ground up, are
``saccade.actions``, ``saccade.perception``, ``saccade.env``, ``saccade.agent`` and ``saccade.tasks``.
"""

__version__ = "0.1.0"

# fmt: off
# isort: off
TYPE_CHECKING = False  # type checkers take it for true; typing would cost half of this import
if TYPE_CHECKING:
    from .actions.errors import DataError, DeniedError, EnvironmentFailure, MissingPartError, NewerSchemaError
    from .actions.errors import ParseError, PolicyError, PolicyFailure, SaccadeError, Stopped
    from .actions.errors import TrajectoryError, UnknownActionError, UnknownDialectError, UnknownKeyError
    from .actions.errors import UnknownTaskError, UsageError
    from .actions.geometry import Point, Size
    from .actions.schema import Action, CallUser, Click, DoubleClick, Drag, Finished, Hotkey, KeyDown, KeyUp
    from .actions.schema import LongPress, MiddleClick, MouseDown, MouseUp, Move, Navigate, NavigateBack
    from .actions.schema import OpenApp, Press, PressBack, PressHome, RightClick, Scroll, Type, Wait
    from .agent.limits import Limits
    from .agent.loop import Agent
    from .agent.policy import Policy, ScriptedPolicy
    from .env.control import Control
    from .env.guard.asking import Question
    from .env.guard.guard import Guard
    from .env.guard.policy import GuardPolicy
    from .env.registry import DesktopOptions, make_environment
    from .env.trajectory.trajectory import Trajectory
    from .tasks.api import arun, replay, run
    from .tasks.api_evaluate import EvaluationResult, evaluate
    from .tasks.episode import RunResult, run_episode
    from .tasks.replay.replay import ReplayResult
    from .tasks.replay.environment import ReplayOverrides
    from .tasks.models.load import load_policy

__all__ = [
    "load_policy", "ReplayOverrides", "ReplayResult", "RunResult", "run_episode", "evaluate",
    "EvaluationResult", "run", "arun", "replay", "Trajectory", "DesktopOptions", "make_environment",
    "Control", "Policy", "ScriptedPolicy", "Agent", "Limits", "Action", "CallUser", "Click", "DoubleClick",
    "Drag", "Finished", "Hotkey", "KeyDown", "KeyUp", "LongPress", "MiddleClick", "MouseDown", "MouseUp",
    "Move", "Navigate", "NavigateBack", "OpenApp", "Press", "PressBack", "PressHome", "RightClick",
    "Scroll", "Type", "Wait", "Point", "Size", "SaccadeError", "PolicyError", "ParseError",
    "UnknownActionError", "PolicyFailure", "UsageError", "UnknownKeyError", "UnknownDialectError",
    "UnknownTaskError", "MissingPartError", "DataError", "TrajectoryError", "NewerSchemaError",
    "EnvironmentFailure", "Stopped", "DeniedError", "Guard", "GuardPolicy", "Question",
]
# fmt: on

_HOMES = {
    "actions.errors": (
        "SaccadeError PolicyError ParseError UnknownActionError PolicyFailure UsageError "
        "UnknownKeyError UnknownDialectError UnknownTaskError MissingPartError DataError "
        "TrajectoryError NewerSchemaError EnvironmentFailure Stopped DeniedError"
    ),
    "actions.geometry": "Point Size",
    "actions.schema": (
        "Action CallUser Click DoubleClick Drag Finished Hotkey KeyDown KeyUp LongPress "
        "MiddleClick MouseDown MouseUp Move Navigate NavigateBack OpenApp Press PressBack "
        "PressHome RightClick Scroll Type Wait"
    ),
    "agent.limits": "Limits",
    "agent.loop": "Agent",
    "agent.policy": "Policy ScriptedPolicy",
    "env.control": "Control",
    "env.guard.asking": "Question",
    "env.guard.guard": "Guard",
    "env.guard.policy": "GuardPolicy",
    "env.registry": "DesktopOptions make_environment",
    "env.trajectory.trajectory": "Trajectory",
    "tasks.api": "run arun replay",
    "tasks.api_evaluate": "evaluate EvaluationResult",
    "tasks.episode": "RunResult run_episode",
    "tasks.replay.replay": "ReplayResult",
    "tasks.replay.environment": "ReplayOverrides",
    "tasks.models.load": "load_policy",
}
"""The public names, by the module that defines them."""

if not TYPE_CHECKING:

    def __getattr__(name):
        """Import a public name when it is first used (PEP 562)."""
        from importlib import import_module

        home = next((module for module, names in _HOMES.items() if name in names.split()), None)
        if home is None:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        value = globals()[name] = getattr(import_module(f".{home}", __name__), name)
        return value

    def __dir__():
        return ["__version__", *__all__]
