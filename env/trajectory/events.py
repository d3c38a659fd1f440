"""What a trajectory is made of: typed events, one JSON object per line of ``trajectory.jsonl``.

    start (observation prediction* action*)* end

``start`` comes first and once; ``end`` last and once, and is missing after a crash. A ``prediction`` that
could not be read carries ``error`` and no actions. Every point is in pixels of the step's screenshot.
"""

from __future__ import annotations

import json
from typing import Annotated, Any, Final, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    JsonValue,
    SerializerFunctionWrapHandler,
    TypeAdapter,
    model_serializer,
    model_validator,
)

from ...actions.errors import Fault
from ...actions.geometry import Point, Size
from ...actions.schema import Action
from ...perception.screen import Region

SCHEMA_VERSION = 3

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

LONGEST_SIDE: Final = 1 << 16
"""Pixels along a side of a screen."""


def _screen_size(size: Size) -> Size:
    if not (0 < size.width <= LONGEST_SIDE and 0 < size.height <= LONGEST_SIDE):
        raise ValueError(f"a screen has 1 to {LONGEST_SIDE} pixels along each side")
    return size


Timings = dict[str, float]
ScreenSize = Annotated[Size, AfterValidator(_screen_size)]
StepIndex = Annotated[int, Field(ge=0, lt=1 << 31)]
Count = Annotated[int, Field(ge=0, lt=1 << 53)]
Time = Annotated[float, Field(ge=0, lt=253_402_300_800)]
"""Seconds since the epoch, before the year 10000."""


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Usage(_Record):
    """What a prediction cost.

    Attributes:
        prompt_tokens: with image tokens.
        left_out_tokens: image tokens of older screenshots that the prompt was spared (docs/models.md).
        reply_tokens: of the reply.
        forwards: forwards of the target model after prefill.
        accepted_tokens: reply tokens that came from drafts.
        timings: seconds per phase (``encode``, ``prefill``, ``decode``, ``parse``); ``ahead`` are those of
            encoding and prefill that were over before it was asked for.
    """

    prompt_tokens: Count = 0
    left_out_tokens: Count = 0
    reply_tokens: Count = 0
    forwards: Count = 0
    accepted_tokens: Count = 0
    timings: Timings = Field(default_factory=dict)

    @model_serializer(mode="wrap")
    def _said(self, write: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Without what only shorter histories have, where there is none: older versions do not know it."""
        content: dict[str, Any] = write(self)
        if not self.left_out_tokens:
            content.pop("left_out_tokens", None)
        return content

    def after(self, earlier: Usage) -> Usage:
        """The cost of asking twice about one screen: this reply's, with the forwards and times of both."""
        phases = {*earlier.timings, *self.timings}
        timings = {phase: earlier.timings.get(phase, 0.0) + self.timings.get(phase, 0.0) for phase in phases}
        return self.model_copy(update={"timings": timings, "forwards": earlier.forwards + self.forwards})


class _Settings(_Record):
    """Settings by name; one that is not stated is None and is not written."""

    @model_serializer(mode="wrap")
    def _stated(self, write: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return {name: value for name, value in write(self).items() if value is not None}


class PolicySettings(_Settings):
    """Settings of a policy that change its replies.

    Attributes:
        dialect: the action space it replies in.
        temperature: of sampling; 0 is greedy.
        decoding: the drafters, in order; none for plain decoding.
        constrained: whether a grammar of the dialect restricts its replies.
        acceptance: ``typical`` where drafts are accepted lossily; None where they never change a reply.
        fingerprint: of the weights, where they are known.
        served: the model behind a server's name, as the server states it.
        max_images: the maximum number of screenshots in its context, where it was asked for.
        max_pixels: of a screenshot as the model sees it, where it was asked for.
        history: how much of earlier steps it sees, unless everything.
    """

    dialect: str | None = None
    temperature: float | None = None
    decoding: tuple[str, ...] | None = None
    constrained: bool | None = None
    acceptance: str | None = None
    fingerprint: str | None = None
    served: str | None = None
    max_images: int | None = None
    max_pixels: int | None = None
    history: str | None = None


class EnvironmentSettings(_Settings):
    """Settings of an environment, enough to make it again.

    Attributes:
        url: the first page of a browser.
        app: the command of the program on a private desktop.
        display: ``private``, ``own``, or the name of an X display.
        monitor: number of the monitor, from 1.
        sandbox: ``none`` or ``strict``.
        screen: size of the first screenshot, in pixels.
        har: the file in the run's folder that holds the network traffic.
        now: what the pages' clock showed at the start, in seconds since the epoch.
        redact: regions that are black in every screenshot, as ``X,Y,WIDTHxHEIGHT``.
        wheel_click: CSS pixels by which a click of the wheel scrolls a page.
        suite: what a suite states about its tasks and programs, such as versions.
    """

    url: str | None = None
    app: str | None = None
    display: str | None = None
    monitor: Count | None = None
    sandbox: str | None = None
    screen: ScreenSize | None = None
    har: str | None = None
    now: Time | None = None
    redact: tuple[str, ...] | None = None
    wheel_click: float | None = None
    suite: dict[str, JsonValue] | None = None


class StartEvent(_Record):
    """The task and everything needed to run it again.

    Attributes:
        environment: what ``make_environment`` was given.
        policy: its name.
        max_steps: the limit on predictions.
        max_seconds: the limit on wall time.
        variables: values given with ``--set``, by name.
        expect: what must hold at the end, such as ``title=Done``; the policy does not see it.
        replay_of: the recording that this run repeats.
        replay_mode: how it does so: ``verify`` or ``exact``.
        extra: settings of other programs, or of an older version, that this version does not know.
        time: seconds since the epoch.
    """

    event: Literal["start"] = "start"
    schema_version: int = SCHEMA_VERSION
    saccade_version: str
    instruction: str
    environment: str
    environment_settings: EnvironmentSettings = EnvironmentSettings()
    policy: str
    policy_settings: PolicySettings = PolicySettings()
    seed: Annotated[int, Field(ge=-(1 << 63), lt=1 << 63)] | None = None
    max_steps: Count | None = None
    max_seconds: float | None = None
    variables: dict[str, str] = Field(default_factory=dict)
    expect: tuple[str, ...] = ()
    replay_of: str | None = None
    replay_mode: str | None = None
    extra: dict[str, JsonValue] = Field(default_factory=dict)
    time: Time

    def all_settings(self) -> dict[str, JsonValue]:
        """Every setting that is stated, in one flat mapping for people and tables; ``extra`` comes last."""
        of_run = ("max_steps", "max_seconds", "variables", "expect", "replay_of", "replay_mode")
        stated = self.model_dump(mode="json", include=set(of_run), exclude_none=True, exclude_defaults=True)
        environment = self.environment_settings.model_dump(mode="json")
        suite = environment.pop("suite", {})
        return {**environment, **suite, **self.policy_settings.model_dump(mode="json"), **stated, **self.extra}


class ObservationEvent(_Record):
    """The screen that the policy sees next.

    Attributes:
        step: counts from 0.
        screenshot: SHA-256 of the pixels; the file is ``screenshots/<digest>.png``.
        device_scale: screenshot pixels per input point.
        origin: the screenshot's corner on the screen, in input points.
        notes: what happened beside the screen since the last action: while the environment was reset, in a pause.
        pointer: where the pointer was; None where that is unknown.
        masked: regions that are black in the screenshot, in input points of the screen.
    """

    event: Literal["observation"] = "observation"
    step: StepIndex
    screenshot: str
    size: ScreenSize
    device_scale: Annotated[float, Field(ge=0.01, le=100)] = 1.0
    origin: Point = Point(0.0, 0.0)
    url: str | None = None
    notes: tuple[str, ...] = ()
    pointer: Point | None = None
    masked: tuple[Region, ...] = ()

    @model_serializer(mode="wrap")
    def _stated(self, write: SerializerFunctionWrapHandler) -> dict[str, Any]:
        unstated = {"pointer": None, "masked": ()}
        return {name: value for name, value in write(self).items() if name not in unstated or value}

    timings: Timings = Field(default_factory=dict)
    time: Time


class PredictionEvent(_Record):
    """What the policy replied; ``error`` says why it could not be read, ``notes`` what else the user should know."""

    event: Literal["prediction"] = "prediction"
    step: StepIndex
    raw: str
    thought: str = ""
    actions: tuple[Action, ...] = ()
    error: str | None = None
    notes: tuple[str, ...] = ()
    usage: Usage = Field(default_factory=Usage)
    seconds: float = 0.0
    time: Time


class ActionEvent(_Record):
    """What was executed and what came of it.

    Attributes:
        error: why it had no effect.
        notes: what happened beside the screen meanwhile, such as dialogs and downloads.
    """

    event: Literal["action"] = "action"
    step: StepIndex
    action: Action
    error: str | None = None
    notes: tuple[str, ...] = ()
    reward: float = 0.0
    terminated: bool = False
    truncated: bool = False
    timings: Timings = Field(default_factory=dict)
    time: Time


class EndEvent(_Record):
    """Why and how it ended.

    Attributes:
        judged: whether the environment or an expectation judged it; a policy's "finished" is only a claim.
        success: whether the task was achieved, as judged; never true where nothing judged.
        verdict: why it was judged so; empty where what judged does not say.
        reward: the environment's own; None where it does not judge.
        steps: predictions made.
        message: the policy's answer, or what broke.
        fault: whose error it was, where ``end`` is ``error``; None where that is not known.
        sha256: of all lines before this one, so that a change by hand is detected; empty for a recording of
            version 1, or one that somebody changed on purpose. The writer fills it in.
    """

    event: Literal["end"] = "end"
    end: EndReason
    judged: bool = False
    success: bool
    verdict: str = ""
    reward: float | None = None
    steps: Count
    message: str = ""
    fault: Fault | None = None
    sha256: str = ""
    time: Time

    @model_validator(mode="before")
    @classmethod
    def _told_from_claims(cls, given: Any) -> Any:
        """Older files have no ``judged``: there, only a judged episode has a reward."""
        if not isinstance(given, dict):
            return given
        judged = given.get("judged", given.get("reward") is not None)
        claimed = {"success": False} if judged is False and given.get("success") is True else {}
        return {**given, "judged": judged, **claimed}


Event = Annotated[
    StartEvent | ObservationEvent | PredictionEvent | ActionEvent | EndEvent, Field(discriminator="event")
]

event_adapter: TypeAdapter[Event] = TypeAdapter(Event)


def json_schema() -> str:
    """The JSON Schema of one line of ``trajectory.jsonl``, as text, for readers in other languages."""
    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": f"One line of a Saccade trajectory, schema version {SCHEMA_VERSION}",
        **event_adapter.json_schema(mode="validation"),
    }
    return json.dumps(schema, indent=2) + "\n"
