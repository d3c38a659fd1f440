"""Episodes of experts, and the shards that they are kept in."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from ....env.private_files import open_private, private_folder, private_part, write_private
from ..batches import Labelled
from ..rendering import DomElement, PageRecord, Picture


@dataclass
class ExpertStep:
    """One step of an episode.

    Attributes:
        picture: the screen before it, as PNG.
        action: what the expert did next, as ``Action`` is written in JSON; points in pixels of the picture.
        stray: what was done instead, so that the next state is off the way; None for the expert's action.
        elements: what can be clicked.
        chars: every visible character with its centre.
    """

    picture: bytes
    action: dict[str, Any]
    stray: dict[str, Any] | None = None
    elements: list[DomElement] = field(default_factory=list)
    chars: list[tuple[str, float, float]] = field(default_factory=list)

    @property
    def done(self) -> dict[str, Any]:
        """The action that was executed."""
        return self.action if self.stray is None else self.stray

    @property
    def pixels(self) -> Picture:
        """The picture, decoded: height x width x 3, uint8, RGB."""
        return np.asarray(Image.open(io.BytesIO(self.picture)).convert("RGB"))

    def page(self, task: str, instruction: str) -> Labelled:
        """The picture with its labels."""
        record = PageRecord(task=task, utterance=instruction, elements=self.elements, chars=self.chars, extra={})
        return Labelled(self.pixels, record)


@dataclass
class ExpertEpisode:
    """One episode: MiniWoB++'s task, the seed of the page, what the page asks for, and the page's raw reward."""

    task: str
    seed: int
    instruction: str = ""
    steps: list[ExpertStep] = field(default_factory=list)
    reward: float = 0.0


def save_episodes(folder: Path, name: str, episodes: Sequence[ExpertEpisode]) -> None:
    """Write a shard: the pictures one after the other in ``NAME.bin``, then ``NAME.jsonl``, which says where."""
    private_folder(folder)
    rows, place = [], 0
    with private_part(folder / f"{name}.bin") as part, open_private(part, "wb") as file:
        for episode in episodes:
            row = asdict(episode)
            for step in row["steps"]:
                file.write(step["picture"])
                step["picture"] = [place, len(step["picture"])]
                place += step["picture"][1]
            rows.append(row)
    write_private(folder / f"{name}.jsonl", "".join(json.dumps(row) + "\n" for row in rows))


def load_episodes(folder: Path, name: str) -> list[ExpertEpisode]:
    """Read a shard."""
    pictures = (folder / f"{name}.bin").read_bytes()
    episodes = []
    for line in (folder / f"{name}.jsonl").read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        for step in row["steps"]:
            place, size = step["picture"]
            step["picture"] = pictures[place : place + size]
            step["chars"] = [(letter, x, y) for letter, x, y in step["chars"]]
        row["steps"] = [ExpertStep(**step) for step in row["steps"]]
        episodes.append(ExpertEpisode(**row))
    return episodes


def shard_names(folder: Path, name: str) -> list[str]:
    """The complete shards of a name in a folder, in order."""
    return sorted(file.stem for file in folder.glob(f"{name}-*.jsonl"))
