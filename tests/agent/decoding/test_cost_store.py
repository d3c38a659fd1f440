"""What forwards cost is kept between processes; a file that is broken, foreign or full does no harm."""

from __future__ import annotations

import json
import stat
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
import torch

from saccade.actions.errors import ParseError
from saccade.agent.checkpoints.checkpoint import Checkpoint
from saccade.agent.decoding.cost_store import FILE_NAME, CostStore
from saccade.agent.decoding.costs import CAUTIOUS, LearnedCosts
from saccade.agent.local import LocalPolicy
from saccade.agent.policy import Context
from saccade.perception.observation import Screenshot

CPU = torch.device("cpu")


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return tmp_path / "state" / "saccade" / FILE_NAME


def learn(shape: str = "small", forwards: int = 40) -> LearnedCosts:
    costs = LearnedCosts()
    store = CostStore(costs, shape, CPU)
    for number in range(forwards):
        width = (1, 2, 9)[number % 3]
        costs.learn(width, 500, 1.0 + 0.01 * (width - 1))
    store.save_sometimes()
    return costs


def loaded(shape: str = "small") -> LearnedCosts:
    costs = LearnedCosts()
    CostStore(costs, shape, CPU)
    return costs


def test_another_process_begins_with_what_was_learned(file: Path) -> None:
    costs = learn()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert loaded().curve(500) == costs.curve(500)
    assert loaded().curve(500)(9) == pytest.approx(1.08, rel=0.02)


def test_other_models_and_machines_learn_for_themselves(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    learn()
    assert loaded("large").curve(500) == CAUTIOUS
    monkeypatch.setattr(torch, "get_num_threads", lambda: 97)
    assert loaded().curve(500) == CAUTIOUS


def test_little_is_not_kept(file: Path) -> None:
    learn(forwards=10)
    assert not file.exists()


@pytest.mark.parametrize(
    "content", [b"", b"{", b"\xff\xfe", b"[1]", b'{"a": 1}', b"[" * 5000, b" " * (1 << 20), b'{"a": NaN}']
)
def test_a_broken_or_foreign_file_is_ignored_and_replaced(file: Path, content: bytes) -> None:
    file.parent.mkdir(parents=True)
    file.write_bytes(content)
    assert loaded().curve(500) == CAUTIOUS
    costs = learn()
    assert loaded().curve(500) == costs.curve(500)


def test_entries_of_another_kind_are_replaced(file: Path) -> None:
    learn()
    (key,) = json.loads(file.read_text())
    file.write_text(json.dumps({key: {"count": -1}}))
    assert loaded().curve(500) == CAUTIOUS
    costs = learn()
    assert loaded().curve(500) == costs.curve(500)


def test_a_folder_in_its_place_does_no_harm(file: Path) -> None:
    file.mkdir(parents=True)
    learn()
    assert loaded().curve(500) == CAUTIOUS


def test_no_more_than_the_last_ones_are_kept(file: Path) -> None:
    for number in range(40):
        learn(f"shape {number}")
    learn("shape 8")
    kept = json.loads(file.read_text())
    assert len(kept) == 32
    assert file.stat().st_size < 1 << 16
    assert loaded("shape 0").curve(500) == CAUTIOUS
    assert next(reversed(kept)).startswith("shape 8")


def test_a_policy_keeps_what_its_forwards_cost(
    file: Path, tiny_checkpoints: dict[str, Checkpoint], shoot: Callable[..., Screenshot]
) -> None:
    checkpoint = tiny_checkpoints["qwen2_vl"]
    policy = LocalPolicy(checkpoint, decoding="plain", max_new_tokens=60)
    for number in range(3):
        with suppress(ParseError):  # random weights write nothing that can be read
            policy.predict(Context("Press.", shoot(number)))
    (key,) = json.loads(file.read_text())
    assert "qwen2_vl" in key
    assert "float32" in key
