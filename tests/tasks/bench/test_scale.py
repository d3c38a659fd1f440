"""``saccade bench scale`` on tiny models: forced replies, resuming row by row, memory, and the table."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from saccade.actions.errors import UsageError
from saccade.agent.checkpoints.checkpoint import load_checkpoint
from saccade.agent.checkpoints.random_checkpoint import random_checkpoint, random_model
from saccade.agent.checkpoints.shapes import SHAPES, shape_of
from saccade.tasks.bench.scale import bench, peak
from saccade.tasks.bench.scale.bench import ScaleRequest, bench_scale
from saccade.tasks.bench.scale.rows import RowStore, ScaleRow
from saccade.tasks.bench.scale.ui_replies import APPLICATIONS, corpus, ui_episode
from saccade.tasks.cli.app import main
from saccade.tasks.terminal.bench_tables import print_scale

PUBLISHED = {
    "qwen2-vl-2b": 2_208_985_600,
    "qwen3-vl-2b": 2_127_532_032,
    "qwen2.5-vl-3b": 3_754_622_976,
    "qwen3-vl-4b": 4_437_815_808,
    "qwen2-vl-7b": 8_291_375_616,
    "qwen2.5-vl-7b": 8_292_166_656,
    "qwen2.5-vl-32b": 33_452_718_336,
    "qwen3-vl-32b": 33_357_402_352,
}
"""Parameters as the model cards say them."""


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> tuple[ScaleRequest, dict[str, Any]]:
    root = tmp_path_factory.mktemp("scale")
    shapes = ("qwen2-vl-2b",)
    request = ScaleRequest(root / "out", shapes, (40, 90), replies=1, tiny=True, checkpoints=root / "models")
    return request, bench_scale(request)


@pytest.mark.parametrize("name", SHAPES)
def test_shapes_have_as_many_parameters_as_published(name: str) -> None:
    model = random_model(shape_of(name), torch.bfloat16, device="meta")
    assert model.num_parameters() == pytest.approx(PUBLISHED[name], rel=0.002)


def test_every_row_is_measured(measured: tuple[ScaleRequest, dict[str, Any]]) -> None:
    request, result = measured
    rows = [ScaleRow(**row) for row in result["rows"]]
    decoding = {(row.name, row.context) for row in rows if row.part == "decode"}
    names = {"plain, first", "auto, first", "auto, alike", "auto, new", "suffix, first", "grammar, first"}
    names |= {"medusa, first", "mtp, first", "draft, first", "useless, first"}
    names |= {"generate", "generate, prompt lookup", "generate, assistant"}
    assert decoding >= {(name, context) for name in names for context in request.contexts}
    assert {row.part for row in rows} == {"load", "encode", "step", "memory", "prefill", "decode"}
    steps = [row.name for row in rows if row.part == "step"]
    assert steps == ["1", "2", "3", "4", "5", "6, dropped", "7", "5, generate"]
    assert all(row.seconds > 0 for row in rows if row.part != "memory")
    by_name = {(row.name, row.context): row for row in rows}
    for context in request.contexts:
        plain, useless, auto = (by_name[f"{name}, first", context] for name in ("plain", "useless", "auto"))
        assert plain.faster == 1
        assert useless.forwards == plain.forwards, "a useless draft is never accepted"
        assert auto.forwards < plain.forwards
    assert "<svg" in Path(result["plot"]).read_text()


def test_a_row_that_is_done_is_not_measured_again(
    measured: tuple[ScaleRequest, dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    request, result = measured

    def load(*_: object) -> None:
        raise AssertionError("nothing is left to measure")

    monkeypatch.setattr(bench, "_Model", load)
    assert bench_scale(request)["rows"] == result["rows"]


def test_a_stop_keeps_what_is_done(
    measured: tuple[ScaleRequest, dict[str, Any]], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    request, _ = measured
    more = ScaleRequest(
        request.out.parent / "stopped",
        request.shapes,
        replies=1,
        parts=("load", "encode"),
        tiny=True,
        checkpoints=request.checkpoints,
    )

    def stop(self: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("saccade.tasks.bench.scale.bench._Model._encode", stop)
        with pytest.raises(KeyboardInterrupt):
            bench_scale(more)
    assert "goes on after the 1 rows" in capsys.readouterr().err
    assert [row["part"] for row in bench_scale(more)["rows"]] == ["load", "encode"]


def test_rows_of_other_options_are_not_mixed(measured: tuple[ScaleRequest, dict[str, Any]]) -> None:
    request, _ = measured
    with pytest.raises(UsageError, match="other options"):
        RowStore(request.out, request.settings() | {"threads": 2})


def test_the_table_fits_80_columns(
    measured: tuple[ScaleRequest, dict[str, Any]], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    print_scale(measured[1] | {"json": "a", "plot": "b"}, json_output=False)
    text = capsys.readouterr().out
    assert max(map(len, text.splitlines())) <= 80
    assert "…" not in text


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (["--shapes", "qwen9"], "qwen2.5-vl-32b"),
        (["--contexts", "9,3"], "--contexts"),
        (["--contexts", "0"], "1000,6500"),
        (["--parts", "all"], "--parts"),
        (["--tiny", "--dtype", "int3"], "float16"),
    ],
)
def test_wrong_options_are_said(
    words: list[str], named: str, capsys: pytest.CaptureFixture[str], measured: tuple[ScaleRequest, dict[str, Any]]
) -> None:
    out = str(measured[0].out.parent / "wrong")
    with pytest.raises(SystemExit):
        main(["bench", "scale", *words, "--out", out, "--checkpoints", str(measured[0].checkpoints), "--json"])
    assert named in json.loads(capsys.readouterr().out.splitlines()[-1])["error"]["message"]


def test_tokens_are_those_of_a_real_tokenizer(tmp_path: Path) -> None:
    shape = shape_of("qwen2-vl-2b")
    folder = random_checkpoint(shape.tiny(), tmp_path / "model", corpus())
    tokenizer = load_checkpoint(folder).tokenizer
    episode = ui_episode(APPLICATIONS[2], 3)
    for reply in episode.replies:
        assert tokenizer.decode(tokenizer.encode(reply, add_special_tokens=False)) == reply
    assert ui_episode(APPLICATIONS[2], 3) == episode
    assert ui_episode(APPLICATIONS[2], 4).replies != episode.replies


def test_the_peak_of_memory_is_seen() -> None:
    before = peak.resident_bytes()
    with peak.peak_memory(torch.device("cpu")) as found:
        held = torch.ones(50_000_000)
        del held
    assert found.bytes - before > 100_000_000
