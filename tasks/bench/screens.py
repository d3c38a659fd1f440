"""What benchmarks of decoding share: screens to reply to, and how one reply is timed."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ...actions.errors import ParseError
from ...env.browser.chromium import Chromium
from ...env.browser.miniwob import MiniWobEnvironment
from ...env.browser.miniwob_pages import ALONE
from ...perception.observation import Observation

if TYPE_CHECKING:
    from ...agent.policy import Context


TASKS = ("click-test", "click-test-2", "click-button", "click-dialog", "focus-text", "enter-text")


@dataclass(frozen=True)
class PromptScreen:
    """What a task shows and asks."""

    instruction: str
    observation: Observation


@dataclass(frozen=True)
class TimedReply:
    """One reply and what it took.

    Attributes:
        text: as the model wrote it.
        tokens: in it.
        forwards: after the prompt's.
        accepted: tokens that came from drafts.
        decode: seconds from the prompt's forward to the last token.
        step: seconds of the whole model step.
    """

    text: str
    tokens: int
    forwards: int
    accepted: int
    decode: float
    step: float


def record_screens(count: int) -> list[PromptScreen]:
    """First screens of MiniWoB++ episodes, task by task, then with other seeds."""
    progress(f"rendering {count} screens")
    screens: dict[tuple[int, int], PromptScreen] = {}
    with Chromium(flags=ALONE) as chromium:
        for number, task in enumerate(TASKS):
            with MiniWobEnvironment(task, chromium=chromium) as environment:
                for seed in range(-(-(count - number) // len(TASKS))):
                    first = environment.reset(seed)
                    screens[seed, number] = PromptScreen(environment.instruction or "", first)
    return [screens[key] for key in sorted(screens)]


def context_of(screen: PromptScreen) -> Context:
    """The first step's context."""
    from ...agent.policy import Context

    return Context(screen.instruction, screen.observation)


def reply_of(policy: Any, context: Context) -> TimedReply:
    """One whole model step of a policy; replies that cannot be read took as long."""
    started = time.perf_counter()
    try:
        raw = policy.predict(context).raw
    except ParseError as error:
        raw = error.raw
    step = time.perf_counter() - started
    usage = policy.last_usage
    return TimedReply(
        raw, usage.reply_tokens, usage.forwards, usage.accepted_tokens, usage.timings["decode"], step
    )


@contextmanager
def torch_threads(count: int) -> Iterator[None]:
    """So many threads for torch, and as many as before afterwards."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def progress(message: str) -> None:
    """Say what is going on, away from the result."""
    sys.stderr.write(f"{message}\n")
