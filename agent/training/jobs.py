"""How well a checkpoint does jobs of many pages, in a browser of its own, from pixels.

``python -m saccade.agent.training.jobs --model DIR [--kind asked]``
"""

from __future__ import annotations

import argparse
import html
import logging
import random
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ...actions.errors import ParseError
from ...actions.geometry import Size
from ...actions.schema import CallUser, Finished
from ...env.browser.environment import BrowserEnvironment
from ..local import LocalPolicy
from ..policy import Context, Policy, Turn

log = logging.getLogger(__name__)
Kind = Literal["named", "asked"]

OTHERS = ("Back", "Cancel", "Help", "Skip", "Close", "Save", "Open", "Print", "Reset", "Submit")
GAPS = (" ", "<br>", " ", "<p></p>")
INSTRUCTIONS: dict[Kind, str] = {"named": 'Click the button "Next".', "asked": "Do what the page asks."}


@dataclass(frozen=True)
class JobResult:
    """How one job went.

    Attributes:
        pages: how many there were, the last, which says that it is done, not counted.
        first: on how many of them the first reply led on.
        ended: whether the last page was reached.
        told: whether the policy then said that it had finished.
    """

    pages: int
    first: int
    ended: bool
    told: bool


def page(kind: Kind, number: int, seed: int) -> str:
    """Return one page of a job: buttons, one of which leads on; a wrong one does nothing."""
    rng = random.Random(seed * 1000 + number)
    right = "Next" if kind == "named" else rng.choice(OTHERS)
    names = [right, *rng.sample([name for name in OTHERS if name != right], rng.randint(1, 3))]
    rng.shuffle(names)
    asked = f'Click the button "{right}".' if kind == "asked" else ""
    lead = f"onclick=\"location.href='{number + 1}.html'\""
    buttons = rng.choice(GAPS).join(
        f"<button {lead if name == right else ''}>{html.escape(name)}</button>" for name in names
    )
    return f"<!DOCTYPE html><meta charset=utf-8><p>{asked or f'Page {number}'}</p>{buttons}"


def write_job(folder: Path, kind: Kind, pages: int, seed: int) -> str:
    """Write the pages of a job and return the address of the first."""
    for number in range(1, pages + 1):
        (folder / f"{number}.html").write_text(page(kind, number, seed), encoding="utf-8")
    (folder / f"{pages + 1}.html").write_text("<!DOCTYPE html><h3>Done</h3>", encoding="utf-8")
    return (folder / "1.html").as_uri()


def do_job(policy: Policy, environment: BrowserEnvironment, instruction: str, pages: int) -> JobResult:
    """Let the policy do one job; it has half as many steps again as there are pages."""
    observation = environment.reset()
    policy.start()
    turns: list[Turn] = []
    first: dict[str, bool] = {}
    last = f"{pages + 1}.html"
    for _ in range(pages + pages // 2):
        before = (observation.url or "").rsplit("/", 1)[-1]
        try:
            prediction = policy.predict(Context(instruction, observation, turns))
        except ParseError as error:
            turns.append(Turn(observation.screenshot, error.raw, str(error)))
            first.setdefault(before, False)
            continue
        turns.append(Turn(observation.screenshot, prediction.raw))
        for action in prediction.reply.actions:
            if isinstance(action, Finished | CallUser):
                told = isinstance(action, Finished) and before == last
                return JobResult(pages, sum(first.values()), before == last, told)
            observation = environment.step(action).observation
        first.setdefault(before, not (observation.url or "").endswith(before))
    ended = (observation.url or "").endswith(last)
    return JobResult(pages, sum(first.values()), ended, False)


def do_jobs(policy: LocalPolicy, kind: Kind, pages: int, seeds: Sequence[int]) -> list[JobResult]:
    """Let the policy do a job per seed."""
    found = []
    with tempfile.TemporaryDirectory() as name:
        address = (Path(name) / "1.html").as_uri()
        with BrowserEnvironment(
            address, viewport=policy.viewport or Size(160, 210), allow_file=True
        ) as environment:
            for seed in seeds:
                write_job(Path(name), kind, pages, seed)
                found.append(do_job(policy, environment, INSTRUCTIONS[kind], pages))
                log.info("%s %d: %s", kind, seed, found[-1])
    return found


def main() -> None:
    """Measure one checkpoint."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="embedded")
    parser.add_argument("--kind", choices=sorted(INSTRUCTIONS), nargs="*", default=list(INSTRUCTIONS))
    parser.add_argument("--jobs", type=int, default=12)
    parser.add_argument("--pages", type=int, default=12)
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    policy = LocalPolicy(options.model)
    for kind in options.kind:
        found = do_jobs(policy, kind, options.pages, range(options.jobs))
        first = sum(each.first for each in found) / (options.pages * len(found))
        ended, told = (sum(getattr(each, name) for each in found) for name in ("ended", "told"))
        log.info("%s: first tries %.2f, %d of %d ended, %d told", kind, first, ended, len(found), told)


if __name__ == "__main__":
    main()
