"""A program that reads hostile folders under watch: run by ``test_hostile_input.py``, one process for many cases.

An audit hook, which nothing can remove, notes every file that is opened, every program that is started and every
packet. What a case may touch is its own folder; what Python itself reads are its modules.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import shutil
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

TESTS = Path(__file__).resolve().parent
sys.path[:0] = [str(TESTS), str(TESTS.parent / "src")]

from made_hostile import OUTSIDE, Mutator  # noqa: E402
from saccade.actions.errors import SaccadeError  # noqa: E402
from saccade.env.trajectory.trajectory import Trajectory  # noqa: E402
from saccade.tasks.cli.app import main as saccade  # noqa: E402
from saccade.tasks.models.load import load_policy  # noqa: E402

STARTS = ("subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.fork", "pty.spawn", "os.startfile")
PACKETS = ("socket.connect", "socket.sendto", "socket.sendmsg", "socket.getaddrinfo", "socket.gethostbyname")
LONGEST = 20.0
"""Seconds that a case may take."""


class Watch:
    """What happens while it is on."""

    def __init__(self, places: tuple[str, ...]) -> None:
        self.places = places
        self.on = False
        self.found: list[str] = []
        sys.addaudithook(self._hear)

    def _hear(self, event: str, arguments: tuple[Any, ...]) -> None:
        if not self.on:
            return
        if event in STARTS or event in PACKETS:
            self.found.append(f"{event} {arguments!r:.200}")
        elif event == "open" and isinstance(arguments[0], str | bytes | os.PathLike):
            self._opened(os.fsdecode(arguments[0]))

    def _opened(self, name: str) -> None:
        try:
            real = os.path.realpath(name)
        except ValueError:
            return  # it has a NUL, and opens nothing
        if not f"{real}{os.sep}".startswith(self.places):
            self.found.append(f"open {name!r:.200}")


def recording_uses(folder: Path, out: Path) -> list[Callable[[], object]]:
    """What users do with a run's folder."""

    def command(*words: str) -> Callable[[], object]:
        return lambda: run_command([*words])

    def check() -> object:
        run = Trajectory.load(folder)
        return run.check()

    return [
        check,
        command("view", "--check", str(folder.parent)),
        command("view", "--no-open", str(folder)),
        command("view", "--no-open", str(folder.parent)),
        command("replay", str(folder), "--exact", "--patience", "0", "--out", str(out / "exact")),
        command("replay", str(folder), "--exact", "--har", "--patience", "0", "--out", str(out / "har")),
        command("replay", str(folder), "--offline"),
        command("export", str(folder), "--to", "osworld", "--out", str(out / "osworld")),
        command("export", str(folder.parent), "--to", "agentnet", "--out", str(out / "agentnet")),
        command("export", str(folder), "--to", "parquet", "--out", str(out / "parquet")),
    ]


def import_uses(folder: Path, out: Path, kind: str) -> list[Callable[[], object]]:
    """What users do with results of another program."""
    source = next(iter(sorted(folder.glob("*.parquet"))), folder) if kind == "parquet" else folder
    words = ["import", str(source), "--from", kind, "--out", str(out / "in")]
    return [lambda: run_command(words), lambda: run_command(["view", "--check", str(out / "in")])]


def evaluation_uses(folder: Path, out: Path) -> list[Callable[[], object]]:
    """What users do with the folder of an evaluation."""
    return [
        lambda: run_command(["view", "--check", str(folder)]),
        lambda: run_command(["view", "--no-open", str(folder)]),
        lambda: run_command(["compare", str(folder), str(folder)]),
    ]


def run_command(words: list[str]) -> None:
    """A command; it may only end as documented, with its message in one line."""
    said, told = io.StringIO(), io.StringIO()
    with contextlib.redirect_stderr(said), contextlib.redirect_stdout(told):
        try:
            saccade(words)
        except SystemExit as ended:
            status = ended.code or 0
    assert status in (0, 1, 2), f"exit status {status}"
    text = said.getvalue() + told.getvalue()
    assert "Traceback" not in text, text[-2000:]
    steering = {sign for sign in text if sign in "\x1b\x07\x9b\u202e\u2066\0"}
    assert not steering, f"{words[0]} prints {steering!r}: {text[-500:]!r}"
    if status == 2 and words[0] != "view":
        lines = [line for line in said.getvalue().splitlines() if line.startswith("saccade: ")]
        assert len(lines) == 1 or "left out" in text, said.getvalue()[-2000:]


