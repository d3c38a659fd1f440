"""The house rules that can be read off the source: import order, no eval, no sleep, no giants, light imports.

Each rule is a function from files to findings, and each is shown a bad snippet to prove that it can fail.
"""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
ROOMS = ("actions", "perception", "env", "agent", "tasks")  # from the ground up
MAY_SLEEP = {"perception/settle.py"}
HEAVY = {"torch", "transformers", "pyautogui", "pynput", "playwright", "Xlib", "mss"}
LIGHT_ROOMS = {"actions", "perception", "env"}
MAY_WRITE = {
    "env/private_files.py",
    "env/desktop/supervisor.py",  # standard library only; private by itself
    "tasks/osworld/sandbox_server.py",  # writes what a task asks for, inside a sandbox
    "tasks/osworld/command_sandbox.py",  # makes what a sandbox shows as its system, in a private folder
    "agent/checkpoints/tiny.py",  # models for others
    "agent/checkpoints/random_checkpoint.py",
    "agent/training/architecture.py",
}
MAY_INHERIT = {"tasks/osworld/sandbox_server.py"}  # inside a sandbox, whose variables are chosen
WRITERS = {"mkdir", "makedirs", "write_text", "write_bytes"}
OTHERS_WRITERS = {
    "save_as",
    "save_file",
    "save_pretrained",
    "ParquetWriter",
    "copytree",
    "copyfile",
    "np.save",
    "torch.save",
}
SLEEPERS = {"sleep", "wait_for_timeout"}
ACTS = {
    *("goto", "go_back", "go_forward", "reload", "click", "dblclick", "tap", "fill", "press", "press_sequentially"),
    *(
        "insert_text",
        "type",
        "chord",
        "drag",
        "drag_and_drop",
        "drag_to",
        "long_press",
        "scroll",
        "wheel",
        "down",
        "up",
    ),
    *("set_files", "set_input_files", "accept", "save_as", "open_app", "check", "uncheck", "select_option", "dispatch"),
}
"""Methods that act on a screen, a page or a program."""
ACTORS = re.compile(
    r"(page|frame|locator|element|mouse|keyboard|device|chooser|dialog|download|tab|target|navigation|input|gui)$"
)
"""What they are called on."""
DEVICES = {
    *("env/input.py", "env/screen_input.py", "env/desktop/pyautogui_input.py", "env/browser/input.py"),
    *("env/browser/keyboard.py", "env/browser/tabs.py"),  # a page that was lost is opened again
    *("env/record/browser_listener.py",),  # the person who is recorded named the page
    *("agent/training/demonstrations.py", "agent/training/experts/frames.py"),  # pages made by the program itself
}
"""Modules below the guard."""
MAY_OPEN_DEVICES = {
    *("env/desktop/environment.py", "env/desktop/input.py", "env/browser/tabs.py", "env/browser/popups.py"),
    *("tasks/commands/desktop_tools.py", "agent/training/experts/frames.py"),
}
PERMITS = {"admit", "begin", "_allows", "permit"}
OPENS_DEVICE = {"open_input", "X11Input", "PageInput", "PyAutoGuiInput"}
MAX_FILE_LINES = 400
LONG_FUNCTION = 26  # lines; at most one function in twenty may be as long
MAX_MODULES = 20


@dataclass(frozen=True)
class Source:
    """One module: its path from the root, in parts, and its text."""

    parts: tuple[str, ...]
    text: str

    @property
    def name(self) -> str:
        return "/".join(self.parts)

    @property
    def room(self) -> str:
        return self.parts[0]

    @property
    def module(self) -> str:
        """The dotted name under ``saccade``."""
        inner = self.parts[:-1] if self.parts[-1] == "__init__.py" else (*self.parts[:-1], self.parts[-1][:-3])
        return ".".join(("saccade", *inner))

    def nodes(self) -> Iterator[ast.AST]:
        return ast.walk(ast.parse(self.text, self.name))


def sources() -> list[Source]:
    """Every module of every room."""
    found = [
        Source(path.relative_to(ROOT).parts, path.read_text(encoding="utf-8"))
        for room in ROOMS
        for path in sorted((ROOT / room).rglob("*.py"))
    ]
    assert {source.room for source in found} == set(ROOMS)
    return found


def snippet(name: str, text: str) -> Source:
    return Source(tuple(name.split("/")), text)


# ---------------------------------------------------------------- the rules


