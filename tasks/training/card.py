"""The card of a trained checkpoint: ``training.json`` for programs, ``README.md`` for people."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from ...env.private_files import private_part, write_private

CARD: Final = "training.json"
PAGE: Final = "README.md"


def write_training_card(directory: Path, card: Mapping[str, Any]) -> None:
    """Write both beside the weights.

    Args:
        directory: of the checkpoint.
        card: sections by name, each of numbers and texts.
    """
    for name, text in ((CARD, json.dumps(card, indent=1) + "\n"), (PAGE, _page(card))):
        with private_part(directory / name) as part:
            write_private(part, text)


def _page(card: Mapping[str, Any]) -> str:
    lines = ["# How this checkpoint was trained", ""]
    for section, content in card.items():
        if isinstance(content, Mapping):
            lines += [f"## {section.capitalize()}", "", "| | |", "|---|---|"]
            lines += [f"| {_cell(name)} | {_cell(value)} |" for name, value in content.items()]
            lines.append("")
        else:
            lines += [f"{section.capitalize()}: {_cell(content)}", ""]
    return "\n".join(lines)


def _cell(value: object) -> str:
    text = f"{value:.4g}" if isinstance(value, float) else str(value)
    return text.replace("|", "\\|").replace("\n", " ")
