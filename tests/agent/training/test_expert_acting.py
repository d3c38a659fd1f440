"""Who acts while an expert labels: the expert, chance, or the policy in training."""

import io
import random
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from saccade.actions.schema import Click, Type
from saccade.agent.training.architecture import Shape, build_model, save_checkpoint
from saccade.agent.training.experts.acting import NOTHING, PolicyActing, StrayActing, reply_of, shown, stuck
from saccade.agent.training.experts.shards import ExpertEpisode, ExpertStep
from saccade.agent.training.tokenizer import build_tokenizer

TINY = Shape(
    vision_depth=1, vision_width=32, vision_heads=2, vision_inner=32, depth=2, width=48, heads=2, key_heads=1, inner=32
)


def step(shade: int, stray: dict[str, object] | None = None) -> ExpertStep:
    file = io.BytesIO()
    Image.fromarray(np.full((210, 160, 3), shade, np.uint8)).save(file, format="PNG")
    return ExpertStep(file.getvalue(), {"kind": "click", "point": {"x": 80.0, "y": 105.0}}, stray)


def episode(*shades: int, seed: int = 1) -> ExpertEpisode:
    return ExpertEpisode("click-test", seed, "Click.", [step(shade) for shade in shades], 1.0)


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("checkpoint")
    torch.manual_seed(0)
    tokenizer = build_tokenizer()
    save_checkpoint(build_model(tokenizer, TINY), tokenizer, folder)
    return folder


def test_a_share_of_steps_strays_within_the_page() -> None:
    acting = StrayActing(0.5, random.Random(0))
    done = [acting(episode(0)) for _ in range(200)]
    clicks = [action for action in done if isinstance(action, Click)]
    assert 70 < len(clicks) < 130
    assert all(0 < click.point.x < 160 and 50 <= click.point.y < 210 for click in clicks)


def test_the_policy_acts_until_it_is_stuck_and_then_the_expert(checkpoint: Path) -> None:
    acting = PolicyActing(checkpoint, 0.0, random.Random(0))
    played = episode(0)
    assert acting(played) == NOTHING, "the reply of untrained weights cannot be read"
    played.steps.append(step(0))
    assert acting(played) is not None
    assert not stuck(played)
    played.steps.append(step(0))
    assert stuck(played)
    assert acting(played) is None
    played.steps.append(step(9))
    assert acting(played) is None, "the expert brings to an end what it took over"
    assert acting.outcome(played) == 0.0, "a success of the expert is none of the policy"


def test_what_the_policy_earned_is_told_apart_from_what_the_expert_did(checkpoint: Path) -> None:
    acting = PolicyActing(checkpoint, 0.0, random.Random(0))
    acting(episode(0, seed=3))
    assert acting.outcome(episode(0, seed=3)) == 1.0
    assert acting.outcome(episode(0, seed=4)) is None
    expert = PolicyActing(checkpoint, 1.0, random.Random(0))
    assert expert(episode(0, seed=5)) is None
    assert expert.outcome(episode(0, seed=5)) is None


def test_the_history_tells_what_was_done_and_not_what_would_have_been_right() -> None:
    strayed = step(0, Type(text="x").model_dump(mode="json"))
    assert reply_of(strayed) == "Thought: Type the text.\nAction: type(content='x')"
    assert reply_of(step(0)) == "Thought: Click on it.\nAction: click(start_box='(500,500)')"
    assert shown(strayed).size == (160, 210)
