"""Compares BrowserGym with Saccade: our agent inside BrowserGym, and the time of a step in both.

    python scripts/browsergym_overhead.py check      # our agent in real BrowserGym episodes
    python scripts/browsergym_overhead.py overhead   # the same clicks on the same MiniWoB++ problems

BrowserGym pins another version of Playwright, so it gets a virtual environment of its own (``--venv``,
310 MB, made on first use), and each side is a process that takes orders as JSON lines. Run this with
Saccade's Python. It needs a Chromium; where BrowserGym expects its own, it gets a link to that one.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import random
import statistics
import subprocess
import sys
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve()
SOURCE = HERE.parents[1] / "src"
PACKAGES = (
    *("browsergym-core==0.14.3", "browsergym-miniwob==0.14.3", "browsergym-experiments==0.14.3", "tqdm"),
    *("miniwob==1.1.0", "pydantic>=2.11,<3"),
)
CHROMIUM_OF_PLAYWRIGHT_1_44 = "chromium-1117/chrome-linux/chrome"
TASKS = (
    *("click-test", "click-test-2", "click-button", "click-dialog", "click-checkboxes", "click-tab-2"),
    *("focus-text", "enter-text", "login-user", "choose-list", "use-slider", "simple-algebra"),
)
SIDES = {"saccade": "Saccade", "browsergym": "BrowserGym", "hurried": "BrowserGym, its fixed waits set to 0"}
Ask = Callable[..., dict[str, Any]]
Times = dict[str, defaultdict[str, list[float]]]
"""Seconds of each kind of order, by side."""


def main() -> None:
    """Parse the arguments and do what they say."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("check", "overhead", *SIDES))
    parser.add_argument("--venv", type=Path, default=Path("runs/browsergym-venv"), help="BrowserGym's packages")
    parser.add_argument("--tasks", nargs="+", default=TASKS, help="MiniWoB++ tasks")
    parser.add_argument("--episodes", type=int, default=3, help="per task")
    parser.add_argument("--steps", type=int, default=4, help="clicks per episode, if it lasts as long")
    arguments = parser.parse_args()
    if arguments.what in SIDES:
        serve(arguments.what)
        return
    environ = prepare(arguments.venv)
    if arguments.what == "check":
        code = HERE.with_name("browsergym_check.py")
        sys.exit(subprocess.run([python_of(arguments.venv), code], env=environ).returncode)
    print(json.dumps(compare(arguments, environ), indent=2))


def prepare(venv: Path) -> dict[str, str]:
    """Install BrowserGym if it is missing; returns the environment variables for running it."""
    sys.path.insert(0, str(SOURCE))
    from saccade.env.browser.chromium import find_browser
    from saccade.env.browser.miniwob_pages import page_of

    if not python_of(venv).exists():
        subprocess.run([sys.executable, "-m", "venv", venv], check=True)
        subprocess.run([python_of(venv), "-m", "pip", "install", "-q", *PACKAGES], check=True)
    browser = venv.absolute() / "browsers" / CHROMIUM_OF_PLAYWRIGHT_1_44
    browser.parent.mkdir(parents=True, exist_ok=True)
    if not browser.is_symlink():
        browser.symlink_to(find_browser())
    return {
        **os.environ,
        "PYTHONPATH": str(SOURCE),
        "PYTHONWARNINGS": "ignore",
        "PLAYWRIGHT_BROWSERS_PATH": str(venv.absolute() / "browsers"),
        "MINIWOB_URL": page_of("click-test").parent.as_uri() + "/",
    }


def python_of(venv: Path) -> Path:
    """The interpreter of a virtual environment."""
    return venv.absolute() / "bin" / "python"


