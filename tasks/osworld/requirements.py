"""What a task needs that is missing here, checked before it is run: such a task does not count as failed."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import PurePosixPath

from ...actions.dialects.reply_errors import InvalidReply
from ...actions.errors import DataError, UnknownKeyError
from ...actions.extras import has_package, install_advice
from ...actions.geometry import Size
from .cache import Cache
from .getters import GETTERS
from .metrics import METRICS, PACKAGES
from .metrics.sheets import RULES
from .setup_steps import OPENERS, STEPS, actions_of, program_of, pyautogui_code
from .task import SetupStep, Spec, Task

# A reason is "kind: detail"; reasons are counted by kind.
ACCOUNT = "needs an account"
WEB = "needs the live web"
BROWSER = "needs the browser's internal state"
FILE = "needs a file that is not in the cache"
PROGRAM = "needs a program that is not installed"
SYSTEM = "needs a desktop or system service of Ubuntu"
METRIC = "needs a metric that is not implemented"
PACKAGE = "needs a Python package"
STEP = "needs a set-up step that is not implemented"

_ACCOUNTS = ("login", "googledrive", "googledrive_file")
_WEB = re.compile(r"https?://(?!localhost|127\.|huggingface\.co/datasets/xlangai)")
_WEBBED = ("info_from_website", "pdf_from_url", "gotoRecreationPage_and_get_html_content")
_BROWSED = re.compile(r"^(active_|open_tabs|page_info|url_|bookmarks|cookie|history|chrome_|enable_|profile_name)")
_SERVICES = (
    *("gsettings", "systemctl", "timedatectl", "gnome-extensions", "loginctl", "snap ", "nmcli", "pactl"),
    "conda",
)
_PACKAGES = ("libreoffice", "chromium", "gimp", "vlc", "thunderbird", "pcmanfm", "xterm", "socat")
_ALIASED = {"google-chrome": "chromium", "nautilus": "pcmanfm", "gnome-terminal": "xterm"}
_APPS = {
    **dict.fromkeys(("libreoffice_calc", "libreoffice_writer", "libreoffice_impress"), "libreoffice"),
    **{name: name for name in ("gimp", "vlc", "thunderbird")},
    **{"chrome": "google-chrome", "vs_code": "code", "vscode": "code", "os": "xterm"},
}
_ALWAYS_INSTALLED = ("export", "cd", "echo", "sudo", "sh", "bash", "source", "test", "[")
_KNOWN = {
    "94d95f96-9699-4208-98ba-3c3119edf9c2": f"{WEB}: Spotify is to be installed",
    "2373b66a-092d-44cb-bfd7-82e86e7a3b4d": f"{PROGRAM}: sar; it belongs to sysstat, run as root",
}
"""Needs that only the instruction of a task states."""
_SCREEN = Size(1920, 1080)


def unmet(task: Task, cache: Cache) -> list[str]:
    """Everything that a task needs and that is missing here, each as ``kind: detail``."""
    try:
        known = [_KNOWN[task.id]] if task.id in _KNOWN else []
        found = [*known, *_step_needs(task, cache), *_score_needs(task, cache), *_program_needs(task)]
    except (DataError, KeyError, TypeError) as error:
        return [f"cannot be read: {error}"]
    return list(dict.fromkeys(found))


def kind_of(reason: str) -> str:
    """The kind of a reason."""
    return reason.partition(":")[0]


def _step_needs(task: Task, cache: Cache) -> Iterator[str]:
    for step in task.steps:
        match step.type:
            case "download":
                for file in step.parameters["files"]:
                    if cache.downloaded(task.id, file["url"], file["path"]) is None:
                        yield f"{FILE}: {PurePosixPath(file['path']).name}"
            case kind if kind in _ACCOUNTS:
                yield f"{ACCOUNT}: {kind}"
            case "chrome_open_tabs":
                urls = step.parameters.get("urls_to_open", [])
                yield from (f"{WEB}: {url}" for url in urls if _WEB.match(url))
                yield f"{BROWSER}: chrome_open_tabs"
            case kind if kind not in STEPS:
                yield f"{STEP}: {kind}"
            case _:
                yield from _command_needs(step)


def _command_needs(step: SetupStep) -> Iterator[str]:
    command = step.parameters.get("command", "")
    if (code := pyautogui_code(command)) is not None:
        try:
            actions_of(code.replace("{SCREEN_WIDTH_HALF}", "1").replace("{SCREEN_HEIGHT_HALF}", "1"), _SCREEN)
        except (InvalidReply, ValueError, UnknownKeyError) as error:
            yield f"{STEP}: pyautogui code that is more than calls ({error})"
        return
    yield from _service_needs(command)


def _service_needs(command: str | Sequence[str]) -> Iterator[str]:
    text = command if isinstance(command, str) else " ".join(command)
    yield from (f"{SYSTEM}: {name.strip()}" for name in _SERVICES if name in text)


def _score_needs(task: Task, cache: Cache) -> Iterator[str]:
    if task.infeasible:
        return
    for name, result, expected, options in task.evaluator.metrics:
        if name not in METRICS:
            yield f"{METRIC}: {name}"
            continue
        kinds = [rule["type"] for rule in options.get("rules", ()) if name == "compare_table"]
        yield from (f"{METRIC}: compare_table's {kind}" for kind in kinds if kind not in RULES)
        packages = [*PACKAGES.get(name, ()), *(["yaml"] if options.get("is_yaml") else [])]
        yield from (f"{PACKAGE}: {each}; {install_advice(each)}" for each in packages if not has_package(each))
        for getter in (result, expected):
            if getter is not None:
                yield from _getter_needs(task, getter, cache)


def _getter_needs(task: Task, getter: Spec, cache: Cache) -> Iterator[str]:
    kind = str(getter.get("type"))
    if kind in _ACCOUNTS:
        yield f"{ACCOUNT}: {kind}"
    elif kind in _WEBBED:
        yield f"{WEB}: {kind}"
    elif _BROWSED.match(kind) and kind not in GETTERS:
        yield f"{BROWSER}: {kind}"
    elif kind not in GETTERS:
        yield f"{METRIC}: the getter {kind}"
    elif kind == "cloud_file":
        names = getter["dest"] if getter.get("multi") else [getter["dest"]]
        yield from (f"{FILE}: {name}" for name in names if cache.kept(task.id, name) is None)
    elif kind in ("vm_command_line", "vm_command_error"):
        yield from _service_needs(getter["command"])
    elif kind == "content_from_vm_file" and not has_package("pandas"):
        yield f"{PACKAGE}: pandas; {install_advice('pandas')}"


def _program_needs(task: Task) -> Iterator[str]:
    programs = [_APPS[app] for app in task.related_apps if app in _APPS]
    for step in task.steps:
        command = step.parameters.get("command", "")
        if step.type == "launch":
            programs.append(program_of(command).rpartition("/")[2])
        elif step.type == "open":
            suffix = PurePosixPath(step.parameters["path"]).suffix.lower()
            openers = OPENERS.get(suffix, ())
            if not openers:
                yield f"{PROGRAM}: one that opens {suffix}"
            elif not any(_installed(each.split()[0]) for each in openers):
                programs.append(openers[0].split()[0])
    for program in dict.fromkeys(programs):
        if program and program not in _ALWAYS_INSTALLED and not _installed(program):
            yield f"{PROGRAM}: {_advice(program)}"


def _installed(program: str) -> bool:
    return shutil.which(_ALIASED.get(program, program)) is not None


def _advice(program: str) -> str:
    package = _ALIASED.get(program, program)
    advice = f"; run `apt install {package}`" if package in _PACKAGES else ", which Debian does not have"
    return f"{program}{advice}"


def counted(left_out: Mapping[str, Sequence[str]]) -> dict[str, int]:
    """How many tasks cannot be run for each kind of reason; a task may have several."""
    kinds = [kind for reasons in left_out.values() for kind in {kind_of(reason) for reason in reasons}]
    return {kind: kinds.count(kind) for kind in sorted(set(kinds))}
