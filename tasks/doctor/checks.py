"""Checks of what every run needs: Python, packages, weights, a browser, room on the disk."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ...env.environ import without_secrets

NEEDED = ["pydantic", "numpy", "playwright", "miniwob", "typer", "rich", "torch"]
NEEDED += ["transformers", "safetensors", "llguidance", "pillow"]
FOR_DESKTOPS = ["mss", "pyautogui", "pynput", "python-xlib"]
"""Distributions for desktops and for recording."""
_MODULES = {"pillow": "PIL", "python-xlib": "Xlib"}
"""Distributions that are imported by another name."""
ENOUGH_ROOM = 500_000_000
"""Bytes: screenshots of a few hundred runs."""
_INSTALLERS = {"apt-get": "apt-get install -y --no-install-recommends", "dnf": "dnf install -y"}
_INSTALLERS |= {"pacman": "pacman -S --noconfirm", "brew": "brew install"}
State = Literal["ok", "missing", "limited"]


@dataclass(frozen=True)
class Finding:
    """What a check found out about one part of the machine.

    Attributes:
        part: its name.
        state: ``limited`` when it is installed but not all of it works.
        detail: what was found, or what is not possible without it.
        fix: the command that fixes it.
        needed: whether a plain ``saccade run`` needs it.
    """

    part: str
    state: State
    detail: str
    fix: str | None = None
    needed: bool = False


def install_command(apt: str, **packages: str) -> str:
    """The command that installs a system package, which has Debian's name where no other is given."""
    for manager, words in _INSTALLERS.items():
        if shutil.which(manager):
            root = "" if manager == "brew" or getattr(os, "geteuid", lambda: 0)() == 0 else "sudo "
            return f"{root}{words} {packages.get(manager, apt)}"
    return f"install {apt} with your system's package manager"


def first_line_of(*command: str) -> str | None:
    """The first line a program prints; None when it fails."""
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, errors="replace", timeout=2, check=True, env=without_secrets()
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return (done.stdout.strip().splitlines() or [""])[0]


def python() -> Iterator[Finding]:
    """The interpreter and the system."""
    from ... import __version__

    found = f"{platform.python_version()} on {platform.platform(terse=True)}, Saccade {__version__}"
    yield Finding("Python", "ok", found, needed=True)


def packages() -> Iterator[Finding]:
    """The Python packages; none is imported."""
    for kind, group, needed in (("packages", NEEDED, True), ("desktop packages", FOR_DESKTOPS, False)):
        missing = [name for name in group if importlib.util.find_spec(_MODULES.get(name, name)) is None]
        if missing:
            wanted = " ".join(f"'{_requirement(name)}'" for name in missing)
            fix = f"'{sys.executable}' -m pip install {wanted}"
            yield Finding(kind, "missing", ", ".join(missing), fix, needed)
        else:
            yield Finding(kind, "ok", ", ".join(f"{name} {_version(name)}".strip() for name in group), None, needed)


def torch() -> Iterator[Finding]:
    """Which build of torch is installed, and whether there is a GPU for it; torch is not imported."""
    spec = importlib.util.find_spec("torch")
    if spec is None or spec.origin is None:
        return  # reported with the packages
    text = (Path(spec.origin).parent / "version.py").read_text(encoding="utf-8")
    cuda = re.search(r"^cuda\b[^=\n]*= *'([^']+)'", text, re.M)
    device = _gpu()
    if cuda and device:
        yield Finding("torch", "ok", f"built for CUDA {cuda[1]}; {device}")
    elif device and sys.platform == "linux":
        fix = f"'{sys.executable}' -m pip install --force-reinstall torch --index-url https://download.pytorch.org/whl/cu126"
        yield Finding("torch", "limited", f"a CPU build, but there is a GPU: {device}", fix)
    else:
        yield Finding("torch", "ok", "runs on the CPU: enough for the embedded policy, slow for a model of 7B")


def weights() -> Iterator[Finding]:
    """The embedded policy."""
    from ...agent.checkpoints.checkpoint import EMBEDDED, locate

    try:
        folder = locate(EMBEDDED)
        size = sum(file.stat().st_size for file in folder.rglob("*.safetensors"))
        if not size:
            raise FileNotFoundError(f"{folder} holds no weights")
    except Exception as error:
        yield Finding("weights", "missing", str(error), "git checkout -- agent/embedded/weights", needed=True)
        return
    yield Finding("weights", "ok", f"embedded policy, {size / 1e6:.0f} MB", needed=True)


def browser() -> Iterator[Finding]:
    """A Chromium that starts."""
    from ...env.browser.chromium import find_browser

    fix = install_command(apt="chromium", brew="--cask chromium")
    try:
        program = find_browser(bundled=_playwrights_own())
    except Exception as error:
        if os.environ.get("SACCADE_BROWSER"):
            fix = "unset SACCADE_BROWSER"
        yield Finding("browser", "missing", str(error), fix, needed=True)
        return
    version = first_line_of(str(program), "--version")
    if version is None:
        yield Finding("browser", "missing", f"{program} does not start", fix, needed=True)
    else:
        yield Finding("browser", "ok", f"{version} ({program})", needed=True)


def disk() -> Iterator[Finding]:
    """Room for trajectories in ``runs/``."""
    folder = Path("runs").absolute()
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free
    room = f"{free / 1e9:.1f} GB free for {Path('runs').absolute()}"
    if not _writable(folder):
        fix = "cd to a folder of your own, or name one with --out"
        yield Finding("disk", "missing", f"{folder} cannot be written", fix, needed=True)
    elif free < ENOUGH_ROOM:
        yield Finding("disk", "limited", room, "free some space, or name a folder elsewhere with --out")
    else:
        yield Finding("disk", "ok", room, needed=True)


def _writable(folder: Path) -> bool:
    with suppress(OSError), tempfile.TemporaryFile(dir=folder):
        return True
    return False


def _version(distribution: str) -> str:
    with suppress(importlib.metadata.PackageNotFoundError):
        return importlib.metadata.version(distribution)
    return ""


def _requirement(distribution: str) -> str:
    """What Saccade asks for, with its range where that is known."""
    wanted: list[str] = []
    with suppress(importlib.metadata.PackageNotFoundError):
        wanted = importlib.metadata.requires("saccade") or []
    return next((line for line in wanted if re.match(rf"{distribution}\b", line)), distribution)


def _gpu() -> str | None:
    """The first GPU's name, from the driver's files."""
    for information in sorted(Path("/proc/driver/nvidia/gpus").glob("*/information")):
        name = re.search(r"Model:\s*(.+)", information.read_text(encoding="utf-8", errors="replace"))
        return name[1].strip() if name else "an NVIDIA GPU"
    return "an NVIDIA GPU" if Path("/dev/nvidia0").exists() else None


def _playwrights_own() -> str | None:
    """Where Playwright keeps a Chromium it downloaded, if it did."""
    caches = {"darwin": "Library/Caches", "win32": "AppData/Local"}
    default = Path.home() / caches.get(sys.platform, ".cache") / "ms-playwright"
    folder = Path(os.environ.get("PLAYWRIGHT_BROWSERS_PATH") or default)
    names = ("chrome", "chrome.exe", "Chromium")
    found = [path for path in folder.glob("chromium-*/**/*") if path.name in names and path.is_file()]
    return str(max(found)) if found else None
