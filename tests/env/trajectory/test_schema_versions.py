"""Every schema version keeps a reader, shown by a recording in ``golden/``; the schema is written down."""

from __future__ import annotations

import json
from pathlib import Path
from typing import get_args

import pytest

from places import ROOT
from saccade.actions.schema import Action
from saccade.env.trajectory.events import SCHEMA_VERSION, Event, StartEvent, json_schema
from saccade.env.trajectory.trajectory import FILE_NAME, Trajectory, event_line, parse_events, read_events
from saccade.env.trajectory.upgrade import UPGRADES

GOLDEN = Path(__file__).parent / "golden"
SCHEMA = ROOT / "docs" / "trajectory.schema.json"


def kinds_of(union: object) -> set[str]:
    """The discriminators' values of a union of records."""
    members = get_args(get_args(union)[0])
    return {next(iter(member.model_fields.values())).default for member in members}


def test_every_version_has_a_recording_and_every_older_one_an_upgrade() -> None:
    versions = range(1, SCHEMA_VERSION + 1)
    assert {path.name for path in GOLDEN.iterdir()} == {f"v{version}" for version in versions}
    assert set(UPGRADES) == set(versions) - {SCHEMA_VERSION}


def test_a_recording_of_every_version_loads_whole() -> None:
    for version in range(1, SCHEMA_VERSION + 1):
        folder = GOLDEN / f"v{version}"
        first = json.loads((folder / FILE_NAME).read_bytes().split(b"\n")[0])
        assert first["schema_version"] == version
        run = Trajectory.load(folder)
        run.check()
        assert run.start.schema_version == SCHEMA_VERSION
        assert run.end is not None
        assert run.final is not None
        assert [len(step.actions) for step in run.steps] == [23, 0]
        assert run.steps[0].actions[9].action.model_dump() == {"kind": "type", "text": "é\n😀", "point": None}


def test_the_newest_recording_holds_every_event_and_action_and_is_written_as_it_was_read() -> None:
    """A change of what is written, without a new version, shows here."""
    file = GOLDEN / f"v{SCHEMA_VERSION}" / FILE_NAME
    events = read_events(file)
    assert {event.event for event in events} == kinds_of(Event)
    assert {event.action.kind for event in events if event.event == "action"} == kinds_of(Action)
    assert b"".join(event_line(event) for event in events) == file.read_bytes()


def test_the_schema_in_the_documentation_is_up_to_date() -> None:
    """To write it anew: ``json_schema()`` of ``saccade.env.trajectory.events``."""
    assert SCHEMA.read_text(encoding="utf-8") == json_schema()


def test_settings_of_version_2_get_types_and_none_is_lost() -> None:
    browser = Trajectory.load(GOLDEN / "v2" / "browser").start
    environment, policy = browser.environment_settings, browser.policy_settings
    assert (environment.url, environment.screen) == ("file:///tmp/gold/form.html", (200, 120))
    assert (environment.har, environment.now) == ("network.har", 1795823910.556284)
    assert (policy.dialect, policy.temperature, policy.constrained) == ("uitars-1.0", 0.0, False)
    assert policy.decoding == ("suffix", "grammar", "medusa", "mtp")
    assert (browser.max_steps, browser.max_seconds, browser.variables) == (2, 900.0, {"city": "Paris"})
    desktop = Trajectory.load(GOLDEN / "v2" / "desktop").start.environment_settings
    assert (desktop.app, desktop.display, desktop.sandbox) == ("mousepad", "private", "strict")
    recorded = Trajectory.load(GOLDEN / "v2" / "recorded").start
    assert (recorded.policy, recorded.environment_settings.redact) == ("person", ("10,10,40x30",))
    replayed = Trajectory.load(GOLDEN / "v2" / "replayed").start
    assert (replayed.replay_of, replayed.replay_mode) == ("b2", "verify")
    for start in (browser, recorded, replayed):
        assert start.extra == {}


@pytest.mark.parametrize("name", ["", "browser", "desktop", "recorded", "replayed"])
def test_all_settings_of_version_2_are_there_by_name(name: str) -> None:
    first = json.loads((GOLDEN / "v2" / name / FILE_NAME).read_bytes().split(b"\n")[0])
    stated = {name: value for name, value in first["settings"].items() if value is not None}
    if "replay" in stated:
        stated["replay_mode"] = stated.pop("replay")
    run = Trajectory.load(GOLDEN / "v2" / name)
    run.check()
    assert run.start.all_settings() == stated


def test_settings_that_no_type_knows_are_kept_apart() -> None:
    unknown = {"url": 5, "suite": {"a": 1}, "max_steps": "many", "colour": None}
    settings = {**unknown, "mode": "test", "served": "x"}
    old = {"event": "start", "schema_version": 2, "settings": settings, "time": 0.0}
    old |= dict.fromkeys(("saccade_version", "instruction", "environment", "policy"), "x")
    [start] = parse_events("made", [json.dumps(old).encode()])
    assert isinstance(start, StartEvent)
    assert start.extra == unknown
    assert (start.environment_settings.suite, start.policy_settings.served) == ({"mode": "test"}, "x")


def test_the_end_of_a_broken_run_says_whose_fault_it_was() -> None:
    file = GOLDEN / "v3" / "broken" / FILE_NAME
    events = read_events(file)
    end = Trajectory.load(file).end
    assert end is not None
    assert (end.end, end.fault) == ("error", "environment")
    assert b"".join(event_line(event) for event in events) == file.read_bytes()
