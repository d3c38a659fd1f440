"""Rounds of drafting and verifying: any order of accepting, rejecting and dropping, what is allocated, what is read."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from made_replies import conversation
from saccade.agent.checkpoints.checkpoint import Checkpoint
from saccade.agent.decoding.layout import Segment, TextSegment
from saccade.agent.decoding.network import Network
from saccade.agent.decoding.sampling import GenerationLimits, Sampling, distribution
from saccade.agent.decoding.session import Session
from saccade.agent.decoding.tree import DraftTree
from saccade.agent.decoding.verify import Verifier
from saccade.perception.observation import Screenshot

Shoot = Callable[..., Screenshot]


def random_tree(root: int, rng: np.random.Generator) -> DraftTree:
    tree = DraftTree(root)
    for _ in range(int(rng.integers(0, 12))):
        tree.add(int(rng.integers(0, len(tree))), int(rng.integers(0, 256)))
    return tree


@pytest.mark.parametrize("dense_bytes", [0, 1 << 18])
@torch.inference_mode()
def test_any_order_of_accepting_rejecting_and_dropping_equals_a_recompute(
    checkpoint: Checkpoint, shoot: Shoot, scale: int, dense_bytes: int
) -> None:
    rng = np.random.default_rng(dense_bytes)
    network = Network(checkpoint.model, dense_bytes)
    session = Session(network, checkpoint.image_spec)
    for _ in range(3 * scale):
        prompt: list[Segment] = conversation(
            checkpoint, [shoot(int(each)) for each in rng.integers(0, 4, rng.integers(1, 4))]
        )
        written = [65]
        session.prefill([*prompt, TextSegment(tuple(written))])
        session.rewind(1)  # the root of the next tree is not read yet
        for _ in range(4):
            tree = random_tree(written[-1], rng)
            states = session.verify(tree)
            node = int(rng.integers(0, len(tree)))
            path = tree.path(node)
            expected = Session(network, checkpoint.image_spec).prefill(
                [*prompt, TextSegment((*written, *tree.path_tokens(node)))]
            )
            assert torch.allclose(network.logits(states[node]), network.logits(expected.states[0]), atol=1e-4, rtol=0)
            if rng.random() < 0.2:
                continue  # nothing is kept: the tree is dropped
            session.keep(path)
            written += [*tree.path_tokens(node), int(rng.integers(0, 256))]
            if path and rng.random() < 0.3:
                session.rewind(len(path))
                del written[-1 - len(path) :]
                written.append(int(rng.integers(0, 256)))


class Watch(TorchDispatchMode):
    """Counts reads of single values, and the bytes of everything that is made."""

    def __init__(self) -> None:
        super().__init__()
        self.reads = self.bytes = 0
        self._known: set[int] = set()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.reads += "_local_scalar_dense" in str(func)
        given = {each.untyped_storage().data_ptr() for each in args if isinstance(each, Tensor)}
        result = func(*args, **(kwargs or {}))
        for made in result if isinstance(result, tuple | list) else (result,):
            if isinstance(made, Tensor) and made.untyped_storage().data_ptr() not in given:
                self.bytes += made.untyped_storage().nbytes()
        return result


def chain(count: int) -> DraftTree:
    tree = DraftTree(65)
    tree.add_chain(range(66, 66 + count), [1.0] * count)
    return tree


@torch.inference_mode()
def test_a_round_reads_nothing_and_allocates_nothing_that_grows_with_the_cache(checkpoint: Checkpoint) -> None:
    made = []
    for length in (3000, 24_000):
        session = Session(Network(checkpoint.model), checkpoint.image_spec)
        session.prefill([TextSegment((65,) * 30)])
        for layer in session._cache.layers:
            heads, size = layer.keys.shape[1], layer.keys.shape[3]
            session._cache.reserve(length + 200)
            layer.update(torch.randn(1, heads, length - 30, size), torch.randn(1, heads, length - 30, size))
        session._keys += [65] * (length - 30)
        session._next_position = length
        places = {layer.keys.data_ptr() for layer in session._cache.layers}
        with Watch() as watch:
            for width in (1, 7, 15, 1):
                session.verify(chain(width - 1))
                session.keep(tuple(range(1, width // 2 + 1)))
        assert watch.reads == 0
        assert {layer.keys.data_ptr() for layer in session._cache.layers} == places
        made.append(watch.bytes)
    assert made[1] - made[0] < 1 << 20, "keys and values of the longer cache are 6 MB"


@pytest.mark.parametrize("temperature", [0.3, 0.7, 1.5])
@pytest.mark.parametrize("top_p", [1.0, 0.9, 0.3])
@pytest.mark.parametrize("spread", [0.1, 1.0, 4.0])
def test_drawing_from_the_likeliest_tokens_draws_from_the_whole_distribution(
    tiny_checkpoints: dict[str, Checkpoint], temperature: float, top_p: float, spread: float
) -> None:
    class Grid:
        """Every place between 0 and 1, instead of random ones."""

        number, count = -1, 4000

        def random(self) -> float:
            self.number += 1
            return (self.number + 0.5) / self.count

    network = Network(tiny_checkpoints["qwen2_vl"].model)
    verifier = Verifier(network, GenerationLimits(frozenset({258})), Sampling(temperature, top_p))
    grid = Grid()
    verifier.rng = grid  # type: ignore[assignment]
    scores = spread * torch.from_numpy(np.random.default_rng(1).normal(size=(1, 320)))
    choose = verifier._choice(DraftTree(65), scores)
    counts = np.bincount([choose(0) for _ in range(grid.count)], minlength=320)
    expected = distribution(scores[0].numpy(), temperature, top_p=top_p)
    assert np.abs(counts / grid.count - expected).max() <= 2 / grid.count
