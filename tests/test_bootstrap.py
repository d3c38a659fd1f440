"""The front door ``./saccade``, driven in a scratch checkout with a search path of its own.

The stand-in for Python makes a virtual environment of two files at once, so that nothing is installed here.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
TOOLS = "cat cksum cp cut date dirname env id ls mkdir mv readlink rm sed sleep tail tr uname"

# Calls itself again as the virtual environment's python; -c runs the real one.
FAKE_PYTHON = """#!/bin/sh
echo "${0##*/} $*" >>"$CALLS"
while [ "$1" = -P ]; do shift; done
case "$1 $2" in
  '-m venv') rm -rf "$4"; mkdir -p "$4/bin" && cp "$0" "$4/bin/python" && : >"$4/pyvenv.cfg" ;;
  '-m pip') [ -z "${PIP_TAKES:-}" ] || sleep "$PIP_TAKES"; exit "${PIP_EXIT:-0}" ;;
  '-m playwright') [ -n "${DOWNLOAD:-}" ] && cp "$0" "$DOWNLOAD" ;;
  '-m saccade') shift 2; for word; do printf '[%s]' "$word"; done; exit "${EXIT:-0}" ;;
  '-m ruff' | '-m mypy') [ "$2 $3" != "${FAILING:-none}" ] || { echo 'the details'; exit 3; } ;;
  '-m pytest') shift 2; echo "pytest saw: $*"; exit "${EXIT:-0}" ;;
  '-Ic from playwright'*) [ -n "${DOWNLOAD:-}" ] && echo "$DOWNLOAD" ;;
  '-Ic import ensurepip'*) [ -z "${NO_VENV:-}" ] ;;
  *) exec "$REAL_PYTHON" "$@" ;;
