"""The items of a dataset, read from disk when they are drawn, as screenshots of many episodes do not fit in memory."""

from __future__ import annotations

import hashlib
from collections import Counter, OrderedDict
from collections.abc import Iterable, Sequence
from typing import Any, Final, Literal, cast

from ....actions.errors import UsageError
from ..dataset.folder import Dataset
from ..dataset.records import DatasetEpisode
from ..tuning.items import TrainingItem
from .lessons import LessonReader

Kind = Literal["replies", "reflections", "pairs", "reflected pairs"]
_KEPT: Final = 64
"""Episodes whose items stay in memory."""


class DatasetItems(Sequence[TrainingItem]):
    """What is learned from some episodes of a dataset.

    Args:
        dataset: where they are.
        episodes: which.
        reader: how they are read.
        kind: replies; with ``reflections`` also thoughts that name slips; or pairs of a better and a worse reply.

    Attributes:
        episodes: how many gave something.
        tasks: items by task.
        left_out: why episodes could not be used, and how many.
    """

    def __init__(
        self, dataset: Dataset, episodes: Iterable[DatasetEpisode], reader: LessonReader, kind: Kind = "replies"
    ) -> None:
        self._dataset = dataset
        self._reader = reader
        self._kind = kind
        self._places: list[tuple[str, int]] = []
        self._read: OrderedDict[str, list[TrainingItem]] = OrderedDict()
        self.tasks: Counter[str] = Counter()
        self.left_out: Counter[str] = Counter()
        known = hashlib.sha256(kind.encode())
        for episode in episodes:
            found = self._of(episode)
            known.update(f"{episode.id} {len(found)}\n".encode())
            self._places += [(episode.id, number) for number in range(len(found))]
            self.tasks[episode.task] += len(found)
        self.episodes = len({id for id, _ in self._places})
        self.fingerprint = known.hexdigest()[:16]

    def __len__(self) -> int:
        return len(self._places)

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return [self[each] for each in range(*index.indices(len(self)))]
        id, number = self._places[cast("int", index)]
        if id not in self._read:
            self._of(self._dataset.episode(id))
        self._read.move_to_end(id)
        return self._read[id][number]

    def _of(self, episode: DatasetEpisode) -> list[TrainingItem]:
        """The items of an episode; none where the policy's dialect has no words for it."""
        reflect = self._kind in ("reflections", "reflected pairs")
        read = self._reader.pairs if self._kind in ("pairs", "reflected pairs") else self._reader.items
        try:
            found = read(episode, reflect=reflect)
        except UsageError as error:
            self.left_out[str(error)] += 1
            found = []
        self._read[episode.id] = found
        if len(self._read) > _KEPT:
            self._read.popitem(last=False)
        return found
