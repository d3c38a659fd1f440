"""Checks and times the runtime at published sizes on one GPU in about ten minutes, and writes JSON.

    python scripts/gpu_check.py --out gpu.json            # 2B, 7B, and 32B in 4 bits
    python scripts/gpu_check.py --device cpu --tiny       # what the tests run: the same code on tiny models

For each size: replies in float32 must be those of transformers' ``generate`` (checked at the smallest size, where the
weights fit), scores in bfloat16 may differ by rounding only, and each way of decoding is timed at each context length.
After ``--seconds`` no new measurement begins; what is missing then is said.
"""

from __future__ import annotations

import argparse
import gc
import json
import platform
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any, cast

import torch

from saccade.actions.errors import ParseError
from saccade.actions.geometry import Size
from saccade.agent.checkpoints.checkpoint import Checkpoint
from saccade.agent.checkpoints.random_checkpoint import random_in_memory
from saccade.agent.checkpoints.shapes import ModelShape, shape_of
from saccade.agent.decoding.layout import TextSegment
from saccade.agent.decoding.network import Network
from saccade.agent.decoding.session import Session
from saccade.agent.decoding.tree import DraftTree
from saccade.agent.local import LocalPolicy
from saccade.agent.policy import Context, Turn
from saccade.perception.resize import to_patches
from saccade.tasks.bench.baseline import TransformersBaseline
from saccade.tasks.bench.scale.contexts import ContextBench
from saccade.tasks.bench.scale.peak import copy_bandwidth, now, peak_memory
from saccade.tasks.bench.scale.ui_replies import corpus
from saccade.tasks.bench.scale.ui_screens import ui_screen

PLAN = (("qwen2-vl-2b", "none"), ("qwen2.5-vl-7b", "none"), ("qwen2.5-vl-32b", "4bit"))
CONTEXTS = (1_000, 13_500)
WAYS = ("auto", "suffix", "grammar", "useless", "generate")
DIALECT = "uitars-1.0"
TOKENS = 24
TOLERANCE = 0.15
"""How far scores in bfloat16 may be off where sums have another order, in standard deviations of the scores."""


def identical(checkpoint: Checkpoint, screen: Size) -> dict[str, Any]:
    """Two steps of an episode: the reply with all drafts is that of ``generate`` on the whole prompt."""
    policy = LocalPolicy(checkpoint, DIALECT, max_new_tokens=TOKENS)
    baseline = TransformersBaseline(checkpoint, policy.limits)
    turns: list[Turn] = []
    same = []
    for step in range(2):
        context = Context("Open the newest report.", ui_screen(screen, step), tuple(turns))
        expected = baseline.reply(policy.prompt(context)).text
        try:
            found = policy.predict(context).raw
        except ParseError as error:
            found = error.raw
        same.append(found == expected)
        turns.append(Turn(context.screenshot, found))
    return {"identical": all(same), "replies": len(same), "tokens": TOKENS}


@torch.inference_mode()
def agreement(checkpoint: Checkpoint, context: int) -> dict[str, Any]:
    """Scores of a tree of drafts against scores of the same tokens read one by one."""
    network = Network(checkpoint.model)
    session = Session(network, checkpoint.image_spec)
    generator = torch.Generator().manual_seed(1)
    ids = torch.randint(20, 3_900, (context + 8,), generator=generator).tolist()
    session.prefill([TextSegment(tuple(ids[:context]))])
    tree = DraftTree(ids[context])
    tree.add_chain(ids[context + 1 :], [0.9] * 7, "made")
    together = network.logits(session.verify(tree))
    session.keep([])
    session.rewind(1)
    alone = torch.cat([network.logits(session.extend([token])) for token in ids[context:]])
    off = float((together - alone).abs().max() / alone.std())
    same = float((together.argmax(-1) == alone.argmax(-1)).float().mean())
    return {"largest_difference": round(off, 4), "same_choice": round(same, 3), "within": off <= TOLERANCE}


