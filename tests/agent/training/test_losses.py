"""The losses against numbers worked by hand; each test says what breaks if it fails."""

from __future__ import annotations

import math

import pytest
import torch

from saccade.agent.training.methods.losses import (
    group_advantages,
    policy_loss,
    preference_loss,
    preference_margin,
    reply_loss,
)


def tensor(*values: float) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float64)


def test_only_weighted_tokens_are_learned() -> None:
    """A broken mask would learn the prompt."""
    logprobs = tensor(-1.0, -2.0, -4.0).requires_grad_()
    loss = reply_loss(logprobs, tensor(0.0, 1.0, 0.5))
    assert loss.item() == pytest.approx(2.0 + 2.0)
    loss.backward()
    assert logprobs.grad is not None
    assert logprobs.grad.tolist() == [0.0, -1.0, -0.5]


def test_dpo_is_equation_7() -> None:
    """-log sigmoid(0.5 * ((-3 + 4) - (-5 + 2))) = -log sigmoid(2)."""
    loss = preference_loss(tensor(-3.0), tensor(-5.0), tensor(-4.0), tensor(-2.0), 0.5)
    assert float(loss) == pytest.approx(math.log(1 + math.exp(-2.0)))


def test_dpo_without_change_is_undecided() -> None:
    """With a reference model that is not the start, the loss before training would not be log 2."""
    same = tensor(-3.0, -7.0), tensor(-5.0, -1.0)
    assert preference_loss(*same, *same, 0.1).tolist() == pytest.approx([math.log(2)] * 2)


def test_dpo_raises_the_better_reply_and_leaves_the_reference() -> None:
    chosen, rejected, before, worse_before = (tensor(value).requires_grad_() for value in (-3.0, -5.0, -4.0, -2.0))
    preference_loss(chosen, rejected, before, worse_before, 0.5).sum().backward()
    pull = 0.5 / (1 + math.exp(2.0))
    assert chosen.grad is not None
    assert chosen.grad.item() == pytest.approx(-pull)
    assert rejected.grad is not None
    assert rejected.grad.item() == pytest.approx(pull)
    assert before.grad is None
    assert worse_before.grad is None
    assert preference_margin(chosen, rejected, before, worse_before).item() == pytest.approx(4.0)


def test_advantages_are_standard_deviations_from_the_mean_of_the_group() -> None:
    """Mean 0.25, standard deviation sqrt(0.1875)."""
    found = group_advantages([1.0, 0.0, 0.0, 0.0])
    assert found == pytest.approx([0.75 / math.sqrt(0.1875), *[-0.25 / math.sqrt(0.1875)] * 3], rel=1e-5)
    assert sum(found) == pytest.approx(0.0, abs=1e-6)


def test_a_group_of_equals_teaches_nothing() -> None:
    assert group_advantages([0.5, 0.5, 0.5]) == [0.0, 0.0, 0.0]
    assert group_advantages([1.0]) == [0.0]


def test_grpo_on_its_own_replies_follows_the_advantage() -> None:
    """At the start the ratio is 1: the gradient is minus the advantage, the divergence has none."""
    logprobs = tensor(-1.0, -2.0).requires_grad_()
    loss = policy_loss(logprobs, logprobs.detach(), logprobs.detach(), tensor(2.0, -0.5), 0.2, 0.1)
    assert loss.detach().tolist() == pytest.approx([-2.0, 0.5])
    loss.sum().backward()
    assert logprobs.grad is not None
    assert logprobs.grad.tolist() == pytest.approx([-2.0, 0.5])


def test_grpo_clips_what_is_already_far_from_the_old_probability() -> None:
    """A ratio of e^0.5 counts as 1.2 where it is rewarded, and as it is where it is punished."""
    logprobs = tensor(-1.0, -1.0).requires_grad_()
    loss = policy_loss(logprobs, tensor(-1.5, -1.5), logprobs.detach(), tensor(1.0, -1.0), 0.2, 0.0)
    assert loss.detach().tolist() == pytest.approx([-1.2, math.exp(0.5)])
    loss.sum().backward()
    assert logprobs.grad is not None
    assert logprobs.grad.tolist() == pytest.approx([0.0, math.exp(0.5)])


def test_grpo_pays_for_straying_from_the_reference() -> None:
    """exp(-0.7) + 0.7 - 1, which is never negative, times 0.5."""
    loss = policy_loss(tensor(-1.0), tensor(-1.0), tensor(-1.7), tensor(0.0), 0.2, 0.5)
    assert float(loss) == pytest.approx(0.5 * (math.exp(-0.7) + 0.7 - 1))
