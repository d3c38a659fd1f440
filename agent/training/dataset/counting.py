"""What a dataset's card counts."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from .records import DatasetEpisode, EpisodeSource, TaskCounts


@dataclass(frozen=True)
class Counted:
    """What is known of an episode without reading it again."""

    source: EpisodeSource
    origin: str
    task: str
    seed: int | None
    steps: int
    pictures: tuple[str, ...]
    kept: bool
    held_out: bool

    @classmethod
    def of(cls, episode: DatasetEpisode, held_out: bool) -> Counted:
        """Of one episode."""
        pictures = tuple(dict.fromkeys(step.picture for step in episode.steps))
        known = (episode.source, episode.origin, episode.task, episode.seed, len(episode.steps), pictures)
        return cls(*known, kept=episode.kept, held_out=held_out)


def count(counts: TaskCounts, about: Counted) -> TaskCounts:
    """The counts with one more episode."""
    if not about.kept:
        return counts.model_copy(update={"rejected": counts.rejected + 1})
    if about.held_out:
        return counts.model_copy(update={"held_out": counts.held_out + 1})
    return counts.model_copy(update={"learned": counts.learned + 1, "steps": counts.steps + about.steps})


def ranges(numbers: Iterable[int]) -> str:
    """Whole numbers in order, as ``3-5,9``."""
    runs: list[list[int]] = []
    for number in sorted(set(numbers)):
        if runs and number == runs[-1][1] + 1:
            runs[-1][1] = number
        else:
            runs.append([number, number])
    return ",".join(str(first) if first == last else f"{first}-{last}" for first, last in runs)
