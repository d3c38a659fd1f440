"""The policy with drafters: which there are, that replies stay the same, and what is told about them."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from saccade.actions.dialects import Reply
from saccade.actions.errors import MissingPartError, ParseError, UsageError
from saccade.actions.geometry import Size
from saccade.actions.schema import Wait
from saccade.agent.checkpoints.byte_tokenizer import byte_level_tokenizer
from saccade.agent.checkpoints.checkpoint import Checkpoint, load_checkpoint
from saccade.agent.checkpoints.tiny import tiny_checkpoint
from saccade.agent.decoding.costs import VerifyCost
from saccade.agent.decoding.policy_drafters import METHODS, parse_methods
from saccade.agent.local import LocalPolicy
from saccade.agent.policy import Context, Turn, UnreadableReply
from saccade.env.trajectory.events import PredictionEvent, Usage
from saccade.perception.observation import Screenshot
from saccade.tasks.bench.decoding import bench_decoding
from saccade.tasks.terminal.bench_tables import print_decoding
from saccade.tasks.terminal.narrator import Narrator


def play(policy: LocalPolicy, shots: list[Screenshot]) -> list[str]:
    """An episode's raw replies, readable or not; random models hardly write anything else."""
    policy.start()
    turns: list[Turn] = []
    for shot in shots:
        try:
            raw = policy.predict(Context("Press it.", shot, turns)).raw
        except ParseError as error:
            raw = error.raw
        turns.append(Turn(shot, raw))
    return [turn.reply for turn in turns]


@pytest.fixture
def shots(shoot: Any) -> list[Screenshot]:
    return [shoot(number) for number in range(6)]


def test_by_default_it_uses_all_that_there_is(checkpoint: Checkpoint) -> None:
    assert LocalPolicy(checkpoint).decoding == ("suffix", "grammar")
    assert LocalPolicy(checkpoint, decoding="plain").decoding == ()
    assert LocalPolicy(checkpoint, decoding=" grammar + suffix").decoding == ("grammar", "suffix")


def test_typical_acceptance_is_an_option_and_its_replies_have_no_fingerprint(
    checkpoint: Checkpoint, shots: list[Screenshot]
) -> None:
    exact, typical = LocalPolicy(checkpoint), LocalPolicy(checkpoint, acceptance="typical")
    assert len(play(typical, shots[:2])) == 2
    assert exact.fingerprint is not None
    assert typical.fingerprint is None
    # Without drafts there is nothing to accept.
    plain = LocalPolicy(checkpoint, decoding="plain", acceptance="typical")
    assert play(plain, shots[:2]) == play(exact, shots[:2])
    with pytest.raises(UsageError, match="exact or typical"):
        LocalPolicy(checkpoint, acceptance="loose")


@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_replies_do_not_depend_on_what_drafts_them(
    tiny_directories: dict[Any, Path], checkpoint: Checkpoint, shots: list[Screenshot], temperature: float
) -> None:
    draft = tiny_directories[checkpoint.family]
    expected = play(LocalPolicy(checkpoint, decoding="plain", temperature=temperature, seed=4), shots)
    for decoding in ("auto", "suffix", "grammar", f"suffix+grammar+draft:{draft}"):
        if temperature and "draft" in decoding:
            continue
        policy = LocalPolicy(checkpoint, decoding=decoding, temperature=temperature, seed=4)
        assert play(policy, shots) == expected
        # The second time the suffix drafter knows what will be said.
        assert play(policy, shots) == expected


def test_a_policy_drafts_from_its_earlier_episodes_and_not_from_those_of_others(
    checkpoint: Checkpoint, shots: list[Screenshot]
) -> None:
    def most_accepted(policy: LocalPolicy, episodes: int) -> int:
        # A forward of the tiny model takes less time than looking anything up, and no two take the same.
        policy._drafters.clock = policy._drafters.drafter._clock = lambda: 0.0
        policy._drafters.drafter._costs = VerifyCost()
        accepted = []
        for _ in range(episodes):
            play(policy, shots[:1])
            accepted.append(policy.last_usage.accepted_tokens)
        return max(accepted)

    before, experienced, after = (LocalPolicy(checkpoint, decoding="suffix") for _ in range(3))
    inexperienced = most_accepted(before, 1)
    assert most_accepted(experienced, 8) > 5
    assert most_accepted(after, 1) == inexperienced


@pytest.mark.parametrize("decoding", ["sufix", "plain+suffix", "auto+grammar", "", "draft:", "suffix+"])
def test_unknown_methods_are_refused_by_name(decoding: str) -> None:
    with pytest.raises(UsageError, match="unknown decoding method") as caught:
        parse_methods(decoding)
    assert all(method in str(caught.value) for method in METHODS)


def test_a_method_named_twice_is_refused() -> None:
    with pytest.raises(UsageError, match="twice"):
        parse_methods("suffix+grammar+suffix")


@pytest.mark.parametrize("method", ["medusa", "mtp"])
def test_heads_that_are_not_there_are_missing(checkpoint: Checkpoint, method: str) -> None:
    with pytest.raises(MissingPartError, match="heads"):
        LocalPolicy(checkpoint, decoding=method)


def test_a_dialect_without_a_grammar_is_decoded_without(checkpoint: Checkpoint) -> None:
    policy = LocalPolicy(checkpoint, Silent())
    assert policy.decoding == ("suffix",)
    with pytest.raises(UsageError, match="no grammar"):
        LocalPolicy(checkpoint, Silent(), decoding="grammar")


