"""What a review decides: which episodes stay, which steps of them, and what should have been done."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ...actions.errors import DataError, UsageError, first_problem
from ...actions.files import read_file
from ...actions.schema import points
from ...actions.untrusted import parse_json
from ...agent.training.dataset.folder import Dataset
from ...agent.training.dataset.records import MOST_STEPS, DatasetEpisode, DatasetReply, DatasetStep, Text, Verdict

_LARGEST: Final = 64 << 20
_StepNumber = Annotated[int, Field(ge=1, le=MOST_STEPS)]


class _Decided(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class StepDecision(_Decided):
    """What was decided of one step.

    Attributes:
        step: its number in the episode as it was shown, from 1.
        verdict: whether its reply was right.
        better: what should have been done; with it, the reply counts as wrong unless the verdict says otherwise.
    """

    step: _StepNumber
    verdict: Verdict | None = None
    better: DatasetReply | None = None


class ReviewDecision(_Decided):
    """What was decided of one episode; what is None stays as it is.

    Attributes:
        id: of the episode, or the beginning of it.
        kept: whether it is to be learned from.
        first: the first step that stays, from 1.
        last: the last step that stays.
        instruction: what should have been asked for.
        steps: decisions about single steps.
    """

    id: Annotated[str, Field(pattern=r"^[0-9a-f]{1,16}$")]
    kept: bool | None = None
    first: _StepNumber | None = None
    last: _StepNumber | None = None
    instruction: Text | None = None
    steps: tuple[StepDecision, ...] = ()


class Review(_Decided):
    """The file that the review's page saves."""

    decisions: tuple[ReviewDecision, ...]


def read_review(file: Path) -> Review:
    """The decisions in a file; raises ``DataError`` where it is not one that the page saved."""
    try:
        return Review.model_validate(parse_json(read_file(file, _LARGEST)))
    except ValidationError as error:
        raise DataError(f"{file}: {first_problem(error)}") from error
    except OSError as error:
        raise DataError(f"{file}: cannot be read: {error.strerror or error}") from error
    except ValueError as error:
        raise DataError(f"{file}: not JSON: {error}") from error


def apply(dataset: Dataset, decisions: Iterable[ReviewDecision]) -> int:
    """Carry decisions out, all or none; returns how many episodes changed.

    Raises:
        UsageError: an episode or a step is not there, or a point lies outside its picture.
    """
    revised: dict[str, DatasetEpisode] = {}
    for decision in decisions:
        episode = dataset.episode(decision.id)
        revised[episode.id] = decided(dataset, revised.get(episode.id, episode), decision)
    changed = [episode for episode in revised.values() if episode != dataset.episode(episode.id)]
    for episode in changed:
        dataset.revise(episode)
    return len(changed)


def decided(dataset: Dataset, episode: DatasetEpisode, decision: ReviewDecision) -> DatasetEpisode:
    """An episode after a decision."""
    first, last = decision.first or 1, decision.last or len(episode.steps)
    if not 1 <= first <= last <= len(episode.steps):
        raise UsageError(
            f"{episode.id} has {len(episode.steps)} steps; it cannot be cut to those from {first} to {last}"
        )
    steps = list(episode.steps)
    for about in decision.steps:
        if about.step > len(steps):
            raise UsageError(f"{episode.id} has no step {about.step}")
        steps[about.step - 1] = _decided_step(dataset, episode.id, steps[about.step - 1], about)
    changes: dict[str, object] = {"steps": tuple(steps[first - 1 : last])}
    if decision.kept is not None:
        changes["kept"] = decision.kept
    if decision.instruction is not None:
        if not decision.instruction.strip():
            raise UsageError(f"{episode.id}: an episode needs an instruction")
        changes["instruction"] = decision.instruction
    if first > 1:
        changes["size"] = dataset.picture(steps[first - 1].picture).size
    return episode.model_copy(update=changes)


def cuts(texts: Sequence[str]) -> list[ReviewDecision]:
    """``ID:FIRST-LAST`` as decisions to keep these steps only; UsageError for anything else."""
    found = []
    for text in texts:
        id, _, steps = text.partition(":")
        first, dash, last = steps.partition("-")
        last = last if dash else first
        try:
            if not first and not last:
                raise ValueError(text)
            only = {name: int(value) for name, value in (("first", first), ("last", last)) if value}
            found.append(ReviewDecision(id=id, **only))
        except ValueError as error:
            raise UsageError(f"a cut is written ID:FIRST-LAST, such as 3fa9:2-5, not {text!r}") from error
    return found


def _decided_step(dataset: Dataset, id: str, step: DatasetStep, about: StepDecision) -> DatasetStep:
    if about.better is None:
        return step if about.verdict is None else step.model_copy(update={"verdict": about.verdict, "better": None})
    width, height = dataset.picture(step.picture).size
    for action in about.better.actions:
        if any(not (0 <= point.x <= width and 0 <= point.y <= height) for point in points(action)):
            raise UsageError(f"{id}: a point of step {about.step} lies outside its picture")
    return step.model_copy(update={"verdict": about.verdict or "wrong", "better": about.better})
