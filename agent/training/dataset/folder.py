"""A dataset on disk: ``episodes.jsonl``, ``attempts.jsonl``, ``card.json``, ``pictures/`` and ``labels/``.

Lines are only ever appended, each by one write, so a process that is killed loses at most the episode that it was
writing. A later line with the same id takes the place of an earlier one: that is how a review decides. Files are
private. A dataset of others is data: names of pictures cannot lead out of its folder, and every line is checked.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Final, NamedTuple, TypeVar

from pydantic import BaseModel, ValidationError

from .... import __version__
from ....actions.errors import DataError, TrajectoryError, UnknownKeyError, UsageError, first_problem
from ....actions.files import open_file, read_file
from ....actions.untrusted import contained, parse_json
from ....env.private_files import private_folder, private_part, write_private
from ....env.trajectory.bounds import check_lengths
from ....perception.observation import Screenshot
from .appending import append_line, locked_folder, whole_lines
from .counting import Counted, count, ranges
from .records import AttemptOutcome, DatasetAttempt, DatasetCard, DatasetEpisode, PictureLabels, Seed, TaskCounts

EPISODES: Final = "episodes.jsonl"
ATTEMPTS: Final = "attempts.jsonl"
CARD: Final = "card.json"
Record = TypeVar("Record", bound=BaseModel)


class _Place(NamedTuple):
    """Where an episode's newest line stands, and what is known of it without reading it again."""

    offset: int
    length: int
    about: Counted


