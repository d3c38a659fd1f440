"""The calls of the public API: run a task, in an event loop too, and replay a recording.

Nothing here prints, reads ``sys.argv`` or installs a signal handler. See ``docs/api.md``.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from functools import wraps
from pathlib import Path
from typing import Any, Literal, ParamSpec, TypeVar

from ..actions.errors import Stopped, UsageError
from ..actions.geometry import Size
from ..agent.policy import Policy
from ..env.control import Control
from ..env.expect import parse_expectations
from ..env.guard.asking import Asker, OnAsk
from ..env.guard.policy import GuardPolicy
from ..env.registry import DesktopOptions
from ..env.trajectory.events import Event
from .commands.run import RunRequest, run_task
from .episode import RunResult
from .models.load import ModelPolicy
from .replay.checks import refuse_unused
from .replay.environment import ReplayOverrides
from .replay.replay import ReplayRequest, ReplayResult, prepare
from .replay.replay import replay as repeat
from .replay.variables import checked_secrets

P = ParamSpec("P")
T = TypeVar("T")
Result = TypeVar("Result", RunResult, ReplayResult)
_CHECK_SECONDS = 0.1
"""How often a run that waits for its policy checks whether it was stopped."""


def run(
    task: str | None = None,
    *,
    url: str | None = None,
    env: str | None = None,
    desktop: DesktopOptions | None = None,
    model: str | Policy = "embedded",
    seed: int = 0,
    max_steps: int = 30,
    max_seconds: float = 900.0,
    viewport: tuple[int, int] | None = None,
    headed: bool = False,
    allow_file: bool = False,
    files: Iterable[str | Path] = (),
    allow_domains: Iterable[str] = (),
    allow_private: bool = False,
    values: Mapping[str, str] | None = None,
    secrets: Mapping[str, str] | None = None,
    expect: Iterable[str] = (),
    har: bool = False,
    yes: bool = False,
    guard: str | Path | GuardPolicy | None = None,
    on_ask: OnAsk | Asker | None = None,
    out: str | Path | None = None,
    on_event: Callable[[Event], None] | None = None,
    control: Control | None = None,
) -> RunResult:
    """Run one episode, and write its trajectory and report.

    Args:
        task: what to do, in words; a MiniWoB++ page sets its own.
        url: the page to start on, in a browser.
        env: where to act: ``browser``, ``desktop``, ``memory`` or ``miniwob:TASK``.
        desktop: which program, display or monitor, instead of a browser.
        model: a model's name as for ``load_policy``, or a policy. A policy runs one episode at a time: a
            second run with the same one waits.
        seed: of the task and of sampling.
        max_steps: predictions.
        max_seconds: wall time.
        viewport: width and height of the page or of a private screen, in pixels.
        headed: show the browser.
        allow_file: let the browser open ``file://`` pages.
        files: what the browser's file choosers are answered with; without any they are cancelled.
        allow_domains: hosts that the browser may reach besides the first page's site, such as ``example.org`` or
            ``*.example.org``; it reaches no others.
        allow_private: whether names may lead the browser to this computer and private networks.
        values: replace ``{{name}}`` in the task.
        secrets: typed where the task or the model names one as ``{{name}}``; the model never sees them, and nothing
            stores them.
        expect: what must hold at the end, such as ``text=Order placed``, ``url=*/done*``, ``title=*Done*`` or
            ``file=PATH``; without it only a page that gives rewards judges the run.
        har: keep the browser's network for a replay without a server.
        yes: allow the agent to use the mouse and keyboard of a screen that a person sits at.
        guard: what may be done without a question: ``open``, ``standard``, ``strict``, a policy's file, or a policy; by
            default ``standard`` on web pages and on a screen that a person sees, and ``open`` elsewhere.
        on_ask: answers the guard's questions: ``deny``, ``allow``, ``exit``, or a function from a ``Question`` to
            ``once``, ``run``, ``always``, ``no`` or ``stop``; by default what is asked about is denied.
        out: the run's folder; by default a new one in ``runs/``.
        on_event: called with each event of the trajectory, in the thread of the run.
        control: stops or pauses the run from another thread.

    Raises:
        UsageError: the request cannot be met; nothing was executed. Its subclass ``MissingPartError`` says
            what must be installed.
        EnvironmentFailure: the environment could not be started. If it breaks later, the run ends with
            ``end.end == "error"``.
        Stopped: ``control`` stopped it before it began.
        KeyboardInterrupt: Ctrl-C; the episode has its end and its report.
    """
    _refuse_event_loop()
    control = control or Control()
    request = RunRequest(
        task=task,
        url=url,
        environment=env,
        desktop=desktop or DesktopOptions(),
        model=model if isinstance(model, str) else model.name,
        seed=seed,
        max_steps=max_steps,
        max_seconds=max_seconds,
        viewport=None if viewport is None else Size(*viewport),
        headed=headed,
        allow_file=allow_file,
        files=tuple(map(Path, files)),
        allow_domains=tuple(allow_domains),
        allow_private=allow_private,
        values=dict(values or {}),
        secrets=checked_secrets(secrets or {}),
        expect=parse_expectations(expect),
        har=har,
        yes=yes,
        guard=str(guard) if isinstance(guard, Path) else guard,
        on_ask=on_ask,
        out=None if out is None else Path(out),
    )
    policy = None if isinstance(model, str) else model
    with _ctrl_c_raises(control), nullcontext() if policy is None else _in_use.one_episode(policy, control):
        result = run_task(request, policy, control, [on_event] if on_event else ())
    return _unless_interrupted(result, control)


def replay(
    path: str | Path,
    *,
    mode: Literal["verify", "exact"] = "verify",
    model: str | ModelPolicy | None = None,
    overrides: ReplayOverrides | None = None,
    values: Mapping[str, str] | None = None,
    secrets: Mapping[str, str] | None = None,
    expect: Iterable[str] = (),
    allow: Sequence[str] = (),
    guard: str | Path | GuardPolicy | None = None,
    on_ask: OnAsk | Asker | None = None,
    update: bool = False,
    out: str | Path | None = None,
    on_event: Callable[[Event], None] | None = None,
    control: Control | None = None,
) -> ReplayResult:
    """Repeat a recorded run in a live environment.

    Args:
        path: the recording's folder.
        mode: ``verify``: a model verifies each step and heals what has moved. ``exact``: repeat the recorded
            actions and stop at the first screen that differs.
        model: verifies; by default the model that made the recording.
        overrides: settings that differ from the recording, such as another address or seed.
        values: replace recorded variables.
        secrets: by name, for what the recording types as ``{{name}}``; nothing stores them. Those that are not given
            are read from the environment variables that ``docs/replay.md`` names.
        expect: what must hold at the end, as for ``run``.
        allow: what a recording of others may use: the pages, programs, models and ``{{secrets}}`` that it names. The
            error for what it may not use lists them. Your own recordings need none.
        guard: as for ``run``; an exact replay of a recording of your own is ``open`` by default.
        on_ask: as for ``run``.
        update: keep a healed replay as the next version of the recording.
        out: the replay's folder; by default a new one in ``runs/``.
        on_event: called with each event of the new trajectory, in the thread of the replay.
        control: stops or pauses the replay from another thread.

    Raises:
        UsageError: it cannot be repeated here; nothing was executed.
        EnvironmentFailure: the environment could not be started.
        KeyboardInterrupt: Ctrl-C; the replay has its end and its report.
    """
    _refuse_event_loop()
    refuse_unused(mode, [name for name, value in (("model", model), ("update", update)) if value])
    control = control or Control()
    request = ReplayRequest(
        Path(path),
        mode,
        overrides or ReplayOverrides(),
        model if model is None or isinstance(model, str) else model.name,
        values=dict(values or {}),
        secrets=checked_secrets(secrets or {}),
        expect=parse_expectations(expect),
        allow=tuple(allow),
        guard=str(guard) if isinstance(guard, Path) else guard,
        on_ask=on_ask,
        update=update,
        out=None if out is None else Path(out),
    )
    policy = None if isinstance(model, str) else model
    with _ctrl_c_raises(control), nullcontext() if policy is None else _in_use.one_episode(policy, control):
        result = repeat(prepare(request), policy, control, [on_event] if on_event else ())
    return _unless_interrupted(result, control)


def _in_thread(call: Callable[P, T]) -> Callable[P, Coroutine[Any, Any, T]]:
    """The same call for a running event loop, which goes on meanwhile."""

    @wraps(call)
    async def called(*args: P.args, **kwargs: P.kwargs) -> T:
        control = kwargs["control"] = kwargs.get("control") or Control()
        assert isinstance(control, Control)
        work = asyncio.ensure_future(asyncio.to_thread(call, *args, **kwargs))
        try:
            return await asyncio.shield(work)
        except asyncio.CancelledError:
            control.stop("cancelled")
            await asyncio.wait([work])
            raise

    return called


arun = _in_thread(run)


def _unless_interrupted(result: Result, control: Control) -> Result:
    """The result, unless Ctrl-C ended the episode."""
    if result.end.end == "interrupted" and (control.signal is not None or not control.stopped):
        raise KeyboardInterrupt
    return result


@contextmanager
def _ctrl_c_raises(control: Control) -> Iterator[None]:
    """A signal that stopped the run before it began raises what it raises elsewhere in Python."""
    try:
        yield
    except Stopped as stopped:
        if control.signal is None:
            raise
        raise KeyboardInterrupt from stopped


def _refuse_event_loop() -> None:
    # Playwright's synchronous API leaves its loop marked as running between calls; only a task is a caller's own loop.
    try:
        inside = asyncio.current_task() is not None
    except RuntimeError:
        inside = False
    if inside:
        raise UsageError("an event loop is running in this thread; use await saccade.arun(...)")


class _PoliciesInUse:
    """Lets a policy run one episode at a time, without a trace of it in the policy, which may be pickled later."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._used: list[Policy] = []

    @contextmanager
    def one_episode(self, policy: Policy, control: Control) -> Iterator[None]:
        """Wait until no other run uses the policy, and use it.

        Raises:
            Stopped: a person stopped the run while it waited.
        """
        with self._changed:
            while any(used is policy for used in self._used):
                control.check()
                self._changed.wait(_CHECK_SECONDS)
            self._used.append(policy)
        try:
            yield
        finally:
            with self._changed:
                self._used = [used for used in self._used if used is not policy]
                self._changed.notify_all()


_in_use = _PoliciesInUse()