def imported_rooms(source: Source) -> Iterator[tuple[int, str]]:
    """Line and room of each relative import; ``..`` for one that leads out of the rooms."""
    package = ("saccade", *source.parts[:-1])
    for node in source.nodes():
        if not isinstance(node, ast.ImportFrom) or not node.level:
            continue
        base = package[: len(package) - node.level + 1]
        if not base:
            yield node.lineno, ".."
            continue
        target = (*base, *(node.module.split(".") if node.module else ()))
        names = [target] if len(target) > 1 else [(*target, alias.name) for alias in node.names]
        for full in names:
            if full[1] in ROOMS:
                yield node.lineno, full[1]
            elif full[1] != "__version__":
                yield node.lineno, ".."


def absolute_imports(source: Source) -> Iterator[tuple[int, str]]:
    """Line and top name of each absolute import."""
    for node in source.nodes():
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name.split(".")[0]) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level and node.module:
            yield node.lineno, node.module.split(".")[0]


def upward_imports(source: Source) -> list[str]:
    here = ROOMS.index(source.room)
    return [
        f"{source.name}:{line} imports {room}"
        for line, room in imported_rooms(source)
        if room == ".." or ROOMS.index(room) > here
    ]


def wrong_roots(source: Source) -> list[str]:
    """Inside the rooms the imports of other rooms are relative."""
    banned = {"saccade", *ROOMS}
    return [f"{source.name}:{line} imports {top}" for line, top in absolute_imports(source) if top in banned]


def evaluations(source: Source) -> list[str]:
    return [
        f"{source.name}:{node.lineno} calls {node.func.id}"
        for node in source.nodes()
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in {"eval", "exec"}
    ]


def sleeps(source: Source) -> list[str]:
    """``time.sleep`` in any form, also as a default argument, and its cousins in asyncio and Playwright."""
    if source.name in MAY_SLEEP:
        return []
    found = []
    for node in source.nodes():
        if isinstance(node, ast.ImportFrom) and node.module in {"time", "asyncio"}:
            names = {alias.name for alias in node.names}
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            clock = node.value.id in {"time", "asyncio"}
            names = {node.attr} if clock or node.attr != "sleep" else set()
        else:
            continue
        found += [f"{source.name}:{node.lineno} uses {name}" for name in sorted(names & SLEEPERS)]
    return found


def open_writes(source: Source) -> list[str]:
    """Files and folders that others could read, as they are not made by ``env/private_files.py``."""
    found = []
    for node in source.nodes():
        if source.name in MAY_WRITE or not isinstance(node, ast.Call):
            continue
        called = ast.unparse(node.func)
        name = called.rpartition(".")[2]
        texts = [
            each.value
            for each in (*node.args, *(word.value for word in node.keywords))
            if isinstance(each, ast.Constant)
        ]
        modes = [text for text in texts if isinstance(text, str) and len(text) < 4 and set(text) & set("wax")]
        others = {name, called} & OTHERS_WRITERS and not _private_in(source)
        if name in WRITERS or (name == "open" and modes) or others:
            found.append(f"{source.name}:{node.lineno} calls {called}")
    return found


def programs_with_secrets(source: Source) -> list[str]:
    """Programs that are started with all variables, those that hold keys and secrets included."""
    started = [node for node in source.nodes() if isinstance(node, ast.Call)]
    return [
        f"{source.name}:{node.lineno} starts a program without env="
        for node in started
        if ast.unparse(node.func) in ("subprocess.run", "subprocess.Popen", "playwright.chromium.launch")
        and source.name not in MAY_INHERIT
        and "env" not in {word.arg for word in node.keywords}
    ]


def _private_in(source: Source) -> bool:
    return "private_part" in source.text or "make_private" in source.text


def unguarded_acts(source: Source) -> list[str]:
    """Functions that act without the guard's permit: none is given to them, and they ask for none."""
    if source.name in DEVICES or source.name.startswith("env/x11/"):
        return []
    found = []
    for function in source.nodes():
        if not isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        arguments = (*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs)
        calls = [node for node in ast.walk(function) if isinstance(node, ast.Call)]
        asked = any(ast.unparse(call.func).rpartition(".")[2] in PERMITS for call in calls)
        if asked or any(each.annotation and "Permit" in ast.unparse(each.annotation) for each in arguments):
            continue
        found += [
            f"{source.name}:{call.lineno} {ast.unparse(call.func)} without a permit"
            for call in calls
            if isinstance(call.func, ast.Attribute)
            and call.func.attr in ACTS
            and ACTORS.search(ast.unparse(call.func.value))
        ]
    return found


