"""Pictures of pages that show nothing."""

from __future__ import annotations

import random

import numpy as np

from .batches import Labelled
from .dom import PageRecord


def blank_like(page: Labelled, rng: random.Random) -> Labelled:
    """Return an empty picture of a page's size: black, white, grey or any one colour."""
    grey = rng.choice((0, 255, 255, rng.randrange(256)))
    colour = [grey] * 3 if rng.random() < 0.8 else [rng.randrange(256) for _ in range(3)]
    picture = np.broadcast_to(np.array(colour, dtype=np.uint8), page.picture.shape)
    record = PageRecord(task="blank", utterance="", elements=[], chars=[], extra={})
    return Labelled(np.array(picture), record)
