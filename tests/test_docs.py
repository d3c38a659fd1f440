"""The documentation is executed: what a page shows is what the code does.

Every ``python`` block of the README and of ``docs/*.md`` runs, all blocks of a page in one namespace and in
order, in an empty working directory. Of ``sh`` blocks the ``saccade`` commands and their options are checked.
"""

from __future__ import annotations

import functools
import os
import re
import shlex
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest

from places import ROOT

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
FENCE = re.compile(r"^(?P<indent> *)```(?P<language>[\w-]*)[^\n]*\n(?P<text>.*?)^(?P=indent)```", re.M | re.S)
BOOTSTRAP_WORDS = {"test"}


@dataclass(frozen=True)
class Block:
    """One fenced block of a page; ``line`` is where its first line of text stands."""

    language: str
    text: str
    line: int


def blocks_of(page: str) -> list[Block]:
    """All fenced blocks of a page, in order."""
    return [
        Block(found["language"], found["text"], page[: found.start("text")].count("\n") + 1)
        for found in FENCE.finditer(page)
    ]


def run_page(page: Path, name: str) -> None:
    """Execute the page's python blocks; a traceback names the page and its line.

    They run in a thread of their own: in this one, browsers of other tests keep Playwright's event loop.
    """
    namespace: dict[str, object] = {"__name__": "__main__"}

    def run_blocks() -> None:
        for block in blocks_of(page.read_text(encoding="utf-8")):
            if block.language == "python":
                padded = "\n" * (block.line - 1) + block.text
                exec(compile(padded, name, "exec"), namespace)

    with ThreadPoolExecutor(1) as pool:
        pool.submit(run_blocks).result()


def calls_in(text: str) -> list[list[str]]:
    """The arguments of each ``saccade`` call in a shell block, up to the first pipe or redirection."""
    calls = []
    for line in text.replace("\\\n", " ").splitlines():
        words = shlex.split(line.removeprefix("$ "), comments=True)
        while words and re.fullmatch(r"[A-Z_]+=.*", words[0]):
            words.pop(0)
        if words and words[0] in {"./saccade", "saccade"}:
            stop = next((i for i, word in enumerate(words) if word in {"|", ">", "&&", ";"}), len(words))
            calls.append(words[1:stop])
    return calls


@functools.cache
def help_text(*command: str) -> str:
    """What ``saccade COMMAND --help`` prints."""
    shown = subprocess.run(
        [sys.executable, "-m", "saccade", *command, "--help"],
        capture_output=True,
        text=True,
        cwd=ROOT,
        timeout=60,
        env={**os.environ, "COLUMNS": "200", "NO_COLOR": "1", "PYTHONPATH": str(ROOT / "src")},
    )
    assert shown.returncode == 0, f"saccade {' '.join(command)} --help failed:\n{shown.stderr}"
    return shown.stdout


def problems_in(text: str) -> list[str]:
    """What is wrong with the ``saccade`` calls of a shell block."""
    problems = []
    for words in calls_in(text):
        depth = 2 if words[:1] in (["audit"], ["bench"], ["collect"]) else 1
        command = words[:depth] if words and not words[0].startswith("-") else []
        if set(command) & BOOTSTRAP_WORDS:
            continue
        if command and not re.search(rf"^\W*{re.escape(command[-1])}\b", help_text(*command[:-1]), re.M):
            problems.append(f"no command {command[-1]!r}")
            continue
        options = {word.split("=")[0] for word in words if re.match(r"--?[a-z]", word)}
        known = set(re.findall(r"(?<![\w-])--?[a-z][a-z-]*", help_text(*command)))
        problems += [f"saccade {' '.join(command)} has no option {name}" for name in sorted(options - known)]
    return problems


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_python_blocks_run(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    run_page(page, page.name)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_shell_blocks_name_real_commands(page: Path) -> None:
    blocks = [block for block in blocks_of(page.read_text(encoding="utf-8")) if block.language == "sh"]
    found = [f"{page.name}:{block.line}: {text}" for block in blocks for text in problems_in(block.text)]
    assert not found, "\n".join(found)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_between_pages_lead_somewhere(page: Path) -> None:
    text = FENCE.sub("", page.read_text(encoding="utf-8"))
    targets = {target.split("#")[0] for target in re.findall(r"\]\(([^)\s]+)\)", text)}
    local = {target for target in targets if target and "://" not in target}
    assert not [target for target in sorted(local) if not (page.parent / target).exists()]


PATH = re.compile(r"`((?:actions|perception|env|agent|tasks|tests|src|docs|scripts)/[\w/.-]*)`")


def paths_in(page: str) -> set[str]:
    """The files and folders that a page names in backticks, without patterns such as ``NAME.py``."""
    return {path for path in PATH.findall(FENCE.sub("", page)) if "NAME" not in path}


@pytest.mark.parametrize("page", [*PAGES, ROOT / "CONTRIBUTING.md"], ids=lambda page: page.name)
def test_paths_in_pages_exist(page: Path) -> None:
    paths = paths_in(page.read_text(encoding="utf-8"))
    assert [path for path in sorted(paths) if not (ROOT / path).exists()] == []


def test_the_architecture_page_names_every_folder_of_code() -> None:
    folders = {
        f"{path.parent.relative_to(ROOT)}/"
        for room in ("actions", "perception", "env", "agent", "tasks")
        for path in (ROOT / room).rglob("__init__.py")
    }
    named = paths_in((ROOT / "docs" / "architecture.md").read_text(encoding="utf-8"))
    assert sorted(folders - named) == []


def test_a_wrong_page_is_noticed(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("# Title\n\n```python\nvalue = 1\n```\n\n```python\nassert value == 2\n```\n", encoding="utf-8")
    with pytest.raises(AssertionError) as caught:
        run_page(page, page.name)
    last = caught.traceback[-1]
    assert (str(last.path).rsplit("/", 1)[-1], last.lineno + 1) == ("page.md", 8)


def test_a_wrong_command_is_noticed() -> None:
    assert problems_in("./saccade no-such-command --x\n") == ["no command 'no-such-command'"]
    assert problems_in("NAME=1 ./saccade --no-such-option # --this-neither\n") == [
        "saccade  has no option --no-such-option"
    ]
    assert problems_in("./saccade test -x -k name\ngit clone somewhere\n") == []
