"""What suites of recorded screens have in common: a sample, an answer, a score, and where the files are.

A *grounding* suite asks where to click, a suite of *steps* what to do next. Nothing is executed.
"""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Generic, Literal, TypeVar

from ...actions.errors import DataError, MissingPartError
from ...actions.files import read_file
from ...actions.geometry import Size
from ...actions.schema import Action
from ...perception.observation import Screenshot
from .rows import DataRow, Fault, read_rows, throw

Target = TypeVar("Target")
DATA_VARIABLE = "SACCADE_DATA"


@dataclass(frozen=True)
class Sample(Generic[Target]):
    """One question of a suite.

    Attributes:
        id: unique in the suite.
        screens: PNG files; more than one where the policy may scroll down to the next.
        target: what the suite's rule compares with.
        labels: by which results are broken down (platform, element type, ...); one may have several values.
        history: what was done before, in words.
        task: whose step it is; samples of one task are not independent of each other.
        steps: how many steps that task has; 0 where that is unknown.
    """

    id: str
    instruction: str
    screens: tuple[Path, ...]
    target: Target
    labels: Mapping[str, str | tuple[str, ...]]
    history: tuple[str, ...] = ()
    task: str = ""
    steps: int = 0

    @property
    def question(self) -> str:
        """The instruction and what was done before, as the policy gets it."""
        if not self.history:
            return self.instruction
        done = "\n".join(f"{number}. {text}" for number, text in enumerate(self.history, start=1))
        return f"{self.instruction}\n\nPrevious actions:\n{done}"

    def screenshot(self, index: int = 0) -> Screenshot:
        """One of its screens, opened now; DataError where the picture is missing or broken."""
        file = self.screens[index]
        try:
            return Screenshot.from_png(read_file(file))
        except FileNotFoundError as error:
            raise DataError(f"sample {self.id}: its picture {file} is missing") from error
        except OSError as error:
            raise DataError(
                f"sample {self.id}: {file} is no picture that can be read: {error.strerror or error}"
            ) from error


@dataclass(frozen=True)
class Answer:
    """What a policy would do.

    Attributes:
        actions: in order, in pixels of the screen; none for a reply that cannot be read.
        screen: index of the sample's screen that it is about.
    """

    actions: Sequence[Action]
    size: Size
    screen: int = 0


@dataclass(frozen=True)
class Score:
    """How good an answer is.

    Attributes:
        value: 0 to 1; the suite's headline is the mean of these.
        parts: other numbers of the published rule; only those that apply, so each has its own denominator.
        error: why the answer is no answer at all, in one word; None where it is one.
    """

    value: float
    parts: Mapping[str, float] = field(default_factory=dict)
    error: str | None = None


class Suite(ABC, Generic[Target]):
    """A benchmark of recorded screens as it was published: its files and its rule.

    Attributes:
        name: on the command line.
        folder: where its files are, in the folder for all suites.
        source: what to download, and from where.
        needs: the files, as patterns relative to the suite's folder; the first says which hold the rows.
        average: the headline is the mean over these: samples, tasks, or a label's values.
        absent_is_wrong: whether steps of a task that the files leave out count as wrong.
    """

    name: str
    folder: str
    family: Literal["grounding", "steps"]
    source: str
    needs: tuple[str, ...]
    average: str = "samples"
    absent_is_wrong: bool = False

    def rows(self, folder: Path, fault: Fault) -> Iterator[DataRow]:
        """The rows of its files, one per sample."""
        return chain.from_iterable(read_rows(file, fault) for file in sorted(folder.glob(self.needs[0])))

    @abstractmethod
    def sample(self, row: DataRow, folder: Path) -> Sample[Target]:
        """The sample that a row describes; DataError where the row is malformed."""

    @abstractmethod
    def score(self, sample: Sample[Target], answer: Answer) -> Score:
        """The published rule, as a pure function; an answer without actions is wrong."""

    def load(self, folder: Path, fault: Fault = throw) -> Iterator[Sample[Target]]:
        """The samples, one at a time; pictures are not opened.

        ``fault`` is called with each malformed row's error; by default the first one is raised.

        Raises:
            MissingPartError: see ``require``.
            DataError: a file is malformed as a whole.
        """
        self.require(folder)
        seen: set[str] = set()
        for row in self.rows(folder, fault):
            try:
                sample = self.sample(row, folder)
                if sample.id in seen:
                    raise row.fail(f"there is a sample {sample.id!r} already")
            except DataError as error:
                fault(error)
                continue
            seen.add(sample.id)
            yield sample

    def missing(self, folder: Path) -> list[str]:
        """The patterns of files that are needed and that no file has."""
        return [need for need in self.needs if not any(folder.glob(need))]

    def require(self, folder: Path) -> None:
        """Raise MissingPartError where files are missing; it says what to download and where to put it."""
        if missing := self.missing(folder):
            raise MissingPartError(
                f"{self.name} needs {', '.join(missing)} in {folder}: get {self.source} and put it there "
                f"(--data or {DATA_VARIABLE} says where the folder {folder.name} is)"
            )


def data_root(chosen: Path | None = None) -> Path:
    """The folder that holds a folder per suite: the chosen one, ``$SACCADE_DATA``, or ``data``."""
    return chosen or Path(os.environ.get(DATA_VARIABLE) or "data")
