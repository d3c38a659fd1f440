"""One task as an environment: a private display, a sandbox on it, and a score at the end."""

from __future__ import annotations

from dataclasses import replace

from ...actions.errors import DeniedError, EnvironmentFailure, UsageError
from ...actions.geometry import Size
from ...actions.schema import Action, Hotkey, OpenApp, Wait
from ...env.base import Preview, StepResult, Verdict
from ...env.control import Control
from ...env.guard.guard import Guard, Permit
from ...perception.observation import Observation
from .cache import Cache
from .score import score
from .setup_steps import TERMINAL, launch, open_terminal, set_up
from .task import Task
from .task_environment import TaskEnvironment

_LAST_WORK = 1.0
"""Seconds that programs get to finish the last action, such as to save."""
_FULL = 1.0


class OsWorldEnvironment:
    """A task in a new home on a new display, scored once at the end of the episode.

    The keys ctrl+alt+t open a terminal, as on OSWorld's desktop, and ``open_app`` starts a program in the
    sandbox. An episode succeeds with the full score, 1; the score itself is the reward.

    Args:
        task: what to do, and how it is scored.
        cache: files that it would download.
        size: of the screen, in pixels.
        control: by which a person stops and pauses the run.
        guard: decides what may be done; the preparation of a task is the benchmark's own, and free.

    Raises:
        MissingPartError: Xvfb, openbox or bubblewrap is not installed.
    """

    def __init__(
        self,
        task: Task,
        cache: Cache = Cache(),
        size: Size = Size(1920, 1080),
        control: Control | None = None,
        *,
        guard: Guard,
    ) -> None:
        self.guard = guard
        self._task = task
        self._cache = cache
        self._size = size
        self._control = control or Control()
        self._instruction: str | None = None
        self._episode: TaskEnvironment | None = None
        self._preview: Preview | None = None
        self._closed = False

    @property
    def name(self) -> str:
        """The task's id."""
        return self._task.id

    @property
    def instruction(self) -> str | None:
        """The task in words, with the values of the seed."""
        return self._instruction

    @property
    def display(self) -> str | None:
        """The X display of the episode; None before ``reset``."""
        return None if self._episode is None else self._episode.display

    def reset(self, seed: int | None = None) -> Observation:
        """Prepare the task in a new home on a new display.

        Raises:
            EnvironmentFailure: it cannot be prepared; the message says which step.
        """
        if self._closed:
            raise EnvironmentFailure("the environment was closed; make a new one")
        self._drop()
        task = self._task.seeded(seed).on_screen(self._size)
        self._episode = TaskEnvironment(task, self._cache, self._size, self._control, guard=Guard.of("open"))
        try:
            set_up(self._episode, task.config)
            self._episode.desktop.guard = self.guard
            first = self._episode.desktop.reset()
        except UsageError as error:
            raise EnvironmentFailure(f"{task.id} cannot be prepared: {error}") from error
        self._instruction = task.instruction
        self._episode.desktop.preview_to(self._preview)
        return first

    def step(self, action: Action) -> StepResult:
        """See ``Environment.step``; raises ``EnvironmentFailure`` also where no episode is running."""
        if self._episode is None:
            raise EnvironmentFailure("no episode is running; call reset before step")
        desktop = self._episode.desktop
        try:
            match action:
                case OpenApp():
                    return self._opened(desktop.permit(action))
                case Hotkey(keys=keys) if keys == TERMINAL:
                    open_terminal(self._episode, desktop.permit(action))
                    return desktop.step(Wait(seconds=0))
        except DeniedError as error:
            return replace(desktop.step(Wait(seconds=0)), error=str(error))
        return desktop.step(action)

    def judge(self, last: Action | None) -> Verdict:
        """See ``SupportsVerdict``; raises ``EnvironmentFailure`` where the task cannot be scored."""
        if self._episode is None:
            raise EnvironmentFailure("no episode is running; call reset before judge")
        self._episode.desktop.preview_to(None)
        self._episode.desktop.step(Wait(seconds=_LAST_WORK))
        try:
            reward = score(self._episode, last)
        except UsageError as error:
            raise EnvironmentFailure(f"{self._task.id} cannot be scored: {error}") from error
        return Verdict(reward, reward >= _FULL)

    def preview_to(self, show: Preview | None) -> None:
        """See ``SupportsPreview``."""
        self._preview = show
        if self._episode is not None:
            self._episode.desktop.preview_to(show)

    def close(self) -> None:
        """End everything; may be called more than once."""
        self._closed = True
        self._drop()

    def _opened(self, permit: Permit) -> StepResult:
        assert self._episode is not None
        opens = permit.spend()
        assert isinstance(opens, OpenApp)
        name = opens.name
        refused = None
        if "/" in name or self._episode.sandbox.run(["which", name]).status != 0:
            refused = f"no program is called {name!r}"
        else:
            try:
                launch(self._episode, [name])
            except EnvironmentFailure as error:
                refused = str(error)
        seen = self._episode.desktop.step(Wait(seconds=0))
        return replace(seen, error=refused)

    def _drop(self) -> None:
        episode, self._episode = self._episode, None
        if episode is not None:
            episode.close()
