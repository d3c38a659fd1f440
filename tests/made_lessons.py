"""Small datasets for tests: screens of noise, and replies that belong to them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from saccade.actions.geometry import Point
from saccade.actions.schema import Click, Finished
from saccade.agent.training.dataset.folder import Dataset
from saccade.agent.training.dataset.records import DatasetEpisode, DatasetReply, DatasetStep
from saccade.perception.observation import Screenshot

SIZE = (100, 70)


def noise(number: int) -> Screenshot:
    """A screen; equal numbers give equal ones."""
    pixels = np.random.default_rng(number).integers(0, 256, (SIZE[1], SIZE[0], 3), dtype=np.uint8)
    return Screenshot(pixels)


def click(x: float, y: float, thought: str = "") -> DatasetReply:
    return DatasetReply(thought=thought, actions=(Click(point=Point(x, y)),))


def done() -> DatasetReply:
    return DatasetReply(actions=(Finished(),))


def steps_of(replies: Sequence[DatasetReply], first: int = 0, **changes: Any) -> tuple[DatasetStep, ...]:
    """One step for each reply, on a screen of its own."""
    return tuple(
        DatasetStep(picture=noise(first + index).digest, reply=reply, **changes) for index, reply in enumerate(replies)
    )


def episode(steps: Sequence[DatasetStep], number: int = 0, **changes: Any) -> DatasetEpisode:
    about: dict[str, Any] = {
        "source": "person",
        "origin": f"test:{number}",
        "task": "memory:test",
        "instruction": f"Press {number}.",
        "size": SIZE,
        "steps": tuple(steps),
    }
    return DatasetEpisode(**(about | changes))


def made_dataset(folder: Path, episodes: Sequence[DatasetEpisode], screens: int = 60) -> Dataset:
    """A dataset on disk whose episodes are made of the first so many screens."""
    pictures = {noise(number).digest: noise(number) for number in range(screens)}
    with Dataset(folder, create=True) as dataset:
        for each in episodes:
            dataset.add(each, [pictures[step.picture] for step in each.steps])
    return Dataset(folder)


def simple_dataset(folder: Path, episodes: int = 6, length: int = 2) -> Dataset:
    """Episodes of right clicks, each somewhere else, on different screens; a few of them are held out."""
    made = [
        episode(steps_of([click(5 + 7 * n, 10 + 5 * k) for k in range(length - 1)] + [done()], length * n), n)
        for n in range(episodes)
    ]
    return made_dataset(folder, made, episodes * length)
