"""Grouped attention gives what eager attention gives, and copies nothing that is cached."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional
from torch.utils._python_dispatch import TorchDispatchMode

from saccade.agent.checkpoints.checkpoint import load_checkpoint
from saccade.agent.decoding.attention import grouped_attention, join, pack_mask
from saccade.agent.decoding.kv_cache import InPlaceLayer, KVCache
from saccade.agent.decoding.network import Network
from saccade.agent.decoding.session import Session
from saccade.agent.decoding.tree import DraftTree
from saccade.perception.observation import Screenshot
from saccade.perception.resize import to_patches


def eager(query: Tensor, key: Tensor, value: Tensor, seen: NDArray[np.bool_]) -> Tensor:
    groups = query.shape[1] // key.shape[1]
    key, value = (each.repeat_interleave(groups, dim=1) for each in (key, value))
    scores = query @ key.transpose(2, 3) * query.shape[3] ** -0.5
    scores = scores.masked_fill(~torch.from_numpy(seen), float("-inf"))
    return (scores.softmax(-1) @ value).transpose(1, 2)


def tensors(count: int, past: int, heads: int, key_heads: int) -> tuple[Tensor, Tensor, Tensor]:
    torch.manual_seed(count * 1000 + past)
    query = torch.randn(1, count, heads, 16).transpose(1, 2)
    key, value = (torch.randn(1, key_heads, past + count, 16) for _ in range(2))
    return query, key, value


def layer(groups: int) -> torch.nn.Module:
    module = torch.nn.Module()
    module.num_key_value_groups = groups
    return module


def random_tree(rng: np.random.Generator, count: int) -> NDArray[np.bool_]:
    tree = DraftTree(0)
    while len(tree) < count:
        tree.add(int(rng.integers(len(tree))), len(tree))
    return tree.mask()


def additive(seen: NDArray[np.bool_]) -> Tensor:
    return torch.zeros(seen.shape).masked_fill(~torch.from_numpy(seen), torch.finfo(torch.float32).min)


@pytest.mark.parametrize("heads", [(4, 4), (4, 2), (6, 1)])
@pytest.mark.parametrize("past", [0, 1, 37, 700])
@pytest.mark.parametrize(("ordered", "last"), [(0, 1), (0, 2), (0, 24), (1, 1), (5, 0), (40, 7), (300, 24)])
def test_grouped_attention_is_eager_attention(heads: tuple[int, int], past: int, ordered: int, last: int) -> None:
    count = ordered + last
    query, key, value = tensors(count, past, *heads)
    own = random_tree(np.random.default_rng(past + count), last) if last else np.zeros((0, 0), dtype=np.bool_)
    seen = np.tri(count, past + count, past, dtype=np.bool_)
    seen[ordered:, past + ordered :] = own
    expected = eager(query, key, value, seen)
    module = layer(heads[0] // heads[1])
    part, _ = grouped_attention(module, query, key, value, additive(own)[None, None])
    dense = pack_mask(additive(seen), heads[0] // heads[1])
    whole, _ = grouped_attention(module, query, key, value, dense)
    torch.testing.assert_close(part, expected, atol=2e-6, rtol=1e-5)
    torch.testing.assert_close(whole, expected, atol=2e-6, rtol=1e-5)


def test_a_wrong_weight_of_the_parts_is_seen() -> None:
    _, _, value = tensors(1, 0, 1, 1)
    one = (value, torch.tensor([[[0.0]]]))
    other = (value + 1, torch.tensor([[[float(np.log(3))]]]))
    torch.testing.assert_close(join(one, other), value + 0.75)


class Allocations(TorchDispatchMode):
    """The largest tensor that an operation makes, other than views of what is known before."""

    def __init__(self, *known: Tensor) -> None:
        super().__init__()
        self.known = {tensor.untyped_storage().data_ptr() for tensor in known}
        self.largest = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        for made in result if isinstance(result, tuple | list) else (result,):
            if isinstance(made, Tensor) and made.untyped_storage().data_ptr() not in self.known:
                self.largest = max(self.largest, made.untyped_storage().nbytes())
        return result


def test_a_verify_forward_allocates_nothing_of_the_size_of_the_cache() -> None:
    past, count = 8000, 16
    query, key, value = tensors(count, past, 12, 2)
    mask = additive(np.tri(count, dtype=np.bool_))[None, None]
    with Allocations(key, value) as made:
        grouped_attention(layer(6), query, key, value, mask)
    assert 0 < made.largest < key.nbytes / 10


def test_keys_are_written_in_place_until_the_room_is_full() -> None:
    cached = InPlaceLayer()
    cached.reserve(700)
    places = set()
    for count in (300, 1, 24, 300):
        keys, values = cached.update(torch.full((1, 2, count, 4), float(count)), torch.zeros(1, 2, count, 4))
        places.add(keys.data_ptr())
        assert keys.shape == values.shape == (1, 2, cached.length, 4)
    assert len(places) == 1
    cached.crop(-24)
    assert cached.get_seq_length() == 601
    grown, _ = cached.update(torch.ones(1, 2, 200, 4), torch.ones(1, 2, 200, 4))
    assert grown.data_ptr() not in places
    assert grown[0, 0, :, 0].tolist() == [300.0] * 300 + [1.0] + [24.0] * 24 + [300.0] * 276 + [1.0] * 200


def test_the_room_grows_in_proportion() -> None:
    cached, moves, place = InPlaceLayer(), 0, 0
    for _ in range(20_000):
        keys, _ = cached.update(torch.zeros(1, 1, 1, 2), torch.zeros(1, 1, 1, 2))
        moves += keys.data_ptr() != place
        place = keys.data_ptr()
    assert moves < 30
    assert cached.keys is not None
    assert cached.keys.untyped_storage().nbytes() <= (20_000 * 1.25 + 256) * 2 * 4


def test_accepted_tokens_move_together() -> None:
    cache = KVCache(2)
    for number in range(2):
        cache.update(torch.arange(6.0).view(1, 1, 6, 1), torch.arange(6.0).view(1, 1, 6, 1) + 10, number)
    cache.move([3, 5], 2, torch.device("cpu"))
    cache.crop(-2)
    for each in cache.layers:
        assert each.keys[0, 0, :4, 0].tolist() == [0.0, 1.0, 3.0, 5.0]
        assert each.values[0, 0, :4, 0].tolist() == [10.0, 11.0, 13.0, 15.0]
    assert cache.get_seq_length() == 4


@pytest.mark.parametrize("family", ["qwen2_vl", "qwen2_5_vl", "qwen3_vl"])
@pytest.mark.parametrize("dense_bytes", [0, 1 << 30])
def test_every_family_scores_a_tree_as_eager_attention_does(
    tiny_directories: Any, shoot: Any, family: str, dense_bytes: int
) -> None:
    from made_replies import conversation

    found = []
    for attention in ("auto", "eager"):
        checkpoint = load_checkpoint(tiny_directories[family], device="cpu", attention=attention)
        session = Session(Network(checkpoint.model, dense_bytes), checkpoint.image_spec)
        prompt = conversation(checkpoint, [shoot(0), shoot(1)])
        tree = DraftTree(65)
        for parent, token in ((0, 66), (1, 67), (0, 68), (3, 69)):
            tree.add(parent, token)
        with torch.inference_mode():
            first = session.prefill(prompt).states
            second = session.verify(tree)
            session.keep((3, 4))
            third = session.extend([70, 71, 72])
            found.append(torch.cat([session.network.logits(each) for each in (first, second, third)]))
    torch.testing.assert_close(found[0], found[1], atol=1e-4, rtol=0)


@torch.inference_mode()
@pytest.mark.parametrize("size", [(56, 56), (112, 84), (140, 196), (84, 252)])
def test_windows_of_equal_length_are_one_product_with_the_same_result(
    tiny_directories: dict[Any, Path], size: tuple[int, int]
) -> None:
    directory = tiny_directories["qwen2_5_vl"]
    grouped, library = (load_checkpoint(directory, device="cpu", attention=each) for each in ("auto", "sdpa"))
    pixels = np.random.default_rng(1).integers(0, 256, (*size, 3), dtype=np.uint8)
    patches = to_patches(Screenshot(pixels), replace(grouped.image_spec, max_pixels=1 << 20))
    calls: list[int] = []

    def counting(*args: Any, **kwargs: Any) -> Any:
        calls.append(1)
        return original(*args, **kwargs)

    original, functional.scaled_dot_product_attention = functional.scaled_dot_product_attention, counting
    try:
        one = Network(grouped.model).encode(patches).tokens
        mine = len(calls)
        other = Network(library.model).encode(patches).tokens
    finally:
        functional.scaled_dot_product_attention = original
    assert torch.allclose(one, other, atol=1e-6, rtol=1e-5)
    layers = grouped.model.config.vision_config.depth
    assert mine <= 4 * layers, "at most four lengths of windows in a layer"
