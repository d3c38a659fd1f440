"""OSWorld's JSON by small tasks of our own: what is run, what is left out and why, how it is judged."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from places import FIXTURES
from saccade.actions.errors import DataError, EnvironmentFailure, MissingPartError, UnknownTaskError, UsageError
from saccade.actions.geometry import Size
from saccade.actions.schema import Action, CallUser, Finished, Type, Wait
from saccade.env.guard.guard import Guard
from saccade.tasks.osworld.cache import Cache
from saccade.tasks.osworld.environment import OsWorldEnvironment
from saccade.tasks.osworld.requirements import counted, kind_of
from saccade.tasks.osworld.score import joined
from saccade.tasks.osworld.setup_steps import pyautogui_code
from saccade.tasks.osworld.task import Evaluator, Task, read_task
from saccade.tasks.suites.interactive import SupportsSelection
from saccade.tasks.suites.osworld import OsWorldSuite
from saccade.tasks.suites.registry import catalog, interactive_suite

FOLDER, CACHED, NEVER, WEB, ACCOUNT, GIMP, TABLE = (f"00000000-0000-4000-8000-00000000000{i}" for i in range(1, 8))


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    """A file cache with the one download and the one gold file, named as OSWorld names them."""
    task = OsWorldSuite(FIXTURES).task(CACHED)
    (file,) = task.config[0].parameters["files"]
    folder = tmp_path / "cache" / CACHED
    folder.mkdir(parents=True)
    (folder / f"{uuid.uuid5(uuid.NAMESPACE_URL, file['url'])}_list.txt").write_text("pear\nfig\nplum\n")
    (folder / "sorted.txt").write_text("fig\npear\nplum\n")
    return tmp_path / "cache"


def test_what_can_be_run_is_told_from_what_cannot_and_why(cache: Path) -> None:
    suite = interactive_suite("osworld", FIXTURES, cache)
    assert isinstance(suite, OsWorldSuite)
    assert isinstance(suite, SupportsSelection)
    assert suite.tasks() == [FOLDER, CACHED, NEVER]
    assert suite.tasks("small") == [NEVER]
    left_out = suite.left_out
    assert {task: {kind_of(reason) for reason in reasons} for task, reasons in left_out.items()} == {
        WEB: {"needs the live web", "needs the browser's internal state", "needs a metric that is not implemented"},
        ACCOUNT: {"needs an account", "needs a file that is not in the cache"},
        GIMP: {"needs a program that is not installed", "needs a metric that is not implemented"},
        TABLE: {
            "needs a set-up step that is not implemented",
            "needs a desktop or system service of Ubuntu",
            "needs a metric that is not implemented",
            "needs a file that is not in the cache",
        },
    }
    assert "needs a metric that is not implemented: compare_table's pivot_table" in left_out[TABLE]
    assert counted(left_out)["needs an account"] == 1
    assert suite.selection.startswith("3 of 7 tasks can be run here; the others: needs a metric that is not")


def test_without_a_cache_its_task_is_left_out_and_named() -> None:
    suite = OsWorldSuite(FIXTURES)
    assert suite.tasks("os") == [FOLDER, NEVER]
    assert suite.left_out[CACHED] == [
        "needs a file that is not in the cache: list.txt",
        "needs a file that is not in the cache: sorted.txt",
    ]
    with pytest.raises(UsageError, match=r"cannot be run here: .*cache: list\.txt"):
        suite.check([NEVER, CACHED])
    with pytest.raises(UnknownTaskError):
        suite.check(["nothing"])
    with pytest.raises(UsageError, match="none of the 1 tasks of gimp can be run here: needs a"):
        suite.tasks("gimp")
    with pytest.raises(UsageError, match="choose one of os, chrome"):
        suite.tasks("windows")


def test_missing_or_broken_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(MissingPartError, match=r"test_all\.json"):
        OsWorldSuite(tmp_path).tasks()
    (tmp_path / "test_all.json").write_text('{"os": ["broken"]}')
    (tmp_path / "examples/os").mkdir(parents=True)
    (tmp_path / "examples/os/broken.json").write_text('{"id": "broken"}')
    with pytest.raises(DataError, match=r"broken\.json: instruction: Field required"):
        OsWorldSuite(tmp_path).tasks()


def test_the_list_of_suites_says_it_of_each(tmp_path: Path) -> None:
    (entry,) = [each for each in catalog(FIXTURES) if each.name == "osworld"]
    assert (entry.missing, entry.selection[:24]) == ((), "2 of 7 tasks can be run ")
    assert set(entry.left_out) == {CACHED, WEB, ACCOUNT, GIMP, TABLE}
    (absent,) = [each for each in catalog(tmp_path) if each.name == "osworld"]
    assert absent.missing == ("test_all.json",)


def run(task: str, cache: Path | None, actions: list[Action], last: Action) -> float:
    with closing(
        OsWorldEnvironment(OsWorldSuite(FIXTURES).task(task), Cache(cache), guard=Guard.of("open"))
    ) as environment:
        assert environment.reset(0).screenshot.size == Size(1920, 1080)
        for action in actions:
            assert environment.step(action).error is None
        return environment.judge(last).reward


def test_a_published_task_is_set_up_solved_and_judged() -> None:
    rename = Type(text="mv Desktop/plans Desktop/plans_done\n")
    assert run(FOLDER, None, [rename, Wait(seconds=0)], Finished()) == 1.0


def test_files_come_from_the_cache_and_results_are_compared_with_it(cache: Path) -> None:
    sort = Type(text="sort -o list.txt list.txt\n")
    assert run(CACHED, cache, [sort, Wait(seconds=0)], Finished()) == 1.0
    assert run(CACHED, cache, [], Finished()) == 0.0
    assert sorted(file.name for file in (cache / CACHED).iterdir())[1:] == ["sorted.txt"], "only read"


def test_what_is_infeasible_is_solved_by_saying_so() -> None:
    assert [run(NEVER, None, [], last) for last in (CallUser(), Finished())] == [1.0, 0.0]


def judged(folder: Path, **evaluator: object) -> float:
    """The score of an untouched home."""
    file = folder / "made.json"
    file.write_text(json.dumps({"id": "made", "instruction": "-", "evaluator": evaluator}))
    with closing(OsWorldEnvironment(read_task(file), size=Size(640, 480), guard=Guard.of("open"))) as environment:
        environment.reset(0)
        return environment.judge(Finished()).reward


def test_several_metrics_are_joined_as_published() -> None:
    assert joined("and", [1.0, 0.5]) == 0.75
    assert joined("or", [0.25, 0.5]) == 0.5
    asked: list[float] = []

    def worths(*scores: float) -> Iterator[float]:
        for score in scores:
            asked.append(score)
            yield score

    assert joined("and", worths(0.5, 0.0, 1.0)) == 0.0
    assert joined("or", worths(0.5, 1.0, 0.0)) == 1.0
    assert asked == [0.5, 0.0, 0.5, 1.0], "no further than it takes"


def test_none_fills_a_gap_and_what_is_missing_is_worth_nothing(tmp_path: Path) -> None:
    missing = {"type": "vm_file", "path": "/home/user/none.txt", "dest": "none.txt"}
    folder = {"type": "vm_command_line", "command": "ls -d Desktop", "shell": True}
    rule = {"type": "rule", "rules": {"expected": "Desktop\n"}}
    gap = {"result": [missing, folder], "expected": [None, rule]}
    assert judged(tmp_path, func=["is_first_line_centered", "exact_match"], conj="or", **gap) == 1.0


def test_lists_of_unequal_lengths_are_refused() -> None:
    with pytest.raises(DataError, match="one length"):
        _ = Evaluator(func=["exact_match", "exact_match"], result=[{"type": "rule"}]).metrics


def test_a_result_cannot_be_kept_outside_its_folder(tmp_path: Path) -> None:
    spec = {"type": "vm_file", "path": "/etc/passwd", "dest": "../../stolen"}
    with pytest.raises(EnvironmentFailure, match="leads out"):
        judged(tmp_path, func="file_contains", result=spec, expected={"type": "rule", "rules": {}})


def test_code_that_moves_the_pointer_is_known_from_other_code() -> None:
    code = "import pyautogui; pyautogui.press('a')"
    assert pyautogui_code(["python", "-c", code]) == code
    assert pyautogui_code(f'python3 -c "{code}"') == code
    assert pyautogui_code(["python", "-c", "print(1)"]) is None
    assert pyautogui_code("ls | wc -l") is None


def test_placeholders_are_filled_for_the_screen() -> None:
    command = "{CLIENT_PASSWORD} {SCREEN_WIDTH} {SCREEN_HEIGHT} {SCREEN_WIDTH_HALF} {SCREEN_HEIGHT_HALF} {OTHER}"
    task = Task.model_validate(
        {
            "id": "made",
            "instruction": "-",
            "config": [{"type": "execute", "parameters": {"command": [command]}}],
            "evaluator": {"func": "infeasible"},
        }
    )
    filled = task.on_screen(Size(1000, 700)).config[0].parameters["command"]
    assert filled == ["password 1000 700 500 350 {OTHER}"]
