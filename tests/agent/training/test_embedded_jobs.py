"""What a job of many pages counts, told by a policy that knows where the right buttons are."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import pytest

from saccade.actions.geometry import Size
from saccade.agent.policy import ScriptedPolicy
from saccade.agent.training.jobs import INSTRUCTIONS, JobResult, Kind, do_job, page, write_job
from saccade.agent.training.rendering import open_page
from saccade.env.browser.chromium import Chromium
from saccade.env.browser.environment import BrowserEnvironment
from saccade.env.browser.options import BrowserOptions

PAGES, SEED = 4, 4
RIGHT = "(() => {const r = document.querySelector('button[onclick]').getBoundingClientRect();"
RIGHT += "return [r.x + r.width / 2, r.y + r.height / 2]})()"
FINISHED = "Thought: Done.\nAction: finished(content='Done.')"


def click(x: float, y: float) -> str:
    return f"Thought: Go on.\nAction: click(start_box='({round(x / 160 * 1000)},{round(y / 210 * 1000)})')"


def right_clicks(kind: Kind) -> list[str]:
    with open_page(160, 210) as tab:
        replies = []
        for number in range(1, PAGES + 1):
            tab.set_content(page(kind, number, SEED))
            replies.append(click(*cast("list[float]", tab.evaluate(RIGHT))))
    return replies


@pytest.mark.parametrize("kind", INSTRUCTIONS)
def test_first_tries_and_ends_are_counted(tmp_path: Path, kind: Kind, chromium: Chromium) -> None:
    right, nowhere = right_clicks(kind), click(150, 200)
    scripts = {
        JobResult(PAGES, PAGES, ended=True, finished=True): [*right, FINISHED],
        JobResult(PAGES, 3, ended=True, finished=True): [right[0], nowhere, *right[1:], FINISHED],
        JobResult(PAGES, 1, ended=False, finished=False): [right[0], FINISHED],
        JobResult(PAGES, 0, ended=False, finished=False): ["Action: dance()"] + [nowhere] * 5,
    }
    address = write_job(tmp_path, kind, PAGES, SEED)
    options = BrowserOptions(viewport=Size(160, 210), allow_file=True)
    with BrowserEnvironment(address, options, chromium=chromium) as environment:
        for outcome, replies in scripts.items():
            assert do_job(ScriptedPolicy(replies), environment, INSTRUCTIONS[kind], PAGES) == outcome


def test_a_job_is_the_same_for_the_same_seed() -> None:
    assert page("named", 2, 5) == page("named", 2, 5) != page("named", 2, 6)
    assert page("named", 1, 5).count("onclick") == page("asked", 1, 5).count("onclick") == 1
