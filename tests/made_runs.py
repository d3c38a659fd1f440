"""Runs made up for tests: drawn screens, written by the real writer."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from saccade.actions.geometry import Point
from saccade.actions.schema import Action, Click
from saccade.env.trajectory.events import ActionEvent, EndEvent, PredictionEvent, StartEvent, Usage
from saccade.env.trajectory.trajectory import Trajectory, TrajectoryWriter
from saccade.perception.observation import Observation, Screenshot

EPOCH = 1_750_000_000.0


def start_event(**changes: Any) -> StartEvent:
    values: dict[str, Any] = {
        "saccade_version": "0.1.0",
        "instruction": "Click the button",
        "environment": "made-up",
        "policy": "scripted",
        "seed": 7,
        "time": EPOCH,
    }
    return StartEvent(**{**values, **changes})


def screen(text: str, size: tuple[int, int] = (320, 200), device_scale: float = 1.0) -> Screenshot:
    """A small form with a text on it; different texts make different pictures."""
    image = Image.new("RGB", size, (248, 248, 246))
    draw = ImageDraw.Draw(image)
    draw.rectangle((0, 0, size[0], 24), fill=(70, 90, 160))
    draw.text((8, 6), text, fill="white", font=ImageFont.load_default(12))
    draw.rounded_rectangle((40, 80, 140, 116), 6, fill=(225, 228, 240), outline=(90, 90, 110))
    draw.text((64, 90), "Submit", fill="black", font=ImageFont.load_default(12))
    return Screenshot(np.asarray(image), device_scale)


def observation(
    text: str, time: float = EPOCH, size: tuple[int, int] = (320, 200), device_scale: float = 1.0
) -> Observation:
    return Observation(screen(text, size, device_scale), time, "http://made.up/", {"settle": 0.05, "capture": 0.02})


def prediction(step: int, actions: Sequence[Action], **changes: Any) -> PredictionEvent:
    values: dict[str, Any] = {
        "step": step,
        "raw": "Thought: I see it.\nAction: ...",
        "thought": "I see it.",
        "actions": tuple(actions),
        "usage": Usage(
            prompt_tokens=1204,
            reply_tokens=40,
            forwards=12,
            accepted_tokens=28,
            timings={"encode": 0.08, "prefill": 0.12, "decode": 0.3, "parse": 0.0004},
        ),
        "seconds": 0.5,
        "time": EPOCH + step + 0.5,
    }
    return PredictionEvent(**{**values, **changes})


def executed(step: int, action: Action, **changes: Any) -> ActionEvent:
    values = {"step": step, "action": action, "timings": {"act": 0.04}, "time": EPOCH + step + 0.6}
    return ActionEvent(**{**values, **changes})


def end_event(steps: int, **changes: Any) -> EndEvent:
    values: dict[str, Any] = {
        "end": "terminated",
        "success": True,
        "reward": 1.0,
        "steps": steps,
        "time": EPOCH + steps,
    }
    return EndEvent(**{**values, **changes})


def made_run(
    directory: Path,
    actions: Sequence[Sequence[Action]] = ((Click(point=Point(90.0, 98.0)),),),
    *,
    size: tuple[int, int] = (320, 200),
    device_scale: float = 1.0,
    final: bool = True,
    end: EndEvent | str | None = "success",
    **start: Any,
) -> Trajectory:
    """Write and load a run with the given actions, one tuple for each step."""
    with TrajectoryWriter(directory, start_event(**start)) as writer:
        for step, chosen in enumerate(actions):
            writer.observe(step, observation(f"screen {step}", EPOCH + step, size, device_scale))
            writer.append(prediction(step, chosen))
            for action in chosen:
                writer.append(executed(step, action))
        if final:
            writer.observe(len(actions), observation("the end", EPOCH + len(actions), size, device_scale))
        if end == "success":
            writer.append(end_event(len(actions)))
        elif isinstance(end, EndEvent):
            writer.append(end)
    return Trajectory.load(directory)
