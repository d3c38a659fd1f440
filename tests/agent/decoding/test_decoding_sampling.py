import numpy as np
import pytest

from saccade.agent.decoding.acceptance import Probabilities
from saccade.agent.decoding.sampling import Sampling, distribution, sample

LOGITS = np.array([2.0, 1.0, 1.0, 0.0, -1.0, -np.inf])


def softmax(logits: Probabilities) -> Probabilities:
    weights = np.exp(logits)
    return weights / weights.sum()


def test_zero_temperature_takes_the_first_of_the_likeliest() -> None:
    assert distribution(np.array([1.0, 3.0, 3.0]), 0).tolist() == [0, 1, 0]


def test_temperature_flattens() -> None:
    assert np.allclose(distribution(LOGITS, 2.0), softmax(LOGITS / 2))


def test_top_p_keeps_the_fewest_that_reach_it() -> None:
    probabilities = softmax(LOGITS)
    kept = distribution(LOGITS, 1.0, top_p=float(probabilities[0]) + 0.01)
    assert kept.nonzero()[0].tolist() == [0, 1]
    assert np.allclose(kept[:2], probabilities[:2] / probabilities[:2].sum())
    assert distribution(LOGITS, 1.0, top_p=1e-9).tolist() == [1, 0, 0, 0, 0, 0]


def test_tokens_are_drawn_from_the_distribution() -> None:
    probabilities, rng = distribution(LOGITS, 1.3), np.random.default_rng(5)
    drawn = np.bincount([sample(probabilities, rng) for _ in range(20000)], minlength=6) / 20000
    assert np.abs(drawn - probabilities).sum() / 2 < 0.015
    # The same test tells a slightly different distribution apart.
    assert np.abs(drawn - distribution(LOGITS, 1.2)).sum() / 2 > 0.015


@pytest.mark.parametrize(("temperature", "top_p"), [(-0.1, 1.0), (1.0, 0.0), (1.0, 1.1)])
def test_impossible_settings_are_refused(temperature: float, top_p: float) -> None:
    with pytest.raises(ValueError, match="temperature must be"):
        Sampling(temperature, top_p)
