"""Times one step without a model on MiniWoB++ pages: act, settle, capture and parse."""

from __future__ import annotations

import random
import statistics
import time
from collections.abc import Sequence
from typing import Any

from ...actions.dialects import Reply, get_dialect
from ...actions.geometry import Point
from ...actions.schema import Click
from ...env.browser.chromium import Chromium
from ...env.browser.miniwob import MiniWobEnvironment
from ...env.browser.miniwob_pages import ALONE, page_of
from ...env.guard.guard import Guard
from ...perception.observation import Observation

PHASES = ("act", "settle", "capture", "parse")
DIALECT = "uitars-1.0"


def bench_step(tasks: Sequence[str], steps: int, seed: int) -> dict[str, Any]:
    """Click random points in each task and report medians and 90th percentiles.

    ``steps`` are per task; resets between episodes are timed separately. ``seed`` is that of episodes and clicks.

    Returns:
        ``{"tasks", "steps", "phases": {phase: {"median_ms", "p90_ms"}}, "step": {...}, "reset": {...}}``,
        where ``step`` is a whole step as an agent would see it, parsing included.

    Raises:
        UnknownTaskError: a task does not exist; the message names the nearest.
    """
    for task in tasks:
        page_of(task)
    seconds: dict[str, list[float]] = {name: [] for name in (*PHASES, "step", "reset")}
    with Chromium(flags=ALONE) as chromium:
        for task in tasks:
            with MiniWobEnvironment(task, chromium=chromium, guard=Guard.of("open")) as environment:
                _measure(environment, steps, seed, seconds)
    return {
        "tasks": list(tasks),
        "steps": len(seconds["step"]),
        "phases": {phase: _summary(seconds[phase]) for phase in PHASES},
        "step": _summary(seconds["step"]),
        "reset": _summary(seconds["reset"]),
    }


def _measure(environment: MiniWobEnvironment, steps: int, seed: int, seconds: dict[str, list[float]]) -> None:
    dialect, rng = get_dialect(DIALECT), random.Random(seed)
    size = _reset(environment, seed, seconds).screenshot.size
    for number in range(steps):
        point = Point(rng.uniform(0, size.width - 1), rng.uniform(0, size.height - 1))
        raw = dialect.render(Reply("I click here.", (Click(point=point),)), size)
        started = time.perf_counter()
        reply = dialect.parse(raw, size)
        parsed = time.perf_counter()
        result = environment.step(reply.actions[0])
        seconds["step"].append(time.perf_counter() - started)
        for phase, spent in (result.timings | {"parse": parsed - started}).items():
            seconds[phase].append(spent)
        if result.terminated:
            size = _reset(environment, seed + number + 1, seconds).screenshot.size


def _reset(environment: MiniWobEnvironment, seed: int, seconds: dict[str, list[float]]) -> Observation:
    started = time.perf_counter()
    observation = environment.reset(seed)
    seconds["reset"].append(time.perf_counter() - started)
    return observation


def _summary(seconds: Sequence[float]) -> dict[str, float]:
    ordered = sorted(seconds)
    p90 = ordered[min(len(ordered) - 1, int(0.9 * len(ordered)))]
    return {"median_ms": round(1000 * statistics.median(ordered), 2), "p90_ms": round(1000 * p90, 2)}
