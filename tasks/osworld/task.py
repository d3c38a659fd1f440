"""A task in OSWorld's JSON, and the variables that our own tasks draw from a seed.

Published fields that do not describe the task (``trajectory``, ``proxy``, ...) are ignored. One field is
ours: ``variables`` names values that are drawn from the seed; ``{NAME}`` in the task is replaced by them::

    "variables": {"WORD": {"choose": ["ant", "bee"]}, "A": {"between": [10, 99]}, "B": {"sum": ["A", "A"]}}
"""

from __future__ import annotations

import json
import math
import random
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ...actions.errors import DataError, first_problem
from ...actions.files import read_file
from ...actions.geometry import Size

HOME = "/home/user"
"""The home of OSWorld's virtual machines, which its tasks name."""
PASSWORD = "password"

Spec = dict[str, Any]
"""An object of the JSON that names a getter by its ``type``."""


class _Data(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class SetupStep(_Data):
    """One step of preparing a task: its kind, and its arguments by name."""

    type: str
    parameters: Spec = Field(default_factory=dict)


class Evaluator(_Data):
    """How a task is scored: each metric compares a result with what is expected.

    Attributes:
        func: names of the metrics; a list goes with lists below, in which None fills a gap.
        conj: whether all metrics must hold (``and``), or one (``or``).
        postconfig: steps before the results are fetched.
    """

    func: str | list[str]
    conj: Literal["and", "or"] = "and"
    result: Spec | list[Spec | None] | None = None
    expected: Spec | list[Spec | None] | None = None
    options: Spec | list[Spec | None] | None = None
    postconfig: list[SetupStep] = Field(default_factory=list)

    @property
    def metrics(self) -> list[tuple[str, Spec | None, Spec | None, Spec]]:
        """Name, result, expected and options of each metric; raises ``DataError`` for lists of unequal lengths."""
        names = self.func if isinstance(self.func, list) else [self.func]
        columns = [_column(values, len(names)) for values in (self.result, self.expected, self.options)]
        if any(len(column) != len(names) for column in columns):
            raise DataError("func, result, expected and options must be lists of one length")
        rows = zip(names, *columns, strict=True)
        return [(name, result, expected, options or {}) for name, result, expected, options in rows]


class Task(_Data):
    """A task."""

    id: str
    instruction: str
    snapshot: str = ""
    source: str | list[str] = ""
    config: list[SetupStep] = Field(default_factory=list)
    related_apps: list[str] = Field(default_factory=list)
    evaluator: Evaluator
    variables: dict[str, dict[str, Any]] = Field(default_factory=dict)

    @property
    def steps(self) -> list[SetupStep]:
        """All set-up steps, including those before scoring."""
        return [*self.config, *self.evaluator.postconfig]

    @property
    def infeasible(self) -> bool:
        """Whether the right answer is that the task cannot be done."""
        return self.evaluator.func == "infeasible"

    def seeded(self, seed: int | None) -> Task:
        """The task with its variables drawn from a seed; raises ``DataError`` for an unknown definition."""
        if not self.variables:
            return self
        values = _draw(self.variables, random.Random(f"{self.id}/{seed or 0}"), self.id)
        return Task.model_validate(fill(self.model_dump(exclude={"variables"}), values))

    def on_screen(self, size: Size) -> Task:
        """The task with the screen's size and the password filled in."""
        marks = {
            "CLIENT_PASSWORD": PASSWORD,
            "SCREEN_WIDTH_HALF": str(size.width // 2),
            "SCREEN_HEIGHT_HALF": str(size.height // 2),
            "SCREEN_WIDTH": str(size.width),
            "SCREEN_HEIGHT": str(size.height),
        }
        return Task.model_validate(fill(self.model_dump(), marks))


def read_task(path: Path) -> Task:
    """Read a task; raises a ``DataError`` that names the file if it is not as published."""
    try:
        return Task.model_validate_json(read_file(path))
    except OSError as error:
        raise DataError(f"{path}: {error.strerror}") from error
    except ValidationError as error:
        raise DataError(f"{path}: {first_problem(error, 'the file')}") from error


def fill(value: Any, values: Mapping[str, str]) -> Any:
    """A JSON value with every ``{NAME}`` in its texts replaced."""
    match value:
        case str():
            return re.sub(r"\{([A-Z][A-Z0-9_]*)\}", lambda mark: values.get(mark[1], mark[0]), value)
        case list():
            return [fill(each, values) for each in value]
        case dict():
            return {name: fill(each, values) for name, each in value.items()}
    return value


def _column(values: Any, length: int) -> list[Any]:
    if not values:
        return [None] * length
    return values if isinstance(values, list) else [values]


def _draw(variables: Mapping[str, dict[str, Any]], chance: random.Random, task: str) -> dict[str, str]:
    values: dict[str, str] = {}
    for name, rule in variables.items():
        match rule:
            case {"choose": list(choices)}:
                # Never the value of an earlier variable: a word to replace differs from its replacement.
                values[name] = chance.choice([text for text in choices if text not in values.values()])
            case {"between": [int(low), int(high)]}:
                values[name] = str(chance.randint(low, high))
            case {"sum": list(names)}:
                values[name] = str(sum(int(values[each]) for each in names))
            case {"product": list(names)}:
                values[name] = str(math.prod(int(values[each]) for each in names))
            case _:
                raise DataError(f"{task}: unknown variable definition {json.dumps(rule)}")
    return values
