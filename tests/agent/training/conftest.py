"""Tiny checkpoints with short prompts, as training reads a prompt many times."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import pytest

from saccade.agent.checkpoints.model_card import Family
from saccade.agent.checkpoints.tiny import tiny_checkpoint


@pytest.fixture(scope="session")
def short_directories(tmp_path_factory: pytest.TempPathFactory, one_thread: None) -> dict[Family, Path]:
    root = tmp_path_factory.mktemp("short")
    card = {"max_images": 4, "max_new_tokens": 200, "prompt": "instruction-only", "dialect": "uitars-1.0"}
    return {family: tiny_checkpoint(family, root / family, **card) for family in get_args(Family)}