class Dataset:
    """Episodes to learn from and to measure on.

    It may be read while another process adds to it: what was there when it was opened is seen. Only one process adds.

    Args:
        folder: of the dataset.
        create: make it, where there is none, when the first episode is added.
        clock: seconds since the epoch.

    Raises:
        DataError: there is none, or something in it cannot be read; the message names the file and the line.
    """

    def __init__(self, folder: Path, *, create: bool = False, clock: Callable[[], float] = time.time) -> None:
        self.folder = folder
        self._adding = ExitStack()
        self._locked = False
        self._begun = self._read_card()
        if self._begun is None and not create:
            raise DataError(f"{folder} holds no dataset; make one with `saccade collect`")
        self._origin = self._begun or DatasetCard(created=clock(), saccade_version=__version__)
        self._places: dict[str, _Place] = {}
        self._attempts: dict[str, DatasetAttempt] = {}
        self._read_lines()

    def __enter__(self) -> Dataset:
        """Itself; closed after the block."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Write the card, if anything was added, and let others add; may be called more than once."""
        if self._locked:
            self._locked = False
            with self._adding:
                self._write_card()

    # ---- reading

    def __len__(self) -> int:
        return len(self._places)

    def __contains__(self, id: str) -> bool:
        return id in self._places

    def episodes(self) -> Iterator[DatasetEpisode]:
        """All episodes, rejected and held-out ones too, in the order in which they came."""
        return self._yielded(lambda about: True)

    def training(self) -> Iterator[DatasetEpisode]:
        """The episodes to learn from: kept, and not held out."""
        return self._yielded(lambda about: about.kept and not about.held_out)

    def held_out_episodes(self) -> Iterator[DatasetEpisode]:
        """The episodes to measure on: kept, and never learned from."""
        return self._yielded(lambda about: about.kept and about.held_out)

    def episode(self, id: str) -> DatasetEpisode:
        """One episode, by its id or the beginning of it.

        Raises:
            UsageError: none or several are called so.
        """
        found = [known for known in self._places if known.startswith(id)] if id else []
        if len(found) != 1:
            why = "holds no episode" if not found else "holds several episodes whose ids begin with"
            raise UsageError(f"{self.folder} {why} {id!r}; `saccade collect review {self.folder}` lists them")
        return next(self._read([self._places[found[0]]]))

    def held_out(self, episode: DatasetEpisode) -> bool:
        """Whether an episode is measured on instead of learned from: so for all episodes of its problem."""
        return self._origin.held_out(episode.problem)

    def picture(self, digest: str) -> Screenshot:
        """A picture of a step.

        Raises:
            DataError: it is missing, cannot be decoded, or is not the picture that was added.
        """
        name = self.folder / f"pictures/{digest}.png"
        file = self.png(digest)
        try:
            found = Screenshot.from_png(file)
        except OSError as error:
            raise DataError(f"{name}: cannot be read: {error.strerror or error}") from error
        if found.digest != digest:
            raise DataError(f"{name}: was changed after it was added")
        return found

    def png(self, digest: str) -> bytes:
        """The file of a picture, as it is; raises ``DataError`` where it cannot be read."""
        return contained_bytes(self.folder, f"pictures/{digest}.png")

    def labels(self, digest: str) -> PictureLabels | None:
        """What is known of a picture beside its pixels; None where nothing is.

        Raises:
            DataError: it cannot be read.
        """
        name = f"labels/{digest}.json"
        if not (self.folder / name).is_file():
            return None
        return _checked(PictureLabels, contained_bytes(self.folder, name), str(self.folder / name))

    def collected(self, origin: str) -> bool:
        """Whether an origin was looked at before, with or without an episode coming of it."""
        return origin in self._attempts

    def origins(self, beginning: str) -> list[str]:
        """The origins that begin so and were looked at."""
        return [origin for origin in self._attempts if origin.startswith(beginning)]

    @property
    def attempts(self) -> Counter[AttemptOutcome]:
        """How many attempts had which outcome."""
        return Counter(attempt.outcome for attempt in self._attempts.values())

    @property
    def card(self) -> DatasetCard:
        """What is in it now."""
        tasks = {name: TaskCounts() for name in sorted(self._tasks())}
        sources: Counter[str] = Counter()
        seeds: dict[str, list[Seed]] = {}
        for place in self._places.values():
            about = place.about
            tasks[about.task] = count(tasks[about.task], about)
            sources[about.source] += 1
            if about.kept and not about.held_out and about.seed is not None:
                seeds.setdefault(about.task, []).append(about.seed)
        for attempt in self._attempts.values():
            field = {"failed": "failed", "duplicate": "duplicates"}.get(attempt.outcome)
            if field is not None:
                counts = tasks[attempt.task]
                tasks[attempt.task] = counts.model_copy(update={field: getattr(counts, field) + 1})
        for task, used in seeds.items():
            tasks[task] = tasks[task].model_copy(update={"seeds": ranges(used)})
        pictures = {digest for place in self._places.values() for digest in place.about.pictures}
        content = {"sources": dict(sorted(sources.items())), "tasks": tasks, "pictures": len(pictures)}
        return self._origin.model_copy(update=content)

    def learned_seeds(self, task: str) -> set[int]:
        """The seeds of a task that are learned from; an evaluation should use others."""
        abouts = (place.about for place in self._places.values())
        return {a.seed for a in abouts if a.task == task and a.seed is not None and a.kept and not a.held_out}

    # ---- writing

    def add(
        self, episode: DatasetEpisode, pictures: Iterable[Screenshot], labels: Mapping[str, PictureLabels] | None = None
    ) -> bool:
        """Append an episode with its pictures and what is known of them, by digest.

        Returns:
            False for an equal episode of what is there already: it is only counted.

        Raises:
            UsageError: another process adds to the dataset, or it cannot be written.
            DataError: a picture that the episode names is missing.
        """
        episode = episode.model_copy(update={"id": episode.content_id()})
        self._begin(episode)
        if episode.id in self._places:
            self.note(DatasetAttempt(origin=episode.origin, task=episode.task, outcome="duplicate"))
            return False
        for picture in pictures:
            self._keep(f"pictures/{picture.digest}.png", picture.png)
        for digest, known in (labels or {}).items():
            self._keep(f"labels/{digest}.json", known.model_dump_json().encode)
        for step in episode.steps:
            if not (self.folder / f"pictures/{step.picture}.png").is_file():
                raise DataError(f"{episode.origin}: the picture {step.picture} of a step was not given")
        self._append(episode)
        self.note(DatasetAttempt(origin=episode.origin, task=episode.task, outcome="stored"))
        return True

    def revise(self, episode: DatasetEpisode) -> None:
        """Let an episode take the place of the one with its id: a review's decision.

        Raises:
            UsageError: there is none, or the dataset cannot be written.
        """
        if episode.id not in self._places:
            raise UsageError(f"{self.folder} holds no episode {episode.id!r}")
        self._begin(episode)
        self._append(episode)

    def note(self, attempt: DatasetAttempt) -> None:
        """Remember that an origin was looked at, so that it is not again."""
        if attempt.origin in self._attempts:
            return
        self._begin()
        append_line(self.folder / ATTEMPTS, attempt.model_dump_json())
        self._attempts[attempt.origin] = attempt

    def licensed(self, licence: str) -> None:
        """Say on the card what licence something in it has."""
        if licence and licence not in self._origin.licences:
            self._begin()
            self._origin = self._origin.model_copy(update={"licences": (*self._origin.licences, licence)})

    # ---- inside

    def _begin(self, first: DatasetEpisode | None = None) -> None:
        """Keep other processes out, and write the first card: its rule must not change later."""
        if not self._locked:
            self._adding.enter_context(locked_folder(self.folder))
            self._locked = True
            self._origin = self._read_card() or self._origin
            self._read_lines(repair=True)
        if first is not None and not self._places:
            self._origin = self._origin.model_copy(update={"held_out": self._origin.held_out.learning(first.problem)})
            self._write_card()

    def _append(self, episode: DatasetEpisode) -> None:
        offset, length = append_line(self.folder / EPISODES, episode.model_dump_json())
        self._places[episode.id] = _Place(offset, length, Counted.of(episode, self.held_out(episode)))

    def _keep(self, name: str, content: Callable[[], bytes]) -> None:
        target = self.folder / name
        if target.exists():
            return
        try:
            private_folder(target.parent)
            with private_part(target) as part:
                write_private(part, content())
        except OSError as error:
            raise UsageError(f"cannot write {target}: {error.strerror}; free some space") from error

    def _write_card(self) -> None:
        try:
            with private_part(self.folder / CARD) as part:
                write_private(part, self.card.model_dump_json(indent=1) + "\n")
        except OSError as error:
            raise UsageError(f"cannot write {self.folder / CARD}: {error.strerror}; free some space") from error

    def _read_card(self) -> DatasetCard | None:
        if not (self.folder / CARD).is_file():
            return None
        return _checked(DatasetCard, contained_bytes(self.folder, CARD), str(self.folder / CARD))

    def _read_lines(self, repair: bool = False) -> None:
        places: dict[str, _Place] = {}
        for line in whole_lines(self.folder, EPISODES, repair):
            episode = _checked(DatasetEpisode, line.data, line.where)
            if not episode.id:
                raise DataError(f"{line.where}: the episode has no id")
            about = Counted.of(episode, self.held_out(episode))
            places[episode.id] = _Place(line.offset, len(line.data), about)
        found = (_checked(DatasetAttempt, line.data, line.where) for line in whole_lines(self.folder, ATTEMPTS, repair))
        self._attempts = {attempt.origin: attempt for attempt in found}
        for place in places.values():  # killed between its two lines
            origin, task = place.about.origin, place.about.task
            self._attempts.setdefault(origin, DatasetAttempt(origin=origin, task=task, outcome="stored"))
        self._places = places

    def _tasks(self) -> set[str]:
        return {place.about.task for place in self._places.values()} | {a.task for a in self._attempts.values()}

    def _yielded(self, wanted: Callable[[Counted], bool]) -> Iterator[DatasetEpisode]:
        return self._read([place for place in self._places.values() if wanted(place.about)])

    def _read(self, places: Iterable[_Place]) -> Iterator[DatasetEpisode]:
        file = contained(self.folder, EPISODES)
        try:
            with open_file(file, 1 << 40) as stream:
                for place in places:
                    stream.seek(place.offset)
                    yield _checked(DatasetEpisode, stream.read(place.length), str(file))
        except OSError as error:
            raise DataError(f"{file}: cannot be read: {error.strerror or error}") from error


def contained_bytes(folder: Path, name: str) -> bytes:
    """A file of a folder; raises ``DataError`` where it cannot be read or lies elsewhere."""
    try:
        return read_file(contained(folder, name))
    except OSError as error:
        raise DataError(f"{folder / name}: cannot be read: {error.strerror or error}") from error


def _checked(kind: type[Record], data: bytes, where: str) -> Record:
    try:
        content = parse_json(data)
        check_lengths(content, where)
        return kind.model_validate(content)
    except TrajectoryError as error:
        raise DataError(str(error)) from error
    except ValidationError as error:
        raise DataError(f"{where}: {first_problem(error)}") from error
    except UnknownKeyError as error:
        raise DataError(f"{where}: {error}") from error
    except ValueError as error:
        raise DataError(f"{where}: not JSON: {error}") from error
