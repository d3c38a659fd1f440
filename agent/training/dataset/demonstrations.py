"""A dataset as the embedded policy's own trainer learns from it, and experts' episodes as a dataset keeps them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from ....actions.schema import Action, Finished, Press, Type, action_adapter
from ....perception.observation import Screenshot
from ..curriculum import Demonstration, DemonstrationFolder
from ..experts.shards import ExpertEpisode, ExpertStep
from ..rendering import DomElement
from ..tokenizer import THOUGHTS
from .folder import Dataset
from .records import (
    DatasetEpisode,
    DatasetReply,
    DatasetStep,
    ElementLabel,
    EpisodeSource,
    KeptEpisode,
    PictureLabels,
    Verdict,
)

PLACE = "miniwob:"
"""Before the name of a MiniWoB++ task, where environments are named."""


def demonstrations_of(dataset: Dataset, replies: int) -> DemonstrationFolder:
    """What the embedded policy's trainer learns from and measures on, out of a dataset.

    Args:
        dataset: its held-out episodes are measured on, never learned from.
        replies: of how many earlier replies the policy is told.
    """
    data = DemonstrationFolder(dataset.folder, replies)
    for episode in dataset.training():
        data.learned.setdefault(_task(episode), []).extend(_demonstrations(dataset, episode, replies))
    data.learned = {task: steps for task, steps in data.learned.items() if steps}
    for episode in dataset.held_out_episodes():
        data.held_back.extend(_demonstrations(dataset, episode, replies))
    return data


def kept_expert(episode: ExpertEpisode, source: EpisodeSource = "expert", stray: bool = True) -> KeptEpisode:
    """An expert's episode as a dataset keeps it.

    Args:
        episode: with at least one step.
        source: who acted: the expert, or a policy that it corrects.
        stray: whether what was done instead of the expert's action was wrong; otherwise nobody knows.
    """
    pictures = [Screenshot(step.pixels, file=step.picture) for step in episode.steps]
    steps = tuple(map(_kept_step, episode.steps, pictures, [stray] * len(pictures)))
    kept = DatasetEpisode(
        source=source,
        origin=expert_origin(episode.task, episode.seed, source),
        task=PLACE + episode.task,
        seed=episode.seed,
        instruction=episode.instruction,
        size=pictures[0].size,
        steps=steps,
        reward=episode.reward,
    )
    labels = {
        shot.digest: labels_of(step.elements, step.chars) for shot, step in zip(pictures, episode.steps, strict=True)
    }
    return KeptEpisode(kept, pictures, labels)


def expert_origin(task: str, seed: int, source: EpisodeSource = "expert") -> str:
    """What an episode of an expert, or of a policy that it corrects, is called as an origin."""
    return f"{source}:{PLACE}{task}:{seed}"


def _kept_step(step: ExpertStep, picture: Screenshot, stray: bool) -> DatasetStep:
    right = _reply(step.action)
    if step.stray is None:
        return DatasetStep(picture=picture.digest, reply=right)
    verdict: Verdict = "wrong" if stray else "unknown"
    return DatasetStep(picture=picture.digest, reply=_reply(step.stray), verdict=verdict, better=right)


def _reply(action: Mapping[str, Any]) -> DatasetReply:
    done = action_adapter.validate_python(action)
    return DatasetReply(thought=THOUGHTS["hotkey" if isinstance(done, Press) else done.kind], actions=(done,))


def labels_of(elements: Iterable[DomElement], chars: Iterable[tuple[str, float, float]]) -> PictureLabels:
    """What a page's document said of a picture, as a dataset keeps it."""
    found = tuple(ElementLabel.model_validate(dict(element)) for element in elements)
    return PictureLabels(elements=found, chars=tuple(chars))


def _task(episode: DatasetEpisode) -> str:
    return episode.task.removeprefix(PLACE)


def _demonstrations(dataset: Dataset, episode: DatasetEpisode, replies: int) -> Iterator[Demonstration]:
    """The steps at which the policy can say what is right, each with the actions before it."""
    done: list[dict[str, Any]] = []
    for step in episode.steps:
        action = None if step.target is None else _single(step.target)
        if action is not None:
            shown = _expert_step(dataset, step, action)
            yield Demonstration(_task(episode), episode.instruction, shown, tuple(done[max(0, len(done) - replies) :]))
        said = _single(step.reply)
        done += [] if said is None else [said.model_dump(mode="json")]


def _single(reply: DatasetReply) -> Action | None:
    """The action of a reply, if the embedded policy has words for it: it says one action at a time."""
    action = reply.actions[0]
    known = isinstance(action, Press) or action.kind in THOUGHTS
    if len(reply.actions) > 1 or not known or (isinstance(action, Finished) and action.answer):
        return None
    return None if isinstance(action, Type) and action.point is not None else action


def _expert_step(dataset: Dataset, step: DatasetStep, action: Action) -> ExpertStep:
    labels = dataset.labels(step.picture) or PictureLabels()
    elements = [
        DomElement(role=each.role, text=each.text, box=list(each.box), point=list(each.point))
        for each in labels.elements
    ]
    picture = dataset.picture(step.picture).png()
    return ExpertStep(picture, action.model_dump(mode="json"), elements=elements, chars=list(labels.chars))
