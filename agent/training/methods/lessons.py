"""From episodes of a dataset to what is learned at each step: the right reply, and pairs of a better and a worse one.

The conversation holds what was done, right or wrong. A wrong step's own reply is never learned; what should have been
done is learned in its place (``better``), and after it the way back, as in UI-TARS (arXiv 2501.12326, 4.5): *error
correction* is the right reply where the wrong one was given, *post-reflection* the right reply to the screen after it,
with a thought that names the slip.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Final

from ....actions.dialects import Reply
from ....perception.observation import Screenshot
from ...local import LocalPolicy
from ...policy import Context, Turn
from ..dataset.records import DatasetEpisode, DatasetReply, DatasetStep
from ..tuning.items import TrainingItem
from ..tuning.sequences import SequenceWriter, merged

Picture = Callable[[str], Screenshot]
_SLIP: Final = "My last action was wrong{why}. I correct that."


@dataclass(frozen=True)
class Lesson:
    """What is learned at one step.

    Attributes:
        context: what the policy sees.
        better: the reply to learn.
        worse: one to prefer it to, if there is one.
        reflects: whether it corrects a wrong step, there or after it.
    """

    context: Context
    better: str
    worse: str | None = None
    reflects: bool = False


class LessonReader:
    """Reads the lessons of episodes as a policy sees them.

    Args:
        policy: whose dialect replies are written in.
        picture: a screenshot by its name in the dataset.
    """

    def __init__(self, policy: LocalPolicy, picture: Picture) -> None:
        self._policy = policy
        self._picture = picture
        self._writer = SequenceWriter(policy)

    def lessons(self, episode: DatasetEpisode, *, reflect: bool = False) -> Iterator[Lesson]:
        """The lessons of an episode, in order.

        With ``reflect`` the right reply after a wrong one begins with a thought that names the slip.

        Raises:
            UsageError: the dialect cannot express a reply.
        """
        slipped = False
        for context, step in self._contexts(episode):
            right = step.target
            wrong = step.reply if step.verdict == "wrong" else None
            if right is not None:
                if reflect and slipped:
                    right = right.model_copy(update={"thought": _naming_the_slip(right.thought, step.feedback)})
                better = self._written(right, context.screenshot)
                worse = None if wrong is None else self._written(wrong, context.screenshot)
                yield Lesson(context, better, None if worse == better else worse, slipped or wrong is not None)
            slipped = wrong is not None

    def items(self, episode: DatasetEpisode, *, reflect: bool = False) -> list[TrainingItem]:
        """Sequences to learn from; those that one forward can learn together are one."""
        lessons = self.lessons(episode, reflect=reflect)
        sequences = merged(self._writer.write(each.context, each.better) for each in lessons)
        return [TrainingItem((each,), episode.task) for each in sequences]

    def pairs(self, episode: DatasetEpisode, *, reflect: bool = False) -> list[TrainingItem]:
        """Pairs of sequences, the better reply first."""
        return [
            TrainingItem(
                (self._writer.write(each.context, each.better), self._writer.write(each.context, each.worse)),
                episode.task,
            )
            for each in self.lessons(episode, reflect=reflect)
            if each.worse is not None
        ]

    def _contexts(self, episode: DatasetEpisode) -> Iterator[tuple[Context, DatasetStep]]:
        """What the policy sees at each step."""
        self._policy.start()
        turns: list[Turn] = []
        first: str | None = None
        for step in episode.steps:
            screenshot = self._picture(step.picture)
            if step.feedback is not None and turns:
                turns[-1] = replace(turns[-1], feedback=step.feedback)
            elif step.feedback is not None:
                first = step.feedback
            yield Context(episode.instruction, screenshot, tuple(turns), first), step
            turns.append(Turn(screenshot, self._written(step.reply, screenshot)))

    def _written(self, reply: DatasetReply, screenshot: Screenshot) -> str:
        return self._policy.written(Reply(reply.thought, reply.actions), screenshot)


def _naming_the_slip(thought: str, feedback: str | None) -> str:
    why = f" ({feedback.rstrip('.')})" if feedback else ""
    return f"{_SLIP.format(why=why)} {thought}".strip()
