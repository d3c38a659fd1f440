"""Loading checkpoints: every generation of side files, every way in which they can be broken."""

import json
import logging
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from saccade.actions.errors import MissingPartError, UsageError
from saccade.actions.geometry import Size
from saccade.agent.checkpoints import checkpoint as checkpoint_module
from saccade.agent.checkpoints.checkpoint import EMBEDDED, Checkpoint, load_checkpoint, locate
from saccade.agent.checkpoints.model_card import Family, ModelCard, read_card
from saccade.agent.checkpoints.tiny import tiny_checkpoint
from saccade.agent.prompts.chatml import ChatFormat, chat_format
from saccade.perception.resize import ImageSpec

QWEN2_TEMPLATE = (
    "{% for message in messages %}{% if loop.first and message['role'] != 'system' %}<|im_start|>system\n"
    "You are a helpful assistant.<|im_end|>\n{% endif %}<|im_start|>{{ message['role'] }}\n"
    "{% if message['content'] is string %}{{ message['content'] }}<|im_end|>\n{% else %}"
    "{% for content in message['content'] %}{% if content['type'] == 'image' %}"
    "<|vision_start|><|image_pad|><|vision_end|>{% elif 'text' in content %}{{ content['text'] }}{% endif %}"
    "{% endfor %}<|im_end|>\n{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


@pytest.fixture
def copy(tiny_directories: dict[Family, Path], tmp_path: Path) -> Callable[..., Path]:
    """A copy of a tiny checkpoint that a test may break."""

    def make(family: Family = "qwen2_vl") -> Path:
        target = tmp_path / "broken"
        shutil.copytree(tiny_directories[family], target)
        return target

    return make


def edit(path: Path, **values: Any) -> None:
    content = json.loads(path.read_text()) if path.exists() else {}
    path.write_text(json.dumps(content | values))


def test_each_family_loads(checkpoint: Checkpoint) -> None:
    assert checkpoint.name == checkpoint.family
    assert checkpoint.model.dtype == torch.float32
    assert not checkpoint.model.training
    assert checkpoint.card.max_images == 4
    assert checkpoint.image_spec.max_pixels == 112 * 112
    text = "Thought: é→\nAction: click(start_box='(1,2)')<|im_end|>"
    assert checkpoint.tokenizer.decode(checkpoint.tokenizer.encode(text)) == text


def test_a_seed_gives_the_same_weights_again(tmp_path: Path, tiny_directories: dict[Family, Path]) -> None:
    again = load_file(tiny_checkpoint("qwen3_vl", tmp_path / "again") / "model.safetensors")
    first = load_file(tiny_directories["qwen3_vl"] / "model.safetensors")
    other = load_file(tiny_checkpoint("qwen3_vl", tmp_path / "other", seed=1) / "model.safetensors")
    assert all(torch.equal(first[key], again[key]) for key in first)
    assert not torch.equal(first["lm_head.weight"], other["lm_head.weight"])


class TestLocating:
    def test_a_directory_is_itself(self, tmp_path: Path) -> None:
        assert locate(str(tmp_path)) == tmp_path

    def test_a_hub_id_is_downloaded(self, tmp_path: Path) -> None:
        asked = []
        assert locate("Some-Org/some.model-7B", lambda hub_id: asked.append(hub_id) or tmp_path) == tmp_path
        assert asked == ["Some-Org/some.model-7B"]

    @pytest.mark.parametrize("name", ["/no/such/place", "nowhere", "./a/b", "a/b/c"])
    def test_a_missing_directory(self, name: str) -> None:
        with pytest.raises(MissingPartError, match="no checkpoint directory"):
            locate(name)

    def test_a_file(self, tmp_path: Path) -> None:
        (tmp_path / "model.gguf").touch()
        with pytest.raises(MissingPartError, match="give the directory"):
            locate(tmp_path / "model.gguf")

    def test_the_hub_out_of_reach(self, monkeypatch: pytest.MonkeyPatch) -> None:
        import huggingface_hub

        def fail(*args: object, **kwargs: object) -> str:
            raise OSError("no route\nto host")

        monkeypatch.setattr(huggingface_hub, "snapshot_download", fail)
        with pytest.raises(MissingPartError, match=r"cannot be had from the hub \(no route\).*--local-dir"):
            load_checkpoint("Some-Org/some-model")

    def test_the_embedded_policy(self) -> None:
        weights = Path(checkpoint_module.__file__).parent.parent / "embedded" / "weights"
        if (weights / "config.json").is_file():
            assert locate(EMBEDDED) == weights
        else:
            with pytest.raises(MissingPartError, match="weights are not in this copy"):
                locate(EMBEDDED)


class TestBrokenCheckpoints:
    def check(self, directory: Path, message: str, kind: type[UsageError] = UsageError) -> None:
        with pytest.raises(kind, match=message) as caught:
            load_checkpoint(directory, device="cpu")
        assert "\n" not in str(caught.value)

    def test_no_config(self, tmp_path: Path) -> None:
        self.check(tmp_path, "has no config.json", MissingPartError)

    def test_another_architecture(self, copy: Callable[..., Path]) -> None:
        directory = copy()
        edit(directory / "config.json", model_type="llama")
        self.check(directory, "is a llama model; Saccade runs qwen2_vl, qwen2_5_vl, qwen3_vl")

    @pytest.mark.parametrize("text", ["{", "[]", "\x00"])
    def test_a_config_that_is_not_json(self, copy: Callable[..., Path], text: str) -> None:
        directory = copy()
        (directory / "config.json").write_text(text)
        self.check(directory, "config.json")

    def test_a_config_with_wrong_values(self, copy: Callable[..., Path]) -> None:
        directory = copy()
        edit(directory / "config.json", vision_config={"depth": "many"})
        self.check(directory, "not a usable qwen2_vl configuration")

    def test_sliding_window_attention(self, copy: Callable[..., Path]) -> None:
        directory = copy()
        config = json.loads((directory / "config.json").read_text())
        config["text_config"] |= {"layer_types": ["full_attention", "sliding_attention"]}
        (directory / "config.json").write_text(json.dumps(config))
        self.check(directory, "sliding-window attention")

    def test_no_weights(self, copy: Callable[..., Path]) -> None:
        directory = copy()
        (directory / "model.safetensors").unlink()
        self.check(directory, "has no weights", MissingPartError)

    def test_cut_off_weights(self, copy: Callable[..., Path]) -> None:
        directory = copy()
        weights = directory / "model.safetensors"
        weights.write_bytes(weights.read_bytes()[:5000])
        self.check(directory, "cannot be loaded")

    def test_a_missing_tensor(self, copy: Callable[..., Path]) -> None:
        directory = copy()
        weights = load_file(directory / "model.safetensors")
        del weights["lm_head.weight"]
        save_file(weights, directory / "model.safetensors", {"format": "pt"})
        self.check(directory, "lack 1 tensors, lm_head.weight first")

    def test_a_tensor_of_another_shape(self, copy: Callable[..., Path]) -> None:
        directory = copy()
        weights = load_file(directory / "model.safetensors")
        weights["lm_head.weight"] = torch.zeros(7, 32)
        save_file(weights, directory / "model.safetensors", {"format": "pt"})
        self.check(directory, "cannot be loaded")

    def test_a_broken_tokenizer(self, copy: Callable[..., Path]) -> None:
        directory = copy()
        (directory / "tokenizer.json").write_text("{}")
        self.check(directory, "the tokenizer in .* cannot be loaded")

    def test_unknown_device_and_dtype(self, tiny_directories: dict[Family, Path]) -> None:
        with pytest.raises(UsageError, match="unknown device 'abacus'"):
            load_checkpoint(tiny_directories["qwen2_vl"], device="abacus")
        with pytest.raises(UsageError, match="unknown dtype 'int8'"):
            load_checkpoint(tiny_directories["qwen2_vl"], device="cpu", dtype="int8")

    def test_transformers_missing(self, tiny_directories: dict[Family, Path], monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(sys.modules, "transformers", None)
        self.check(tiny_directories["qwen2_vl"], "pip install transformers", MissingPartError)


@pytest.mark.parametrize("family", ["qwen2_vl", "qwen2_5_vl"])
def test_the_layout_in_which_ui_tars_was_published(
    copy: Callable[..., Path], family: Family, tiny_checkpoints: dict[Family, Checkpoint]
) -> None:
    directory = copy(family)
    config = json.loads((directory / "config.json").read_text())
    text = config.pop("text_config")
    rope = text.pop("rope_parameters")
    scaling = {"type": "mrope", "mrope_section": rope["mrope_section"]}
    flat = text | {"rope_theta": rope["rope_theta"], "rope_scaling": scaling, "use_sliding_window": False}
    kept = {key: value for key, value in flat.items() if key not in ("layer_types", "model_type", "dtype")}
    config["vision_config"] |= {"model_type": family, "in_chans": 3, "spatial_patch_size": 14}
    (directory / "config.json").write_text(json.dumps(kept | config | {"torch_dtype": "float32"}))
    # transformers writes the old names of the weights itself.
    names = load_file(directory / "model.safetensors").keys()
    assert {name.split(".")[0] for name in names} == {"visual", "model", "lm_head"}
    assert "model.layers.0.self_attn.q_proj.weight" in names
    expected = tiny_checkpoints[family].model.state_dict()
    loaded = load_checkpoint(directory, device="cpu")
    assert all(torch.equal(loaded.model.state_dict()[key], value) for key, value in expected.items())
    read = loaded.model.config.text_config.rope_parameters
    assert {key: read[key] for key in rope} == rope


class TestTokenizer:
    def without_tokenizer(self, directory: Path) -> Path:
        for path in directory.glob("tokenizer*"):
            path.unlink()
        return directory

    @pytest.mark.parametrize("family", ["qwen2_vl", "qwen2_5_vl", "qwen3_vl"])
    def test_bytes_stand_in_for_a_missing_one(
        self, copy: Callable[..., Path], family: Family, caplog: pytest.LogCaptureFixture
    ) -> None:
        directory = self.without_tokenizer(copy(family))
        with caplog.at_level(logging.WARNING):
            checkpoint = load_checkpoint(directory, device="cpu")
        assert "has no tokenizer files" in caplog.text
        ids = checkpoint.tokenizer.encode("<|image_pad|>é<|im_end|>")
        assert (ids[0], ids[-1]) == (261, 258)
        assert checkpoint.tokenizer.decode(ids) == "<|image_pad|>é<|im_end|>"

    def test_a_vocabulary_too_small_for_bytes(self, copy: Callable[..., Path]) -> None:
        directory = self.without_tokenizer(copy())
        config = json.loads((directory / "config.json").read_text())
        config["text_config"]["vocab_size"] = 200
        (directory / "config.json").write_text(json.dumps(config))
        with pytest.raises(UsageError, match="too small for bytes"):
            load_checkpoint(directory, device="cpu")


class TestImageSpec:
    def spec(self, directory: Path) -> ImageSpec:
        return load_checkpoint(directory, device="cpu").image_spec

    def test_the_old_keys(self, copy: Callable[..., Path]) -> None:
        directory = copy()
        path = directory / "preprocessor_config.json"
        path.write_text(json.dumps({"min_pixels": 3136, "max_pixels": 2116800, "image_mean": [0.5] * 3}))
        spec = self.spec(directory)
        assert (spec.min_pixels, spec.max_pixels, spec.patch_size) == (3136, 2116800, 14)
        assert spec.mean == (0.5, 0.5, 0.5)

    def test_inside_the_processor_config(self, copy: Callable[..., Path]) -> None:
        directory = copy()
        (directory / "preprocessor_config.json").unlink()
        size = {"shortest_edge": 100, "longest_edge": 200000}
        edit(directory / "processor_config.json", image_processor={"size": size})
        assert (self.spec(directory).min_pixels, self.spec(directory).max_pixels) == (100, 200000)

    def test_the_family_decides_without(self, copy: Callable[..., Path]) -> None:
        directory = copy("qwen3_vl")
        (directory / "preprocessor_config.json").unlink()
        spec = self.spec(directory)
        assert (spec.patch_size, spec.min_pixels, spec.max_pixels) == (16, 65536, 16777216)
        assert spec.std == (0.5, 0.5, 0.5)

    @pytest.mark.parametrize("wrong", [{"image_mean": [1, 2]}, {"size": {"shortest_edge": "s"}}, {"size": 3}])
    def test_wrong_values(self, copy: Callable[..., Path], wrong: dict[str, Any]) -> None:
        directory = copy()
        edit(directory / "preprocessor_config.json", **wrong)
        with pytest.raises(UsageError, match=r"preprocessor_config\.json cannot be used"):
            load_checkpoint(directory, device="cpu")

    def test_patches_of_another_model(self, copy: Callable[..., Path]) -> None:
        directory = copy()
        edit(directory / "preprocessor_config.json", patch_size=16)
        with pytest.raises(UsageError, match="in other patches"):
            load_checkpoint(directory, device="cpu")


class TestCard:
    @pytest.mark.parametrize(
        ("family", "name", "dialect"),
        [
            ("qwen2_vl", "ByteDance-Seed/UI-TARS-7B-DPO", "uitars-1.0"),
            ("qwen2_5_vl", "ByteDance-Seed/UI-TARS-1.5-7B", "uitars-1.5"),
            ("qwen2_vl", "my-ui-tars-1.5-copy", "uitars-1.5"),
            ("qwen2_5_vl", "Qwen/Qwen2.5-VL-3B-Instruct", "uitars-1.5"),
            ("qwen3_vl", "Qwen/Qwen3-VL-4B-Instruct", "uitars-1.0"),
        ],
    )
    def test_defaults(self, tmp_path: Path, family: Family, name: str, dialect: str) -> None:
        assert read_card(tmp_path, family, name) == ModelCard(dialect=dialect)

    def test_what_it_says_counts(self, tmp_path: Path) -> None:
        edit(tmp_path / "saccade.json", prompt="instruction-only", viewport=[160, 210])
        card = read_card(tmp_path, "qwen3_vl", "any")
        assert card == ModelCard(dialect="uitars-1.0", prompt="instruction-only", viewport=Size(160, 210))

    @pytest.mark.parametrize(
        ("wrong", "message"),
        [
            ({"max_image": 3}, "max_image: Extra inputs"),
            ({"max_images": 0}, "max_images: .*greater than 0"),
            ({"prompt": "poetry"}, "prompt: "),
            ({"viewport": [1]}, "viewport"),
        ],
    )
    def test_what_no_card_has(self, tmp_path: Path, wrong: dict[str, Any], message: str) -> None:
        edit(tmp_path / "saccade.json", **wrong)
        with pytest.raises(UsageError, match=message):
            read_card(tmp_path, "qwen3_vl", "any")

    def test_not_json(self, tmp_path: Path) -> None:
        (tmp_path / "saccade.json").write_text("dialect: uitars")
        with pytest.raises(UsageError, match="not readable JSON"):
            read_card(tmp_path, "qwen3_vl", "any")


class TestChatFormat:
    def test_none_is_plain_chatml(self) -> None:
        assert chat_format(None) == ChatFormat()

    def test_the_default_system_message_of_qwen2_vl(self) -> None:
        expected = "<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n"
        assert chat_format(QWEN2_TEMPLATE) == ChatFormat(expected)

    def test_an_opening_that_makes_the_model_think(self) -> None:
        template = QWEN2_TEMPLATE.replace("assistant\n{% endif %}", "assistant\n<think>\n{% endif %}")
        assert chat_format(template).opening == "<|im_start|>assistant\n<think>\n"

    @pytest.mark.parametrize("template", ["{{ messages[0].content }}", "{% oops %}", "{{ raise_exception('no') }}"])
    def test_another_format_is_not_followed(self, template: str, caplog: pytest.LogCaptureFixture) -> None:
        assert chat_format(template) == ChatFormat()
        assert "not ChatML" in caplog.text

    @pytest.mark.parametrize("place", ["chat_template.jinja", "chat_template.json"])
    def test_it_is_found_next_to_the_weights(self, copy: Callable[..., Path], place: str) -> None:
        directory = copy()
        text = json.dumps({"chat_template": QWEN2_TEMPLATE}) if place.endswith("json") else QWEN2_TEMPLATE
        (directory / place).write_text(text)
        assert "helpful assistant" in load_checkpoint(directory, device="cpu").chat.preamble
