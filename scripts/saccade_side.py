"""Saccade's side of ``browsergym_overhead.py``: the whole loop, with clicks from outside."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np

from saccade import __version__
from saccade.actions.dialects import Reply, get_dialect
from saccade.actions.geometry import Point
from saccade.actions.schema import Action, Click, Finished
from saccade.agent.limits import Limits
from saccade.agent.loop import Agent
from saccade.agent.policy import Context, Prediction
from saccade.env.base import StepResult
from saccade.env.browser.chromium import Chromium
from saccade.env.browser.miniwob import MiniWobEnvironment
from saccade.env.browser.miniwob_pages import ALONE
from saccade.env.guard.guard import Guard
from saccade.env.trajectory.events import StartEvent
from saccade.env.trajectory.trajectory import TrajectoryWriter
from saccade.env.wrappers import EnvironmentWrapper

ENDLESS = Limits(steps=10**6, seconds=1e9, repeats=10**6)
Orders = Iterator[dict[str, Any]]


class TimedEnvironment(EnvironmentWrapper):
    """Measures how long the last step took, in seconds."""

    seconds = 0.0

    def step(self, action: Action) -> StepResult:
        """Execute one action and measure its time."""
        begun = time.perf_counter()
        result = super().step(action)
        self.seconds = time.perf_counter() - begun
        return result


class OrderedPolicy:
    """Clicks where the orders say; the time from one reply to the next ``predict`` is the step's."""

    name = "orders"

    def __init__(self, orders: Orders, answer: Callable[..., None], environment: TimedEnvironment) -> None:
        self._orders, self._answer, self._environment = orders, answer, environment
        self._dialect = get_dialect("uitars-1.0")
        self._replied: float | None = None
        self.next: dict[str, Any] | None = None

    def start(self) -> None:
        """Begin an episode."""
        self._replied = None

    def predict(self, context: Context) -> Prediction:
        """Answer the last order, take the next."""
        self.acted(done=False)
        self.next = next(self._orders, None)
        if self.next is None or self.next["do"] != "step":
            return Prediction(Reply("", (Finished(),)), "Action: finished()")
        size = context.screenshot.size
        click = Click(point=Point(*self.next["point"]))
        raw = self._dialect.render(Reply("I click here.", (click,)), size)
        self._replied = time.perf_counter()
        return Prediction(self._dialect.parse(raw, size), raw)

    def acted(self, done: bool) -> None:
        """Answer the last order, if there is one to answer."""
        if self._replied is not None:
            seconds = {"step": time.perf_counter() - self._replied, "environment": self._environment.seconds}
            self._answer(seconds=seconds, done=done)
            self._replied = self.next = None


def serve(orders: Orders, answer: Callable[..., None]) -> None:
    """Reset, then step in a recorded run, until there are no more orders."""
    task = None
    with Chromium(flags=ALONE) as chromium, tempfile.TemporaryDirectory() as folder, ExitStack() as environments:
        order = next(orders, None)
        while order is not None:
            if order["task"] != task:
                task = order["task"]
                environments.close()
                # BrowserGym leaves the page in training mode.
                environment = TimedEnvironment(
                    MiniWobEnvironment(task, mode="train", chromium=chromium, guard=Guard.of("open"))
                )
                environments.callback(environment.close)
            # BrowserGym draws the page's seed from the one it is given.
            seed = int(np.random.RandomState(order["seed"]).randint(0, 1_000_000))
            begun = time.perf_counter()
            first = environment.reset(seed)
            answer(seconds={"reset": time.perf_counter() - begun}, goal=environment.instruction)
            policy = OrderedPolicy(orders, answer, environment)
            start = StartEvent(
                saccade_version=__version__,
                instruction=environment.instruction or "",
                environment=f"miniwob:{task}",
                policy=policy.name,
                time=time.time(),
            )
            with TrajectoryWriter(Path(folder) / f"{task}-{order['seed']}", start) as trajectory:
                Agent(policy, environment, ENDLESS).run(start.instruction, first, trajectory)
            policy.acted(done=True)
            order = policy.next if policy.next is not None else next(orders, None)
