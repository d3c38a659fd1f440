"""Episodes made up for tests of datasets."""

from __future__ import annotations

import numpy as np

from saccade.actions.geometry import Point
from saccade.actions.schema import Click
from saccade.agent.training.dataset.records import DatasetEpisode, DatasetReply, DatasetStep, KeptEpisode
from saccade.perception.observation import Screenshot


def shot(shade: int) -> Screenshot:
    return Screenshot(np.full((21, 16, 3), shade, np.uint8))


def click(x: float) -> DatasetReply:
    return DatasetReply(thought="Click on it.", actions=(Click(point=Point(x, 5.0)),))


def made(seed: int | None, *shades: int, instruction: str = "Click.", task: str = "miniwob:click-test") -> KeptEpisode:
    pictures = [shot(shade) for shade in shades or (1,)]
    steps = tuple(DatasetStep(picture=each.digest, reply=click(float(seed or 0))) for each in pictures)
    episode = DatasetEpisode(
        source="expert",
        origin=f"{task}:{seed}:{instruction}",
        task=task,
        seed=seed,
        instruction=instruction,
        size=pictures[0].size,
        steps=steps,
        reward=1.0,
    )
    return KeptEpisode(episode, pictures)
