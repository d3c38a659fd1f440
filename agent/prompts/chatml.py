"""ChatML, the conversation format of all Qwen-VL models, and additions of a checkpoint's template."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Any, Literal, cast

Role = Literal["system", "user", "assistant"]

_LOG = logging.getLogger(__name__)

ENDS = ("<|im_end|>", "<|endoftext|>")
"""Tokens that end a reply."""
END = "<|im_end|>\n"
PICTURE_BEFORE = "<|im_start|>user\n<|vision_start|>"
PICTURE_AFTER = "<|vision_end|><|im_end|>\n"


@dataclass(frozen=True)
class ChatFormat:
    """Text around the messages.

    Attributes:
        preamble: before the first message, such as a default system message.
        opening: before the model's reply.
    """

    preamble: str = ""
    opening: str = "<|im_start|>assistant\n"


def message(role: Role, text: str) -> str:
    """One text message."""
    return f"<|im_start|>{role}\n{text}{END}"


def chat_format(template: str | None) -> ChatFormat:
    """Preamble and opening of a checkpoint's chat template; those of plain ChatML if it has none.

    A template that formats the messages differently is not used, and a warning is logged.
    """
    if template is None:
        return ChatFormat()
    task, reply = "Buy two tickets.", "Action: wait()"
    body = message("user", task) + PICTURE_BEFORE + "<|image_pad|>" + PICTURE_AFTER + message("assistant", reply)
    rendered = _render(template, task, reply)
    if rendered is None or rendered.count(body) != 1:
        _LOG.warning("the checkpoint's chat template is not ChatML as Qwen-VL models use it; using plain ChatML")
        return ChatFormat()
    preamble, opening = rendered.split(body)
    return ChatFormat(preamble, opening or ChatFormat.opening)


def _render(template: str, task: str, reply: str) -> str | None:
    from jinja2 import TemplateError
    from transformers.utils.chat_template_utils import render_jinja_template

    conversation = [
        {"role": "user", "content": [{"type": "text", "text": task}]},
        {"role": "user", "content": [{"type": "image"}]},
        {"role": "assistant", "content": [{"type": "text", "text": reply}]},
    ]
    try:
        rendered = cast("Any", render_jinja_template)(
            [conversation], chat_template=template, add_generation_prompt=True
        )[0]
    except (TemplateError, ValueError, TypeError):
        return None
    return str(rendered[0])
