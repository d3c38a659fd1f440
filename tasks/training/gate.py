"""The gate at the end of a training: the model before and after on seeds that it did not learn from, paired."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ..api_evaluate import evaluate
from ..evaluation.compare import Comparison, compare


def gate(
    before: str, after: str, tasks: Sequence[str], seeds: Sequence[int], max_steps: int, folder: Path
) -> Comparison:
    """Evaluate both models on MiniWoB++ tasks and compare them; what was evaluated before is not again.

    Raises:
        KeyboardInterrupt: a person stopped it; what is done stays in the folder.
    """
    names = [task.removeprefix("miniwob:") for task in tasks]
    roots = {"before": before, "after": after}
    for name, model in roots.items():
        root = folder / name
        resume = (root / "eval.json").exists()
        evaluate("miniwob", model=model, tasks=names, seeds=seeds, max_steps=max_steps, out=root, resume=resume)
    return compare(folder / "before", folder / "after")
