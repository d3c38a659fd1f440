"""An evaluation of two desktop tasks by a policy that waits and gives up; run as a program, to be killed."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

from saccade.agent.policy import ScriptedPolicy
from saccade.tasks.evaluation.console import EvalProgress
from saccade.tasks.evaluation.evaluate import Evaluation, evaluate
from saccade.tasks.evaluation.folder import read_evaluation
from saccade.tasks.evaluation.summary import Summary, summarise
from saccade.tasks.suites.desktop import DesktopSuite


@dataclass(frozen=True)
class GivingUp:
    """Gives up at its second step."""

    asked = {"model": "giving up"}  # noqa: RUF012

    def open(self) -> ScriptedPolicy:
        return ScriptedPolicy(["Action: wait()", "Action: call_user()"])


def table(root: Path) -> Summary:
    """What came of it."""
    config, records = read_evaluation(root)
    return summarise(config, records)


def main(folder: str) -> None:
    """Two workers, resuming what is there."""
    evaluation = Evaluation(
        Path(folder) / "eval", DesktopSuite(), GivingUp(), ["make-tree", "print-in-colour"], range(2), workers=2
    )
    with EvalProgress() as progress:
        evaluate(evaluation, progress, resume=True)


if __name__ == "__main__":
    main(sys.argv[1])
