"""Shared by the benchmarks of decoding: screens to reply to, and timing of one reply."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from ...actions.errors import ParseError
from ...agent.local import LocalPolicy
from ...agent.policy import Context
from ...env.browser.chromium import Chromium
from ...env.browser.miniwob import MiniWobEnvironment
from ...env.browser.miniwob_pages import ALONE
from ...env.guard.guard import Guard

TASKS = ("click-test", "click-test-2", "click-button", "click-dialog", "focus-text", "enter-text")


@dataclass(frozen=True)
class TimedReply:
    """One reply; forwards after the prefill, accepted draft tokens, seconds of decoding and of the whole step."""

    text: str
    forwards: int
    accepted: int
    decode: float
    step: float


def record_screens(count: int) -> list[Context]:
    """First steps of MiniWoB++ episodes, task by task, then with other seeds."""
    progress(f"rendering {count} screens")
    screens: dict[tuple[int, int], Context] = {}
    with Chromium(flags=ALONE) as chromium:
        for number, task in enumerate(TASKS):
            with MiniWobEnvironment(task, chromium=chromium, guard=Guard.of("open")) as environment:
                for seed in range(-(-(count - number) // len(TASKS))):
                    first = environment.reset(seed)
                    screens[seed, number] = Context(environment.instruction or "", first.screenshot)
    return [screens[key] for key in sorted(screens)]


def reply_of(policy: LocalPolicy, context: Context, clock: Callable[[], float] = time.perf_counter) -> TimedReply:
    """Time one model step of a policy; a reply that cannot be parsed counts as any other."""
    started = clock()
    try:
        raw = policy.predict(context).raw
    except ParseError as error:
        raw = error.raw
    step = clock() - started
    usage = policy.last_usage
    return TimedReply(raw, usage.forwards, usage.accepted_tokens, usage.timings["decode"], step)


@contextmanager
def torch_threads(count: int) -> Iterator[None]:
    """Use so many threads in torch, and as many as before afterwards."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def progress(message: str) -> None:
    """Report progress on stderr, away from the result."""
    sys.stderr.write(f"{message}\n")