esac
"""


@dataclass
class House:
    """A checkout that holds what the front door looks at, and the folder that is the whole search path."""

    root: Path
    programs: Path
    environ: dict[str, str] = field(default_factory=dict)

    @property
    def venv(self) -> Path:
        return self.root / ".venv"

    @property
    def calls(self) -> list[str]:
        log = Path(self.environ["CALLS"])
        return log.read_text(encoding="utf-8").splitlines() if log.exists() else []

    def program(self, name: str, text: str = "#!/bin/sh\n") -> Path:
        path = self.programs / name
        path.write_text(text, encoding="utf-8")
        path.chmod(0o755)
        return path

    def start(self, *words: str, script: Path | None = None, cwd: Path | None = None) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [script or self.root / "saccade", *words],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=cwd or self.root,
            env=self.environ,
            start_new_session=True,
        )

    def run(self, *words: str, script: Path | None = None, cwd: Path | None = None) -> tuple[int, str, str]:
        process = self.start(*words, script=script, cwd=cwd)
        out, err = process.communicate(timeout=60)
        return process.returncode, out, err


@pytest.fixture
def house(tmp_path: Path) -> House:
    """Everything is there, nothing is made yet; root without sudo, and no package manager."""
    root, programs = tmp_path / "a check out", tmp_path / "programs"
    (root / "src" / "saccade" / "actions").mkdir(parents=True)
    programs.mkdir()
    shutil.copy(ROOT / "saccade", root / "saccade")
    shutil.copy(ROOT / "pyproject.toml", root / "pyproject.toml")
    for tool in TOOLS.split():
        where = shutil.which(tool)
        assert where, f"this machine has no {tool}"
        (programs / tool).symlink_to(where)
    environ = {"PATH": str(programs), "CALLS": str(tmp_path / "calls"), "REAL_PYTHON": sys.executable}
    house = House(root, programs, environ)
    house.program("python3", FAKE_PYTHON)
    for name in ("chromium", "Xvfb", "openbox", "mousepad", "bwrap", "xclip", "xdotool"):
        house.program(name)
    for name in ("galculator", "gnumeric", "pcmanfm", "xterm"):
        house.program(name)
    for name in ("dbus-daemon", "gtk-builder-tool"):
        house.program(name)
    return house


def as_user(house: House, number: int) -> None:
    (house.programs / "id").unlink()
    house.program("id", f"#!/bin/sh\necho {number}\n")


def test_arguments_and_exit_code_pass_through(house: House) -> None:
    house.environ["EXIT"] = "7"
    code, out, err = house.run("run", "Click the  Login button", "--url", "", "*")
    assert (code, out) == (7, "[run][Click the  Login button][--url][][*]")
    assert "installing Python packages" in err


def test_the_second_start_is_quick_and_silent(house: House) -> None:
    house.run("--help")
    made = len(house.calls)
    started = time.perf_counter()
    assert house.run("--help") == (0, "[--help]", "")
    assert time.perf_counter() - started < 1.0
    assert house.calls[made:] == ["python -P -m saccade --help"], "it starts Python once, for the command"


def test_from_elsewhere_and_through_a_link(house: House, tmp_path: Path) -> None:
    (tmp_path / "first link").symlink_to(house.root / "saccade")
    second = tmp_path / "second"
    second.symlink_to("first link")
    assert house.run("a b", script=second, cwd=tmp_path)[:2] == (0, "[a b]")
    assert house.venv.is_dir()


def test_a_changed_pyproject_installs_again(house: House) -> None:
    house.run("--help")
    with (house.root / "pyproject.toml").open("a", encoding="utf-8") as file:
        file.write("# changed\n")
    assert "installing Python packages" in house.run("--help")[2]
    assert house.run("--help")[2] == ""


def test_a_moved_checkout_installs_again(house: House) -> None:
    house.run("--help")
    house.root = house.root.rename(house.root.with_name("moved"))
    assert "installing Python packages" in house.run("--help")[2]


def test_a_broken_environment_is_made_anew(house: House) -> None:
    house.run("--help")
    python = house.venv / "bin" / "python"
    python.unlink()
    python.symlink_to("/nowhere/python3")
    code, _, err = house.run("--help")
    assert code == 0
    assert "making a new one" in err


def test_a_half_installed_package_is_dropped(house: House) -> None:
    house.run("--help")
    (house.venv / ".saccade-stamp").unlink()
    packages = house.venv / "lib" / "python3.11" / "site-packages"
    whole, half = packages / "whole-1.dist-info", packages / "half-1.dist-info"
    for info in (whole, half):
        info.mkdir(parents=True)
    (whole / "RECORD").touch()
    house.run("--help")
    assert (whole.exists(), half.exists()) == (True, False)


def test_a_failed_installation_is_tried_again(house: House) -> None:
    house.environ["PIP_EXIT"] = "1"
    code, out, err = house.run("run")
    assert (code, out) == (69, "")
    assert "install.log" in err
    del house.environ["PIP_EXIT"]
    assert house.run("run")[0] == 0


def test_an_installation_killed_half_way_is_finished_by_the_next_start(house: House) -> None:
    house.environ["PIP_TAKES"] = "30"
    process = house.start("run")
    wait_for(lambda: any("setuptools" in call for call in house.calls))
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    house.environ["PIP_TAKES"] = "0"
    code, out, err = house.run("run")
    assert (code, out) == (0, "[run]")
    assert "installing Python packages" in err


def test_two_at_once_install_once(house: House) -> None:
    house.environ["PIP_TAKES"] = "0.5"
    first = house.start("one")
    wait_for(lambda: any("-m pip" in call for call in house.calls))
    second = house.start("two")
    outputs = [process.communicate(timeout=60) for process in (first, second)]
    assert [out for out, _ in outputs] == ["[one]", "[two]"]
    assert "waiting for it" in outputs[1][1]
    assert sum("-m venv" in call for call in house.calls) == 1


def wait_for(happened: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not happened():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_no_browser_and_no_way_to_get_one(house: House) -> None:
    (house.programs / "chromium").unlink()
    as_user(house, 1000)
    house.program("apt-get", "#!/bin/sh\necho no network; exit 100\n")
    code, out, err = house.run("run")
    assert (code, out) == (69, "")
    line = "sudo apt-get update && sudo apt-get install -y --no-install-recommends chromium"
    assert f"\n    {line}\n" in err
    assert "SACCADE_BROWSER" in err


def test_root_whose_package_manager_fails_is_told_the_line(house: House) -> None:
    (house.programs / "chromium").unlink()
    as_user(house, 0)
    house.program("apt-get", "#!/bin/sh\necho no network; exit 100\n")
    code, _, err = house.run("run")
    assert code == 69
    assert "\n    apt-get update && apt-get install -y --no-install-recommends chromium\n" in err


def test_root_installs_what_is_missing_even_if_a_package_is_unknown(house: House) -> None:
    for name in ("chromium", "openbox"):
        (house.programs / name).unlink()
    as_user(house, 0)
    house.program(
        "apt-get",
        """#!/bin/sh
case "$*" in
  *openbox*) exit 100 ;;
  *install*chromium*) cp "$(dirname "$0")/python3" "$(dirname "$0")/chromium" ;;
esac
""",
    )
    code, out, err = house.run("run")
    assert (code, out) == (0, "[run]")
    assert "note: the desktop environment will need" in err
    assert "openbox" in err


def test_passwordless_sudo_is_used(house: House, tmp_path: Path) -> None:
    (house.programs / "chromium").unlink()
    as_user(house, 1000)
    house.program("apt-get", '#!/bin/sh\ncp "$(dirname "$0")/python3" "$(dirname "$0")/chromium"\n')
    log = tmp_path / "sudo"
    house.program("sudo", f'#!/bin/sh\necho "$*" >>"{log}"\nshift\nexec "$@"\n')
    house.program("true")
    assert house.run("run")[0] == 0
    assert "-n env DEBIAN_FRONTEND=noninteractive apt-get install" in log.read_text(encoding="utf-8")


def test_playwright_downloads_where_packages_cannot_be_installed(house: House, tmp_path: Path) -> None:
    (house.programs / "chromium").unlink()
    house.environ["DOWNLOAD"] = str(tmp_path / "downloaded")
    assert house.run("run")[:2] == (0, "[run]")
    assert "python -m playwright install chromium" in house.calls
    assert house.run("run")[2] == ""


def test_a_named_browser_is_taken_at_its_word(house: House) -> None:
    house.environ["SACCADE_BROWSER"] = str(house.programs / "chromium")
    assert house.run("run")[0] == 0
    house.environ["SACCADE_BROWSER"] = "/no/such/browser"
    code, _, err = house.run("run")
    assert code == 69
    assert "/no/such/browser" in err
    assert "unset SACCADE_BROWSER" in err


def test_a_missing_desktop_is_a_note_not_a_failure(house: House) -> None:
    (house.programs / "Xvfb").unlink()
    code, out, err = house.run("run")
    assert (code, out) == (0, "[run]")
    assert "note: the desktop environment will need" in err
    assert "xvfb" in err


def test_the_tests_install_the_programs_they_use(house: House) -> None:
    for name in ("mousepad", "bwrap"):
        (house.programs / name).unlink()
    as_user(house, 0)
    house.program(
        "apt-get",
        """#!/bin/sh
