"""How much of earlier steps the model is shown: everything, what changed, or actions as text.

Only ``full`` shows a model what it was trained on; the other two shorten the prompt and may change replies.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Final, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from ..actions.choices import one_of
from ..perception.observation import Screenshot
from ..perception.resize import ImageSpec, to_patches
from .decoding.layout import ImageSegment, Segment

History = Literal["full", "changed", "text"]
HISTORIES: Final[tuple[History, ...]] = get_args(History)


def parse_history(text: str) -> History:
    """The history of this name, as ``--history`` takes it.

    Raises:
        UsageError: there is none.
    """
    return one_of(text, HISTORIES, "history", "--history")


class ChangedTokens:
    """Leaves those visual tokens out of older screenshots whose pixels the next screenshot has at the same place.

    The others keep their positions, so the model sees where they are. The newest screenshot stays whole.
    """

    def __init__(self, spec: ImageSpec) -> None:
        self._spec = spec
        self._levels: OrderedDict[str, NDArray[np.uint8]] = OrderedDict()
        self._kept: dict[tuple[str, str], tuple[int, ...]] = {}

    def shorten(self, prompt: Sequence[Segment]) -> Iterator[Segment]:
        """The prompt without what repeats."""
        images = [segment for segment in prompt if isinstance(segment, ImageSegment)]
        following = iter(images[1:])
        for segment in prompt:
            newer = next(following, None) if isinstance(segment, ImageSegment) else None
            if not isinstance(segment, ImageSegment) or newer is None:
                yield segment
            else:
                yield replace(segment, kept=self._changed(segment, newer))

    def _changed(self, older: ImageSegment, newer: ImageSegment) -> tuple[int, ...] | None:
        """The tokens of a screenshot that the next one does not repeat, at least one; None for all of them."""
        if (older.rows, older.columns) != (newer.rows, newer.columns):
            return None
        pair = (older.screenshot.digest, newer.screenshot.digest)
        if pair not in self._kept:
            one, other = (self._tokens(each.screenshot) for each in (older, newer))
            differ = np.flatnonzero((one != other).any(axis=1))
            self._kept[pair] = tuple(differ.tolist()) or (0,)
        return self._kept[pair]

    def _tokens(self, screenshot: Screenshot) -> NDArray[np.uint8]:
        """The resized pixels, one row for each visual token; of the last two screenshots they are kept."""
        if screenshot.digest not in self._levels:
            levels = to_patches(screenshot, self._spec).levels
            self._levels[screenshot.digest] = levels.reshape(len(levels) // self._spec.merge_size**2, -1)
        self._levels.move_to_end(screenshot.digest)
        while len(self._levels) > 2:
            self._levels.popitem(last=False)
        return self._levels[screenshot.digest]


def left_out(prompt: Sequence[Segment]) -> int:
    """How many visual tokens of a prompt's screenshots were left out."""
    images = [segment for segment in prompt if isinstance(segment, ImageSegment)]
    return sum(image.rows * image.columns - len(image) for image in images)
