"""``saccade.evaluate``; apart from ``api``, because a run needs none of its imports."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from .commands.eval import EvalRequest, plan, refuse_unused
from .evaluation.evaluate import Watcher
from .evaluation.evaluate import evaluate as run_evaluation
from .evaluation.folder import read_evaluation
from .evaluation.records import EpisodeRecord
from .evaluation.results import write_results
from .evaluation.summary import Summary
from .models.source import PolicySource, policy_source


@dataclass(frozen=True)
class EvaluationResult:
    """An evaluation's folder with every episode and ``index.html``, its summary, and a record of each episode."""

    folder: Path
    summary: Summary
    records: Sequence[EpisodeRecord]


def evaluate(
    suite: str,
    *,
    model: str | PolicySource = "embedded",
    tasks: Sequence[str] | None = None,
    subset: str | None = None,
    seeds: Iterable[int] = range(5),
    max_steps: int = 10,
    workers: int = 1,
    limit: int | None = None,
    data: str | Path | None = None,
    out: str | Path | None = None,
    resume: bool = False,
    guard: str = "open",
    on_record: Callable[[EpisodeRecord], None] | None = None,
) -> EvaluationResult:
    """Run every task of a suite with every seed, or ask about every recorded screen of it.

    Workers are processes: a script that calls this must do so under ``if __name__ == "__main__":``.

    Args:
        suite: its name, such as ``miniwob``; ``saccade suites`` lists them.
        model: a model's name as for ``load_policy``, or where a policy of your own comes from.
        tasks: their names; by default all.
        subset: a named choice of tasks instead.
        seeds: of each task.
        max_steps: predictions per episode.
        workers: processes.
        limit: recorded screens, at most.
        data: the folder of suites that do not come with Saccade.
        out: the evaluation's folder; by default a new one in ``runs/``.
        resume: continue the evaluation in ``out``.
        guard: what may be done, as for ``run``; nobody is asked, and what would be asked about is denied.
        on_record: called with each episode's record.

    Raises:
        UsageError: it cannot be run, or resumed, as asked; or files are missing.
        EnvironmentFailure: workers keep dying before they are ready.
        KeyboardInterrupt: Ctrl-C; what is done stays in the folder.
    """
    optional = ("tasks", tasks), ("subset", subset), ("limit", limit), ("data", data)
    given = [name for name, value in optional if value is not None]
    given += [name for name, changed in (("seeds", seeds != range(5)), ("max_steps", max_steps != 10)) if changed]
    refuse_unused(suite, given)
    request = EvalRequest(
        suite,
        subset,
        None if tasks is None else ",".join(tasks),
        ",".join(map(str, seeds)),
        policy_source(model) if isinstance(model, str) else model,
        max_steps,
        workers,
        limit=limit,
        data=None if data is None else Path(data),
        out=None if out is None else Path(out),
        resume=resume,
        guard=guard,
    )
    evaluation = plan(request)
    run_evaluation(evaluation, _Progress(on_record) if on_record else Watcher(), resume=resume)
    summary = write_results(evaluation.root, quiet=True)
    return EvaluationResult(evaluation.root, summary, read_evaluation(evaluation.root)[1])


class _Progress(Watcher):
    """Passes the records of an evaluation on."""

    def __init__(self, on_record: Callable[[EpisodeRecord], None]) -> None:
        self._on_record = on_record

    def finished(self, record: EpisodeRecord) -> None:
        self._on_record(record)
