"""The commands ``train`` and ``merge``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from ..terminal.folders import RUNS
from . import options
from .help import Commands
from .options import ARGUMENT, LIMITS, MODEL, OTHER, OUTPUT

app = Commands()


@app.command("train", rich_help_panel="Train")
def _train(
    data: Annotated[Path | None, ARGUMENT("A dataset's folder, as saccade collect makes it.", "DATA")] = None,
    method: Annotated[str, OTHER("sft, reflect, dpo, dagger, reject or grpo.", "NAME")] = "sft",
    beta: Annotated[float | None, OTHER("Cost of straying from the model before; by default 0.1.", "X", min=0)] = None,
    tasks: Annotated[
        str | None, OTHER("MiniWoB++ tasks to play and to measure on, separated by commas.", "NAMES")
    ] = None,
    seeds: Annotated[str, OTHER("Held-out seeds of the comparison at the end.", "SEEDS")] = "0-9",
    attempts: Annotated[int, OTHER("Attempts at a task: of a group, or of a round.", "N", min=1)] = 8,
    rounds: Annotated[int, OTHER("How often dagger and reject collect.", "N", min=1)] = 3,
    groups: Annotated[int, OTHER("Tasks that grpo plays for an update.", "N", min=1)] = 2,
    temperature: Annotated[float, OTHER("Of attempts.", "X", min=0)] = 1.0,
    seed: Annotated[int, OTHER("Of the order of the data and of new weights.", "N", min=0)] = 0,
    model: options.LocalModel = "embedded",
    device: options.Device = "auto",
    quantize: options.Quantize = "none",
    weights: Annotated[
        str | None, MODEL("lora or all; by default all of a small model, else an adapter.", "WHICH")
    ] = None,
    rank: Annotated[int, MODEL("Rank of the adapter.", "N", min=1)] = 16,
    vision: Annotated[bool, MODEL("--vision", "Give the vision tower an adapter, too.")] = False,
    precision: Annotated[
        str | None, MODEL("float32, bfloat16 or float16; by default what the device is fast at.", "TYPE")
    ] = None,
    checkpointing: Annotated[
        bool, MODEL("--checkpointing", "Compute layers again for the gradient: less memory, a third slower.")
    ] = False,
    max_steps: options.MaxSteps = 10,
    epochs: Annotated[float, LIMITS("How often all is learned from.", "X", min=0)] = 3.0,
    steps: Annotated[int | None, LIMITS("Updates, instead of --epochs.", "N", min=1)] = None,
    batch: Annotated[int, LIMITS("Sequences of an update.", "N", min=1)] = 8,
    tokens: Annotated[int, LIMITS("Tokens of one forward; fewer take less memory.", "N", min=1)] = 16384,
    rate: Annotated[
        float | None, LIMITS("Highest learning rate; by default what suits method and weights.", "X", min=0)
    ] = None,
    measure_every: Annotated[
        int | None, LIMITS("Updates between measurements on what is held out; by default a tenth.", "N", min=1)
    ] = None,
    patience: Annotated[
        int, LIMITS("Measurements without a better one after which it stops; 0 never.", "N", min=0)
    ] = 5,
    merge: Annotated[bool, OUTPUT("--merge", "Write a whole checkpoint instead of an adapter.")] = False,
    heads: Annotated[
        bool, OUTPUT("--heads", "Train the drafting heads anew that the checkpoint has; takes minutes to hours.")
    ] = False,
    save_every: Annotated[float, OUTPUT("Seconds between saved states.", "SECONDS", min=0)] = 120.0,
    out: options.Out = None,
    runs: options.Runs = RUNS,
    resume: options.Resume = False,
    json: options.Json = False,
) -> None:
    """Train a checkpoint on a dataset, or on tasks that it plays.

    Only replies are learned, in the conversation that the policy sees when it runs. Writes to --out: checkpoint/
    with an adapter or a whole checkpoint and a card, training.html with the curves, and the state. What is held
    out in the dataset is measured on and decides which weights are kept. Ctrl-C saves the state; --resume
    continues, with the same result as if nothing had happened.

    Methods:
      sft       the right reply of every step; a wrong step's own reply is never learned
      reflect   the same, and after a wrong step a thought that names the slip
      dpo       of each corrected step, prefer the better reply to the one that was given
      dagger    play --tasks; learn what an expert would have done on the screens it comes to
      reject    play --tasks; learn from the attempts that succeed
      grpo      play --tasks; what earns more than other attempts at the same task gains probability

    With --tasks it ends with a comparison of before and after on seeds that nothing learned from.

    Examples:
      saccade train data/invoices --model ByteDance-Seed/UI-TARS-1.5-7B --out runs/invoices
      saccade train data/invoices --model ByteDance-Seed/UI-TARS-1.5-7B --quantize 4bit --checkpointing
      saccade train --method grpo --tasks click-button,click-link --steps 50 --out runs/clicks
      saccade run "Enter the invoice" --url https://example.org --model runs/invoices/checkpoint
    """
    from ..commands.train import train_and_print
    from ..training.request import TrainRequest

    train_and_print(options.request(TrainRequest, locals()), json_output=json)


@app.command("merge", rich_help_panel="Train")
def _merge(
    models: Annotated[list[str], ARGUMENT("An adapter's or a checkpoint's folder; may be several.", "MODEL...")],
    out: Annotated[Path, OUTPUT("Folder of the checkpoint.", "DIR")],
    json: options.Json = False,
) -> None:
    """Write an adapter and its base as one checkpoint, or the mean of several checkpoints.

    The mean of checkpoints that were trained from the same start is often better than each.

    Examples:
      saccade merge runs/invoices/checkpoint --out models/invoices
      saccade merge runs/one/checkpoint runs/two/checkpoint --out models/mean
    """
    from ..commands.train import merge_and_print

    merge_and_print(models, out, json_output=json)