def main() -> None:
    """Arguments: what kind, the golden folder, the work folder, the first seed, how many."""
    kind, golden, work, first, count = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]), *map(int, sys.argv[4:6])
    warm(golden, work, kind)
    own = [str(work / "case" / name) for name in ("runs", "out")]
    watch = Watch(tuple(f"{os.path.realpath(place)}{os.sep}" for place in {*own, *library_folders()}))
    bad: list[str] = []
    slowest, cases = 0.0, 0
    deadline = time.monotonic() + float(os.environ.get("HOSTILE_SECONDS", "inf"))
    for seed in range(first, first + count):
        case = work / "case"
        shutil.rmtree(case, ignore_errors=True)
        (case / OUTSIDE).mkdir(parents=True)
        (case / OUTSIDE / "file").write_text("secret", encoding="utf-8")
        sources = sorted(path for path in golden.iterdir() if path.is_dir())
        source = sources[seed % len(sources)]
        shutil.copytree(source, case / "runs" / "hostile", symlinks=True)
        mutator = Mutator(seed)
        mutator.folder(case / "runs" / "hostile")
        folder, out = case / "runs" / "hostile", case / "out"
        uses = {"recording": recording_uses, "evaluation": evaluation_uses}.get(kind)
        made = uses(folder, out) if uses else import_uses(folder, out, kind)
        if kind == "recording":  # all are tried over the seeds, a few with each
            made = [made[0], *mutator.chance.sample(made[1:], 3)]
        cases += 1
        for number, use in enumerate(made):
            watch.found.clear()
            begun = time.monotonic()
            watch.on = True
            try:
                use()
            except SaccadeError as error:
                if "\n" in str(error):
                    bad.append(f"seed {seed} use {number}: more than a line: {error!r:.300}")
            except KeyboardInterrupt:
                break
            except BaseException as error:
                bad.append(f"seed {seed} use {number}: {type(error).__name__}: {error!s:.600}")
            finally:
                watch.on = False
            slowest = max(slowest, time.monotonic() - begun)
            if time.monotonic() - begun > LONGEST:
                bad.append(f"seed {seed} use {number}: took {time.monotonic() - begun:.1f} s")
            bad += [f"seed {seed} use {number}: {what}" for what in watch.found]
        left = sorted(path.name for path in (case / OUTSIDE).iterdir())
        if left != ["file"] or (case / OUTSIDE / "file").read_text(encoding="utf-8") != "secret":
            bad.append(f"seed {seed}: wrote outside: {left}")
        if len(bad) > 30 or time.monotonic() > deadline:
            break
    sys.stdout.write(json.dumps({"cases": cases, "bad": bad, "slowest": round(slowest, 2)}) + "\n")


def warm(golden: Path, work: Path, kind: str) -> None:
    """Import what the uses import, so that the watch sees only what they do."""
    case = work / "warm"
    source = sorted(path for path in golden.iterdir() if path.is_dir())[0]
    shutil.copytree(source, case / "runs" / "hostile", symlinks=True)
    folder, out = case / "runs" / "hostile", case / "out"
    uses = {"recording": recording_uses, "evaluation": evaluation_uses}.get(kind)
    if kind == "recording":
        load_policy("embedded")
    for use in uses(folder, out) if uses else import_uses(folder, out, kind):
        with contextlib.suppress(SaccadeError):
            use()
    shutil.rmtree(case, ignore_errors=True)


def library_folders() -> list[str]:
    """Where Python, its packages and this checkout are, and what the user keeps for Saccade."""
    state = os.environ["XDG_STATE_HOME"]
    places = [sys.prefix, sys.base_prefix, *filter(None, sys.path), str(TESTS.parent), state]
    return [*places, "/usr/share", "/usr/lib", "/proc/self", "/proc/cpuinfo", "/etc/mime.types", "/dev/null"]


if __name__ == "__main__":
    main()
