"""The commands ``bench ...`` and ``train-heads``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from ...agent.checkpoints.loading import LoadOptions
from . import options
from .help import Commands
from .options import LIMITS, MODEL, OTHER, OUTPUT, WHERE

app = Commands()
bench = Commands(help="Measure the speed of the runtime on this machine.", no_args_is_help=True)
app.add_typer(bench, name="bench", rich_help_panel="Evaluate")


@bench.command("step")
def _step(
    tasks: Annotated[str, WHERE("MiniWoB++ tasks, separated by commas.", "NAMES")] = (
        "click-test,click-test-2,click-button,focus-text"
    ),
    steps: Annotated[int, LIMITS("Steps per task.", "N", min=1)] = 25,
    seed: Annotated[int, WHERE("Seed of the first episode.", "N", min=0)] = 0,
    json: options.Json = False,
) -> None:
    """Time one step without a model: capture, settle, parse, act.

    Example:
      saccade bench step --json
    """
    from ..bench.step import bench_step
    from ..terminal.bench_tables import print_timings

    print_timings(bench_step(tasks.split(","), steps, seed), json_output=json)


@bench.command("decoding")
@options.loads_model
def _decoding(
    load: LoadOptions,
    model: options.LocalModel = "embedded",
    threads: options.Threads = 1,
    prompts: Annotated[int, LIMITS("Screens to reply to.", "N", min=1)] = 12,
    rounds: options.Rounds = 3,
    acceptance: options.Acceptance = "exact",
    json: options.Json = False,
) -> None:
    """Time each way of decoding against that of transformers.

    The screens are those of MiniWoB++. Whole episodes are compared with recomputing the last five screenshots
    in each step. Ratios say how many times faster Saccade is.

    Example:
      saccade bench decoding --prompts 6 --json
    """
    from ..bench.decoding import bench_decoding
    from ..terminal.bench_tables import print_decoding

    print_decoding(bench_decoding(model, threads, prompts, rounds, acceptance=acceptance, load=load), json_output=json)


@bench.command("scale")
@options.loads_model
def _scale(
    load: LoadOptions,
    model: Annotated[str, MODEL("--shapes", "Published models, separated by commas.", "NAMES")] = "qwen2-vl-2b",
    contexts: Annotated[str, OTHER("Cached tokens at which decoding is timed.", "N,N")] = "1000,6500,13500",
    parts: Annotated[str, OTHER("What is measured, separated by commas.", "NAMES")] = "load,encode,steps,decode",
    ways: Annotated[str, OTHER("Ways of decoding that are timed beside the plain one.", "NAMES")] = (
        "auto,suffix,grammar,medusa,mtp,draft,useless,generate"
    ),
    screen: Annotated[str, WHERE("Size of the screenshots in the episode.", "WxH")] = "1280x720",
    replies: Annotated[int, LIMITS("Replies per phase of decoding.", "N", min=1, max=10)] = 5,
    threads: options.Threads = 1,
    tiny: Annotated[bool, MODEL("--tiny", "Tiny models of the same architectures, to try the command.")] = False,
    checkpoints: Annotated[Path, OUTPUT("Folder of the random checkpoints; they are kept.", "DIR")] = Path(
        "runs/shapes"
    ),
    out: Annotated[Path, OUTPUT("Folder of the rows; what is there is not measured again.", "DIR")] = Path(
        "runs/scale"
    ),
    json: options.Json = False,
) -> None:
    """Time models of published sizes with random weights on this machine.

    The weights are made on the spot; replies are forced to a script, so that every forward is real. Timed are
    loading, encoding, the steps of an episode (one of them also by transformers, which keeps nothing), and
    decoding at several context lengths: plain, with each drafter, and by transformers' generate.

    After Ctrl-C the same command goes on. Names: qwen2-vl-2b, qwen3-vl-2b, qwen2.5-vl-3b, qwen3-vl-4b,
    qwen2-vl-7b, qwen2.5-vl-7b, qwen2.5-vl-32b, qwen3-vl-32b.

    Examples:
      saccade bench scale
      saccade bench scale --shapes qwen2.5-vl-7b --device cuda --out runs/scale-gpu
    """
    from ..bench.scale.bench import ScaleRequest, bench_scale
    from ..terminal.bench_tables import print_scale
    from ..terminal.parse import parse_counts, parse_size

    request = options.request(
        ScaleRequest,
        locals(),
        shapes=model.split(","),
        contexts=parse_counts(contexts),
        parts=parts.split(","),
        ways=ways.split(","),
        screen=parse_size(screen),
    )
    print_scale(bench_scale(request), json_output=json)


@bench.command("replay")
@options.loads_model
def _replay(
    load: LoadOptions,
    recording: options.Recording,
    model: options.OtherModel = None,
    threads: options.Threads = 1,
    rounds: options.Rounds = 3,
    json: options.Json = False,
) -> None:
    """Time a model on a recording: plain, with drafters, and verifying.

    Example:
      saccade bench replay runs/invoice --json
    """
    from ..bench.replay import bench_replay
    from ..terminal.bench_tables import print_ways

    print_ways(bench_replay(recording, model, threads, rounds, load), json_output=json)


@app.command("train-heads", rich_help_panel="Evaluate")
@options.loads_model
def _train_heads(
    load: LoadOptions,
    model: options.LocalModel = "embedded",
    method: Annotated[str, OTHER("medusa or mtp.", "NAME")] = "mtp",
    tasks: Annotated[
        str | None, OTHER("MiniWoB++ tasks, separated by commas; by default all that may be trained on.", "NAMES")
    ] = None,
    depth: Annotated[int, OTHER("How many tokens are drafted.", "N", min=1)] = 4,
    steps: Annotated[int, LIMITS("Updates.", "N", min=1)] = 400,
    prompts: Annotated[int, LIMITS("Replies to learn from.", "N", min=1)] = 600,
    out: options.Out = None,
    resume: options.Resume = False,
    json: options.Json = False,
) -> None:
    """Train drafting heads for a checkpoint on its own replies.

    The model replies to screens of MiniWoB++ and is not changed. Its replies are kept in runs/heads/ and used
    again. The heads are written to heads/METHOD beside the checkpoint, or to --out. Ctrl-C saves the state;
    --resume continues.

    Examples:
      saccade train-heads --method mtp
      saccade train-heads --model ByteDance-Seed/UI-TARS-1.5-7B --method medusa --prompts 5000
    """
    from ..commands.train_heads import HeadsRequest, train_and_print

    chosen = tasks.split(",") if tasks else ()
    train_and_print(
        HeadsRequest(model, method, out, steps, prompts, chosen, depth, resume, load=load), json_output=json
    )
