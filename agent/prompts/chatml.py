"""ChatML, the conversation format of all Qwen-VL models, and additions of a checkpoint's template."""

from __future__ import annotations

import hashlib
import json
import logging
import subprocess
import sys
from dataclasses import dataclass
from typing import Final, Literal

from ...actions.errors import UsageError
from ...env.environ import without_secrets
from . import template_process

Role = Literal["system", "user", "assistant"]

_LOG = logging.getLogger(__name__)

ENDS = ("<|im_end|>", "<|endoftext|>")
"""Tokens that end a reply."""
_PLAIN: Final = ("ebfcd5ac6a90456bb09fc91ca4a28b73bc9a7f4b9e9ab0faf1ece33a52fc95e2",)
"""SHA-256 of templates that are known to be plain ChatML: that of the embedded policy."""
_PATIENCE: Final = 60.0
"""Seconds of the clock that rendering may take on a busy computer; its own limit is ``template_process.SECONDS``."""
_ENDLESS: Final = (
    "the checkpoint's chat template runs for too long or takes too much memory; replace it (chat_template.jinja, "
    "chat_template.json or tokenizer_config.json)"
)
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

    A template that formats the messages differently is not used, and a warning is logged. It is rendered in a process
    of its own.

    Raises:
        UsageError: it does not come to an end.
    """
    if template is None or hashlib.sha256(template.encode("utf-8", "replace")).hexdigest() in _PLAIN:
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
    """A conversation by the template; None where it raises an error.

    Raises:
        UsageError: it does not come to an end.
    """
    messages = [
        {"role": "user", "content": [{"type": "text", "text": task}]},
        {"role": "user", "content": [{"type": "image"}]},
        {"role": "assistant", "content": [{"type": "text", "text": reply}]},
    ]
    question = json.dumps({"template": template, "messages": messages}).encode()
    command = [sys.executable, "-P", template_process.__file__]
    try:
        done = subprocess.run(
            command, input=question, capture_output=True, timeout=_PATIENCE, check=False, env=without_secrets()
        )
    except subprocess.TimeoutExpired:
        raise UsageError(_ENDLESS) from None
    if done.returncode < 0:  # the system ended it at a limit
        raise UsageError(_ENDLESS)
    return str(json.loads(done.stdout)["text"]) if done.returncode == 0 else None
