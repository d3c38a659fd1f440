"""An error that scripts meet, too, names a setting as they do, and its option only in parentheses after it."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from places import ROOT

ONLY_COMMANDS = {
    *(f"tasks/commands/{name}.py" for name in ("collect", "desktop_tools", "record", "replay", "review")),
    *(f"tasks/commands/{name}.py" for name in ("train", "train_heads", "view")),
    *("tasks/collect/runs.py", "tasks/evaluation/repeats.py", "tasks/training/request.py"),
    *("tasks/terminal/consent.py", "tasks/terminal/parse.py", "tasks/bench/replay.py", "tasks/evaluation/price.py"),
    "tasks/replay/agreement.py",  # it says the whole command line, and the call from Python apart
}
"""Modules that nothing but the command line reaches."""
OF_THE_LINE = ("--set takes", "--set names", "--secret takes", "--secret names")
"""What is said of words that only the command line reads."""
ROOMS = ("actions", "perception", "env", "agent", "tasks")
OTHERS = re.compile(r"`[^`]*`|\(hf download[^)]*\)|ray start --head")
"""Whole commands, of Saccade and of other programs."""
ALONE = re.compile(r"(?<![\w(-])(?<!\(run )--[a-z][a-z-]+")


def raised_texts(file: Path) -> Iterator[tuple[int, str]]:
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Raise) and node.exc is not None:
            parts = [each.value for each in ast.walk(node.exc) if isinstance(each, ast.Constant)]
            yield node.lineno, " ".join(str(part) for part in parts)


def test_no_error_names_only_an_option() -> None:
    wrong = []
    files = [file for room in ROOMS for file in (ROOT / room).rglob("*.py")]
    assert len(files) > 200
    for file in sorted(files):
        name = file.relative_to(ROOT).as_posix()
        if name in ONLY_COMMANDS or name.startswith(("tasks/cli/", "agent/training/", "agent/decoding/heads/")):
            continue
        texts = ((line, OTHERS.sub("", text)) for line, text in raised_texts(file))
        wrong += [
            f"{name}:{line}: {text}" for line, text in texts if ALONE.search(text) and not text.startswith(OF_THE_LINE)
        ]
    assert wrong == []
