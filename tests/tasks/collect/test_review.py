"""Reviews: what is decided in the terminal or on the page is carried out, all of it or nothing."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from made_datasets import made, shot
from saccade.actions.errors import DataError, UsageError
from saccade.actions.geometry import Point
from saccade.actions.schema import Click
from saccade.agent.training.dataset.folder import Dataset
from saccade.agent.training.dataset.records import DatasetReply
from saccade.env.browser.chromium import Chromium
from saccade.tasks.cli.app import main
from saccade.tasks.collect.review import ReviewDecision, StepDecision, apply, cuts, read_review
from saccade.tasks.report.review_page import write_review

Command = Callable[..., dict[str, Any]]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    with Dataset(tmp_path / "data", create=True) as dataset:
        for seed, shades in enumerate([(1, 2, 3), (4,), (5, 6)]):
            dataset.add(*made(seed, *shades, instruction=f"Do <b>{seed}</b>."))
    return tmp_path / "data"


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str]) -> Command:
    """Runs ``saccade collect review`` and returns what it prints as JSON."""

    def run(*words: object, status: int = 0) -> dict[str, Any]:
        with pytest.raises(SystemExit) as left:
            main(["collect", "review", *map(str, words), "--no-open", "--json"])
        assert (left.value.code or 0) == status
        found: dict[str, Any] = json.loads(capsys.readouterr().out.splitlines()[-1])
        return found

    return run


def ids(folder: Path) -> list[str]:
    return [episode.id for episode in Dataset(folder).episodes()]


def test_the_terminal_keeps_rejects_and_cuts(folder: Path, command: Command) -> None:
    first, second, third = ids(folder)
    found = command(
        folder, "--reject", first[:8], "--reject", second, "--cut", f"{first[:8]}:2-3", "--cut", f"{third}:1"
    )
    assert found["changed"] == 3
    episodes = list(Dataset(folder).episodes())
    assert [(episode.kept, len(episode.steps)) for episode in episodes] == [(False, 2), (False, 1), (True, 1)]
    assert episodes[0].steps[0].picture == shot(2).digest
    assert ids(folder) == [first, second, third], "an episode keeps its id, so that it is not collected again"
    assert command(folder, "--keep", second)["changed"] == 1
    assert command(folder, "--keep", second)["changed"] == 0
    listed = command(folder, "--list")["episodes"]
    assert [(row["id"], row["kept"], row["steps"]) for row in listed] == [
        (first, False, 2),
        (second, True, 1),
        (third, True, 1),
    ]


def test_a_correction_is_learned_in_place_of_the_reply(folder: Path) -> None:
    first = ids(folder)[0]
    better = DatasetReply(actions=(Click(point=Point(3.0, 4.0)),))
    steps = (StepDecision(step=2, better=better), StepDecision(step=3, verdict="wrong"))
    with Dataset(folder) as dataset:
        assert apply(dataset, [ReviewDecision(id=first, instruction="Do it.", steps=steps)]) == 1
    episode = Dataset(folder).episode(first)
    assert episode.instruction == "Do it."
    assert [step.verdict for step in episode.steps] == ["good", "wrong", "wrong"]
    assert [step.target for step in episode.steps] == [episode.steps[0].reply, better, None]
    with Dataset(folder) as dataset:
        apply(dataset, [ReviewDecision(id=first, steps=(StepDecision(step=2, verdict="good"),))])
    assert Dataset(folder).episode(first).steps[1].target == episode.steps[1].reply


def test_all_decisions_are_carried_out_or_none(folder: Path) -> None:
    first, second, _ = ids(folder)
    for wrong in (ReviewDecision(id="0123456789abcdef", kept=False), ReviewDecision(id=second, first=9)):
        with Dataset(folder) as dataset, pytest.raises(UsageError):
            apply(dataset, [ReviewDecision(id=first, kept=False), wrong])
    assert all(episode.kept for episode in Dataset(folder).episodes())


@pytest.mark.parametrize(
    ("decision", "said"),
    [
        ({"steps": [{"step": 4, "verdict": "good"}]}, "no step 4"),
        ({"steps": [{"step": 1, "better": {"actions": [{"kind": "click", "point": [99, 1]}]}}]}, "outside its picture"),
        ({"first": 3, "last": 2}, "cannot be cut"),
        ({"instruction": " "}, "needs an instruction"),
    ],
)
def test_impossible_decisions_are_refused(folder: Path, decision: dict[str, Any], said: str) -> None:
    with Dataset(folder) as dataset, pytest.raises(UsageError, match=said):
        apply(dataset, [ReviewDecision.model_validate({"id": ids(folder)[0], **decision})])


@pytest.mark.parametrize("text", ["x:1-2", "3fa9:", "3fa9", "3fa9:a", "3fa9:1-b", ":1-2"])
def test_a_cut_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="ID:FIRST-LAST"):
        cuts([text])


def test_cuts_are_read() -> None:
    found = [(cut.first, cut.last) for cut in cuts(["a:2-5", "b:3-", "c:-4", "d:7"])]
    assert found == [(2, 5), (3, None), (None, 4), (7, 7)]


@pytest.mark.parametrize(
    "content", ["", "[]", '{"decisions": [{"id": "../x"}]}', '{"decisions": [{"id": "a", "more": 1}]}', "{" * 200]
)
def test_a_file_of_others_is_checked(tmp_path: Path, content: str) -> None:
    (tmp_path / "review.json").write_text(content)
    with pytest.raises(DataError, match=r"review\.json"):
        read_review(tmp_path / "review.json")


def test_the_page_saves_what_is_decided_on_it(
    folder: Path, command: Command, chromium: Chromium, tmp_path: Path
) -> None:
    """Reject one, cut and correct another by mouse, take a third back; then carry the file out."""
    third = ids(folder)[2]
    page_file = command(folder)["page"]
    with chromium.new_context(accept_downloads=True, viewport={"width": 1300, "height": 900}) as context:
        page = context.new_page()
        errors: list[str] = []
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.goto(Path(page_file).resolve().as_uri())
        assert page.locator("nav li").count() == 3
        assert "<b>" in page.locator("textarea").input_value(), "an instruction is text, never markup"
        page.get_by_role("button", name="End here").nth(1).click()
        step = page.locator("section.step").nth(1)
        step.locator("summary").click()
        step.locator("select").select_option("click")
        box = step.locator("img").bounding_box()
        assert box is not None
        page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 3)
        step.get_by_role("button", name="Use this").click()
        page.locator("section.step").first.get_by_role("button", name="unknown").click()
        page.keyboard.press("j")
        page.keyboard.press("n")
        page.wait_for_function("id => location.hash === '#' + id", arg=third)
        page.get_by_role("button", name="Reject").click()
        page.get_by_role("button", name="Undo").click()
        page.get_by_role("button", name="Begin here").click()
        assert "1 rejected, 3 with new decisions" in page.locator("#count").inner_text()
        with page.expect_download() as saved:
            page.get_by_role("button", name="Save decisions").click()
        saved.value.save_as(tmp_path / "review.json")
        assert not errors
    assert command(folder, "--apply", tmp_path / "review.json")["changed"] == 3
    one, two, three = Dataset(folder).episodes()
    assert [episode.kept for episode in (one, two, three)] == [True, False, True]
    assert [len(episode.steps) for episode in (one, two, three)] == [2, 1, 1]
    assert three.steps[0].picture == shot(6).digest
    assert one.steps[0].verdict == "unknown"
    (corrected,) = one.steps[1].better.actions if one.steps[1].better else ()
    assert isinstance(corrected, Click)
    assert abs(corrected.point.x - 8) < 0.6
    assert abs(corrected.point.y - 7) < 0.6


def test_the_page_stays_small(tmp_path: Path) -> None:
    import numpy as np

    from saccade.perception.observation import Screenshot

    noise = np.random.default_rng(0)
    with Dataset(tmp_path / "data", create=True) as dataset:
        for seed in range(3):
            episode, _, _ = made(seed)
            picture = Screenshot(noise.integers(0, 256, (400, 400, 3), dtype=np.uint8))
            step = episode.steps[0].model_copy(update={"picture": picture.digest})
            dataset.add(episode.model_copy(update={"steps": (step,), "size": picture.size}), [picture])
        page = write_review(dataset, list(dataset.episodes()), limit=400_000)
    assert page.stat().st_size < 400_000
    assert page.read_text().count("data-reduced") == 3


def test_wrong_requests_are_said(folder: Path, command: Command) -> None:
    assert "no source" in command(folder, "--source", "nobody", status=2)["error"]["message"]
    assert "no id" in command(folder, "--keep", "zz", status=2)["error"]["message"]
    assert "holds no dataset" in command(folder / "none", status=2)["error"]["message"]
