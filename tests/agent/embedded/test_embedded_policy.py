"""The shipped weights really look: solved from the screen, lost without it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

import saccade.agent.embedded
from saccade.agent.local import LocalPolicy
from saccade.agent.training.demonstrations import FIRST_SEED, REQUIRED
from saccade.agent.training.measure import other_screen, success_rate, white
from saccade.env.browser.chromium import Chromium

WEIGHTS = Path(saccade.agent.embedded.__file__).parent / "weights"
SEEDS = range(1000, 1006)


@pytest.fixture(scope="module")
def policy() -> Iterator[LocalPolicy]:
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield LocalPolicy("embedded")
    torch.set_num_threads(before)


def test_the_weights_are_small() -> None:
    assert sum(file.stat().st_size for file in WEIGHTS.rglob("*")) <= 25_000_000


def test_recordings_and_evaluations_of_earlier_versions_know_it(policy: LocalPolicy) -> None:
    assert policy.fingerprint == "0fb937eb28c26d664cb83ec4c153e3e63e423be5ac89a5f0370e0872aface81f"


def test_it_solves_the_tasks_from_the_screen(policy: LocalPolicy, chromium: Chromium) -> None:
    rates = {task: success_rate(policy, task, SEEDS, chromium=chromium) for task in REQUIRED}
    assert sum(rates.values()) / len(rates) >= 0.8, rates
    assert min(rates.values()) >= 0.5, rates


def test_it_is_lost_with_a_blank_screen(policy: LocalPolicy, chromium: Chromium) -> None:
    """Half of the steps of a whole episode: what it solves it solves in two."""
    rates = [success_rate(policy, task, SEEDS[:2], white, steps=5, chromium=chromium) for task in REQUIRED]
    assert sum(rates) / len(rates) <= 0.25


def test_it_is_lost_with_another_episodes_screen(policy: LocalPolicy, chromium: Chromium) -> None:
    task = "click-test-2"
    shown = other_screen(task, 999, chromium)
    assert success_rate(policy, task, SEEDS, shown, chromium=chromium) <= 0.5


def test_training_seeds_cannot_be_measured(policy: LocalPolicy) -> None:
    with pytest.raises(ValueError, match="training"):
        success_rate(policy, "click-test", [FIRST_SEED])
