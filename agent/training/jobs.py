"""Success of a checkpoint on jobs of many pages, from pixels, in a real browser.

``python -m saccade.agent.training.jobs --model DIR [--kind asked]``
"""

from __future__ import annotations

import html
import logging
import random
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ...actions.geometry import Size
from ...actions.schema import Finished
from ...env.browser.environment import BrowserEnvironment
from ...env.browser.options import BrowserOptions
from ...env.private_files import write_private
from ..local import LocalPolicy
from ..policy import Policy
from .command_line import parse_options
from .rollout import rollout

log = logging.getLogger(__name__)
Kind = Literal["named", "asked"]

OTHERS = ("Back", "Cancel", "Help", "Skip", "Close", "Save", "Open", "Print", "Reset", "Submit")
GAPS = (" ", "<br>", " ", "<p></p>")
INSTRUCTIONS: dict[Kind, str] = {"named": 'Click the button "Next".', "asked": "Do what the page asks."}


@dataclass(frozen=True)
class JobResult:
    """The result of one job.

    Attributes:
        pages: without the last one, which says that the job is done.
        first: pages on which the first reply led to the next page.
        ended: the last page was reached.
        finished: the policy then finished.
    """

    pages: int
    first: int
    ended: bool
    finished: bool


def page(kind: Kind, number: int, seed: int) -> str:
    """One page of a job: buttons, one of which leads to the next page; the others do nothing."""
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
    """Write the pages of a job; returns the address of the first."""
    for number in range(1, pages + 1):
        write_private(folder / f"{number}.html", page(kind, number, seed))
    write_private(folder / f"{pages + 1}.html", "<!DOCTYPE html><h3>Done</h3>")
    return (folder / "1.html").as_uri()


def do_job(policy: Policy, environment: BrowserEnvironment, instruction: str, pages: int) -> JobResult:
    """Let the policy do one job; it may take 1.5 times as many steps as there are pages."""
    first: dict[str, bool] = {}
    name, last = "", f"{pages + 1}.html"
    for step in rollout(policy, environment, instruction, environment.reset(), pages + pages // 2):
        before, name = ((seen.url or "").rsplit("/", 1)[-1] for seen in (step.before, step.after))
        if step.end is not None:
            ended = before == last
            return JobResult(pages, sum(first.values()), ended, ended and isinstance(step.end, Finished))
        first.setdefault(before, name != before)
    return JobResult(pages, sum(first.values()), name == last, False)


def do_jobs(policy: LocalPolicy, kind: Kind, pages: int, count: int) -> list[JobResult]:
    """Let the policy do jobs with the first seeds."""
    found = []
    with tempfile.TemporaryDirectory() as name:
        address = (Path(name) / "1.html").as_uri()
        options = BrowserOptions(viewport=policy.viewport or Size(160, 210), allow_file=True)
        with BrowserEnvironment(address, options) as environment:
            for seed in range(count):
                write_job(Path(name), kind, pages, seed)
                found.append(do_job(policy, environment, INSTRUCTIONS[kind], pages))
                log.info("%s %d: %s", kind, seed, found[-1])
    return found


def main() -> None:
    """Measure one checkpoint."""
    kinds = {"choices": sorted(INSTRUCTIONS), "nargs": "*", "default": list(INSTRUCTIONS)}
    options = parse_options(__doc__, model="embedded", kind=kinds, jobs=12, pages=12)
    policy = LocalPolicy(options.model)
    for kind in options.kind:
        found = do_jobs(policy, kind, options.pages, options.jobs)
        first = sum(each.first for each in found) / (options.pages * len(found))
        ended, finished = sum(each.ended for each in found), sum(each.finished for each in found)
        log.info("%s: first tries %.2f, %d of %d ended, %d finished", kind, first, ended, len(found), finished)


if __name__ == "__main__":
    main()
