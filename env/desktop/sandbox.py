"""A sandbox for programs, by bubblewrap: no network, a read-only system, an own home, one X socket."""

from __future__ import annotations

import platform
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ...actions.errors import MissingPartError, UsageError
from ..environ import without_secrets
from . import seccomp

HOME = "/home/agent"
_RUNTIME = "/run/user/agent"
_SOCKETS = "/tmp/.X11-unix"
_SYSTEM = ("/usr", "/opt", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/var/cache/fontconfig")
_SETTINGS = """
    alternatives bash.bashrc ca-certificates.conf chromium chromium.d dconf debian_version default/locale
    fonts gimp glvnd group gtk-2.0 gtk-3.0 gtk-4.0 host.conf hosts ImageMagick-6 ImageMagick-7 inputrc
    java-11-openjdk java-17-openjdk java-21-openjdk java-25-openjdk ld.so.cache ld.so.conf ld.so.conf.d
    libpaper.d libreoffice locale.alias localtime magic magic.mime mailcap menu-methods mime.types
    nsswitch.conf openal opt/chrome opt/edge os-release papersize passwd perl profile profile.d protocols
    pulse python3 python3.11 python3.12 python3.13 python3.14 rpc services shells ssl/certs ssl/openssl.cnf
    terminfo thunderbird timezone vim vulkan X11 xdg xfce4 xml
"""
"""What programs need to see of ``/etc``; the rest, above all passwords and keys, is not there."""
_MAKE_NAMESPACES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "microsoft-edge")
"""Programs that sandbox their own parts by new namespaces."""
_SHOWN_VARIABLES = """
    DISPLAY LANG LANGUAGE PATH TERM TZ XDG_SESSION_TYPE
    DBUS_SESSION_BUS_ADDRESS GDK_BACKEND GSETTINGS_BACKEND NO_AT_BRIDGE QT_QPA_PLATFORM
"""
_SHOWN = frozenset(_SHOWN_VARIABLES.split())


@dataclass(frozen=True)
class Sandbox:
    """How programs are sandboxed.

    Inside there is no network and nothing of ``/home``, ``/root``, ``/tmp``, ``/run`` or ``/var``; the
    system's programs and the settings that they need can be read. Only harmless environment variables are visible,
    and system calls that reach beyond the sandbox fail (``seccomp.py``).

    Attributes:
        home: the folder that programs see as their home and write to; None is one in memory for each program.

    Raises:
        MissingPartError: bubblewrap is missing, or may not be used here, or there is no filter for this processor.
        UsageError: the home is no folder.
    """

    home: Path | None = None

    def __post_init__(self) -> None:
        if self.home is not None and not self.home.is_dir():
            raise UsageError(f"the home of the sandbox, {self.home}, is not a folder; make it first")
        if shutil.which("bwrap") is None:
            raise MissingPartError("a strict sandbox needs bubblewrap; run `apt install bubblewrap`")
        if platform.machine() not in seccomp.ARCHITECTURES:
            raise MissingPartError(
                f"a strict sandbox has no filter of system calls for {platform.machine()}, only for "
                f"{' and '.join(seccomp.ARCHITECTURES)}; leave it out"
            )
        _check_usable()

    def wrap(self, command: Sequence[str], environ: Mapping[str, str], *, namespaces: bool = False) -> list[str]:
        """The command line that starts ``command`` in the sandbox, on the display that ``environ`` names.

        ``namespaces`` allows new ones in it, as Chromium's own sandbox needs; a Chromium always gets them.
        """
        socket = f"{_SOCKETS}/X{environ['DISPLAY'].removeprefix(':')}"
        namespaces = namespaces or Path(command[0]).name in _MAKE_NAMESPACES
        return [
            *(sys.executable, "-ISs", seccomp.__file__, *(["--namespaces"] if namespaces else [])),
            *("bwrap", "--die-with-parent", "--unshare-all", "--new-session", "--cap-drop", "ALL", "--clearenv"),
            *_mounts(),
            *("--proc", "/proc", "--dev", "/dev", "--tmpfs", "/tmp"),
            *("--perms", "0700", "--dir", _RUNTIME),
            *("--dir", _SOCKETS, "--ro-bind", socket, socket),
            *(("--tmpfs", HOME) if self.home is None else ("--bind", str(self.home.resolve()), HOME)),
            *_variables(environ),
            *("--chdir", HOME, "--", *command),
        ]


def _mounts() -> Iterator[str]:
    """The system, read-only; where ``/bin`` is a link to ``/usr/bin``, it is one inside too."""
    for path in map(Path, _SYSTEM):
        yield from _mount(path)
    yield from ("--tmpfs", "/etc")
    for name in _SETTINGS.split():
        yield from _mount(Path("/etc") / name)
    yield from ("--remount-ro", "/etc")


def _mount(path: Path) -> Iterator[str]:
    if path.is_symlink():
        yield from ("--symlink", str(path.readlink()), str(path))
    elif path.exists():
        yield from ("--ro-bind", str(path), str(path))


def _variables(environ: Mapping[str, str]) -> Iterator[str]:
    shown = {name: value for name, value in environ.items() if name in _SHOWN or name.startswith("LC_")}
    shown |= {"HOME": HOME, "XDG_RUNTIME_DIR": _RUNTIME, "QT_X11_NO_MITSHM": "1"}
    for name, value in shown.items():
        yield from ("--setenv", name, value)


def _check_usable() -> None:
    """Start ``true`` in a sandbox: kernels and containers may forbid it."""
    box = ["bwrap", "--unshare-all", "--die-with-parent", "--ro-bind", "/", "/", "true"]
    tried = subprocess.run(box, capture_output=True, text=True, check=False, env=without_secrets())
    if tried.returncode != 0:
        reason = (tried.stderr.strip().splitlines() or [f"status {tried.returncode}"])[-1]
        raise MissingPartError(
            f"bubblewrap cannot make a sandbox here ({reason}); allow user namespaces "
            "(`sysctl kernel.unprivileged_userns_clone=1`; in a container, run it privileged), "
            "or leave sandbox (--sandbox) out"
        )
