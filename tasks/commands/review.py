"""``saccade collect review``, ``card`` and ``export``: what a dataset holds, and what stays in it."""

from __future__ import annotations

import json
import sys
import webbrowser
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import get_args

from rich.console import Console
from rich.table import Table
from rich.text import Text

from ...actions.errors import UsageError
from ...actions.untrusted import one_line
from ...agent.training.dataset.folder import Dataset
from ...agent.training.dataset.records import DatasetCard, DatasetEpisode, EpisodeSource
from ..collect.review import ReviewDecision, apply, cuts, read_review
from ..terminal.narrator import plural


@dataclass(frozen=True)
class ReviewRequest:
    """What ``saccade collect review`` was asked for; see its ``--help``."""

    dataset: Path
    keep: tuple[str, ...] = ()
    reject: tuple[str, ...] = ()
    cut: tuple[str, ...] = ()
    apply: Path | None = None
    show: bool = False
    source: str | None = None
    limit: int = 200
    open_it: bool = True


def review_and_print(request: ReviewRequest, *, json_output: bool) -> None:
    """Carry decisions out, or show what there is to decide about.

    Raises:
        DataError: the dataset or the file of decisions cannot be read.
        UsageError: a decision names what is not there; nothing is changed then.
    """
    if request.source is not None and request.source not in get_args(EpisodeSource):
        raise UsageError(f"there is no source {request.source!r}; choose one of {', '.join(get_args(EpisodeSource))}")
    decisions = list(_decisions(request))
    with Dataset(request.dataset) as dataset:
        if decisions or request.apply is not None:
            _print_changed(dataset, apply(dataset, decisions), json_output)
        elif request.show:
            _print_list(_wanted(dataset, request), json_output)
        else:
            _write_page(dataset, request, json_output)


def print_card(folder: Path, *, json_output: bool) -> None:
    """What a dataset holds; raises ``DataError`` where it cannot be read."""
    card = Dataset(folder).card
    if json_output:
        sys.stdout.write(card.model_dump_json() + "\n")
        return
    console = Console(highlight=False, soft_wrap=True)
    begun = datetime.fromtimestamp(card.created, UTC).strftime("%Y-%m-%d")
    console.print(Text(f"{folder}, begun {begun} with saccade {card.saccade_version}"))
    console.print(Text(f"held out: {card.held_out}"))
    sources = ", ".join(f"{count} {name}" for name, count in card.sources.items())
    console.print(Text(f"sources: {sources or 'none'}; {plural(card.pictures, 'picture')}"))
    console.print(Text(f"licences: {one_line('; '.join(card.licences)) or 'none stated'}"))
    console.print(_card_table(card))


def export_and_print(folder: Path, out: Path | None, *, json_output: bool) -> None:
    """Write a Parquet table; raises what ``export_parquet`` raises."""
    from ..collect.export import export_parquet

    target = out or folder.with_name(f"{folder.resolve().name}.parquet")
    episodes, steps = export_parquet(Dataset(folder), target)
    if json_output:
        sys.stdout.write(json.dumps({"out": str(target), "episodes": episodes, "steps": steps}) + "\n")
    else:
        sys.stdout.write(f"{target}: {plural(episodes, 'episode')}, {plural(steps, 'step')}\n")


def _decisions(request: ReviewRequest) -> Iterator[ReviewDecision]:
    for ids, kept in ((request.keep, True), (request.reject, False)):
        for id in ids:
            try:
                yield ReviewDecision(id=id, kept=kept)
            except ValueError as error:
                raise UsageError(f"{id!r} is no id of an episode; --list shows them") from error
    yield from cuts(request.cut)
    if request.apply is not None:
        yield from read_review(request.apply).decisions


def _wanted(dataset: Dataset, request: ReviewRequest) -> list[DatasetEpisode]:
    return [each for each in dataset.episodes() if request.source in (None, each.source)]


def _print_changed(dataset: Dataset, changed: int, json_output: bool) -> None:
    card = dataset.card
    if json_output:
        found = {"changed": changed, "learned": card.learned, "held_out": card.measured}
        sys.stdout.write(json.dumps(found) + "\n")
        return
    said = f"{plural(changed, 'episode')} changed; {card.learned} to learn from and {card.measured} held out in all"
    sys.stdout.write(f"{dataset.folder}: {said}\n")


def _print_list(episodes: list[DatasetEpisode], json_output: bool) -> None:
    if json_output:
        wanted = {"id", "source", "task", "seed", "instruction", "reward", "kept"}
        rows = [{**each.model_dump(include=wanted), "steps": len(each.steps)} for each in episodes]
        sys.stdout.write(json.dumps({"episodes": rows}, ensure_ascii=False) + "\n")
        return
    for each in episodes:
        state = "kept    " if each.kept else "rejected"
        about = one_line(f"{each.task}: {each.instruction}")
        sys.stdout.write(f"{each.id}  {state}  {each.source:10}  {plural(len(each.steps), 'step'):9}  {about[:200]}\n")


def _write_page(dataset: Dataset, request: ReviewRequest, json_output: bool) -> None:
    from ..report.review_page import write_review

    episodes = _wanted(dataset, request)
    if not episodes:
        raise UsageError(f"{request.dataset} holds no such episodes; nothing to review")
    shown = episodes[-request.limit :]
    page = write_review(dataset, shown)
    if request.open_it:
        webbrowser.open(page.resolve().as_uri())
    if len(shown) < len(episodes):
        sys.stderr.write(f"the page shows the newest {len(shown)} of {len(episodes)}; --limit shows more\n")
    found = {"page": str(page), "episodes": len(shown)}
    sys.stdout.write((json.dumps(found) if json_output else str(page)) + "\n")


def _card_table(card: DatasetCard) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0))
    for name in ("task", "learned", "held out", "rejected", "steps", "failed", "duplicates"):
        table.add_column(name, justify="left" if name == "task" else "right")
    for name, counts in card.tasks.items():
        numbers = (counts.learned, counts.held_out, counts.rejected, counts.steps, counts.failed, counts.duplicates)
        table.add_row(Text(one_line(name)), *map(str, numbers))
    return table
