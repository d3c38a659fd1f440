"""A job of twelve pages that the embedded policy does, repeated on pages that stayed and that changed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from made_wizard import PAGES, TASK, Wizard, served
from saccade.actions.schema import Action
from saccade.env.trajectory import ownership
from saccade.env.trajectory.trajectory import FILE_NAME, Trajectory
from saccade.tasks.cli.app import app

RECORDED = Wizard(layout=10)
ALL = [str(number) for number in range(1, PAGES + 2)]
CHANGED = {
    "moved": replace(RECORDED, layout=12),
    "restyled": replace(RECORDED, style="button{background:#fc3;border:1px solid #888;border-radius:6px}"),
    "dialog": replace(RECORDED, dialog=4),
}


def saccade(*arguments: object) -> dict[str, Any]:
    result = CliRunner().invoke(app, [*map(str, arguments), "--json"])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return {**json.loads(result.stdout.splitlines()[-1]), "exit": result.exit_code}


@pytest.fixture(scope="module")
def pages() -> Iterator[tuple[Wizard, str]]:
    """The wizard, whose looks a test may change, and where it begins."""
    wizard = replace(RECORDED)
    with served(wizard) as url:
        yield wizard, url


@pytest.fixture(scope="module")
def recorded(pages: tuple[Wizard, str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The policy's own recording, as if other weights had made it: nothing in it is known."""
    folder = tmp_path_factory.mktemp("wizard") / "made"
    made = saccade("run", TASK, "--url", pages[1], "--out", folder, "--max-steps", PAGES)
    assert addresses(Trajectory.load(folder)) == ALL, "the embedded policy can do the job"
    assert made["steps"] == PAGES
    *lines, end = (folder / FILE_NAME).read_text(encoding="utf-8").splitlines()
    start = json.loads(lines[0])
    start["policy_settings"]["fingerprint"] = None
    lines[0], unsealed = json.dumps(start), json.dumps({**json.loads(end), "sha256": ""})
    changed = "".join(f"{line}\n" for line in [*lines, unsealed]).encode()
    (folder / FILE_NAME).write_bytes(changed)
    ownership.sign(folder / FILE_NAME, hashlib.sha256(changed).digest())
    return folder


@pytest.fixture
def look(pages: tuple[Wizard, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Wizard]:
    """The wizard as it was recorded; what a test changes is changed back."""
    monkeypatch.chdir(tmp_path)
    wizard = pages[0]
    yield wizard
    wizard.__dict__.update(RECORDED.__dict__)


def run_of(outcome: dict[str, Any]) -> Trajectory:
    return Trajectory.load(Path(outcome["trajectory"]))


def addresses(trajectory: Trajectory) -> list[str]:
    """The pages that were seen, in order."""
    seen = [(each.url or "").rsplit("/", 1)[1] for each in trajectory.observations()]
    return [page for index, page in enumerate(seen) if page not in seen[:index]]


def actions(trajectory: Trajectory) -> list[Action]:
    return [event.action for step in trajectory.steps for event in step.actions]


def test_on_unchanged_pages_a_step_costs_one_forward(recorded: Path, look: Wizard) -> None:
    done = saccade("replay", recorded)
    assert (done["exit"], done["judged"], done["success"]) == (0, False, False), "reaching the end is a claim"
    assert (done["end"], done["healed"]) == ("finished", [])
    assert done["forwards"] <= 1.2 * done["steps"]
    before, after = Trajectory.load(recorded), run_of(done)
    assert actions(after)[:-1] == actions(before)
    last = [each.observations()[-1].screenshot for each in (before, after)]
    assert last[0] == last[1]


@pytest.mark.parametrize("change", CHANGED)
def test_changed_pages_are_healed_and_stop_an_exact_replay(
    change: str, recorded: Path, look: Wizard, pages: tuple[Wizard, str]
) -> None:
    look.__dict__.update(CHANGED[change].__dict__)
    alone = saccade("run", TASK, "--url", pages[1], "--max-steps", PAGES + (change == "dialog"))
    assert addresses(run_of(alone)) == ALL, "the policy alone reaches the goal"
    healed = saccade("replay", recorded, "--update", "--expect", f"url=*/{PAGES + 1}")
    assert (healed["success"], healed["end"]) == (True, "finished")
    assert bool(healed["healed"]) == (change != "restyled"), "what lies where it lay is agreed with"
    assert addresses(run_of(healed)) == ALL
    same = saccade("replay", recorded, "--tolerance", 0)
    done = actions(run_of(same))[: len(actions(run_of(alone)))]
    assert done == actions(run_of(alone)), "without tolerance it is the policy alone"
    assert same["forwards"] < 60 * same["steps"]
    exact = saccade("replay", recorded, "--exact", "--patience", 0.2)
    assert (exact["success"], exact["exit"]) == (False, 1)
    assert exact["stopped_at"] == (4 if change == "dialog" else 1)
    assert "the screen is not as recorded" in exact["message"]
    again = saccade("replay", healed["updated"] or recorded)
    assert (again["exit"], again["healed"]) == (0, [])
    assert again["forwards"] <= 1.2 * again["steps"]


def test_late_pages_are_waited_for(recorded: Path, look: Wizard) -> None:
    look.late = 2.0
    exact = saccade("replay", recorded, "--exact")
    assert (exact["success"], exact["steps"]) == (True, PAGES + 1)
    impatient = saccade("replay", recorded, "--exact", "--patience", 0.2)
    assert (impatient["success"], impatient["stopped_at"]) == (False, 1)
