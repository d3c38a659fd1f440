"""Checks that an environment keeps the contract of ``env.base``. Run it on your own before you trust results."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from ..actions.errors import EnvironmentFailure
from ..actions.geometry import Point
from ..actions.schema import Action, Click, Finished, Move, NavigateBack, OpenApp, PressHome
from ..perception.observation import Observation
from ..perception.settle import same_but_caret
from .base import Environment, StepResult

Findings = Iterator[str]


def check_environment(environment: Environment, seed: int = 7) -> list[str]:
    """Everything about an environment that breaks the contract, in words; an empty list means it conforms.

    The environment must be new (never reset) and is closed afterwards. Nothing on its screen is clicked: the
    checks use actions that must not change the screen. ``seed`` must determine the first screen.
    """
    findings: list[str] = []
    try:
        for check in (_before_reset, _first_screen, _instruction, _finished, _outside, _unsupported):
            findings += _run(check, environment, seed)
    finally:
        findings += _run(_closing, environment, seed)
    return findings


def _run(check: Callable[[Environment, int], Findings], environment: Environment, seed: int) -> Findings:
    try:
        yield from check(environment, seed)
    except Exception as error:  # the checks report whatever an environment raises, and continue
        yield f"{check.__name__.strip('_')}: raised {type(error).__name__}: {error}"


def _before_reset(environment: Environment, _seed: int) -> Findings:
    yield from _refuses_step(environment, "before reset")


def _refuses_step(environment: Environment, when: str) -> Findings:
    try:
        environment.step(Move(point=Point(1, 1)))
    except EnvironmentFailure:
        return
    except Exception as error:
        yield f"step {when} raised {type(error).__name__}, not EnvironmentFailure"
    else:
        yield f"step {when} was accepted; it must raise EnvironmentFailure"


def _first_screen(environment: Environment, seed: int) -> Findings:
    first, second = environment.reset(seed), environment.reset(seed)
    yield from _observation("reset", first)
    if not _same_screen(first, second):
        yield f"the first screen differs between two resets with seed {seed}"
    if first.screenshot.size != second.screenshot.size:
        yield f"the screen changed its size from {first.screenshot.size} to {second.screenshot.size}"


def _instruction(environment: Environment, _seed: int) -> Findings:
    instruction = environment.instruction
    if instruction is not None and (not isinstance(instruction, str) or not instruction.strip()):
        yield f"instruction must be None or words, not {instruction!r}"


def _finished(environment: Environment, seed: int) -> Findings:
    environment.reset(seed)
    result = environment.step(Finished(answer="done"))
    yield from _result("step(finished)", result)
    if result.terminated:
        yield "finished ended the environment's own task; whether that is done is not for the policy to say"


def _outside(environment: Environment, seed: int) -> Findings:
    before = environment.reset(seed)
    width, height = before.screenshot.size
    for point in (Point(width + 50.0, height / 2), Point(-5.0, -5.0)):
        click = f"a click at ({point.x:g}, {point.y:g}), outside the screenshot of {width} x {height} pixels,"
        result = environment.step(Click(point=point))
        yield from _result("step(click outside)", result)
        if result.error is None:
            yield f"{click} gave no error"
        if not _same_screen(before, result.observation):
            yield f"{click} changed the screen"


def _unsupported(environment: Environment, seed: int) -> Findings:
    before = environment.reset(seed)
    foreign: tuple[Action, ...] = (OpenApp(name="no such program"), PressHome(), NavigateBack())
    refused = 0
    for action in foreign:
        result = environment.step(action)
        yield from _result(f"step({action.kind})", result)
        if result.error is None:
            before = result.observation
            continue
        refused += 1
        if not _same_screen(before, result.observation):
            yield f"{action.kind} gave the error {result.error!r}, but changed the screen"
    if refused == 0:
        yield "no action is refused: opening an unknown program, or a home button, must give an error"


def _closing(environment: Environment, _seed: int) -> Findings:
    environment.close()
    try:
        environment.close()
    except Exception as error:
        yield f"closing twice raised {type(error).__name__}: {error}"
    yield from _refuses_step(environment, "after close")


def _result(where: str, result: StepResult) -> Findings:
    yield from _observation(where, result.observation)
    if result.error is not None and not result.error.strip():
        yield f"{where}: an error must say something"
    for name, kind in (("reward", float), ("terminated", bool), ("truncated", bool)):
        value = getattr(result, name)
        if not isinstance(value, kind):
            yield f"{where}: {name} must be a {kind.__name__}, not {type(value).__name__}"


def _observation(where: str, observation: Observation) -> Findings:
    broken = {
        "the screenshot is empty": min(observation.screenshot.size) < 1,
        "device_scale must be positive": observation.screenshot.device_scale <= 0,
        f"captured_at must be seconds since the epoch, not {observation.captured_at}": observation.captured_at < 1e9,
        f"a timing is negative: {observation.timings}": any(value < 0 for value in observation.timings.values()),
    }
    yield from (f"{where}: {finding}" for finding, found in broken.items() if found)


def _same_screen(one: Observation, other: Observation) -> bool:
    return same_but_caret(one.screenshot.pixels, other.screenshot.pixels)
