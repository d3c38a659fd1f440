"""How far a point may be off and still mean the same target: ``python -m saccade.agent.training.tolerance``.

On held-out MiniWoB++ pages, a checkpoint is asked for one of the elements. The points that it clicks, where it
clicks right, are compared with random points in the same target, which mean the same, and in the page's other
elements, which do not.
"""

from __future__ import annotations

import logging
import random
from collections.abc import Iterable
from dataclasses import dataclass

from ...actions.errors import ParseError
from ...actions.geometry import Point
from ...actions.schema import Click
from ...perception.observation import Screenshot
from ..local import LocalPolicy
from ..policy import Context, Policy
from .batches import Labelled
from .command_line import parse_options
from .demonstrations import REQUIRED, demonstrate
from .examples import grounding
from .rendering import DomElement

log = logging.getLogger(__name__)
POINTS = 20
WRONG = 0.01


@dataclass(frozen=True)
class Distances:
    """Between clicks and other points, along the axis where they are farther apart.

    Attributes:
        same: to points in the same target, as a share of the screenshot's longer side.
        other: to points in other elements, likewise.
    """

    same: tuple[float, ...]
    other: tuple[float, ...]

    def agreeing(self, tolerance: float) -> tuple[float, float]:
        """Which share of both kinds a tolerance takes for the same place."""
        kinds = (self.same, self.other)
        same, other = (sum(d <= tolerance for d in kind) / max(1, len(kind)) for kind in kinds)
        return same, other

    def tolerance(self, wrong: float = WRONG) -> float:
        """The largest tolerance, in thousandths, at which at most a share of the others agrees."""
        steps = [step / 1000 for step in range(1000)]
        return max((step for step in steps if self.agreeing(step)[1] <= wrong), default=0.0)


def distances(pages: Iterable[Labelled], policy: Policy, rng: random.Random) -> Distances:
    """How far right clicks are from points in their target and in other elements."""
    same: list[float] = []
    other: list[float] = []
    for page in pages:
        asked = grounding(page.record, rng)
        if asked is None:
            continue
        instruction, target = asked
        point = clicked(policy, instruction, page)
        if point is None or not within(point, target):
            continue
        side = max(page.picture.shape[:2])
        same += [_apart(point, each) / side for each in _points(target, rng)]
        for element in page.record["elements"]:
            found = [each for each in _points(element, rng) if not within(each, target)]
            other += [_apart(point, each) / side for each in found if element is not target]
    return Distances(tuple(same), tuple(other))


def clicked(policy: Policy, instruction: str, page: Labelled) -> Point | None:
    """Where a policy clicks at first sight of a page."""
    policy.start()
    try:
        prediction = policy.predict(Context(instruction, Screenshot(page.picture)))
    except ParseError:
        return None
    actions = prediction.reply.actions
    return actions[0].point if actions and isinstance(actions[0], Click) else None


def within(point: Point, element: DomElement) -> bool:
    """Whether a point lies in an element."""
    left, top, right, bottom = element["box"]
    return left <= point.x <= right and top <= point.y <= bottom


def _points(element: DomElement, rng: random.Random) -> list[Point]:
    left, top, right, bottom = element["box"]
    return [Point(rng.uniform(left, right), rng.uniform(top, bottom)) for _ in range(POINTS)]


def _apart(left: Point, right: Point) -> float:
    return max(abs(left.x - right.x), abs(left.y - right.y))


def main() -> None:
    """Measure one checkpoint."""
    rounds = {"type": int, "default": 5, "help": "sheets of fifty pages"}
    options = parse_options(__doc__, model="embedded", tasks=list(REQUIRED), rounds=rounds)
    sheets = demonstrate(options.tasks, options.rounds, 0, mode="test")
    pages = (Labelled(*page) for sheet in sheets for page in zip(*sheet, strict=True))
    found = distances(pages, LocalPolicy(options.model), random.Random(0))
    chosen = found.tolerance()
    log.info("%d points in targets, %d in others", len(found.same), len(found.other))
    for tolerance in (0.01, 0.02, 0.03, 0.05, 0.08, chosen):
        same, other = found.agreeing(tolerance)
        log.info("tolerance %.3f: %.3f of the same, %.4f of the others", tolerance, same, other)


if __name__ == "__main__":
    main()
