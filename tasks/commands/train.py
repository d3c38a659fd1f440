"""``saccade train``: a checkpoint learns from a dataset, or from tasks that it plays."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from rich.console import Console

from ...actions.errors import UsageError
from ...agent.checkpoints.adapter import read_adapter
from ..terminal.folders import new_folder
from ..training.card import write_training_card
from ..training.page import TRAINING_PAGE, TrainingFacts, write_training_page
from ..training.progress import TrainProgress
from ..training.request import TrainRequest

if TYPE_CHECKING:
    from ..evaluation.compare import Comparison
    from ..training.preparing import PreparedTraining

RESULT: Final = "checkpoint"
"""The folder of what came out, in that of the training."""
GATE: Final = "gate"


def train(request: TrainRequest) -> dict[str, Any]:
    """Train and write the checkpoint, its card and the page.

    Returns:
        ``{"method", "checkpoint", "report", "steps", "held_out", "seconds", "gate"}``; nothing in those of several
        processes that do not write.

    Raises:
        UsageError: the options, the data or the checkpoint cannot be used, or there is nothing to resume.
        KeyboardInterrupt: training was stopped; its state is saved.
    """
    request.check()
    from ...agent.training.tuning.tuner import STATE_FILE
    from ..training.live import MiniWobTasks
    from ..training.preparing import Preparation

    out = request.out or new_folder(f"train-{request.method}", request.runs)
    state = out / STATE_FILE
    if state.exists() and not request.resume:
        raise UsageError(f"{out} holds a training already; continue it with --resume, or name another --out")
    if request.resume and not state.is_file():
        raise UsageError(f"there is nothing to resume from in {out}; train without --resume")
    with closing(MiniWobTasks()) as source:
        made = Preparation(request, out, source).training()
        if request.resume:
            made.tuner.resume(state)
        _run(made, out, request)
    return _finish(made, out, request) if made.tuner.main else {}


def _run(made: PreparedTraining, out: Path, request: TrainRequest) -> None:
    """Train to the end.

    Raises:
        KeyboardInterrupt: it was stopped before.
    """
    from ...agent.training.tuning.tuner import STATE_FILE

    tuner = made.tuner

    def save() -> None:
        tuner.save(out / STATE_FILE)
        if tuner.main:
            write_training_page(out, _facts(made, "done" if tuner.finished else "running"), tuner.history)

    known = f"{len(made.learned)} sequences of {made.learned.episodes} episodes, " if made.learned else ""
    if tuner.main:
        _say(f"{known}{tuner.plan.steps} steps, in {out}")
    with TrainProgress(tuner.plan.steps, None if tuner.main else Console(quiet=True)) as progress:
        progress.begin(tuner.history)
        finished = tuner.train(progress, save, request.save_every)
    if not finished:
        if tuner.main:
            write_training_page(out, _facts(made, "stopped"), tuner.history)
            _say(f"stopped after step {tuner.step}, which is saved; continue with --out {out} --resume")
        raise KeyboardInterrupt


def _facts(made: PreparedTraining, state: str) -> TrainingFacts:
    tuner = made.tuner
    facts: dict[str, object] = {
        "updates": f"{tuner.step} of {tuner.plan.steps}",
        "time": f"{tuner.seconds:.0f} s",
        "trained weights": f"{sum(each.numel() for each in tuner.tuned.trained.values()):,}",
    }
    facts |= {} if tuner.best is None else {"best after step": tuner.best[1]}
    tasks = {} if made.learned is None else {f"sequences: {name}": n for name, n in made.learned.tasks.items()}
    title = f"{tuner.plan.method}: {tuner.tuned.checkpoint.name}"
    return TrainingFacts(title, state, tuner.plan.steps, facts, tuner.plan.model_dump(), tasks)


def _finish(made: PreparedTraining, out: Path, request: TrainRequest) -> dict[str, Any]:
    """Write the checkpoint with the best weights, and let it through the gate."""
    from ...agent.training.tuning.output import write_result

    tuner = made.tuner
    tuner.take_best()
    result = write_result(tuner, out / RESULT, whole=request.merge)
    card = _card(made, request)
    write_training_card(result, card)
    _heads(request, result)
    found = _gate(made, request, result, out / GATE)
    if found is not None:
        write_training_card(result, card | {"gate": _scores(found)})
    return {
        "method": request.method,
        "checkpoint": str(result),
        "report": str(out / TRAINING_PAGE),
        "steps": tuner.step,
        "held_out": None if tuner.best is None else tuner.best[0],
        "seconds": round(tuner.seconds, 1),
        "gate": None if found is None else _scores(found),
    }


def _heads(request: TrainRequest, result: Path) -> None:
    """Train the drafting heads anew that the checkpoint had; or say that they are missing."""
    from ...agent.checkpoints.checkpoint import located_with_base
    from ...agent.decoding.heads.checkpoint import METHODS as KINDS
    from ...agent.decoding.heads.checkpoint import heads_directory
    from .train_heads import HeadsRequest, train_heads

    base = located_with_base(request.model)[-1]
    there = [kind for kind in KINDS if heads_directory(base, kind).is_dir()]
    if request.heads:
        tasks = [name.removeprefix("miniwob:") for name in request.names]
        for kind in there:
            train_heads(HeadsRequest(str(result), kind, heads_directory(result, kind), tasks=tasks), _say)
    elif there and not read_adapter(result):
        _say(f"its drafting heads no longer fit; train new ones: saccade train-heads --model {result}")


def _gate(made: PreparedTraining, request: TrainRequest, result: Path, folder: Path) -> Comparison | None:
    if made.live is None:
        return None
    from ..training.gate import gate
    from .eval import parse_seeds

    return gate(request.model, str(result), request.names, parse_seeds(request.seeds), request.max_steps, folder)


def _scores(found: Comparison) -> dict[str, Any]:
    return {
        "before": found.a,
        "after": found.b,
        "difference": found.difference,
        "95 % interval": "too few pairs" if found.interval is None else list(found.interval),
        "pairs": found.pairs,
    }


def _card(made: PreparedTraining, request: TrainRequest) -> dict[str, Any]:
    from ... import __version__

    tuner = made.tuner
    held = [row["held_out"] for row in tuner.history if "held_out" in row]
    data: dict[str, object] = {"tasks played": ", ".join(request.names)} if request.names else {}
    if made.dataset is not None and made.learned is not None:
        about = made.dataset.card
        data |= {
            "folder": str(request.data),
            "fingerprint": tuner.plan.data,
            "episodes": made.learned.episodes,
            "sequences": len(made.learned),
            "held out": str(about.held_out),
            "licences": ", ".join(about.licences),
            **{f"seeds of {name}": task.seeds for name, task in about.tasks.items() if task.seeds},
        }
    return {
        "base": tuner.plan.model,
        "saccade": __version__,
        "data": data,
        "training": tuner.plan.model_dump() | {"updates": tuner.step, "seconds": round(tuner.seconds, 1)},
        "scores": {"held out before": held[0], "held out, best": min(held)} if held else {},
    }


def train_and_print(request: TrainRequest, *, json_output: bool) -> None:
    """Train, with progress on stderr and the result on stdout."""
    result = train(request)
    if not result:
        return
    if json_output:
        sys.stdout.write(json.dumps(result) + "\n")
        return
    sys.stdout.write(f"{result['checkpoint']} after {result['steps']} steps; report: {result['report']}\n")
    if result["gate"] is not None:
        found = result["gate"]
        sys.stdout.write(
            f"on held-out seeds: {found['before']:.1%} before, {found['after']:.1%} after, {found['pairs']} pairs; "
            f"95 % interval of the difference: {found['95 % interval']}\n"
        )


def merge_and_print(models: Sequence[str], out: Path, *, json_output: bool) -> None:
    """Write one checkpoint of an adapter and its base, or the mean of several; the result goes to stdout."""
    from ...agent.checkpoints.saving import merge_checkpoints

    directory = merge_checkpoints(models, out)
    if json_output:
        sys.stdout.write(json.dumps({"checkpoint": str(directory), "merged": list(models)}) + "\n")
        return
    sys.stdout.write(f"{directory}\n")


def _say(text: str) -> None:
    sys.stderr.write(text + "\n")
