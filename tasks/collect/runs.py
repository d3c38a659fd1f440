"""Recorded runs as episodes of a dataset: what a person or a policy did, and where a replay was healed."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from pydantic import ValidationError

from ...actions.errors import TrajectoryError, first_problem
from ...actions.schema import CallUser, Finished, ends_episode, points
from ...agent.episode import BESIDE
from ...agent.replay.point_tolerance import farthest, same_but_points
from ...agent.training.dataset.folder import Dataset
from ...agent.training.dataset.records import (
    AttemptOutcome,
    DatasetEpisode,
    DatasetReply,
    DatasetStep,
    EpisodeSource,
    KeptEpisode,
    Verdict,
)
from ...env.record.takeover import TAKEOVERS
from ...env.trajectory.trajectory import FILE_NAME, Step, Trajectory, event_line
from ...perception.observation import Screenshot
from ..report.pairing import pairing
from .judge import StepJudge, judged
from .storing import CollectedEpisodes

_NEAR = 0.02
"""How far points of repeated actions may be apart, as a share of the screenshot's longer side."""
_NOT_DONE = ("error", "stuck", "unreadable", "step_limit", "time_limit", "interrupted")


def collected_runs(
    dataset: Dataset,
    folders: Sequence[Path],
    left_out: Callable[[str], None],
    judge: StepJudge | None = None,
    instruction: str = "",
) -> Iterator[CollectedEpisodes]:
    """What comes of runs that were not collected before; ``left_out`` gets why one cannot be read."""
    for folder in folders:
        try:
            run = Trajectory.load(folder)
            if dataset.collected(origin_of(run)):
                continue
            run.check_seal()
            found = episodes_of(run, judge, instruction)
        except TrajectoryError as error:
            left_out(str(error))
            continue
        except ValidationError as error:  # of others: something is beyond all bounds
            left_out(f"{folder}: {first_problem(error)}")
            continue
        yield found


def origin_of(run: Trajectory) -> str:
    """What a run is called: its folder's name and a hash of its beginning, so that it may be moved and shared."""
    return f"run:{run.directory.resolve().name[:200]}:{hashlib.sha256(event_line(run.start)).hexdigest()[:12]}"


def episodes_of(run: Trajectory, judge: StepJudge | None = None, instruction: str = "") -> CollectedEpisodes:
    """The episodes of a run that achieved its task, as its end says; of a person's recording, as it is.

    A replay that a model healed gives the run itself, and one correction for each healed step: the recorded reply,
    which no longer fitted, and what was better.

    Args:
        run: a run, finished or not.
        judge: says of each step whether it was right, where nothing else judged the run.
        instruction: for a recording without one.

    Raises:
        TrajectoryError: a screenshot cannot be read, or there is no instruction.
    """
    task, outcome = run.start.environment, outcome_of(run)
    asks = outcome == "unjudged" and judge is not None
    whole = whole_episode(run, instruction) if outcome == "stored" or asks else None
    if whole is not None and asks and judge is not None:
        whole = judged(whole, run.screenshot(run.final) if run.final else None, judge)
        outcome = "failed" if whole is None else "stored"
    kept = () if whole is None else (whole, *_corrections(run, whole))
    return CollectedEpisodes(origin_of(run), task, kept, outcome)


def outcome_of(run: Trajectory) -> AttemptOutcome:
    """Whether a run is to be learned from: ``stored``, ``failed`` or ``unjudged``."""
    end = run.end
    if not _readable(run):
        return "failed"
    if end is not None and end.judged:
        return "stored" if end.success else "failed"
    if run.start.policy == "person":
        return "stored"
    if end is None or end.end in _NOT_DONE:
        return "failed"
    # A replay's recorded screens, or its model's agreement to the end, are what judges it.
    return "stored" if run.start.replay_of is not None and end.end == "finished" else "unjudged"


def whole_episode(run: Trajectory, instruction: str = "") -> KeptEpisode:
    """All readable steps of a run that has some, with what its end says of them.

    Raises:
        TrajectoryError: a screenshot cannot be read, or there is no instruction.
    """
    instruction = run.start.instruction.strip() or instruction
    if not instruction:
        raise TrajectoryError(f"{run.directory}: the recording has no instruction; give it one with --task")
    person = run.start.policy == "person"
    source: EpisodeSource = "person" if person else "healed" if run.start.replay_of is not None else "policy"
    readable = _readable(run)
    pictures = [_picture(run, step) for step in readable]
    steps = [
        DatasetStep(
            picture=picture.digest,
            reply=_reply(step),
            verdict="good" if person else verdict_of(run, step),
            feedback=_feedback(run, step.index, before.index if before else None),
        )
        for before, step, picture in zip([None, *readable], readable, pictures, strict=False)
    ]
    ended = run.end is not None and not run.end.judged and not is_take_over(run)
    if person and ended and run.final is not None:
        pictures.append(run.screenshot(run.final))  # the person ended the recording there
        steps.append(DatasetStep(picture=pictures[-1].digest, reply=DatasetReply(actions=(Finished(),))))
    episode = DatasetEpisode(
        source=source,
        origin=origin_of(run),
        task=run.start.environment,
        seed=run.start.seed if ":" in run.start.environment else None,
        instruction=instruction,
        size=pictures[0].size,
        steps=tuple(steps),
        reward=run.end.reward if run.end else None,
    )
    return KeptEpisode(episode, pictures)


