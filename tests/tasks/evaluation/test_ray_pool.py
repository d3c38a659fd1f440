"""An evaluation on a Ray cluster that it starts itself: same records, no chatter, nothing left behind."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import stat
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from made_evaluations import Told, made_evaluation, table
from places import TESTS
from saccade.actions.errors import MissingPartError
from saccade.env.desktop.supervisor import descendants
from saccade.env.trajectory.trajectory import FILE_NAME
from saccade.tasks.evaluation.evaluate import evaluate

PATIENCE = 180
LOOPBACK = {"0100007F", "0000000000000000FFFF00000100007F", "00000000000000000000000001000000"}
RUN = """
import sys
from pathlib import Path
from made_evaluations import Told, evaluate, made_evaluation

if __name__ == "__main__":
    told = Told()
    evaluate(made_evaluation(Path(sys.argv[1]), *sys.argv[2:], seeds=range(3), workers=2, ray="local"), told)
    print(sorted({failure[2:] for failure in told.failures}))
"""


@pytest.fixture
def folder() -> Iterator[Path]:
    """A short name: Ray keeps sockets in it."""
    with tempfile.TemporaryDirectory(prefix="r", dir="/tmp", ignore_cleanup_errors=True) as name:
        yield Path(name)


def start(folder: Path, *command: str) -> subprocess.Popen[bytes]:
    """A process with a home and a folder for temporary files of its own."""
    places = {"HOME": folder / "home", "TMPDIR": folder / "t"}
    for place in places.values():
        place.mkdir()
    path = os.pathsep.join([str(TESTS.parent / "src"), str(TESTS)])
    return subprocess.Popen(
        [sys.executable, *command],
        env={**os.environ, "PYTHONPATH": path} | {name: str(place) for name, place in places.items()},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )


def wait_until(process: subprocess.Popen[bytes], condition: Callable[[], bool]) -> None:
    """Wait while the process runs."""
    for _ in range(PATIENCE * 50):
        if condition():
            return
        assert process.poll() is None, process.communicate()[1].decode()
        signal.sigtimedwait([], 0.02)
    raise AssertionError(f"not within {PATIENCE} s")


def actors(process: int) -> list[int]:
    """The actors that look after workers, found below a process."""
    return [number for number in descendants(process) if "MachineActor" in program(number)]


def program(process: int) -> str:
    """What a process runs; nothing once it has ended."""
    try:
        return Path(f"/proc/{process}/cmdline").read_text()
    except OSError:
        return ""


def listening(processes: set[int]) -> set[str]:
    """The addresses on which processes listen, as the kernel writes them."""
    sockets = {}
    for kind in ("tcp", "tcp6"):
        for line in Path("/proc/net", kind).read_text().splitlines()[1:]:
            words = line.split()
            if words[3] == "0A":
                sockets[f"socket:[{words[9]}]"] = words[1].partition(":")[0]
    found = set()
    for entry in (entry for process in processes for entry in Path(f"/proc/{process}/fd").glob("*")):
        with contextlib.suppress(OSError):
            found |= {sockets[link] for link in [str(entry.readlink())] if link in sockets}
    return found


def left_behind(folder: Path, started: set[int]) -> list[str]:
    """Processes and files that should have gone."""
    files = [path.relative_to(folder) for name in ("home/.ray/*", "t/saccade*", "t/ray*") for path in folder.glob(name)]
    return [name for number in started if (name := program(number))] + list(map(str, files))


def test_records_are_those_of_local_workers_though_a_machine_dies(folder: Path) -> None:
    tasks = ("slow", "form", "crash-once", "broken-once")
    process = start(folder, "-c", RUN, str(folder / "run"), *tasks)
    wait_until(process, lambda: any((folder / "run").rglob(FILE_NAME)) and bool(actors(process.pid)))
    started = descendants(process.pid)
    (actor,) = actors(process.pid)
    assert not [number for number in descendants(actor) if "ray" in program(number)], "workers do without Ray"
    assert listening(started) <= LOOPBACK
    assert listening(started)
    assert {stat.S_IMODE(path.stat().st_mode) for path in (folder / "t").iterdir()} == {0o700}
    os.kill(actor, signal.SIGKILL)
    out, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, err.decode()
    assert out.decode() == "[('environment', True), ('worker', True)]\n"
    assert err.decode() == ""
    assert left_behind(folder, started) == []
    evaluate(made_evaluation(folder / "local", *tasks), Told())
    assert table(folder / "run" / "eval") == table(folder / "local" / "eval")


def test_ctrl_c_ends_the_cluster_and_the_browsers(folder: Path) -> None:
    """The real command with a real browser; interrupted in an episode, then resumed without Ray."""
    words = ["eval", "miniwob", "--tasks", "click-test", "--seeds", "0-1", "--out", str(folder / "x")]
    process = start(folder, "-m", "saccade", *words, "--ray", "local", "--json")
    wait_until(process, lambda: any((folder / "x").rglob(FILE_NAME)))
    started = descendants(process.pid)
    assert any("raylet" in program(number) for number in started)
    os.killpg(process.pid, signal.SIGINT)
    out, err = process.communicate(timeout=PATIENCE)
    assert (process.returncode, json.loads(out)["error"]["kind"]) == (130, "stopped"), err.decode()
    assert "--resume" in err.decode()
    assert "Traceback" not in err.decode()
    assert left_behind(folder, started) == []
    environment = {**os.environ, "PYTHONPATH": str(TESTS.parent / "src")}
    command = [sys.executable, "-m", "saccade", *words, "--resume", "--json"]
    resumed = subprocess.run(command, env=environment, capture_output=True, timeout=PATIENCE, check=True)
    found = json.loads(resumed.stdout.splitlines()[-1])
    assert (found["episodes"], found["errors"]) == (2, {})


def test_without_ray_it_says_how_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(MissingPartError, match=r"pip install 'saccade\[ray\]'"):
        evaluate(made_evaluation(tmp_path, ray="local"), Told())


def test_a_release_without_authentication_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for version in ("2.49.2", "2.51.0"):
        monkeypatch.setitem(sys.modules, "ray", SimpleNamespace(__version__=version))
        with pytest.raises(MissingPartError, match=r"pip install 'ray>=2\.52,<3'"):
            evaluate(made_evaluation(tmp_path / version, ray="local"), Told())
