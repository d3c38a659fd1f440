"""``saccade collect``: what a person, or a script, sees of a collection."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path

from ...actions.errors import Stopped, UsageError
from ...actions.untrusted import one_line
from ...agent.policy import Policy
from ...agent.training.dataset.folder import Dataset
from ...env.browser.miniwob_pages import page_of
from ...env.control import Control
from ..collect.storing import CollectedEpisodes, CollectProgress, CollectTotals, say, store
from .view import find_runs

Found = Callable[[Dataset, Callable[[str], None]], Iterator[CollectedEpisodes]]
"""What is collected; the function gets why something is left out."""


def collect_experts(
    folder: Path,
    tasks: Sequence[str] | None,
    episodes: int,
    stray: float,
    policy: Path | None,
    licence: str,
    *,
    json_output: bool,
) -> None:
    """Let experts play.

    Raises:
        UsageError: there is no expert for a task, or the dataset cannot be written.
    """
    from ...agent.training.experts.expert import EXPERT_TASKS
    from ..collect.experts import ExpertPlay

    play = ExpertPlay(tasks or EXPERT_TASKS, episodes, stray=stray, policy=policy)
    _collect(
        folder,
        licence,
        lambda dataset, left_out: play.play(dataset),
        lambda dataset: sum(play.left(dataset).values()),
        json_output,
    )


def collect_policy(
    folder: Path,
    policy: Policy,
    tasks: Sequence[str],
    episodes: int,
    max_steps: int,
    licence: str,
    *,
    json_output: bool,
) -> None:
    """Let a policy play.

    Raises:
        UnknownTaskError: there is no such task.
        UsageError: no task is named, or the dataset cannot be written.
    """
    from ..collect.live import left, play

    if not tasks:
        raise UsageError("name tasks to play, such as --tasks click-test,click-button")
    for task in tasks:
        page_of(task)
    control = Control()
    with control.stop_signals():
        _collect(
            folder,
            licence,
            lambda dataset, left_out: play(dataset, policy, tasks, episodes, max_steps, left_out, control),
            lambda dataset: left(dataset, policy, tasks, episodes),
            json_output,
        )


def collect_runs(
    folder: Path, paths: Sequence[Path], task: str, judge: str | None, licence: str, *, json_output: bool
) -> None:
    """Read recorded runs.

    Raises:
        TrajectoryError: a path holds no run.
        UsageError: the judge's address is wrong, or the dataset cannot be written.
    """
    from ..collect.judge import ServedJudge
    from ..collect.runs import collected_runs

    runs = find_runs(paths)
    asked = None if judge is None else ServedJudge(judge)
    _collect(
        folder,
        licence,
        lambda dataset, left_out: collected_runs(dataset, runs, left_out, asked, task),
        lambda dataset: len(runs),
        json_output,
    )


def collect_perception(
    folder: Path, tasks: Sequence[str] | None, pages: int, questions: int, licence: str, *, json_output: bool
) -> None:
    """Ask about screens.

    Raises:
        UnknownTaskError: there is no such task.
        DataError: without tasks, there is no dataset to ask about.
        UsageError: the dataset cannot be written.
    """
    from ..collect.experts import perception, shown_pages

    for task in tasks or ():
        page_of(task)
    if tasks is None:
        Dataset(folder)
    _collect(
        folder,
        licence,
        lambda dataset, left_out: (
            perception(dataset, questions) if tasks is None else shown_pages(dataset, tasks, pages, questions)
        ),
        lambda dataset: None,
        json_output,
    )


def _collect(
    folder: Path, licence: str, find: Found, count: Callable[[Dataset], int | None], json_output: bool
) -> None:
    """Add what is found to a dataset, and print what came of it."""
    totals = CollectTotals()
    with Dataset(folder, create=True) as dataset:
        with CollectProgress(count(dataset)) as progress:

            def left_out(reason: str) -> None:
                totals.left_out.append(reason)
                progress.note(f"left out: {one_line(reason)}")

            try:
                store(dataset, find(dataset, left_out), progress, totals)
            except (KeyboardInterrupt, Stopped):
                say(f"{totals}; it stays in {folder}, and the same command goes on")
                raise
            finally:
                if totals.stored:
                    dataset.licensed(licence)
        card = dataset.card
    sys.stdout.write(
        json.dumps(
            {"dataset": str(folder), **asdict(totals), "learned": card.learned, "held_out": card.measured},
            ensure_ascii=False,
        )
        + "\n"
        if json_output
        else f"{folder}: {totals}; {card.learned} to learn from and {card.measured} held out in all\n"
    )
