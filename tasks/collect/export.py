"""A dataset as a Parquet table: one row for each step, with its picture."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from ...actions.errors import UsageError
from ...actions.extras import need_package
from ...agent.training.dataset.folder import Dataset
from ...agent.training.dataset.records import DatasetEpisode, DatasetReply
from ...env.private_files import private_folder, private_part

_KINDS: Final[Mapping[str, str]] = {
    **dict.fromkeys(("episode", "source", "origin", "task", "split", "instruction"), "string"),
    **dict.fromkeys(("seed", "step", "steps", "width", "height"), "int64"),
    "reward": "float64",
    **dict.fromkeys(("verdict", "thought", "actions", "better_thought", "better_actions", "feedback"), "string"),
    "picture_sha256": "string",
    "picture_png": "binary",
}


def export_parquet(dataset: Dataset, target: Path) -> tuple[int, int]:
    """Write the kept episodes; ``split`` says whether one is to be learned from or is held out.

    Points are in pixels of the picture.

    Returns:
        How many episodes and steps were written.

    Raises:
        UsageError: there is something at ``target``, or it cannot be written.
        MissingPartError: the extra ``parquet`` is not installed.
    """
    arrow, table = need_package("pyarrow"), need_package("pyarrow.parquet")
    if target.exists():
        raise UsageError(f"{target} exists; name another file (--out)")
    schema = arrow.schema([(name, getattr(arrow, kind)()) for name, kind in _KINDS.items()])
    episodes = steps = 0
    try:
        private_folder(target.parent)
        with private_part(target) as part, table.ParquetWriter(part, schema, compression="zstd") as writer:
            for split, found in (("train", dataset.training()), ("held_out", dataset.held_out_episodes())):
                for episode in found:
                    rows = list(_rows(dataset, episode, split))
                    writer.write_table(arrow.Table.from_pylist(rows, schema=schema))
                    episodes, steps = episodes + 1, steps + len(rows)
    except OSError as error:
        raise UsageError(f"cannot write {target}: {error.strerror or error}; name another file (--out)") from error
    return episodes, steps


def _rows(dataset: Dataset, episode: DatasetEpisode, split: str) -> Iterator[dict[str, Any]]:
    for number, step in enumerate(episode.steps):
        picture = dataset.picture(step.picture)
        yield {
            **episode.model_dump(include={"source", "origin", "task", "seed", "instruction", "reward"}),
            **step.model_dump(include={"verdict", "feedback"}),
            "episode": episode.id,
            "split": split,
            "step": number,
            "steps": len(episode.steps),
            "thought": step.reply.thought,
            "actions": _actions(step.reply),
            "better_thought": step.better.thought if step.better else None,
            "better_actions": _actions(step.better) if step.better else None,
            "picture_sha256": step.picture,
            "picture_png": dataset.png(step.picture),
            "width": picture.size.width,
            "height": picture.size.height,
        }


def _actions(reply: DatasetReply) -> str:
    return json.dumps([action.model_dump(mode="json") for action in reply.actions])
