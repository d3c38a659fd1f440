"""A program of its own that renders a chat template, so that one that never ends, or fills the memory, is ended.

A checkpoint's template is a program by others. Jinja's sandbox keeps it from the computer, but not from running for
ever. Reads a JSON object with ``template`` and ``messages``; writes one with ``text``, or exits with status 1.
"""

from __future__ import annotations

import contextlib
import json
import sys
from datetime import datetime
from typing import Any, Final

SECONDS: Final = 5
"""Of the processor."""
_MEMORY: Final = 1 << 30
_LONGEST: Final = 1 << 20


def _limit() -> None:
    with contextlib.suppress(ImportError):
        import resource

        resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))
        resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))


def _render(template: str, messages: list[dict[str, Any]]) -> str:
    """As transformers renders a template (``chat_template_utils``)."""
    from jinja2 import TemplateError, nodes
    from jinja2.ext import Extension, loopcontrols
    from jinja2.parser import Parser
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    class Generation(Extension):
        tags = {"generation"}  # noqa: RUF012 - as jinja2 declares it

        def parse(self, parser: Parser) -> list[nodes.Node]:
            next(parser.stream)
            return parser.parse_statements(("name:endgeneration",), drop_needle=True)

    def raise_exception(message: str) -> None:
        raise TemplateError(message)

    def tojson(value: Any, ensure_ascii: bool = False, **options: Any) -> str:
        return json.dumps(value, ensure_ascii=ensure_ascii, **options)

    environment = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[Generation, loopcontrols]
    )
    environment.filters["tojson"] = tojson
    environment.globals["raise_exception"] = raise_exception
    environment.globals["strftime_now"] = lambda form: datetime.now().strftime(form)
    return environment.from_string(template).render(
        messages=messages, tools=None, documents=None, add_generation_prompt=True
    )


def main() -> int:
    """Render what stands on stdin."""
    _limit()
    asked = json.loads(sys.stdin.buffer.read())
    try:
        text = _render(asked["template"], asked["messages"])
    except Exception:  # whatever a template raises
        return 1
    if len(text) > _LONGEST:
        return 1
    sys.stdout.write(json.dumps({"text": text}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