case "$*" in
  *install*' mousepad bubblewrap') cd "$(dirname "$0")" && cp xdotool mousepad && cp xdotool bwrap ;;
esac
""",
    )
    assert house.run("run")[2].count("mousepad") == 0, "nothing else needs them"
    code, out, err = house.run("test")
    assert code == 0
    assert "installing what the tests use" in err
    assert "pytest saw:" in out
    assert house.run("test")[2] == ""


def test_without_the_programs_they_use_the_tests_do_not_run(house: House) -> None:
    (house.programs / "bwrap").unlink()
    as_user(house, 1000)
    code, out, err = house.run("test")
    assert (code, out) == (69, "")
    assert "\n    sudo apt-get update && sudo apt-get install -y --no-install-recommends bubblewrap\n" in err


def test_python_without_venv(house: House) -> None:
    house.environ["NO_VENV"] = "1"
    as_user(house, 1000)
    code, _, err = house.run("run")
    assert code == 69
    assert "sudo apt-get install -y --no-install-recommends python3-venv\n" in err


@pytest.mark.parametrize("chosen", [None, "/no/such/python"])
def test_no_python_that_is_new_enough(house: House, chosen: str | None) -> None:
    if chosen is None:
        house.program("python3", "#!/bin/sh\nexit 1\n")
    else:
        house.environ["SACCADE_PYTHON"] = chosen
    code, _, err = house.run("run")
    assert code == 69
    assert "Python 3.11 or newer" in err


def test_a_chosen_place_with_other_things_in_it_is_left_alone(house: House, tmp_path: Path) -> None:
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "letter.txt").touch()
    house.environ["SACCADE_VENV"] = str(mine)
    assert house.run("run")[0] == 69
    assert [path.name for path in mine.iterdir()] == ["letter.txt"]
    house.environ["SACCADE_VENV"] = "elsewhere"
    assert house.run("run", cwd=tmp_path)[0] == 0
    assert (tmp_path / "elsewhere" / "pyvenv.cfg").exists()


def test_a_checkout_without_links_says_how_to_get_them(house: House) -> None:
    (house.root / "src" / "saccade" / "actions").rmdir()
    (house.root / "src" / "saccade" / "actions").write_text("../../actions", encoding="utf-8")
    code, _, err = house.run("run")
    assert code == 69
    assert "core.symlinks=true" in err


def test_the_torch_index_reaches_pip(house: House) -> None:
    house.environ["SACCADE_TORCH_INDEX"] = "file:///an index"
    house.run("run")
    assert any("--extra-index-url file:///an index -e .[dev,parquet]" in call for call in house.calls)


def test_checks_run_in_order_and_pytest_gets_the_arguments(house: House) -> None:
    house.environ["EXIT"] = "5"
    code, out, _ = house.run("test", "-k", "one or two")
    assert code == 5
    assert out.splitlines() == ["ruff check: ok", "ruff format: ok", "mypy: ok", "pytest saw: -k one or two"]


def test_all_tests_run_in_three_processes_and_failed_ones_again_alone(house: House) -> None:
    code, out, _ = house.run("test")
    assert (code, out.splitlines()[3:]) == (0, ["pytest saw: -n 3 --dist worksteal"])
    house.environ["EXIT"] = "1"
    code, out, _ = house.run("test")
    again = "pytest saw: --last-failed --last-failed-no-failures none"
    assert (code, out.splitlines()[3:]) == (1, ["pytest saw: -n 3 --dist worksteal", again])
    house.environ["EXIT"] = "2"
    code, out, _ = house.run("test")
    assert (code, out.splitlines()[3:]) == (2, ["pytest saw: -n 3 --dist worksteal"])


def test_a_failed_check_fails_the_whole_but_not_before_pytest(house: House) -> None:
    house.environ["FAILING"] = "ruff format"
    code, out, err = house.run("test")
    assert code == 1
    assert "the details\nruff format: FAILED\nmypy: ok\npytest saw:" in out
    assert err.endswith("failed before pytest: ruff format\n")
