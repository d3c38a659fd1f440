"""Heads on disk, and the drafters made of them."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from made_replies import BANNED
from saccade.actions.errors import MissingPartError, UsageError
from saccade.agent.checkpoints.checkpoint import Checkpoint, load_checkpoint
from saccade.agent.checkpoints.tiny import tiny_checkpoint
from saccade.agent.decoding.draft import DraftState
from saccade.agent.decoding.drafters.medusa import MedusaDrafter, MedusaHeads, best_neighbours
from saccade.agent.decoding.drafters.mtp import MtpCache, MtpDrafter, MtpModule, MtpShape, chain_mask
from saccade.agent.decoding.drafters.output import DraftOutput, draft_vocabulary
from saccade.agent.decoding.heads.checkpoint import (
    METHODS,
    Fingerprint,
    HeadConfig,
    Method,
    TrainedHeads,
    build_heads,
    heads_directory,
    load_drafter,
    load_heads,
    output_weight,
    save_heads,
)
from saccade.agent.decoding.network import Network

WIDTH = 32
SHAPE = MtpShape(WIDTH, heads=4, key_heads=2, head_width=8, inner=64)
ACCURACIES = ((0.8, 0.1, 0.05), (0.5, 0.3, 0.1), (0.3, 0.2, 0.1))


def made(checkpoint: Checkpoint, method: Method) -> TrainedHeads:
    """Untrained heads for a checkpoint, with random weights."""
    torch.manual_seed(0)
    own = 320 if method == "medusa" else 0
    heads = build_heads(method, cast("Any", checkpoint.model).config.text_config, 3, own)
    for parameter in heads.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    config = HeadConfig(method=method, base=Fingerprint.of(checkpoint), depth=3, own=own, accuracies=ACCURACIES)
    return TrainedHeads(heads, config)


@pytest.fixture
def target(tiny_checkpoints: Any) -> Checkpoint:
    return cast("Checkpoint", tiny_checkpoints["qwen2_5_vl"])


@pytest.fixture
def directory(target: Checkpoint, tmp_path: Path) -> Path:
    """A folder with both kinds of heads, as beside a checkpoint."""
    for method in METHODS:
        save_heads(heads_directory(tmp_path, method), made(target, method))
    return tmp_path


@pytest.mark.parametrize("method", METHODS)
def test_heads_come_back_as_they_were_saved(checkpoint: Checkpoint, tmp_path: Path, method: Method) -> None:
    learned = made(checkpoint, method)
    save_heads(tmp_path, learned)
    loaded = load_heads(tmp_path, checkpoint)
    assert loaded.config == learned.config
    states = loaded.heads.state_dict()
    assert states.keys() == learned.heads.state_dict().keys()
    for name, value in learned.heads.state_dict().items():
        assert states[name].dtype == torch.float32
        assert torch.equal(states[name], value.half().float())


def test_a_part_of_the_vocabulary_comes_back(checkpoint: Checkpoint, tmp_path: Path) -> None:
    config = HeadConfig(method="medusa", base=Fingerprint.of(checkpoint), depth=3, accuracies=ACCURACIES)
    ids = torch.tensor([3, 5, 70, 71])
    save_heads(tmp_path, TrainedHeads(MedusaHeads(WIDTH, 3), config, ids))
    assert torch.equal(cast("Tensor", load_heads(tmp_path, checkpoint).draft_ids), ids)


def test_drafters_are_found_beside_the_checkpoint(directory: Path) -> None:
    assert all((heads_directory(directory, method) / "config.json").is_file() for method in METHODS)
    tiny_checkpoint("qwen2_5_vl", directory)
    checkpoint = load_checkpoint(directory, device="cpu")
    network = Network(checkpoint.model)
    for method in METHODS:
        drafter = load_drafter(method, checkpoint, network)
        assert drafter.name == method
        drafter.start([1, 2])
        hidden = torch.randn(1, WIDTH)
        drafter.observe([5], hidden)
        assert len(drafter.propose(DraftState([1, 2, 5], 2, hidden=hidden[0]), 8)) > 1


def test_heads_of_another_model_are_refused(directory: Path, tmp_path_factory: Any) -> None:
    other = load_checkpoint(tiny_checkpoint("qwen2_5_vl", tmp_path_factory.mktemp("other"), seed=1), device="cpu")
    for method in METHODS:
        with pytest.raises(UsageError, match=r"other weights; train them .* train-heads"):
            load_drafter(method, other, Network(other.model), heads_directory(directory, method))


@pytest.mark.parametrize(
    ("field", "value", "what"),
    [("hidden_size", 64, "width"), ("vocabulary", 5, "vocabulary"), ("tokenizer", "x", "tokenizer")],
)
def test_each_part_of_the_fingerprint_counts(
    target: Checkpoint, directory: Path, field: str, value: Any, what: str
) -> None:
    path = heads_directory(directory, "mtp") / "config.json"
    content = json.loads(path.read_text())
    content["base"][field] = value
    path.write_text(json.dumps(content))
    with pytest.raises(UsageError, match=what):
        load_drafter("mtp", target, Network(target.model), path.parent)


def test_a_fingerprint_does_not_depend_on_the_number_format(tiny_directories: Any) -> None:
    prints = set()
    for dtype in ("float32", "bfloat16"):
        checkpoint = load_checkpoint(tiny_directories["qwen2_5_vl"], device="cpu", dtype=dtype)
        prints.add(Fingerprint.of(checkpoint))
    cast("Any", checkpoint.model).half()
    assert prints == {Fingerprint.of(checkpoint)}


def _change(path: Path, **changes: Any) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


@pytest.mark.parametrize(
    ("damage", "what"),
    [
        (lambda d: (d / "heads.safetensors").write_bytes(b"no"), "heads.safetensors cannot be used"),
        (lambda d: (d / "heads.safetensors").unlink(), "heads.safetensors cannot be used"),
        (lambda d: (d / "config.json").write_text("{"), "not readable JSON"),
        (lambda d: _change(d / "config.json", method="eagle"), "method"),
        (lambda d: _change(d / "config.json", accuracies=[]), "accuracies"),
        (lambda d: _change(d / "config.json", accuracies=[[2.0]] * 3), "accuracies"),
        (lambda d: _change(d / "config.json", version=99), "newer Saccade"),
        (lambda d: _change(d / "config.json", depth=2, accuracies=[[0.5]] * 2), "cannot be used"),
        (
            lambda d: save_file(
                load_file(d / "heads.safetensors") | {"blocks.0.linear.bias": torch.full((WIDTH,), torch.nan)},
                d / "heads.safetensors",
            ),
            "not numbers",
        ),
        (
            lambda d: save_file(
                load_file(d / "heads.safetensors") | {"draft_ids": torch.tensor([4, 320])}, d / "heads.safetensors"
            ),
            "draft vocabulary",
        ),
    ],
)
def test_broken_heads_are_refused(
    target: Checkpoint, directory: Path, damage: Callable[[Path], Any], what: str
) -> None:
    path = heads_directory(directory, "medusa")
    damage(path)
    with pytest.raises(UsageError, match=what):
        load_drafter("medusa", target, Network(target.model), path)


def test_missing_and_unknown_heads_are_refused(checkpoint: Checkpoint) -> None:
    with pytest.raises(MissingPartError, match="train-heads"):
        load_drafter("mtp", checkpoint, Network(checkpoint.model))
    with pytest.raises(UsageError, match="medusa or mtp"):
        load_drafter("eagle", checkpoint, Network(checkpoint.model))


def test_blocks_do_not_share_weights_and_begin_as_nothing() -> None:
    heads = MedusaHeads(WIDTH, 4, own=50)
    pointers = {parameter.data_ptr() for parameter in heads.parameters()}
    assert len(pointers) == 4 * 3
    weight = torch.randn(50, WIDTH)
    output, states = DraftOutput(weight), torch.randn(7, WIDTH)
    heads.begin(output)
    for head in range(4):
        assert torch.allclose(heads.score(head, states, output), states @ weight.T, atol=1e-6)
    cast("Any", heads.blocks[1]).linear.weight.data.fill_(1.0)
    assert not cast("Any", heads.blocks[0]).linear.weight.any()


def test_best_neighbours_are_the_best_paths() -> None:
    values = [[0.7, 0.2, 0.1], [0.6, 0.5, 0.1], [0.4, 0.3]]
    paths = best_neighbours(values, 100)

    def worth(path: tuple[int, ...]) -> float:
        worth = 1.0
        for depth, rank in enumerate(path):
            worth *= values[depth][rank]
        return worth

    assert len(paths) == len(set(paths)) == 3 + 9 + 18
    worths = [worth(path) for path in paths]
    assert worths == sorted(worths, reverse=True)
    assert all(path[:-1] in paths[:index] for index, path in enumerate(paths) if len(path) > 1)
    assert best_neighbours(values, 7) == paths[:7]
    assert best_neighbours(values, 100, least=0.2) == [p for p in paths if worth(p) >= 0.2]
    assert best_neighbours([], 5) == best_neighbours(values, 0) == []


def drafters() -> dict[str, Any]:
    torch.manual_seed(3)
    weight, embedding = torch.randn(320, WIDTH), torch.randn(320, WIDTH)
    heads, module = MedusaHeads(WIDTH, 3, own=320), MtpModule(SHAPE)
    torch.nn.init.normal_(heads.blocks[1].linear.weight)  # type: ignore[arg-type,union-attr]
    mtp = MtpDrafter(module, DraftOutput(weight), lambda ids: embedding[list(ids)], surest=0.0)
    return {"medusa": MedusaDrafter(heads, DraftOutput(weight), ACCURACIES), "mtp": mtp}


@pytest.mark.parametrize("name", ["medusa", "mtp"])
@pytest.mark.parametrize("budget", [0, 1, 2, 5, 16])
def test_trees_keep_to_the_budget_and_the_bans(name: str, budget: int) -> None:
    drafter = drafters()[name]
    for number in range(10):
        hidden = torch.randn(2, WIDTH)
        drafter.start([1])
        drafter.observe([2, 3], hidden)
        free = drafter.propose(DraftState([1, 2, 3], 1, hidden=hidden[-1]), budget)
        assert len(free) - 1 <= budget
        assert (len(free) > 1) == (budget > 0)
        bans = BANNED | set(free.tokens[1:])
        tree = drafter.propose(DraftState([1, 2, 3], 1, hidden=hidden[-1], banned=bans), budget)
        assert len(tree) - 1 <= budget, number
        assert not bans & set(tree.tokens[1:])
        assert all(tree.nodes[node].sources.keys() == {name} for node in range(1, len(tree)))


@pytest.mark.parametrize("name", ["medusa", "mtp"])
def test_without_states_nothing_is_drafted(name: str) -> None:
    drafter = drafters()[name]
    drafter.start([1])
    drafter.observe([2], None)
    assert len(drafter.propose(DraftState([1, 2], 1), 8)) == 1
    drafter.observe([3], torch.randn(1, WIDTH))
    hidden = torch.randn(WIDTH) if name == "mtp" else None
    assert len(drafter.propose(DraftState([1, 2, 3], 1, hidden=hidden), 8)) == 1
    drafter.start([1])
    drafter.observe([2], hidden := torch.randn(1, WIDTH))
    assert len(drafter.propose(DraftState([1, 2], 1, hidden=hidden[0]), 8)) > 1


def test_drafting_round_by_round_equals_drafting_from_scratch() -> None:
    rng = torch.Generator().manual_seed(5)
    ids, states = torch.randint(320, (23,), generator=rng).tolist(), torch.randn(23, WIDTH, generator=rng)
    steady = drafters()["mtp"]
    steady.start([])
    done = 0
    for size in (1, 3, 1, 2, 6, 1, 1, 8):
        steady.observe(ids[done : done + size], states[done : done + size])
        done += size
        fresh = drafters()["mtp"]
        fresh.start([])
        fresh.observe(ids[:done], states[:done])
        state = DraftState(ids[:done], 0)
        trees = [drafter.propose(state, 12) for drafter in (steady, fresh, steady)]
        assert len(trees[0]) > 5
        assert {tree.tokens for tree in trees} == {trees[0].tokens}
        assert torch.allclose(*(torch.from_numpy(tree.values()) for tree in trees[:2]), atol=1e-5)


def test_unrolled_chains_are_those_that_are_drafted() -> None:
    torch.manual_seed(4)
    module, output = MtpModule(SHAPE).eval(), DraftOutput(torch.randn(50, WIDTH))
    states, embeddings = torch.randn(12, WIDTH), torch.randn(12, WIDTH)
    with torch.no_grad():
        unrolled = module.unroll(states[None], embeddings[None], output, 4)
        for known in range(1, 9):
            cache = MtpCache()
            drafted = module.read(states[:known], embeddings[:known], cache)[-1]
            for step in range(4):
                if step > 0:
                    following = embeddings[known + step - 1]
                    drafted = module.read(drafted[None], following[None], cache)[-1]
                trained = unrolled[step][0, known - 1]
                assert torch.allclose(output.score(drafted), trained, atol=1e-4), (known, step)


def test_chain_masks_show_true_pairs_and_then_the_drafted_ones() -> None:
    mask = chain_mask(5, 2)
    assert mask[4].nonzero()[:, 0].tolist() == [0, 1, 2, 5 + 3, 10 + 4]
    assert bool(mask.any(1).all())


def test_a_large_vocabulary_is_drafted_from_in_part() -> None:
    assert draft_vocabulary([[1, 1]], 100) is None
    ids = cast("Tensor", draft_vocabulary([[9, 7, 7], [9, 9, 4]], 100, size=2, largest=50))
    assert ids.tolist() == [7, 9]
    weight = torch.randn(100, WIDTH)
    output = DraftOutput(weight, ids)
    assert len(output) == 2
    assert torch.equal(output.rows, weight[[7, 9]])
    assert output.places(torch.tensor([9, 8, 7])).tolist() == [1, -1, 0]
    assert output.tokens(torch.tensor([[1, 0]])) == [[9, 7]]
    shares = output.probabilities(torch.zeros(2), frozenset({9, 8, 99}))
    assert shares.tolist() == [1.0, 0.0]
    heads = MedusaHeads(WIDTH, 3)
    state = DraftState([1], 0, hidden=torch.randn(WIDTH))
    assert set(MedusaDrafter(heads, output, ACCURACIES).propose(state, 9).tokens[1:]) <= {7, 9}


def test_output_rows_are_the_models(checkpoint: Checkpoint) -> None:
    states = torch.randn(3, WIDTH)
    network = Network(checkpoint.model)
    assert torch.allclose(DraftOutput(output_weight(checkpoint)).score(states), network.logits(states))
