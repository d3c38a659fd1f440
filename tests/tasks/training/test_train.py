"""``saccade train`` as a command: what it writes, how it goes on after a kill, and what it refuses."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from typer.testing import CliRunner

from made_lessons import click, done, episode, made_dataset, simple_dataset, steps_of
from places import SOURCE
from saccade.actions.errors import MissingPartError, SaccadeError, UsageError
from saccade.agent.checkpoints.adapter import CONFIG_FILE
from saccade.agent.checkpoints.checkpoint import load_checkpoint
from saccade.agent.checkpoints.tiny import tiny_checkpoint
from saccade.agent.training.dataset.folder import Dataset
from saccade.tasks.cli.app import app
from saccade.tasks.commands.train import train
from saccade.tasks.evaluation.compare import compare
from saccade.tasks.evaluation.evaluate import Watcher
from saccade.tasks.evaluation.folder import read_evaluation
from saccade.tasks.evaluation.repeats import repeat
from saccade.tasks.models.source import parameters
from saccade.tasks.training.request import TrainRequest

Call = Callable[..., dict[str, Any]]
OPTIONS = ("--weights", "lora", "--rank", "2", "--batch", "2", "--rate", "0.01", "--patience", "0")


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> str:
    torch.set_num_threads(1)
    card = {"prompt": "instruction-only", "dialect": "uitars-1.0", "max_images": 3}
    return str(tiny_checkpoint("qwen2_vl", tmp_path_factory.mktemp("tiny") / "model", **card))


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("data") / "clicks"
    simple_dataset(folder, 12)
    return str(folder)


def call(*words: str) -> dict[str, Any]:
    """The command in this process; its JSON."""
    ended = CliRunner().invoke(app, [*words, "--json"])
    if isinstance(ended.exception, SaccadeError):
        raise ended.exception
    assert ended.exit_code == 0, ended.output
    found: dict[str, Any] = json.loads(ended.stdout.splitlines()[-1])
    return found


def test_it_writes_an_adapter_with_a_card_and_a_page(tiny: str, data: str, tmp_path: Path) -> None:
    out = tmp_path / "out"
    found = call("train", data, "--model", tiny, *OPTIONS, "--steps", "6", "--out", str(out))
    assert found["steps"] == 6
    checkpoint = Path(found["checkpoint"])
    card = json.loads((checkpoint / "training.json").read_text())
    assert card["base"] == tiny
    assert card["data"]["episodes"] == Dataset(Path(data)).card.learned
    assert card["scores"]["held out, best"] == found["held_out"] <= card["scores"]["held out before"]
    assert card["training"]["seconds"] > 0
    assert "# How this checkpoint was trained" in (checkpoint / "README.md").read_text()
    page = Path(found["report"]).read_text()
    assert page.count("<polyline") >= 3
    assert "Done" in page
    assert "sequences: memory:test" in page
    assert parameters(found["checkpoint"]) == parameters(tiny)
    loaded = load_checkpoint(checkpoint, device="cpu")
    assert loaded.card.max_images == 3
    assert loaded.name == "checkpoint"
    whole = call("merge", str(checkpoint), "--out", str(tmp_path / "whole"))["checkpoint"]
    assert load_checkpoint(whole, device="cpu").card == loaded.card
    with pytest.raises(UsageError, match="holds a training already"):
        call("train", data, "--model", tiny, "--out", str(out))
    again = call("train", data, "--model", tiny, *OPTIONS, "--steps", "6", "--out", str(out), "--resume")
    assert again["held_out"] == found["held_out"]


def test_dpo_and_reflection_learn_from_wrong_steps(tiny: str, tmp_path: Path) -> None:
    steps = [each.model_copy(update={"verdict": "wrong", "better": done()}) for each in steps_of([click(9, 9)] * 3)]
    made_dataset(tmp_path / "data", [episode([each, *steps_of([done()], 9)], n) for n, each in enumerate(steps)])
    data = str(tmp_path / "data")
    for method in ("dpo", "reflect"):
        out = str(tmp_path / method)
        found = call("train", data, "--method", method, "--model", tiny, *OPTIONS, "--steps", "3", "--out", out)
        assert found["steps"] == 3
    rows = torch.load(tmp_path / "dpo" / "state.pt", weights_only=True)["history"]
    assert rows[-1]["margin"] > 0


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--method", "sft"), "learns from a dataset"),
        (("--method", "grpo"), "plays tasks"),
        (("--method", "ppo"), "unknown method 'ppo'"),
        (("DATA", "--method", "grpo", "--tasks", "click-test"), "its own attempts"),
        (("DATA", "--weights", "some"), "unknown choice of weights"),
        (("DATA", "--weights", "all", "--quantize", "8bit"), "only --weights lora"),
        (("DATA", "--resume"), "--out DIR"),
        (("DATA", "--resume", "--out", "nowhere"), "nothing to resume"),
        (("DATA", "--precision", "int8"), "unknown precision"),
        (("DATA", "--method", "dpo"), "no pairs of a right and a wrong reply"),
        (("DATA", "--tasks", "click-tset"), "click-test"),
        (("nothing",), "holds no dataset"),
    ],
)
def test_what_cannot_be_done_is_refused(words: tuple[str, ...], message: str, tiny: str, data: str) -> None:
    given = [data if word == "DATA" else word for word in words]
    with pytest.raises(UsageError, match=message):
        call("train", *given, "--model", tiny)


def test_adapters_of_others_are_data(tiny: str, data: str, tmp_path: Path) -> None:
    adapter = Path(
        call("train", data, "--model", tiny, *OPTIONS, "--steps", "1", "--out", str(tmp_path / "out"))["checkpoint"]
    )
    config = json.loads((adapter / CONFIG_FILE).read_text())

    def loaded(**changes: Any) -> Any:
        (adapter / CONFIG_FILE).write_text(json.dumps(config | changes))
        return load_checkpoint(adapter, device="cpu")

    loaded(target_modules="(a+)+$", megatron_core="os", revision="main")  # not used at all
    for changes, message in [
        ({"peft_type": "LOHA"}, "only LoRA"),
        ({"use_dora": True}, "use_dora"),
        ({"modules_to_save": ["lm_head"]}, "modules_to_save"),
        ({"r": 0}, "r:"),
        ({"r": 3}, "does not fit"),
        ({"base_model_name_or_path": str(adapter)}, "no base that is a checkpoint"),
    ]:
        with pytest.raises(UsageError, match=message):
            loaded(**changes)
    with pytest.raises(MissingPartError, match="which is not here"):
        loaded(base_model_name_or_path="/nowhere")
    with pytest.raises(UsageError, match="does not fit its base"):
        loaded(base_model_name_or_path="embedded")
    loaded()
    (adapter / "adapter_model.safetensors").write_bytes(b"broken")
    with pytest.raises(UsageError, match="cannot be used"):
        loaded()


def test_with_tasks_it_ends_with_a_comparison_that_can_be_repeated(tiny: str, data: str, tmp_path: Path) -> None:
    """On the real pages: before and after, one task with one seed; and the one before once more."""
    made = TrainRequest(Path(data), tiny, steps=1, batch=2, tasks="click-test", seeds="0", watched=1, max_steps=1)
    found = train(replace(made, out=tmp_path / "out", measure_every=1))
    assert found["gate"]["pairs"] == 1
    assert found["gate"]["95 % interval"] == "too few pairs"
    card = json.loads((Path(found["checkpoint"]) / "training.json").read_text())
    assert card["gate"] == found["gate"]
    assert card["data"]["tasks played"] == "miniwob:click-test"
    history = torch.load(tmp_path / "out" / "state.pt", weights_only=True)["history"]
    assert [row["held_out_success"] for row in history if "held_out_success" in row] == [0.0, 0.0]
    before, after = (tmp_path / "out" / "gate" / name for name in ("before", "after"))
    assert read_evaluation(after)[0].asked["model"] == found["checkpoint"]
    assert repeat(before, 2, lambda: nullcontext(Watcher())) == [before, before / "repeats" / "2"]
    again = compare(before, after, 2)
    assert again.spread is not None
    assert [len(each.rates) for each in again.spread] == [2, 1]
    assert again.spread[0].deviation == 0.0
    assert again.spread[1].deviation is None


def test_an_adapter_is_trained_beside_weights_in_few_bits(tiny: str, data: str, tmp_path: Path) -> None:
    words = [data, "--model", tiny, *OPTIONS, "--steps", "8", "--quantize", "4bit", "--out", str(tmp_path / "out")]
    found = call("train", *words)
    history = torch.load(tmp_path / "out" / "state.pt", weights_only=True)["history"]
    held_out = [row["held_out"] for row in history if "held_out" in row]
    assert min(held_out) < 0.95 * held_out[0]
    load_checkpoint(found["checkpoint"], device="cpu")
    load_checkpoint(found["checkpoint"], device="cpu", quantize="4bit")
    with pytest.raises(UsageError, match="saccade merge"):
        call("train", *words[:-1], str(tmp_path / "whole"), "--merge")


def test_sharding_is_refused(tiny: str, data: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ACCELERATE_USE_FSDP", "true")
    with pytest.raises(UsageError, match="leave FSDP out"):
        call("train", data, "--model", tiny)


def started(words: list[str]) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-P", "-m", "saccade", "train", *words]
    return subprocess.Popen(command, env={**os.environ, "PYTHONPATH": str(SOURCE)}, stderr=subprocess.DEVNULL)


def test_a_training_that_is_killed_at_any_moment_ends_as_if_it_was_not(
    tiny: str, data: str, tmp_path: Path, scale: int
) -> None:
    """Kills with SIGKILL, or now and then SIGINT, at random moments; the weights are the same, bit for bit."""
    words = [data, "--model", tiny, *OPTIONS, "--steps", "60", "--measure-every", "7", "--save-every", "0"]
    call("train", *words, "--out", str(tmp_path / "whole"))
    rng, killed, out = random.Random(scale), 0, tmp_path / "killed"
    while killed < scale:
        resume = ["--resume"] if (out / "state.pt").exists() else []
        process = started([*words, "--out", str(out), *resume])
        begun = (out / "state.pt").stat().st_mtime_ns if resume else 0
        while process.poll() is None and (
            not (out / "state.pt").exists() or (out / "state.pt").stat().st_mtime_ns == begun
        ):
            time.sleep(0.01)
        time.sleep(rng.uniform(0, 1.0 / scale))
        process.send_signal(signal.SIGINT if killed % 4 == 3 else signal.SIGKILL)
        process.wait()
        killed += 1
    steps = torch.load(out / "state.pt", weights_only=True)["step"]
    assert steps < 60, "it was over before it was killed"
    call("train", *words, "--out", str(out), "--resume")
    one, other = (torch.load(tmp_path / name / "state.pt", weights_only=True) for name in ("whole", "killed"))
    assert one["step"] == other["step"] == 60
    assert one["weights"].keys() == other["weights"].keys()
    assert all(torch.equal(value, other["weights"][name]) for name, value in one["weights"].items())
    assert one["best"][:2] == other["best"][:2]
    adapters = [(tmp_path / name / "checkpoint" / "adapter_model.safetensors") for name in ("whole", "killed")]
    assert adapters[0].read_bytes() == adapters[1].read_bytes()


def test_two_processes_learn_what_one_does(tiny: str, data: str, tmp_path: Path) -> None:
    """Each has its part of every update, and one of them writes; the weights are the same but for rounding."""
    words = [
        data,
        "--model",
        tiny,
        *OPTIONS,
        "--tokens",
        "1",
        "--steps",
        "4",
        "--measure-every",
        "2",
        "--device",
        "cpu",
    ]
    call("train", *words, "--out", str(tmp_path / "one"))
    launch = ["accelerate.commands.launch", "--cpu", "--num_processes", "2", "--num_machines", "1"]
    options = ["--mixed_precision", "no", "--dynamo_backend", "no", "--main_process_port", "0", "-m", "saccade"]
    done = subprocess.run(
        [sys.executable, "-P", "-m", *launch, *options, "train", *words, "--out", str(tmp_path / "two"), "--json"],
        env={**os.environ, "PYTHONPATH": str(SOURCE), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count('"checkpoint"') == 1
    one, two = (torch.load(tmp_path / name / "state.pt", weights_only=True) for name in ("one", "two"))
    assert two["step"] == 4
    assert [row.keys() for row in one["history"]] == [row.keys() for row in two["history"]]
    for before, after in zip(one["history"], two["history"], strict=True):
        assert after == pytest.approx(before, rel=1e-3)
    for name, weights in one["weights"].items():
        assert torch.allclose(weights, two["weights"][name], atol=1e-4)
