"""Tiny random checkpoints of each family, made and loaded once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import get_args

import numpy as np
import pytest

from saccade.actions.geometry import Size
from saccade.agent.checkpoints.checkpoint import Checkpoint, load_checkpoint
from saccade.agent.checkpoints.model_card import Family
from saccade.agent.checkpoints.tiny import tiny_checkpoint
from saccade.perception.observation import Screenshot

FAMILIES: tuple[Family, ...] = get_args(Family)


@pytest.fixture(scope="session")
def one_thread() -> Iterator[None]:
    """Tiny models only lose time to a second thread."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def tiny_directories(tmp_path_factory: pytest.TempPathFactory, one_thread: None) -> dict[Family, Path]:
    root = tmp_path_factory.mktemp("tiny")
    return {family: tiny_checkpoint(family, root / family, max_images=4, max_new_tokens=12) for family in FAMILIES}


@pytest.fixture(scope="session")
def tiny_checkpoints(tiny_directories: dict[Family, Path]) -> dict[Family, Checkpoint]:
    return {family: load_checkpoint(path, device="cpu") for family, path in tiny_directories.items()}


@pytest.fixture(params=FAMILIES)
def checkpoint(request: pytest.FixtureRequest, tiny_checkpoints: dict[Family, Checkpoint]) -> Checkpoint:
    return tiny_checkpoints[request.param]


@pytest.fixture
def shoot() -> Callable[..., Screenshot]:
    """A screenshot of noise; equal numbers give equal ones, three sizes take turns."""

    def make(number: int, size: Size | None = None) -> Screenshot:
        width, height = size or [Size(120, 70), Size(100, 100), Size(64, 130)][number % 3]
        noise = np.random.default_rng(number).integers(0, 256, (height, width, 3), dtype=np.uint8)
        return Screenshot(noise)

    return make
