"""How large a report may become: exact pictures while they fit, a fair share for each when they do not."""

from __future__ import annotations

import base64
import io
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageDraw

from made_runs import EPOCH, executed, made_run, prediction, start_event
from saccade.actions.geometry import Point
from saccade.actions.schema import Click
from saccade.env.trajectory.trajectory import Trajectory, TrajectoryWriter
from saccade.perception.observation import Observation, Screenshot
from saccade.tasks.report import write_report
from saccade.tasks.report.images import Embedded, Shown, embedded_images, encode_lossy, size_limit
from saccade.tasks.report.page import PAGE_BYTES


@given(st.lists(st.integers(0, 1000), max_size=30), st.integers(0, 5000))
def test_a_fair_share_fits_and_wastes_little(sizes: list[int], budget: int) -> None:
    share = size_limit(sizes, budget)
    if share is None:
        assert sum(sizes) <= budget
    else:
        held = [min(size, share) for size in sizes]
        assert budget - len(sizes) < sum(held) <= budget < sum(sizes)


def gradients(number: int) -> Image.Image:
    """A page of gradients, grain and text, as photographs and games make it: 1.5 MB as PNG."""
    random = np.random.default_rng(number)
    y, x = np.mgrid[0:720, 0:1280]
    waves = np.stack([x / 5 + y / 9, 200 - y / 5 + 40 * np.sin((x + 37 * number) / 90), x / 11 + y / 4], -1)
    small = Image.fromarray(random.integers(0, 255, (180, 320, 3), dtype=np.uint8))
    blotches = np.asarray(small.resize((1280, 720), Image.Resampling.BICUBIC)).astype(float) - 128
    pixels = waves + 0.35 * blotches + random.normal(0, 2, (720, 1280, 3))
    image = Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))
    draw = ImageDraw.Draw(image)
    for line in range(20):
        draw.text((50, 50 + 30 * line), f"Line {line} of page {number}. " * 6, fill="white")
    return image


def run_of(folder: Path, images: list[Image.Image]) -> Trajectory:
    with TrajectoryWriter(folder, start_event()) as writer:
        for step, image in enumerate(images):
            writer.observe(step, Observation(Screenshot(np.asarray(image)), EPOCH + step))
            action = Click(point=Point(9, 9))
            writer.append(prediction(step, [action]))
            writer.append(executed(step, action))
    return Trajectory.load(folder)


def embedded(run: Trajectory, budget: int) -> list[Embedded]:
    return list(embedded_images([Shown(run, event) for event in run.observations()], budget))


def decoded(picture: Embedded) -> Image.Image:
    return Image.open(io.BytesIO(base64.b64decode(picture.body))).convert("RGB")


def test_five_hundred_heavy_pages_stay_below_the_limit(tmp_path: Path) -> None:
    """Four pages stand for five hundred, with the share of the room that four of them would have."""
    pages = [gradients(number) for number in range(4)]
    run = run_of(tmp_path, pages)
    on_disk = sum(run.image_path(event).stat().st_size for event in run.observations())
    assert on_disk * 500 / 4 > 4 * PAGE_BYTES, "these are not heavy enough to show anything"
    found = embedded(run, PAGE_BYTES * 3 // 4 * 4 // 500)
    assert [picture.exact for picture in found] == [False] * 4
    assert sum(len(picture.body) for picture in found) * 500 / 4 < 60e6
    for page, picture in zip(pages, found, strict=True):
        shown = decoded(picture)
        assert shown.size == page.size
        assert np.abs(np.asarray(shown.convert("L"), float) - np.asarray(page.convert("L"), float)).mean() < 8


def test_light_pictures_stay_exact_beside_heavy_ones(tmp_path: Path) -> None:
    light = Image.new("RGB", (1280, 720), "white")
    run = run_of(tmp_path, [light, gradients(1), light, gradients(2)])
    found = embedded(run, 600_000)
    assert [picture.exact for picture in found] == [True, False, False]
    assert sum(len(base64.b64decode(picture.body)) for picture in found) <= 600_000
    assert np.array_equal(np.asarray(decoded(found[0])), np.asarray(light))
    assert [picture.exact for picture in embedded(run, 10_000_000)] == [True, True, True]


@pytest.mark.parametrize("size", [(1, 1), (3, 20_000)])
def test_odd_pictures_can_be_squeezed(size: tuple[int, int]) -> None:
    data = encode_lossy(Image.new("RGB", size, "red"), 1)
    assert Image.open(io.BytesIO(data)).format == "WEBP"


def test_the_page_says_which_pictures_are_not_exact(tmp_path: Path) -> None:
    run = run_of(tmp_path / "run", [gradients(1)])
    assert "data-reduced>" not in write_report(run).read_text()
    report = write_report(run, limit=300_000)
    assert report.read_text().count("data-reduced>") == 1
    assert report.stat().st_size < 350_000
    assert write_report(made_run(tmp_path / "small")).read_text().count("data-reduced>") == 0
