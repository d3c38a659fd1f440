"""``saccade bench scale``: builds random checkpoints of published shapes, measures each, and keeps row by row."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast

import torch

from ....actions.errors import UsageError
from ....actions.geometry import Size
from ....agent.checkpoints.checkpoint import load_checkpoint
from ....agent.checkpoints.loading import PLAINLY, LoadOptions
from ....agent.checkpoints.random_checkpoint import random_checkpoint
from ....agent.checkpoints.shapes import ModelShape, shape_of
from ....agent.local import LocalPolicy
from ....env.private_files import private_folder
from ....perception.resize import to_patches
from ..screens import progress, torch_threads
from .contexts import ContextBench
from .drafters import WAYS
from .peak import copy_bandwidth, now
from .plot import write_plot
from .rows import RowStore, ScaleRow
from .steps import DIALECT, StepBench
from .ui_replies import corpus
from .ui_screens import ui_screen

if TYPE_CHECKING:
    from ....agent.checkpoints.checkpoint import Checkpoint

PARTS: Final = ("load", "encode", "steps", "decode")
"""What is measured of each model, in this order."""
SCREENS: Final = (Size(1280, 720), Size(1920, 1080))
ALL_WAYS: Final = (*WAYS[1:], "generate")
PLOT: Final = "scale.svg"


@dataclass(frozen=True)
class ScaleRequest:
    """The options of ``saccade bench scale``.

    Attributes:
        shapes: names of published models.
        contexts: cached tokens at which decoding is measured, rising.
        screen: size of the screenshots of the episode.
        replies: per phase of decoding, and at most ten.
        parts: what is measured.
        ways: ways of decoding that are timed, beside the plain one.
        threads: of torch.
        tiny: use tiny models of the same architectures.
        out: folder of the rows; those that it holds are not measured again.
        checkpoints: folder of the random checkpoints, which are made if they are missing.
        load: how they are loaded.
    """

    out: Path
    shapes: Sequence[str] = ("qwen2-vl-2b",)
    contexts: Sequence[int] = (1000, 6500, 13500)
    screen: Size = SCREENS[0]
    replies: int = 5
    parts: Sequence[str] = PARTS
    ways: Sequence[str] = ALL_WAYS
    threads: int = 1
    tiny: bool = False
    checkpoints: Path = Path("runs/shapes")
    load: LoadOptions = PLAINLY

    def settings(self) -> dict[str, Any]:
        """What rows depend on; shapes, contexts and parts may be added later."""
        rest = {"screen": list(self.screen), "replies": self.replies, "threads": self.threads, "tiny": self.tiny}
        return rest | asdict(self.load)


def bench_scale(request: ScaleRequest) -> dict[str, Any]:
    """Measure what is not measured yet.

    Returns:
        ``{"rows": [...], "json", "plot"}``: the rows as ``ScaleRow`` describes them, and the files written.

    Raises:
        UsageError: an option cannot be used, or the folder holds rows of other options.
        KeyboardInterrupt: it was stopped; finished rows are kept.
    """
    _check(request)
    store = RowStore(request.out, request.settings())
    try:
        with torch_threads(request.threads):
            for name in request.shapes:
                _measure(name, request, store)
    except KeyboardInterrupt:
        progress(f"stopped; the same command with --out {request.out} goes on after the {len(store.rows())} rows there")
        raise
    rows = store.rows()
    plot = write_plot(rows, request.out / PLOT)
    return {"rows": [asdict(row) for row in rows], "json": str(store.path), "plot": str(plot)}


def _check(request: ScaleRequest) -> None:
    for name in request.shapes:
        shape_of(name)
    if unknown := set(request.parts) - set(PARTS):
        raise UsageError(f"unknown part {sorted(unknown)[0]!r} (--parts); use some of {', '.join(PARTS)}")
    if unknown := set(request.ways) - set(ALL_WAYS):
        raise UsageError(f"unknown way to decode {sorted(unknown)[0]!r} (--ways); use some of {', '.join(ALL_WAYS)}")
    if list(request.contexts) != sorted(set(request.contexts)) or not all(each > 0 for each in request.contexts):
        raise UsageError("contexts must be rising numbers of tokens (--contexts 1000,6500)")


def _measure(name: str, request: ScaleRequest, store: RowStore) -> None:
    """All measurements of one model; it is loaded only if one is missing."""
    wanted = [f"{name}/{part}" for part in request.parts if part != "decode"]
    if "decode" in request.parts:
        wanted += [f"{name}/decode/{context}/{'+'.join(request.ways)}" for context in request.contexts]
    missing = [each for each in wanted if each not in store]
    if not missing:
        return
    shape = shape_of(name).tiny() if request.tiny else shape_of(name)
    model = _Model(name, shape, request)
    with ExitStack() as ended:
        ended.callback(model.forget)
        for measurement in missing:
            _, part, *rest = measurement.split("/")
            store.add(measurement, model.rows(part, int(rest[0]) if rest else 0))


class _Model:
    """A loaded model and what is measured of it."""

    def __init__(self, name: str, shape: ModelShape, request: ScaleRequest) -> None:
        self._name, self._shape, self._request = name, shape, request
        folder = request.checkpoints / (f"{name}-tiny" if request.tiny else name)
        if not (folder / "tokenizer.json").is_file():
            progress(f"{name}: making random weights in {folder}")
            random_checkpoint(shape, private_folder(folder), corpus())
        progress(f"{name}: loading")
        started = now(torch.device("cpu"))
        self._checkpoint: Checkpoint = load_checkpoint(folder, **asdict(request.load))
        self._seconds = now(torch.device("cpu")) - started
        self._device = cast("Any", self._checkpoint.model).device
        self._target = LocalPolicy(self._checkpoint, DIALECT).target
        self._bandwidth = copy_bandwidth(self._device)
        self._contexts: ContextBench | None = None

    def rows(self, part: str, context: int) -> list[ScaleRow]:
        """The rows of a part."""
        if part == "decode":
            return self._context_bench().rows(context)
        return {"load": self._load, "encode": self._encode, "steps": self._steps}[part]()

    def forget(self) -> None:
        """Free its memory before the next model is loaded."""
        del self._checkpoint, self._target, self._contexts

    def _context_bench(self) -> ContextBench:
        if self._contexts is None:
            self._contexts = ContextBench(
                self._name,
                self._shape,
                self._target,
                self._request.replies,
                self._request.ways,
                self._bandwidth,
                progress,
            )
        return self._contexts

    def _load(self) -> list[ScaleRow]:
        weights = _weight_bytes(self._checkpoint)
        note = f"{weights / 1e9:.2f} GB of weights; memory is copied at {self._bandwidth / 1e9:.1f} GB/s"
        return [ScaleRow(self._name, "load", "", seconds=self._seconds, note=note)]

    @torch.inference_mode()
    def _encode(self) -> list[ScaleRow]:
        rows = []
        for size in (Size(120, 90),) if self._request.tiny else SCREENS:
            progress(f"{self._name}: encoding a screenshot of {size.width}x{size.height}")
            started = now(self._device)
            patches = to_patches(ui_screen(size, 0), self._checkpoint.image_spec)
            tokens = len(self._target.network.encode(patches).tokens)
            seconds = now(self._device) - started
            name, note = f"{size.width}x{size.height}", f"{tokens} tokens"
            rows.append(ScaleRow(self._name, "encode", name, seconds=seconds, note=note))
        return rows

    def _steps(self) -> list[ScaleRow]:
        screen = Size(120, 90) if self._request.tiny else self._request.screen
        weights, cache = _weight_bytes(self._checkpoint), self._context_bench().cache_bytes
        return StepBench(self._name, self._checkpoint, screen, weights, cache, progress).rows()


def _weight_bytes(checkpoint: Checkpoint) -> int:
    return sum(weight.numel() * weight.element_size() for weight in checkpoint.model.parameters())
