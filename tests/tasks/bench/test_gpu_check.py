"""``scripts/gpu_check.py`` on a CPU with tiny models; and random weights that are quantized as they are made."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from places import TESTS
from saccade.agent.checkpoints.random_checkpoint import random_in_memory
from saccade.agent.checkpoints.shapes import shape_of
from saccade.agent.decoding.layout import TextSegment
from saccade.agent.decoding.network import Network
from saccade.agent.decoding.session import Session

SCRIPT = TESTS.parent / "scripts" / "gpu_check.py"


def call(*words: str, folder: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-P", str(SCRIPT), *words]
    paths = os.pathsep.join(path for path in sys.path if path)
    environment = {**os.environ, "PYTHONPATH": paths, "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=600)


def test_its_cpu_part(tmp_path: Path) -> None:
    ended = call("--device", "cpu", "--tiny", "--out", "out.json", folder=tmp_path)
    assert ended.returncode == 0, ended.stderr
    found = json.loads((tmp_path / "out.json").read_text())
    assert list(found["models"]) == ["qwen2-vl-2b", "qwen2.5-vl-7b", "qwen2.5-vl-32b"]
    assert found["models"]["qwen2-vl-2b"]["float32"] == {"identical": True, "replies": 2, "tokens": 24}
    for each in found["models"].values():
        assert each["agreement"]["within"]
        names = {(row["name"], row["context"]) for row in each["rows"] if row["part"] == "decode"}
        assert names >= {
            (name, context) for name in ("plain, first", "auto, first", "generate") for context in (40, 80)
        }


def test_after_its_time_no_measurement_begins(tmp_path: Path) -> None:
    ended = call("--device", "cpu", "--tiny", "--seconds", "0", "--out", "out.json", folder=tmp_path)
    assert ended.returncode == 0, ended.stderr
    assert "skipped" in ended.stderr or not (tmp_path / "out.json").exists()


def test_without_a_gpu_it_says_so(tmp_path: Path) -> None:
    ended = call(folder=tmp_path)
    assert ended.returncode == 2
    assert "--device cpu --tiny" in ended.stderr


@pytest.mark.parametrize("quantize", ["8bit", "4bit"])
def test_weights_are_quantized_as_they_are_made(quantize: str) -> None:
    from dataclasses import replace

    shape = shape_of("qwen2-vl-2b").tiny()
    rope = shape.text["rope_parameters"] | {"mrope_section": [4, 6, 6]}
    text = {**shape.text, "hidden_size": 128, "intermediate_size": 256, "rope_parameters": rope}
    shape = replace(shape, text=text, vision={**shape.vision, "hidden_size": 128})
    full, small = (random_in_memory(shape, "made", quantize=each) for each in ("none", quantize))  # type: ignore[arg-type]
    numbers = [
        sum(each.numel() * each.element_size() for each in one.model.model.language_model.layers.parameters())
        for one in (full, small)
    ]
    assert numbers[1] < 0.6 * numbers[0]
    found = []
    for one in (full, small):
        session = Session(Network(one.model), one.image_spec)
        with torch.inference_mode():
            found.append(session.network.logits(session.prefill([TextSegment(tuple(range(5, 40)))]).states)[0])
    assert float(torch.corrcoef(torch.stack(found))[0, 1]) > 0.8
