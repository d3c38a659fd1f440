import pytest
import torch

from saccade.agent.decoding.sampling import Chooser, Sampling, distribution

LOGITS = torch.tensor([2.0, 1.0, 1.0, 0.0, -1.0, float("-inf")])


def test_zero_temperature_takes_the_first_of_the_likeliest() -> None:
    assert distribution(torch.tensor([[1.0, 3.0, 3.0]]), Sampling()).tolist() == [[0, 1, 0]]
    assert Chooser(Sampling()).choose(torch.tensor([1.0, 3.0, 3.0])) == 1


def test_temperature_flattens() -> None:
    assert torch.allclose(distribution(LOGITS, Sampling(2.0)), torch.softmax(LOGITS / 2, -1))


def test_top_p_keeps_the_fewest_that_reach_it() -> None:
    probabilities = torch.softmax(LOGITS, -1)
    kept = distribution(LOGITS, Sampling(1.0, top_p=float(probabilities[0]) + 0.01))
    assert kept.nonzero().flatten().tolist() == [0, 1]
    assert torch.allclose(kept[:2], probabilities[:2] / probabilities[:2].sum())
    assert distribution(LOGITS, Sampling(1.0, top_p=1e-9)).tolist() == [1, 0, 0, 0, 0, 0]


def frequencies(chooser_distribution: torch.Tensor, draws: int = 20000) -> torch.Tensor:
    chooser = Chooser(Sampling(1.0, seed=5))
    logits = chooser_distribution.log()
    counts = torch.zeros(len(logits))
    for _ in range(draws):
        counts[chooser.choose(logits)] += 1
    return counts / draws


def test_tokens_are_drawn_from_the_distribution() -> None:
    probabilities = distribution(LOGITS, Sampling(1.3))
    drawn = frequencies(probabilities)
    assert (drawn - probabilities).abs().sum() / 2 < 0.015
    # The same test tells a slightly different distribution apart.
    other = distribution(LOGITS, Sampling(1.2))
    assert (drawn - other).abs().sum() / 2 > 0.015


@pytest.mark.parametrize(("temperature", "top_p"), [(-0.1, 1.0), (1.0, 0.0), (1.0, 1.1)])
def test_impossible_settings_are_refused(temperature: float, top_p: float) -> None:
    with pytest.raises(ValueError, match="temperature must be"):
        Sampling(temperature, top_p)
