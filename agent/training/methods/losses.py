"""The losses, as functions of log probabilities; each follows its paper, and a test holds it to numbers worked by hand.

Log probabilities are those of single tokens of a reply, given all before them, in float32.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional


def reply_loss(logprobs: Tensor, weights: Tensor) -> Tensor:
    """Supervised: the sum of the tokens' negative log probabilities, each times its weight."""
    return -(logprobs * weights).sum()


def preference_loss(
    chosen: Tensor, rejected: Tensor, chosen_before: Tensor, rejected_before: Tensor, beta: float
) -> Tensor:
    """DPO (arXiv 2305.18290, equation 7): of one pair of replies, or of pairs.

    Args:
        chosen: log probability of the whole better reply under the model in training.
        rejected: that of the worse reply.
        chosen_before: that of the better reply under the reference model, which no gradient reaches.
        rejected_before: that of the worse reply under it.
        beta: how much straying from the reference model costs.
    """
    return -functional.logsigmoid(beta * preference_margin(chosen, rejected, chosen_before, rejected_before))


def preference_margin(chosen: Tensor, rejected: Tensor, chosen_before: Tensor, rejected_before: Tensor) -> Tensor:
    """How much more than the reference model the model in training prefers the better reply."""
    return (chosen - chosen_before.detach()) - (rejected - rejected_before.detach())


def group_advantages(rewards: Sequence[float], epsilon: float = 1e-6) -> list[float]:
    """GRPO (arXiv 2402.03300, 4.1.2): by how many standard deviations each attempt at a task beats their mean.

    All zero where all earned the same: such a group teaches nothing.
    """
    values = torch.tensor(rewards, dtype=torch.float64)
    deviation = values.std(unbiased=False)
    if len(rewards) < 2 or float(deviation) < epsilon:
        return [0.0] * len(rewards)
    found: list[float] = ((values - values.mean()) / (deviation + epsilon)).tolist()
    return found


def policy_loss(
    logprobs: Tensor, old: Tensor, before: Tensor, advantages: Tensor, clip: float = 0.2, beta: float = 0.0
) -> Tensor:
    """GRPO (arXiv 2402.03300, equation 3), per token, as something to be minimised.

    Args:
        logprobs: under the model in training.
        old: under the model that wrote the replies.
        before: under the reference model.
        advantages: of the attempt that each token belongs to.
        clip: how far the ratio of new to old probability counts.
        beta: weight of the divergence from the reference model, estimated as in the paper (its equation 4).
    """
    ratio = (logprobs - old.detach()).exp()
    limited = ratio.clamp(1 - clip, 1 + clip)
    gain = torch.minimum(ratio * advantages, limited * advantages)
    apart = before.detach() - logprobs
    divergence = apart.exp() - apart - 1
    return -(gain - beta * divergence)
