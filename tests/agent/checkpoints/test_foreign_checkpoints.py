"""A checkpoint of others: its lists stay in its folder, its numbers are bounded, its template comes to an end."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

import pytest

from saccade.actions.errors import UsageError
from saccade.agent.checkpoints.checkpoint import load_checkpoint
from saccade.agent.checkpoints.model_card import read_card, read_json
from saccade.agent.checkpoints.untrusted_files import check_files, check_sizes
from saccade.agent.prompts import chatml
from saccade.agent.prompts.chatml import ChatFormat, chat_format

BODY = "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
TOO_LONG = (
    "{% for a in range(99999) %}{% for b in range(99999) %}{% for c in range(99999) %}" + "{% endfor %}" * 3,
    "{{ 9 ** 9 ** 9 ** 9 }}",
    "{% set n = namespace(s='x' * 1000) %}{% for a in range(99) %}{% set n.s = n.s ~ n.s %}{% endfor %}",
    "{{ 'x' * 99999999999 }}",
    "{% macro a() %}{{ a() }}{% endmacro %}{{ a() }}",
    "{{ '%099999999999d' % 1 }}",
)


@pytest.mark.parametrize("template", TOO_LONG, ids=range(len(TOO_LONG)))
def test_a_template_comes_to_an_end(template: str) -> None:
    begun = time.monotonic()
    try:
        found = chat_format(template)
    except UsageError as error:
        assert "chat template runs for too long or takes too much memory" in str(error)  # noqa: PT017
    else:
        assert found == ChatFormat()
    assert time.monotonic() - begun < 60


def test_a_template_reaches_nothing_of_the_computer(tmp_path: Path) -> None:
    marker = tmp_path / "owned"
    for escape in (
        f"{{{{ ''.__class__.__mro__[1].__subclasses__() }}}}{marker}",
        f"{{{{ cycler.__init__.__globals__.os.system('touch {marker}') }}}}",
        f"{{% include '{marker}' %}}",
    ):
        assert chat_format(BODY + escape) == ChatFormat()
    assert not marker.exists()


def test_the_embedded_template_is_known_without_a_process(monkeypatch: pytest.MonkeyPatch) -> None:
    template = (Path(chatml.__file__).parent.parent / "embedded" / "weights" / "chat_template.jinja").read_text()
    known = chat_format(template)
    monkeypatch.setattr(chatml, "_PLAIN", ())
    assert chat_format(template) == known
    monkeypatch.undo()
    monkeypatch.setattr(chatml.subprocess, "run", pytest.fail)
    assert chat_format(template) == known


@pytest.mark.parametrize("name", ["../../x.safetensors", "/etc/passwd", "a/b.safetensors", "", "..", 5, None])
def test_a_list_of_weights_names_files_in_its_folder(tmp_path: Path, name: Any) -> None:
    (tmp_path / "model.safetensors.index.json").write_text(
        json.dumps({"weight_map": {"a": "ok.safetensors", "b": name}})
    )
    with pytest.raises(UsageError, match="no file in its folder"):
        check_files(tmp_path)
    with pytest.raises(UsageError, match="no file in its folder"):
        load_checkpoint(tmp_path)


def test_a_pipe_among_the_files_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "model.safetensors")
    with pytest.raises(UsageError, match="a pipe or a device"):
        load_checkpoint(tmp_path)


@pytest.mark.parametrize("values", [{"num_hidden_layers": 10**9}, {"vision_config": {"depth": 1e308}}, {"a": [10**30]}])
def test_a_configuration_beyond_all_use_is_refused(tmp_path: Path, values: dict[str, Any]) -> None:
    path = tmp_path / "config.json"
    path.write_text(json.dumps({"model_type": "qwen2_vl", **values}))
    with pytest.raises(UsageError, match="is beyond all use"):
        check_sizes(path, read_json(path))
    with pytest.raises(UsageError, match="is beyond all use"):
        load_checkpoint(tmp_path)


@pytest.mark.parametrize("text", ["[" * 100_000, '{"a": 1, "a": 2}', "{", '{"a":' * 101 + "1" + "}" * 101])
def test_broken_json_is_one_clear_line(tmp_path: Path, text: str) -> None:
    (tmp_path / "config.json").write_text(text)
    with pytest.raises(UsageError, match="is not readable JSON") as error:
        load_checkpoint(tmp_path)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    "card", [{"viewport": [-1, 5]}, {"viewport": [10**9, 5]}, {"max_images": 10**30}, {"max_new_tokens": 10**9}]
)
def test_a_card_has_numbers_of_use(tmp_path: Path, card: dict[str, Any]) -> None:
    (tmp_path / "saccade.json").write_text(json.dumps(card))
    with pytest.raises(UsageError, match=r"saccade\.json: "):
        read_card(tmp_path, "qwen2_vl", "x")
