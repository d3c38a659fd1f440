"""One model for all workers: the same records as with a model each, and nothing left behind by any death."""

from __future__ import annotations

import multiprocessing
import os
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from made_evaluations import MadePolicy, MadeSuite, Told, table
from made_served import served_evaluation
from places import TESTS
from saccade.actions.errors import MissingPartError, ParseError, PolicyFailure, UsageError
from saccade.agent.policy import Context, Policy, ScriptedPolicy, Turn
from saccade.env.desktop.supervisor import descendants
from saccade.env.guard.guard import Guard
from saccade.env.memory import demo
from saccade.env.trajectory.trajectory import FILE_NAME
from saccade.tasks.evaluation.evaluate import Evaluation, evaluate
from saccade.tasks.evaluation.workers.policy_client import PredictRequest, ScreenshotRef, ServedPolicy
from saccade.tasks.evaluation.workers.policy_server import FAILED_SERVERS, FairQueue, PolicyServer
from saccade.tasks.evaluation.workers.pool import Pool
from saccade.tasks.evaluation.workers.worker import WorkerSetup
from saccade.tasks.models.source import LoadedModel, LocalSource, ScriptedSource

KEY = b"secret"
PATIENCE = 120


def wait_until(what: str, condition: object) -> None:
    """Wait for something that another process or thread does."""
    assert callable(condition)
    for _ in range(PATIENCE * 50):
        if condition():
            return
        signal.sigtimedwait([], 0.02)
    raise AssertionError(f"{what}: not within {PATIENCE} s")


def numbers(folder: Path, what: str) -> set[str]:
    """The processes that left a mark of this kind."""
    return {path.name.rpartition("-")[2] for path in (folder / "marks").glob(f"{what}-*")}


class Served:
    """A server in a thread of this process."""

    def __init__(self, folder: Path, source: object) -> None:
        self.address = str(folder / "s")
        self.server = PolicyServer(source, KEY)  # type: ignore[arg-type]
        self.listening = socket.socket(socket.AF_UNIX)
        self.listening.bind(self.address)
        self.listening.listen()
        self.thread = threading.Thread(target=self.server.run, args=(self.listening,), daemon=True)
        self.thread.start()

    def client(self) -> ServedPolicy:
        return ServedPolicy(self.address, KEY)

    def close(self) -> None:
        self.listening.shutdown(socket.SHUT_RDWR)
        self.thread.join(PATIENCE)
        self.listening.close()


class InHand:
    """A source of policies that are made by a function of this process."""

    def __init__(self, make: object, turns: int = 2) -> None:
        self.asked: dict[str, object] = {}
        self._make, self._turns = make, turns

    def load(self) -> LoadedModel:
        return LoadedModel(self._make, self._turns)  # type: ignore[operator]


