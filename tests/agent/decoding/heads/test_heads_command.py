"""``saccade train-heads`` from a checkpoint to a reply that its heads drafted."""

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from saccade.actions.errors import ParseError, UsageError
from saccade.agent.decoding.heads.checkpoint import METHODS, heads_directory
from saccade.agent.decoding.heads.replies import ReplyStore
from saccade.agent.local import LocalPolicy
from saccade.agent.policy import Context
from saccade.perception.observation import Screenshot
from saccade.tasks.commands.train_heads import FIRST_SEED, HeadsRequest, default_tasks, train_heads


@pytest.fixture(scope="module")
def trained(tiny_directories: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a model, the replies it was asked for, and MTP heads made of them."""
    root = tmp_path_factory.mktemp("trained")
    shutil.copytree(tiny_directories["qwen2_vl"], root / "model")
    train_heads(asked(root), lambda line: None)
    return root


def asked(root: Path) -> HeadsRequest:
    return HeadsRequest(str(root / "model"), "mtp", steps=3, prompts=14, tasks=("click-test",), cache=root / "cache")


@pytest.fixture
def request_for(trained: Path, tmp_path: Path) -> HeadsRequest:
    return asked(shutil.copytree(trained, tmp_path / "mine"))


def test_heads_are_trained_stored_and_used(request_for: HeadsRequest) -> None:
    said: list[str] = []
    first = train_heads(request_for, said.append)
    assert (first["replies"], first["steps"]) == (14, 3)
    assert len(first["accuracies"]) == 4
    assert any("are already stored" in line for line in said)
    second = train_heads(replace(request_for, method="medusa"), said.append)
    for method in METHODS:
        assert (heads_directory(request_for.model, method) / "config.json").is_file()
    assert second["directory"].endswith("heads/medusa")
    again = train_heads(replace(request_for, resume=True), said.append)
    assert again["accuracies"] == first["accuracies"]
    screen = Screenshot(np.zeros((80, 90, 3), dtype=np.uint8))
    texts = set()
    for decoding in ("plain", "medusa+mtp"):
        try:
            texts.add(LocalPolicy(request_for.model, decoding=decoding).predict(Context("Go", screen)).raw)
        except ParseError as error:
            texts.add(error.raw)
    assert len(texts) == 1


def test_collecting_goes_on_where_it_stopped(request_for: HeadsRequest) -> None:
    [folder] = request_for.cache.iterdir()
    before = ReplyStore(folder / "replies")
    count, episodes = before.count(), before.episodes
    train_heads(replace(request_for, prompts=count + 1), lambda line: None)
    after = ReplyStore(folder / "replies")
    assert after.episodes == episodes + 4
    assert after.load()[0].ids == before.load()[0].ids
    assert FIRST_SEED >= 2_000_000_000


def test_what_cannot_be_trained_is_refused(request_for: HeadsRequest) -> None:
    with pytest.raises(UsageError, match="medusa or mtp"):
        train_heads(replace(request_for, method="eagle"), lambda line: None)
    with pytest.raises(UsageError, match="click-test"):
        train_heads(replace(request_for, tasks=("click-tset",)), lambda line: None)
    [folder] = request_for.cache.iterdir()
    (folder / "mtp.pt").unlink()
    with pytest.raises(UsageError, match="nothing to resume"):
        train_heads(replace(request_for, resume=True), lambda line: None)


def test_the_embedded_policy_is_asked_what_it_knows() -> None:
    assert "click-test" in default_tasks("embedded")
    assert len(default_tasks("embedded")) < len(default_tasks("some/checkpoint"))
