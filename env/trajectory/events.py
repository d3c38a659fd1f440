"""What a trajectory is made of: typed events, one JSON object per line of ``trajectory.jsonl``.

    start (observation prediction* action*)* end

``start`` comes first and once; ``end`` last and once, and is missing after a crash. A ``prediction`` that
could not be read carries ``error`` and no actions. Every point is in pixels of the step's screenshot.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue, TypeAdapter

from ...actions.geometry import Point, Size
from ...actions.schema import Action

SCHEMA_VERSION = 2

EndReason = Literal[
    "terminated",  # the environment ended the task
    "truncated",  # the environment cut it off
    "finished",  # the policy says it is done
    "call_user",  # the policy hands over to a person
    "step_limit",
    "time_limit",
    "stuck",  # the same actions again and again, and the screen did not change
    "unreadable",  # the policy's replies could not be read, several times in a row
    "interrupted",  # a person stopped it
    "error",  # something broke; the message says what
]

Timings = dict[str, float]


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Usage(_Record):
    """What a prediction cost.

    Attributes:
        prompt_tokens: tokens in the prompt, image tokens included.
        reply_tokens: tokens in the reply.
        forwards: forwards of the target model after prefill.
        accepted_tokens: reply tokens that came from drafts.
        timings: seconds per phase (``encode``, ``prefill``, ``decode``, ``parse``); ``ahead`` are those of
            encoding and prefill that passed while the screen settled.
    """

    prompt_tokens: int = 0
    reply_tokens: int = 0
    forwards: int = 0
    accepted_tokens: int = 0
    timings: Timings = Field(default_factory=dict)

    def after(self, earlier: Usage) -> Usage:
        """Of two questions about one screen, the later of which gave the reply: forwards and times add up."""
        phases = {*earlier.timings, *self.timings}
        timings = {phase: earlier.timings.get(phase, 0.0) + self.timings.get(phase, 0.0) for phase in phases}
        return self.model_copy(update={"timings": timings, "forwards": earlier.forwards + self.forwards})


class StartEvent(_Record):
    """The task and everything needed to run it again.

    Attributes:
        environment: what ``make_environment`` was given.
        settings: the policy's and the environment's settings that change results.
        time: seconds since the epoch.
    """

    event: Literal["start"] = "start"
    schema_version: int = SCHEMA_VERSION
    saccade_version: str
    instruction: str
    environment: str
    policy: str
    seed: int | None = None
    settings: dict[str, JsonValue] = Field(default_factory=dict)
    time: float


class ObservationEvent(_Record):
    """What the policy is about to look at.

    Attributes:
        step: counts from 0.
        screenshot: SHA-256 of the pixels; the file is ``screenshots/<digest>.png``.
        device_scale: screenshot pixels per input point.
        origin: the screenshot's corner on the screen, in input points.
    """

    event: Literal["observation"] = "observation"
    step: int
    screenshot: str
    size: Size
    device_scale: float = 1.0
    origin: Point = Point(0.0, 0.0)
    url: str | None = None
    timings: Timings = Field(default_factory=dict)
    time: float


class PredictionEvent(_Record):
    """What the policy replied; ``error`` says why it could not be read."""

    event: Literal["prediction"] = "prediction"
    step: int
    raw: str
    thought: str = ""
    actions: tuple[Action, ...] = ()
    error: str | None = None
    usage: Usage = Field(default_factory=Usage)
    seconds: float = 0.0
    time: float


class ActionEvent(_Record):
    """What was executed and what came of it; ``error`` says why it had no effect."""

    event: Literal["action"] = "action"
    step: int
    action: Action
    error: str | None = None
    reward: float = 0.0
    terminated: bool = False
    truncated: bool = False
    timings: Timings = Field(default_factory=dict)
    time: float


class EndEvent(_Record):
    """Why and how it ended.

    Attributes:
        success: whether the task was achieved; where the environment does not judge, the policy's word.
        reward: the environment's own; None where it does not judge.
        steps: predictions made.
        message: the policy's answer, or what broke.
        sha256: of all lines before this one, so that a change by hand is seen; empty for a recording of
            version 1, or one that somebody changed and stands by. The writer fills it in.
    """

    event: Literal["end"] = "end"
    end: EndReason
    success: bool
    reward: float | None = None
    steps: int
    message: str = ""
    sha256: str = ""
    time: float


Event = Annotated[
    StartEvent | ObservationEvent | PredictionEvent | ActionEvent | EndEvent, Field(discriminator="event")
]

event_adapter: TypeAdapter[Event] = TypeAdapter(Event)