def is_take_over(run: Trajectory) -> bool:
    """Whether a person did this while another run waited for them: its end is not that of the task."""
    around = run.directory.resolve().parent
    return around.name == TAKEOVERS and (around.parent / FILE_NAME).is_file()


def verdict_of(run: Trajectory, step: Step) -> Verdict:
    """Whether a policy's step helped its run to succeed.

    Wrong are actions that were refused, those that a person's pause cut short, and those that are repeated after they
    changed nothing. Of other actions that changed nothing nobody knows.
    """
    said = step.prediction
    if said is None or any(event.error for event in step.actions if not isinstance(event.action, CallUser)):
        return "wrong"
    after = run.steps[step.index + 1] if step.index + 1 < len(run.steps) else None
    screen = after.observation if after else run.final
    if screen is None or screen.screenshot != step.observation.screenshot or any(map(ends_episode, said.actions)):
        return "good"
    again = after.prediction.actions if after and after.prediction else ()
    near = same_but_points(again, said.actions) and farthest(again, said.actions) <= _NEAR * max(step.observation.size)
    return "wrong" if near else "unknown"


def _picture(run: Trajectory, step: Step) -> Screenshot:
    """The screen of a step, in which its points lie; raises ``TrajectoryError``."""
    width, height = step.observation.size
    for point in (point for action in _reply(step).actions for point in points(action)):
        if not (0 <= point.x <= width and 0 <= point.y <= height):
            raise TrajectoryError(f"{run.directory}: a point of step {step.index + 1} lies outside its screenshot")
    return run.screenshot(step.observation)


def _reply(step: Step) -> DatasetReply:
    said = step.prediction
    assert said is not None
    if not said.raw and isinstance(said.actions[0], Finished):  # the end of a recording, in a replay's words
        return DatasetReply(actions=(Finished(),))
    return DatasetReply(thought=said.thought, actions=said.actions)


def _feedback(run: Trajectory, place: int, before: int | None) -> str | None:
    """What the policy was told before a step, since the last one that could be read; that is None for the first."""
    told: list[str] = []
    for step in run.steps[0 if before is None else before : place + 1]:
        seen = step.observation.notes if before is None or step.index > before else ()
        told += [f"{BESIDE}: {'; '.join(seen)}"] if seen else []
        for event in step.actions if step.index < place else ():
            told += [f"{BESIDE}: {'; '.join(event.notes)}"] if event.notes else []
            told += [event.error] if event.error else []
    return "; ".join(told) or None


def _corrections(run: Trajectory, whole: KeptEpisode) -> Iterator[KeptEpisode]:
    """Per healed step, the episode up to it: with the recorded reply as what was wrong, and the heal as better.

    The steps before it are history only: they are learned from the whole.
    """
    pairs = pairing(run)
    if pairs is None or pairs.recording is None:
        return
    places = {step.index: number for number, step in enumerate(_readable(run))}
    for step, pair in zip(run.steps, pairs.pairs, strict=False):
        recorded = pair.recorded
        number = places.get(step.index)
        if pair.outcome != "own" or number is None or recorded is None or not _is_readable(recorded):
            continue
        healed, wrong = whole.episode.steps[number], _reply(recorded)
        if wrong.actions == healed.reply.actions:
            continue
        before = (each.model_copy(update={"verdict": "unknown"}) for each in whole.episode.steps[:number])
        corrected = healed.model_copy(update={"reply": wrong, "verdict": "wrong", "better": healed.reply})
        origin = f"{whole.episode.origin}:healed:{step.index + 1}"
        changes = {"origin": origin, "steps": (*before, corrected), "reward": None}
        yield KeptEpisode(whole.episode.model_copy(update=changes), whole.pictures[: number + 1])


def _readable(run: Trajectory) -> list[Step]:
    return [step for step in run.steps if _is_readable(step)]


def _is_readable(step: Step) -> bool:
    said = step.prediction
    return said is not None and said.error is None and bool(said.actions)