def devices_opened(source: Source) -> list[str]:
    """Devices that are opened elsewhere than where permits are asked for, and permits that are not the guard's."""
    calls = [node for node in source.nodes() if isinstance(node, ast.Call)]
    names = {"Permit": {"env/guard/guard.py"}, **dict.fromkeys(OPENS_DEVICE, MAY_OPEN_DEVICES)}
    return [
        f"{source.name}:{call.lineno} calls {name}"
        for call in calls
        if source.name not in names.get(name := ast.unparse(call.func).rpartition(".")[2], {source.name})
    ]


def guards_by_default(source: Source) -> list[str]:
    """Environments that can be made without a guard, and whatever else has one by default."""
    found = []
    for node in source.nodes():
        if not isinstance(node, ast.ClassDef) or (source.room == "tasks" and "adapters" in source.parts):
            continue
        methods = {each.name: each for each in node.body if isinstance(each, ast.FunctionDef)}
        if not {"reset", "step", "__init__"} <= set(methods) or any("Wrapper" in ast.unparse(b) for b in node.bases):
            continue
        given = methods["__init__"].args
        needed = {each.arg for each in given.args}
        needed |= {
            each.arg for each, default in zip(given.kwonlyargs, given.kw_defaults, strict=True) if default is None
        }
        if not needed & {"guard", "environment"}:
            found.append(f"{source.name}:{node.lineno} {node.name} can be made without a guard")
    return found


def long_files(source: Source) -> list[str]:
    lines = source.text.count("\n")
    return [f"{source.name} has {lines} lines"] if lines > MAX_FILE_LINES else []


def import_edges(known: dict[str, Source], source: Source) -> set[str]:
    """The modules of the rooms that a module imports, also inside functions and for types only."""
    package = ("saccade", *source.parts[:-1])
    edges = set()
    for node in source.nodes():
        if not isinstance(node, ast.ImportFrom) or not node.level:
            continue
        base = package[: len(package) - node.level + 1]
        target = ".".join((*base, *(node.module.split(".") if node.module else ())))
        for alias in node.names:
            full = f"{target}.{alias.name}"
            edges.add(full if full in known else target)
    return (edges & set(known)) - {source.module}


def import_circles(modules: list[Source]) -> list[list[str]]:
    """The groups of modules that import each other, directly or by way of others."""
    known = {source.module: source for source in modules}
    edges = {name: import_edges(known, source) for name, source in known.items()}

    def reached(start: str) -> set[str]:
        found: set[str] = set()
        waiting = [start]
        while waiting:
            new = edges[waiting.pop()] - found
            found |= new
            waiting += new
        return found

    reach = {name: reached(name) for name in edges}
    return sorted(sorted(n for n in reach[name] if name in reach[n]) for name in reach if name in reach[name])


def crowded_folders(modules: list[Source]) -> list[str]:
    """Folders with more modules than one can take in at a glance."""
    counts = Counter("/".join(source.parts[:-1]) for source in modules if source.parts[-1] != "__init__.py")
    return [f"{folder}/ has {count} modules" for folder, count in counts.items() if count > MAX_MODULES]


def shared_names(modules: list[Source]) -> list[str]:
    """Public classes that share a name."""
    homes: dict[str, list[str]] = {}
    for source in modules:
        for node in ast.parse(source.text, source.name).body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                homes.setdefault(node.name, []).append(source.name)
    return [f"{name}: {', '.join(files)}" for name, files in sorted(homes.items()) if len(files) > 1]


def undocumented_folders(modules: list[Source]) -> list[str]:
    """Folders whose ``__init__.py`` does not say what they are for."""
    return [
        source.name
        for source in modules
        if source.parts[-1] == "__init__.py" and not ast.get_docstring(ast.parse(source.text))
    ]


def function_lengths(source: Source) -> list[tuple[int, str]]:
    return [
        ((node.end_lineno or node.lineno) - node.lineno + 1, f"{source.name}:{node.name}")
        for node in source.nodes()
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ]


def drives_browser(source: Source) -> bool:
    """The modules that speak to the browser may import Playwright; nobody loads them for anything less."""
    return source.name.startswith("env/browser/") or source.name in (
        "env/record/browser_listener.py",
        "env/record/page_worlds.py",
    )


def heavy_after(module: str, extra_path: Path | None = None) -> list[str]:
    """Which heavy packages importing ``module`` in a fresh interpreter has loaded."""
    code = f"import sys, {module}\nprint(*sorted({HEAVY!r} & set(sys.modules)))"
    path = os.pathsep.join(str(part) for part in (ROOT / "src", extra_path) if part)
    environment = {name: value for name, value in os.environ.items() if name != "DISPLAY"}
    done = subprocess.run(
        [sys.executable, "-P", "-c", code],
        capture_output=True,
        text=True,
        env={**environment, "PYTHONPATH": path},
        timeout=120,
    )
    assert done.returncode == 0, f"import {module} failed:\n{done.stderr}"
    return done.stdout.split()