class Silent:
    """A dialect that reads everything as a wait."""

    name = "silent"

    def prompt(self, instruction: str) -> str:
        return instruction

    def render(self, *args: Any) -> str:
        return "wait"

    def parse(self, *args: Any) -> Reply:
        return Reply("", (Wait(),))


def test_a_draft_model_with_other_tokens_is_refused(checkpoint: Checkpoint, tmp_path: Path) -> None:
    directory = tiny_checkpoint(checkpoint.family, tmp_path / "other")
    byte_level_tokenizer(320, {"<|im_end|>": 300}).save_pretrained(directory)
    with pytest.raises(UsageError, match="another tokenizer"):
        LocalPolicy(checkpoint, decoding=f"draft:{directory}")
    with pytest.raises(MissingPartError):
        LocalPolicy(checkpoint, decoding=f"draft:{tmp_path / 'nothing'}")


def test_an_unreadable_reply_carries_what_it_cost(checkpoint: Checkpoint, shoot: Any) -> None:
    policy = LocalPolicy(checkpoint)
    with pytest.raises(UnreadableReply) as caught:
        policy.predict(Context("Press it.", shoot(0)))
    assert caught.value.usage.reply_tokens > 0
    assert caught.value.usage.timings.keys() == {"encode", "prefill", "decode", "parse"}
    assert policy.last_usage == caught.value.usage


def test_a_broken_model_is_said_to_be_broken(tiny_directories: dict[Any, Path], shoot: Any) -> None:
    broken = load_checkpoint(tiny_directories["qwen2_vl"], device="cpu")
    with torch.no_grad():
        broken.model.lm_head.weight.fill_(float("nan"))
    with pytest.raises(UsageError, match=r"not numbers.*float32"):
        LocalPolicy(broken).predict(Context("Press it.", shoot(0)))


def test_the_narrator_says_what_a_reply_took() -> None:
    stream = io.StringIO()
    narrator = Narrator(stream)
    drafted = Usage(prompt_tokens=100, reply_tokens=30, forwards=9, accepted_tokens=21)
    for usage in (drafted, Usage(reply_tokens=5, forwards=5), Usage()):
        narrator(PredictionEvent(step=0, raw="", thought="I look.", usage=usage, seconds=0.1, time=0.0))
    first, second, third = stream.getvalue().splitlines()
    assert first.endswith("I look.  [30 tokens, 21 drafted, 9 forwards]")
    assert second.endswith("[5 tokens, 5 forwards]")
    assert third.endswith("I look.")


def test_the_benchmark_measures_every_method(
    tiny_directories: dict[Any, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (3, 64, 64, 3), dtype=np.uint8)
    screens = [Context(f"Press {n}.", Screenshot(shot)) for n, shot in enumerate(noise)]
    result = bench_decoding(str(tiny_directories["qwen3_vl"]), rounds=1, screens=screens)
    assert list(result) == ["baseline", "prompts", "methods", "episodes"]
    assert (result["baseline"], result["prompts"]) == ("transformers.generate", 3)
    rows = {row["name"]: row for row in result["methods"]}
    assert list(rows) == ["plain", "suffix", "grammar", "suffix+grammar"]
    numbers = {"forwards_per_reply", "accepted_length", "decode_ms", "step_ms", "decode_ratio", "step_ratio"}
    for row in rows.values():
        assert row.keys() == {"name", "identical", *numbers}
        assert row["identical"] is True
        assert all(row[number] > 0 for number in numbers)
    assert rows["plain"]["accepted_length"] == 1
    assert result["episodes"]["steps"] == [5, 9]
    print_decoding(result, json_output=True)
    assert json.loads(capsys.readouterr().out.splitlines()[-1]) == result
    print_decoding(result, json_output=False)
    assert "suffix+grammar" in capsys.readouterr().out


def test_the_benchmark_refuses_to_measure_nothing() -> None:
    with pytest.raises(UsageError, match="at least one"):
        bench_decoding("embedded", prompts=0)


def test_a_screenshot_of_another_size_brings_its_own_grammar(tiny_directories: dict[Any, Path]) -> None:
    policy = LocalPolicy(load_checkpoint(tiny_directories["qwen2_5_vl"], device="cpu"), "uitars-1.5")
    for size in (Size(120, 70), Size(64, 130)):
        noise = np.zeros((size.height, size.width, 3), dtype=np.uint8)
        play(policy, [Screenshot(noise)])
    assert policy.decoding == ("suffix", "grammar")


def test_constrained_replies_can_all_be_parsed_and_are_the_same_with_drafts() -> None:
    noise = np.random.default_rng(3).integers(0, 256, (4, 210, 160, 3), dtype=np.uint8)
    contexts = [Context(f"Click {n}.", Screenshot(s)) for n, s in enumerate(noise)]

    def replies(**options: Any) -> list[str | None]:
        policy = LocalPolicy("embedded", temperature=1.0, seed=5, **options)
        texts: list[str | None] = []
        for context in contexts:
            policy.start()
            try:
                texts.append(policy.predict(context).raw)
            except UnreadableReply:
                texts.append(None)
        return texts

    free = replies(decoding="plain")
    held = replies(decoding="plain", constrained=True)
    assert None in free
    assert None not in held
    assert replies(constrained=True) == held


def test_a_dialect_without_a_grammar_cannot_be_constrained(checkpoint: Checkpoint) -> None:
    with pytest.raises(UsageError, match="silent cannot be constrained: there is no grammar"):
        LocalPolicy(checkpoint, Silent(), constrained=True)
