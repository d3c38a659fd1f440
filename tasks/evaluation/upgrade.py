"""Evaluations that older versions wrote, read as this version's.

Version 1 had two forms: ``eval.json`` for interactive suites; ``suite.json`` and ``records.jsonl``, with a line per
sample, for recorded screens. Version 2 has one form for both.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ...actions.files import read_file
from ...actions.untrusted import contained, parse_json

SUITE_NAME = "suite.json"
RECORDS_NAME = "records.jsonl"


def upgrade_config(data: Any) -> Any:
    """``eval.json`` of any version as that of version 2; a newer one stays as it is."""
    if data.get("schema_version") == 1:
        data = {**data, "schema_version": 2, "upgraded_from": 1}
    return data


def upgrade_recorded_config(root: Path) -> dict[str, Any]:
    """``suite.json`` of version 1 as ``eval.json`` of version 2; a limit was not written down, and counts as none."""
    header = _read(root, SUITE_NAME)
    suite = header.pop("suite")
    there = (root / RECORDS_NAME).exists()
    lines = read_file(contained(root, RECORDS_NAME)).split(b"\n")[:-1] if there else []
    samples = dict.fromkeys(sample for line in lines if (sample := _sample(line)) is not None)
    return {
        "schema_version": 2,
        "upgraded_from": 1,
        "asked": {"suite": suite},
        "settings": header,
        "samples": list(samples),
        "malformed_rows": _malformed(root),
    }


def upgrade_sample(old: Mapping[str, Any]) -> dict[str, Any]:
    """A line of ``records.jsonl`` of version 1 as a record of version 2."""
    kept = ("task", "message", "labels", "reply", "actions", "seconds", "prompt_tokens", "reply_tokens")
    found = {name: old[name] for name in kept if name in old}
    error = "policy" if old.get("error") == "failed" else old.get("error")
    found |= {"sample": old["id"], "error": error, "scores": old.get("parts", {}), "steps": 1}
    found |= {"unreadable": int(error == "unreadable"), "task_steps": old.get("steps", 0)}
    if error != "policy":
        found |= {"success": old["value"] == 1, "reward": old["value"]}
    return found


def _malformed(root: Path) -> int:
    """What the summary of that time counted: rows and pictures that could not be used."""
    try:
        return int(_read(root, "summary.json")["errors"].get("malformed", 0))
    except (OSError, ValueError, KeyError, TypeError, AttributeError, OverflowError):
        return 0


def _read(root: Path, name: str) -> Any:
    return parse_json(read_file(contained(root, name)))


def _sample(line: bytes) -> str | None:
    """The id of a line's sample; None where the line is no record."""
    try:
        return str(parse_json(line)["id"])
    except (ValueError, KeyError, TypeError):
        return None
