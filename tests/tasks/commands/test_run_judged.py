"""Success is said only where something judged: in the API, on the console and in JSON."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import saccade
from saccade.actions.errors import UsageError
from saccade.env.guard.guard import Guard
from saccade.tasks.cli.app import main

FINISH = ["Action: finished(content='done')"]


@pytest.fixture
def page(tmp_path: Path) -> str:
    file = tmp_path / "page.html"
    file.write_text("<title>Shop</title>Order placed")
    return file.as_uri()


def finished(page: str, out: Path, **more: object) -> saccade.RunResult:
    policy = saccade.ScriptedPolicy(FINISH)
    return saccade.run("Order tea", url=page, model=policy, allow_file=True, out=out, **more)  # type: ignore[arg-type]


def test_a_claim_is_neither_success_nor_failure(page: str, tmp_path: Path) -> None:
    result = finished(page, tmp_path / "run")
    assert (result.success, result.judged, result.exit_status, result.answer) == (False, False, 0, "done")
    said = json.loads(result.as_json())
    assert (said["success"], said["judged"], said["end"]) == (False, False, "finished")
    assert "Finished (claimed)" in (tmp_path / "run" / "report.html").read_text()


def test_an_expectation_judges_it_and_is_hidden_from_the_policy(page: str, tmp_path: Path) -> None:
    seen: list[str] = []

    class Curious(saccade.ScriptedPolicy):
        def predict(self, context):  # type: ignore[no-untyped-def]
            seen.append(context.instruction)
            return super().predict(context)

    expect = ["text=order placed", "title=Shop"]
    met = saccade.run(
        "Order tea", url=page, model=Curious(FINISH), allow_file=True, out=tmp_path / "met", expect=expect
    )
    assert (met.success, met.judged, met.exit_status) == (True, True, 0)
    assert met.end.verdict == "met: text=order placed; title=Shop"
    assert met.trajectory.start.expect == tuple(expect)
    assert seen == ["Order tea"]
    missed = finished(page, tmp_path / "missed", expect=["text=Order placed", "url=*/done*"])
    assert (missed.success, missed.judged, missed.exit_status) == (False, True, 1)
    assert missed.end.verdict == "not met: url=*/done*"


def test_what_cannot_be_checked_is_refused_before_anything_is_made(page: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="expect"):
        finished(page, tmp_path / "run", expect=["Order placed"])
    with pytest.raises(UsageError, match=r"text=x \(--expect\) cannot be checked in the environment desktop"):
        saccade.run("x", desktop=saccade.DesktopOptions(app="xterm"), expect=["text=x"], out=tmp_path / "run")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("expect", "status", "word", "judged"),
    [
        ((), 0, "Finished (claimed)", None),
        (("--expect", "title=Welcome"), 0, "SUCCESS", "met: title=Welcome"),
        (("--expect", "title=Saved."), 1, "FAILURE", "not met: title=Saved."),
    ],
)
def test_the_console_says_what_judged(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    page: str,
    expect: tuple[str, ...],
    status: int,
    word: str,
    judged: str | None,
) -> None:
    from saccade.env.memory import MemoryEnvironment, MemoryScreen

    monkeypatch.setattr("saccade.tasks.commands.run.load_policy", lambda *_, **__: saccade.ScriptedPolicy(FINISH))
    unjudged = MemoryEnvironment({"one": MemoryScreen("Welcome")}, "one", guard=Guard.of("open"))
    monkeypatch.setattr("saccade.tasks.commands.run.make_environment", lambda *_, **__: unjudged)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as ended:
        main(["run", "Look", "--env", "memory", "--json", *expect])
    out, err = capsys.readouterr()
    said = json.loads(out)
    assert (ended.value.code, said["judged"], said["success"]) == (status, judged is not None, word == "SUCCESS")
    assert f"{word}  finished (done) after 1 step," in err
    assert (f"judged      {judged}" in err) == (judged is not None)


@pytest.mark.parametrize(
    ("words", "place", "sized"),
    [
        (["Order tea", "--url", "PAGE", "--allow-file", "--max-steps", "1"], "browser", True),
        (["Order tea", "--url", "PAGE", "--allow-file", "--max-steps", "1", "--viewport", "400x300"], "browser", False),
        (["--env", "memory", "--max-steps", "1"], "memory", False),
    ],
)
def test_the_embedded_policy_says_what_it_is_for_at_the_start_and_when_it_fails(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    page: str,
    words: list[str],
    place: str,
    sized: bool,
) -> None:
    class Small(saccade.ScriptedPolicy):
        viewport = saccade.Size(160, 210)

    policy = Small(["Action: wait()"] * 3)
    monkeypatch.setattr("saccade.tasks.commands.run.load_policy", lambda *_, **__: policy)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as ended:
        main(["run", *(page if word == "PAGE" else word for word in words)])
    lines = capsys.readouterr().out.splitlines()
    assert ended.value.code == 1
    names = [number for number, line in enumerate(lines) if "embedded policy" in line]
    model = [number for number, line in enumerate(lines) if "--model openai:URL#NAME" in line]
    if place == "memory":
        assert names == model == [], "it is not asked for other work there"
        return
    loading = next(number for number, line in enumerate(lines) if line.startswith("loading"))
    failed = next(number for number, line in enumerate(lines) if line.startswith("FAILURE"))
    assert names == model
    first, second = names
    assert first < loading < failed < second
    size = "160 x 210" if sized else "400 x 300"
    assert any(line.startswith(f"on      browser, {size} pixels") for line in lines)
    assert any("--viewport WxH" in line for line in lines) == sized