@contextmanager
def side(python: str | Path, name: str, environ: dict[str, str]) -> Iterator[Ask]:
    """Start one side; it ends with the block. Gives what sends it an order and waits for the answer."""
    command = [str(python), str(HERE), name]
    with subprocess.Popen(command, env=environ, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None

        def ask(**order: object) -> dict[str, Any]:
            print(json.dumps(order), file=process.stdin, flush=True)
            reply: dict[str, Any] = json.loads(process.stdout.readline())
            return reply

        yield ask
        process.stdin.close()


def compare(arguments: argparse.Namespace, environ: dict[str, str]) -> dict[str, Any]:
    """The same clicks on the same problems, one step on each side in turn."""
    spent: Times = {name: defaultdict(list) for name in SIDES}
    loads, same, aim = [os.getloadavg()[0]], 0, random.Random(0)
    with ExitStack() as stack:
        ours = {**environ, "PLAYWRIGHT_BROWSERS_PATH": ""}
        sides = {"saccade": stack.enter_context(side(sys.executable, "saccade", ours))}
        for name in ("browsergym", "hurried"):
            sides[name] = stack.enter_context(side(python_of(arguments.venv), name, environ))
        for task, seed in itertools.product(arguments.tasks, range(arguments.episodes)):
            begun = _ask_all(sides, spent, do="reset", task=task, seed=seed)
            same += len({each["goal"] for each in begun}) == 1
            for _ in range(arguments.steps):
                point = [aim.randrange(2, 158), aim.randrange(52, 208)]
                if any(each["done"] for each in _ask_all(sides, spent, do="step", point=point)):
                    break
            loads.append(os.getloadavg()[0])
    return {
        "tasks": list(arguments.tasks),
        "episodes": len(loads) - 1,
        "episodes_with_one_goal_on_all_sides": same,
        "cores": os.cpu_count(),
        "load": {"least": min(loads), "median": statistics.median(loads), "most": max(loads)},
        "milliseconds": {
            SIDES[name]: {what: _summary(times) for what, times in kinds.items()} for name, kinds in spent.items()
        },
        "step_ratio": round(_ratio(spent, "step"), 2),
        "reset_ratio": round(_ratio(spent, "reset"), 2),
    }


def _ask_all(sides: dict[str, Ask], spent: Times, **order: object) -> list[dict[str, Any]]:
    """The answers of all sides to one order; their times are kept."""
    answers = {name: ask(**order) for name, ask in sides.items()}
    for name, answer in answers.items():
        for what, seconds in answer["seconds"].items():
            spent[name][what].append(seconds)
    return list(answers.values())


def _ratio(spent: Times, what: str) -> float:
    return statistics.median(spent["browsergym"][what]) / statistics.median(spent["saccade"][what])


def _summary(seconds: Sequence[float]) -> dict[str, float]:
    quarters = statistics.quantiles(seconds, n=4)
    names = ("lower_quartile", "median", "upper_quartile")
    rounded = {name: round(1000 * value, 1) for name, value in zip(names, quarters, strict=True)}
    return {**rounded, "count": len(seconds)}


def answer(**values: object) -> None:
    """Answer an order."""
    print(json.dumps(values), flush=True)


def serve_browsergym(orders: Iterator[dict[str, Any]], **options: object) -> None:
    """Execute orders in BrowserGym."""
    import time

    import browsergym.miniwob  # noqa: F401  (registers its tasks)
    import gymnasium
    from browsergym.core.action.highlevel import HighLevelActionSet

    options |= {"disable_env_checker": True, "action_mapping": HighLevelActionSet(["coord"]).to_python_code}
    task = None
    with ExitStack() as environments:
        for order in orders:
            if order["do"] == "reset" and order["task"] != task:
                environments.close()
                task = order["task"]
                environment = gymnasium.make(f"browsergym/miniwob.{task}", **options)
                environments.callback(environment.close)
            begun = time.perf_counter()
            if order["do"] == "reset":
                seen, _ = environment.reset(seed=order["seed"])
                answer(seconds={"reset": time.perf_counter() - begun}, goal=seen["goal"])
                continue
            x, y = (1.5 * part for part in order["point"])  # its screenshots are enlarged, and so are its points
            _, _, terminated, truncated, _ = environment.step(f"mouse_click({x}, {y}, 'left')")
            answer(seconds={"step": time.perf_counter() - begun}, done=terminated or truncated)


def serve(name: str) -> None:
    """Execute the orders of standard input on one side, until it ends."""
    orders = map(json.loads, sys.stdin)
    if name == "saccade":
        from saccade_side import serve as serve_saccade

        serve_saccade(orders, answer)
    else:
        serve_browsergym(orders, **({"slow_mo": 0, "pre_observation_delay": 0.0} if name == "hurried" else {}))


if __name__ == "__main__":
    main()
