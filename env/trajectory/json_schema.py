"""The JSON Schema of a trajectory's lines, made from the event types, for readers in other languages."""

from __future__ import annotations

import json

from .events import SCHEMA_VERSION, event_adapter


def json_schema() -> str:
    """The schema of one line of ``trajectory.jsonl`` in the newest version, as JSON text."""
    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": f"One line of a Saccade trajectory, schema version {SCHEMA_VERSION}",
        **event_adapter.json_schema(mode="validation"),
    }
    return json.dumps(schema, indent=2) + "\n"
