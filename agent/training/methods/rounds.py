"""Methods that collect with the weights as they are, learn from all that was collected, and collect again.

What is collected decides the method: episodes that succeeded (rejection sampling), or what an expert would have done on
the screens that the policy came to (DAgger, arXiv 1011.0686).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

from ..tuning.items import TrainingItem
from ..tuning.plan import TuningPlan
from .supervised import Supervised

ROUND_STEPS: Final = "round_steps"
"""The setting of a plan that says after how many updates the next round is collected."""


class Rounds(Supervised):
    """Supervised on a first dataset, if there is one, and on what each round collects.

    Args:
        begin: what is learned from beside the rounds.
        held_out: items that are never learned from.
        plan: with ``round_steps`` among its settings.
        collect: the items of a round by its number; what a round collected before, it does not collect again.
    """

    def __init__(
        self,
        begin: Sequence[TrainingItem],
        held_out: Sequence[TrainingItem],
        plan: TuningPlan,
        collect: Callable[[int], Sequence[TrainingItem]],
    ) -> None:
        super().__init__(begin, held_out, plan)
        self._begin = begin
        self._collect = collect
        self._rounds: list[Sequence[TrainingItem]] = []

    def draw(self, step: int) -> Sequence[TrainingItem]:
        """The items of an update; where a round begins, it is collected first."""
        while len(self._rounds) <= step // self._plan.settings[ROUND_STEPS]:
            self._rounds.append(self._collect(len(self._rounds)))
            self.items = Joined([self._begin, *self._rounds])
        return super().draw(step) if self.items else []

    @property
    def collected(self) -> int:
        """Items of all rounds so far."""
        return sum(map(len, self._rounds))

    def state_dict(self) -> dict[str, Any]:
        """How many rounds there were; what they collected is on disk."""
        return {"rounds": len(self._rounds)}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Read what those rounds collected."""
        self._rounds = [self._collect(number) for number in range(state["rounds"])]
        self.items = Joined([self._begin, *self._rounds])


class Joined(Sequence[TrainingItem]):
    """Several sequences, one after the other."""

    def __init__(self, parts: Sequence[Sequence[TrainingItem]]) -> None:
        self._parts = parts

    def __len__(self) -> int:
        return sum(map(len, self._parts))

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return [self[each] for each in range(*index.indices(len(self)))]
        for part in self._parts:
            if index < len(part):
                return part[index]
            index -= len(part)
        raise IndexError("no item is there")