def measure(name: str, shape: ModelShape, checkpoint: Checkpoint, arguments: Any, begun: float) -> dict[str, Any]:
    """The rows of one model, until the time is over."""
    device = cast("Any", checkpoint.model).device
    target = LocalPolicy(checkpoint, DIALECT).target
    found: dict[str, Any] = {"rows": [], "skipped": []}
    with peak_memory(device) as peak, torch.inference_mode():
        found["agreement"] = agreement(checkpoint, arguments.contexts[0])
        started = now(device)
        target.network.encode(to_patches(ui_screen(arguments.screen, 0), checkpoint.image_spec))
        found["encode_seconds"] = round(now(device) - started, 4)
        bench = ContextBench(name, shape, target, arguments.replies, WAYS, copy_bandwidth(device), say)
        for context in arguments.contexts:
            if time.monotonic() - begun > arguments.seconds:
                found["skipped"].append(context)
                continue
            found["rows"] += [asdict(row) for row in bench.rows(context)]
    found["peak_bytes"] = peak.bytes
    found["weight_bytes"] = sum(each.numel() * each.element_size() for each in checkpoint.model.parameters())
    return found


def say(line: str) -> None:
    """Progress goes to stderr."""
    sys.stderr.write(f"{line}\n")


def main() -> int:
    """Check all sizes; 0 if nothing is wrong."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--tiny", action="store_true")
    parser.add_argument("--out", type=Path, default=Path("gpu_check.json"))
    parser.add_argument("--seconds", type=float, default=540.0)
    arguments = parser.parse_args()
    arguments.contexts = (40, 80) if arguments.tiny else CONTEXTS
    arguments.replies = 1 if arguments.tiny else 5
    arguments.screen = Size(120, 90) if arguments.tiny else Size(1920, 1080)
    if arguments.device != "cpu" and not torch.cuda.is_available():
        say("there is no GPU here; --device cpu --tiny tries the script")
        return 2
    card = platform.processor() if arguments.device == "cpu" else torch.cuda.get_device_name()
    result: dict[str, Any] = {"device": card, "torch": torch.__version__, "models": {}}
    begun = time.monotonic()
    for place, (name, quantize) in enumerate(PLAN):
        if time.monotonic() - begun > arguments.seconds:
            result["models"][name] = {"skipped": True}
            continue
        shape = shape_of(name).tiny() if arguments.tiny else shape_of(name)
        quantize = "none" if arguments.tiny else quantize
        found: dict[str, Any] = {"quantize": quantize}
        if place == 0:
            say(f"{name}: replies in float32")
            exact = random_in_memory(shape, name, corpus(), dtype="float32", device=arguments.device)
            # A smaller screen, as ``generate`` reads it anew in each step.
            found["float32"] = identical(exact, Size(arguments.screen.width // 2, arguments.screen.height // 2))
            del exact
            gc.collect()
        say(f"{name}: bfloat16, quantize {quantize}")
        model = random_in_memory(shape, name, corpus(), dtype="bfloat16", device=arguments.device, quantize=quantize)
        found |= measure(name, shape, model, arguments, begun)
        result["models"][name] = found
        del model
        gc.collect()
        result["seconds"] = round(time.monotonic() - begun, 1)
        arguments.out.write_text(json.dumps(result, indent=1), encoding="utf-8")
    return report(result)


def report(result: dict[str, Any]) -> int:
    """Say what is wrong; 0 if nothing is."""
    wrong = []
    for name, found in result["models"].items():
        if not found.get("float32", {}).get("identical", True):
            wrong.append(f"{name}: replies differ in float32")
        if not found.get("agreement", {}).get("within", True):
            wrong.append(f"{name}: scores differ in bfloat16")
    for line in wrong:
        say(line)
    say(json.dumps({"device": result["device"], "seconds": result.get("seconds", 0.0), "wrong": len(wrong)}))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