@pytest.fixture
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Short enough for the address of a socket."""
    return tmp_path_factory.mktemp("s")


def context(seed: int, instruction: str = "Fill in the form") -> Context:
    return Context(instruction, demo(shuffle=True, guard=Guard.of("open")).reset(seed).screenshot)


def said(policy: Policy, seed: int) -> str:
    """Its reply to the first screen of an episode, readable or not."""
    policy.start()
    try:
        return policy.predict(context(seed, f"Fill in form {seed}")).raw
    except ParseError as error:
        return error.raw


# ---------------------------------------------------------------- the same answers


def test_records_are_those_of_a_model_for_each_worker(tmp_path: Path) -> None:
    """The embedded policy: two workers with a model each, and two that share one."""
    tables = []
    for share in (False, True):
        marks = tmp_path / f"marks-{share}"
        marks.mkdir()
        evaluation = Evaluation(
            root=tmp_path / f"eval-{share}",
            suite=MadeSuite(marks),
            source=LocalSource("embedded"),
            tasks=["form", "form-2"],
            seeds=[0, 1],
            max_steps=3,
            workers=2,
            share=share,
        )
        pace = evaluate(evaluation, Told())
        assert (pace.episodes, pace.per_minute > 0, pace.seconds > pace.startup > 0) == (4, True, True)
        tables.append(table(evaluation.root))
    assert tables[0] == tables[1]
    assert [record["steps"] for record in tables[0]["records"]] == [3] * 4


def test_sessions_that_decide_at_once_decide_as_one_alone(folder: Path) -> None:
    source = LocalSource("embedded")
    alone = source.open()
    wanted = {seed: said(alone, seed) for seed in range(4)}
    assert len(set(wanted.values())) > 1
    served = Served(folder, source)
    found: dict[int, list[str]] = {}

    def work(seed: int) -> None:
        policy = served.client()
        found[seed] = [said(policy, seed) for _ in range(4)]

    threads = [threading.Thread(target=work, args=(seed,)) for seed in wanted]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    served.close()
    assert found == {seed: [raw] * 4 for seed, raw in wanted.items()}


def test_the_model_is_loaded_once_for_all_workers(tmp_path: Path) -> None:
    evaluation = served_evaluation(tmp_path, "form", "form-2")
    evaluate(evaluation, Told())
    assert len(numbers(tmp_path, "loaded")) == 1
    assert not numbers(tmp_path, "loaded") & numbers(tmp_path, "closed"), "a process of its own holds the model"
    each = tmp_path / "each"
    evaluate(served_evaluation(each, "form", "form-2", share=False), Told())
    assert numbers(each, "loaded") & numbers(each, "closed"), "workers load it themselves"
    assert table(evaluation.root) == table(tmp_path / "each" / "eval")


def test_screens_travel_once_per_episode_and_arrive_whole() -> None:
    first, second = context(0), context(1)
    known: set[ScreenshotRef] = set()
    turn = Turn(first.screenshot, "Action: wait()", "nothing happened")
    asks = [
        PredictRequest.of(first, known),
        PredictRequest.of(Context("Fill in the form", second.screenshot, (turn,)), known),
        PredictRequest.of(Context("Fill in the form", first.screenshot, (turn, turn)), known),
    ]
    assert [len(ask.new) for ask in asks] == [1, 1, 0]
    shelf: dict[ScreenshotRef, object] = {}
    got = [ask.context(shelf) for ask in asks]  # type: ignore[arg-type]
    assert got[1].turns[0].screenshot.digest == first.screenshot.digest
    assert (got[1].turns[0].reply, got[1].turns[0].feedback) == (turn.reply, turn.feedback)
    assert got[2].screenshot.digest == first.screenshot.digest


def test_what_goes_wrong_in_the_server_goes_wrong_as_here(folder: Path) -> None:
    replies = ["no action at all", "Action: fly()"]
    served = Served(folder, InHand(lambda: MadePolicy(replies)))
    here, there = ScriptedPolicy(replies), served.client()
    for _ in replies:
        with pytest.raises(ParseError) as local:
            here.predict(context(0))
        with pytest.raises(ParseError) as remote:
            there.predict(context(0))
        assert (remote.value.reason, remote.value.raw) == (local.value.reason, local.value.raw)
    with pytest.raises(PolicyFailure, match="RuntimeError: no idea"):
        there.predict(context(0, "confusing"))
    there.start()
    with pytest.raises(ParseError):
        there.predict(context(0))
    served.close()


# ---------------------------------------------------------------- fair, and closed to others


def test_who_asks_first_is_answered_first() -> None:
    turns, order = FairQueue(1), []

    def work(number: int) -> None:
        with turns.turn():
            order.append(number)

    threads = []
    with turns.turn():
        for number in range(8):
            threads.append(threading.Thread(target=work, args=(number,)))
            threads[-1].start()
            wait_until("it waits", lambda number=number: turns.waiting == number + 1)
    for thread in threads:
        thread.join(PATIENCE)
    assert order == list(range(8))
    with turns.turn():
        assert turns.waiting == 0


def test_as_many_decide_at_once_as_there_are_turns() -> None:
    turns, both = FairQueue(2), threading.Barrier(2, timeout=PATIENCE)

    def work() -> None:
        with turns.turn():
            both.wait()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    assert not both.broken


def test_who_does_not_know_the_key_is_not_heard(folder: Path) -> None:
    served = Served(folder, InHand(lambda: ScriptedPolicy([])))
    with pytest.raises(multiprocessing.AuthenticationError):
        ServedPolicy(served.address, b"another")
    stranger = socket.socket(socket.AF_UNIX)
    stranger.connect(served.address)
    stranger.sendall(b"\0" * 64)
    stranger.close()
    friend = served.client()
    assert friend.predict(context(0)).raw == "Action: finished()"
    assert served.server.sessions == 1
    served.close()


def test_a_worker_that_goes_releases_its_session(folder: Path) -> None:
    served = Served(folder, InHand(lambda: ScriptedPolicy([])))
    code = "import sys, signal; from saccade.tasks.evaluation.workers.policy_client import ServedPolicy; "
    code += "p = ServedPolicy(sys.argv[1], b'secret'); print('in', flush=True); signal.pause()"
    environment = {**os.environ, "PYTHONPATH": str(TESTS.parent / "src")}
    command = [sys.executable, "-c", code, served.address]
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.readline() == b"in\n"
    assert served.server.sessions == 1
    process.kill()
    wait_until("released", lambda: served.server.sessions == 0)
    process.communicate()
    served.close()


# ---------------------------------------------------------------- when to share


def test_large_models_are_shared_by_more_than_one_worker(tmp_path: Path) -> None:
    large = tmp_path / "large"
    large.mkdir()
    header = b'{"__metadata__":{"format":"pt"},"w":{"dtype":"BF16","shape":[8000,8000],"data_offsets":[0,1]}}'
    (large / "model.safetensors").write_bytes(len(header).to_bytes(8, "little") + header)
    made = MadeSuite(tmp_path)

    def shares(model: str, workers: int, share: bool | None = None) -> bool:
        setup = WorkerSetup(tmp_path, made, LocalSource(model), max_steps=3, timeout=60, share=share)
        return Pool(setup, workers).shares

    assert shares(str(large), 2)
    assert not shares(str(large), 1)
    assert not shares(str(large), 2, False)
    assert shares("embedded", 1, True)
    from saccade.tasks.models.source import has_gpu

    assert shares("embedded", 2) == has_gpu()
    with pytest.raises(UsageError, match="cannot be shared"):
        Pool(WorkerSetup(tmp_path, made, ScriptedSource(), share=True), 2)
    with pytest.raises(MissingPartError, match="no checkpoint directory"):
        shares(str(tmp_path / "nowhere"), 2)


# ---------------------------------------------------------------- deaths


def test_a_server_that_dies_is_replaced_and_its_episodes_are_tried_again(tmp_path: Path) -> None:
    told = Told()
    evaluation = served_evaluation(tmp_path, "form", "slow", kind="deadly-once")
    evaluate(evaluation, told)
    assert len(list((tmp_path / "marks").glob("loaded-*"))) == 2
    assert {failure[2:] for failure in told.failures} == {("policy", True)}
    assert 1 <= len(told.failures) <= 2, "those that were under way"
    evaluate(served_evaluation(tmp_path / "sound", "form", "slow"), Told())
    assert table(evaluation.root) == table(tmp_path / "sound" / "eval")


def test_a_server_that_keeps_dying_ends_the_evaluation(tmp_path: Path) -> None:
    with pytest.raises(PolicyFailure, match=rf"died {FAILED_SERVERS} times .*-9.*memory"):
        evaluate(served_evaluation(tmp_path, "slow", kind="deadly", retries=9), Told())
    assert len(list((tmp_path / "marks").glob("loaded-*"))) == FAILED_SERVERS


def test_a_model_that_cannot_be_loaded_ends_the_evaluation_with_a_reason(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="the made model is missing; make it"):
        evaluate(served_evaluation(tmp_path, kind="missing"), Told())


def test_a_killed_runner_leaves_no_process_and_no_socket(folder: Path, tmp_path: Path) -> None:
    temporary = folder / "t"
    temporary.mkdir()
    path = os.pathsep.join([str(TESTS.parent / "src"), str(TESTS)])
    process = subprocess.Popen(
        [sys.executable, "-c", "import sys, made_served; made_served.main(*sys.argv[1:])", str(tmp_path), "slow"],
        env={**os.environ, "PYTHONPATH": path, "TMPDIR": str(temporary)},
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    wait_until("an episode", lambda: any(tmp_path.rglob(FILE_NAME)))
    started = descendants(process.pid)
    assert len(started) >= 3, "a server and two workers"
    assert len(list(temporary.glob("saccade-*/policy"))) == 1
    process.kill()
    process.wait(PATIENCE)
    wait_until("all gone", lambda: not any(Path(f"/proc/{number}").exists() for number in started))
    wait_until("tidy", lambda: not list(temporary.glob("saccade-*")))