# ---------------------------------------------------------------- the house keeps them


def test_rooms_import_only_from_rooms_below() -> None:
    assert [finding for source in sources() for finding in upward_imports(source)] == []


def test_rooms_import_each_other_relatively() -> None:
    assert [finding for source in sources() for finding in wrong_roots(source)] == []


def test_nothing_is_evaluated() -> None:
    assert [finding for source in sources() for finding in evaluations(source)] == []


def test_only_settling_sleeps() -> None:
    assert [finding for source in sources() for finding in sleeps(source)] == []


def test_what_is_written_is_private() -> None:
    assert [line for source in sources() for line in open_writes(source)] == []


def test_no_program_gets_keys_and_secrets() -> None:
    assert [line for source in sources() for line in programs_with_secrets(source)] == []
    assert programs_with_secrets(snippet("env/deep.py", "subprocess.run(['x'], check=True)\n"))
    assert programs_with_secrets(snippet("env/deep.py", "subprocess.run(['x'], env=without_secrets())\n")) == []


def test_nothing_acts_without_the_guard() -> None:
    for rule in (unguarded_acts, devices_opened, guards_by_default):
        assert [line for source in sources() for line in rule(source)] == []


def test_no_import_runs_in_a_circle() -> None:
    assert import_circles(sources()) == []


def test_folders_stay_small_and_say_what_they_are_for() -> None:
    assert crowded_folders(sources()) == []
    assert undocumented_folders(sources()) == []


def test_no_two_public_classes_share_a_name() -> None:
    assert shared_names(sources()) == []


def test_files_stay_short() -> None:
    assert [finding for source in sources() for finding in long_files(source)] == []


def test_functions_stay_short() -> None:
    lengths = sorted((length for source in sources() for length in function_lengths(source)), reverse=True)
    long = [f"{name} has {length} lines" for length, name in lengths if length >= LONG_FUNCTION]
    assert len(long) <= 0.05 * len(lengths), f"{len(long)} of {len(lengths)} functions are long: {long}"


def test_imports_load_nothing_heavy() -> None:
    """One interpreter imports them all; only when that loads something is the culprit looked for."""
    light = [source for source in sources() if source.room in LIGHT_ROOMS or source.name == "tasks/cli/app.py"]
    drivers = [source.module for source in light if drives_browser(source)]
    others = ["saccade", *(source.module for source in light if not drives_browser(source))]
    assert "saccade.tasks.cli.app" in others
    if heavy_after(", ".join(others)):
        culprits = {module: heavy_after(module) for module in others}
        assert {module: loaded for module, loaded in culprits.items() if loaded} == {}
    assert set(heavy_after(", ".join(drivers))) == {"playwright"}


# ---------------------------------------------------------------- and the rules can fail


def test_an_upward_import_is_noticed() -> None:
    bad = [
        "from ..agent.loop import Agent\n",
        "from .. import agent\n",
        "from ...x import y\n",
        "import typing\nif typing.TYPE_CHECKING:\n    from ..tasks import cli\n",
        "def f():\n    from ..tasks.cli import main\n",
    ]
    for text in bad:
        assert upward_imports(snippet("env/deep.py", text)), text
    assert upward_imports(snippet("env/inner/deep.py", "from ...agent import loop\n"))
    good = "from .base import X\nfrom ..actions import y\nfrom .. import actions, __version__\nimport os\n"
    assert upward_imports(snippet("env/__init__.py", good)) == []
    assert upward_imports(snippet("agent/inner/deep.py", "from ..agent_things import x\n")) == []


def test_an_absolute_import_is_noticed() -> None:
    for text in (
        "import agent\n",
        "import saccade.actions\n",
        "from saccade.actions import x\n",
        "from env import x\n",
    ):
        assert wrong_roots(snippet("tasks/deep.py", text)), text
    assert wrong_roots(snippet("tasks/deep.py", "from ..env import x\nimport environs\n")) == []


def test_an_evaluation_is_noticed() -> None:
    assert evaluations(snippet("env/deep.py", "eval('1')\nexec('x = 1')\n")) == [
        "env/deep.py:1 calls eval",
        "env/deep.py:2 calls exec",
    ]
    assert evaluations(snippet("agent/deep.py", "model.eval()\npage.evaluate('1')\n")) == []


def test_a_sleep_is_noticed() -> None:
    for text in (
        "import time\ntime.sleep(1)\n",
        "from time import sleep\n",
        "import time\ndef f(sleep=time.sleep): ...\n",
        "import asyncio\nasync def f(): await asyncio.sleep(1)\n",
        "page.wait_for_timeout(100)\n",
    ):
        assert sleeps(snippet("env/deep.py", text)), text
    assert sleeps(snippet("perception/settle.py", "import time\ntime.sleep(1)\n")) == []
    assert sleeps(snippet("env/deep.py", "def f(sleep): sleep(1)\n")) == []


def test_an_open_file_is_noticed() -> None:
    for text in (
        "path.mkdir()\n",
        "path.open('w')\n",
        "open(path, mode='ab')\n",
        "path.write_text('x')\n",
        "np.save(p, x)\n",
    ):
        assert open_writes(snippet("env/deep.py", text)), text
    private = "with private_part(p) as part: np.save(part, x)\nopen_private(p, 'w')\npath.open()\npath.open('rb')\n"
    assert open_writes(snippet("env/deep.py", private)) == []


def test_an_unguarded_act_is_noticed() -> None:
    for text in (
        "def verb(page): page.goto('x')\n",
        "def verb(self): self._tabs.front.page.keyboard.type('x')\n",
        "class New:\n    def step(self, action):\n        self.device.click(action.point)\n",
        "def answer(dialog): dialog.accept()\n",
        "async def verb(chooser): await chooser.set_files([])\n",
    ):
        assert unguarded_acts(snippet("env/browser/deep.py", text)), text
    for text in (
        "def verb(page, permit: Permit): page.goto(permit.spend().url)\n",
        "def verb(self, device, guard): perform(device, guard.admit(action, self), at); device.click(1)\n",
        "def verb(dialog): self._allows('x') and dialog.accept()\n",
        "def other(socket): socket.accept()\n",
    ):
        assert unguarded_acts(snippet("env/browser/deep.py", text)) == [], text
    assert devices_opened(snippet("tasks/commands/new.py", "device = open_input(display, control)\n"))
    assert devices_opened(snippet("tasks/commands/new.py", "perform(device, Permit(action, None), at)\n"))
    made = "class New:\n    def __init__(self, *, guard=None): ...\n    def reset(self): ...\n    def step(self): ...\n"
    assert guards_by_default(snippet("env/new.py", made))
    assert guards_by_default(snippet("env/new.py", made.replace("=None", ""))) == []


def test_a_circle_is_noticed() -> None:
    modules = [
        snippet("env/a.py", "from .b import x\n"),
        snippet("env/b.py", "def f():\n    from .inner import c\n"),
        snippet("env/inner/c.py", "if TYPE_CHECKING:\n    from ..a import y\n"),
        snippet("env/d.py", "from . import a\n"),
    ]
    circle = ["saccade.env.a", "saccade.env.b", "saccade.env.inner.c"]
    assert import_circles(modules) == [circle] * 3
    assert import_circles([modules[0], modules[1], modules[3]]) == []


def test_a_crowded_folder_is_noticed() -> None:
    many = [snippet(f"env/m{number}.py", "") for number in range(MAX_MODULES + 1)]
    assert crowded_folders(many) == [f"env/ has {MAX_MODULES + 1} modules"]
    assert crowded_folders([*many[1:], snippet("env/__init__.py", ""), snippet("env/x/m.py", "")]) == []
    assert undocumented_folders([snippet("env/__init__.py", ""), snippet("agent/__init__.py", '"""Who."""')])


def test_a_shared_name_is_noticed() -> None:
    pair = [snippet("env/a.py", "class Look: ...\n"), snippet("tasks/b.py", "class Look: ...\n")]
    assert shared_names(pair) == ["Look: env/a.py, tasks/b.py"]
    assert shared_names([pair[0], snippet("tasks/b.py", "class _Look: ...\ndef Look(): ...\n")]) == []


def test_a_giant_is_noticed() -> None:
    assert long_files(snippet("env/deep.py", "x = 1\n" * 401)) == ["env/deep.py has 401 lines"]
    body = "    x = 1\n" * 50
    assert function_lengths(snippet("env/deep.py", f"def f():\n{body}")) == [(51, "env/deep.py:f")]


def test_a_heavy_import_is_noticed(tmp_path: Path) -> None:
    (tmp_path / "torch.py").write_text("", encoding="utf-8")
    (tmp_path / "greedy.py").write_text("import torch\n", encoding="utf-8")
    assert heavy_after("greedy", tmp_path) == ["torch"]
