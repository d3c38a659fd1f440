"""Reads a chat completion in the shapes in which servers write it: plain, in parts, streamed, with calls taken out."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel, ValidationError

from ...actions.dialects import Call, Dialect, Reply
from ...actions.dialects.thoughts import escape_markup
from ...actions.errors import ParseError
from .failures import EndpointFailure, clip, refusal

_THOUGHTS = ("reasoning_content", "reasoning", "thinking", "reasoning_details")
_TEXTS = ("text", "content", "thinking", "reasoning", "summary")
_DEEPEST = 4


class TokenCounts(BaseModel):
    """What a reply cost; 0 where the server does not say."""

    prompt_tokens: int = 0
    completion_tokens: int = 0


@dataclass(frozen=True)
class Completion:
    """What a model said.

    Attributes:
        text: the reply; may be empty.
        thought: reasoning that the server took out of the reply, or all of it.
        calls: calls that the server took out of the reply.
        usage: what it cost; None where the server does not say.
        cut: whether the reply was cut off at its maximum length.
    """

    text: str = ""
    thought: str = ""
    calls: tuple[Call, ...] = ()
    usage: TokenCounts | None = None
    cut: bool = False


def read_completion(answer: str) -> Completion:
    """Parse an answer; raises ``EndpointFailure`` if it is an error or no completion."""
    if answer.lstrip()[:1] not in "{[" and _is_stream(answer):
        return _Stream().read(answer)
    body = read_json(answer)
    if not isinstance(body, dict):
        raise _other("its answer: it is no object", answer)
    _check_error(body, answer)
    choices = body.get("choices")
    if not isinstance(choices, list) or not choices:
        raise _other("choices: there are none", answer)
    choice = choices[0]
    message = choice.get("message") if isinstance(choice, dict) else None
    if not isinstance(message, dict):
        if isinstance(choice, dict):
            _check_error(choice, answer)
        raise _other("choices.0.message: Field required", answer)
    return _completion(message, choice.get("finish_reason"), body.get("usage"))


def read_reply(said: Completion, dialect: Dialect, parse: Callable[[str], Reply]) -> tuple[str, Reply]:
    """The text of a reply as the model would have written it, and what it means.

    A thought that the server took out goes before the reply again, in ``<think>``; without a reply it is the reply.
    Calls that the server took out are written in the dialect, unless the reply holds its own.

    Raises:
        ParseError: it cannot be read.
    """
    *others, last = _texts(said, dialect)
    for raw in others:
        with suppress(ParseError):
            return raw, parse(raw)
    if not last.strip():
        raise ParseError("it is empty", last)
    try:
        return last, parse(last)
    except ParseError as error:
        if not said.cut:
            raise
        raise ParseError(f"{error.reason}; it was cut off at its maximum length, so keep it short", last) from error


def _texts(said: Completion, dialect: Dialect) -> list[str]:
    """What the reply may be, the likeliest last."""
    thought = f"<think>{escape_markup(said.thought.strip())}</think>\n" if said.thought.strip() else ""
    if not said.calls:
        return [thought + said.text if said.text.strip() else said.thought]
    with_calls = "\n".join(filter(str.strip, (said.text, dialect.write_calls(said.calls))))
    return [*([thought + said.text] if said.text.strip() else ()), thought + with_calls]


def read_json(answer: str) -> Any:
    """The JSON of an answer; raises ``EndpointFailure`` if it is none."""
    try:
        return json.loads(answer)
    except (ValueError, RecursionError) as error:
        raise EndpointFailure(f"answered no JSON: {clip(answer)}; is the path right, /v1, say?") from error


def _completion(message: Mapping[str, Any], finish: object, usage: object) -> Completion:
    text, inner = _parts(message.get("content"))
    thought = next((found for key in _THOUGHTS if (found := _plain(message.get(key)).strip())), inner)
    if not text.strip() and isinstance(message.get("refusal"), str):
        text = message["refusal"]
    if thought.strip() and thought.strip() in text:
        thought = ""  # some servers keep it in the reply, too
    return Completion(text, thought, tuple(_calls(message)), _counts(usage), finish in ("length", "max_tokens"))


def _parts(content: object) -> tuple[str, str]:
    """The text of a message's content, and the thoughts among its parts."""
    if not isinstance(content, list):
        return _plain(content), ""
    said: list[str] = []
    thoughts: list[str] = []
    for part in content:
        kind = part.get("type") if isinstance(part, dict) else None
        (thoughts if kind in ("thinking", "reasoning") else said).append(_plain(part))
    return "".join(said), "\n".join(thoughts)


def _plain(value: object, depth: int = 0) -> str:
    """The text in a value: a string, or an object or a list that holds some."""
    if isinstance(value, str):
        return value
    if isinstance(value, list) and depth < _DEEPEST:
        return "".join(_plain(each, depth + 1) for each in value)
    if isinstance(value, dict) and depth < _DEEPEST:
        return next((text for key in _TEXTS if (text := _plain(value.get(key), depth + 1))), "")
    return ""


def _calls(message: Mapping[str, Any]) -> Iterator[Call]:
    calls = message.get("tool_calls")
    older = message.get("function_call")
    for call in [*(calls if isinstance(calls, list) else ()), *([older] if older else ())]:
        function = call.get("function", call) if isinstance(call, dict) else None
        if isinstance(function, dict) and isinstance(function.get("name"), str):
            arguments = function.get("arguments", function.get("input"))
            yield Call(function["name"], arguments if isinstance(arguments, dict) else {}, (arguments,))


def _counts(usage: object) -> TokenCounts | None:
    try:
        return TokenCounts.model_validate(usage)
    except ValidationError:
        return None


def _check_error(body: Mapping[str, Any], answer: str) -> None:
    """Raise what an error in an answer with status 200 says."""
    error = body.get("error")
    if error is None and (body.get("object") == "error" or body.get("type") == "error"):
        error = body
    if not error:
        return
    code = error.get("code", error.get("status")) if isinstance(error, dict) else None
    number = int(str(code)) if re.fullmatch("[45][0-9][0-9]", str(code)) else 200
    raise refusal(number, {"error": error}, answer)


def _other(problem: str, answer: str) -> EndpointFailure:
    return EndpointFailure(f"answered something else: {problem}: {clip(answer)}")


def _is_stream(answer: str) -> bool:
    lines = answer.lstrip("\ufeff \r\n").split("\n", 1)
    return lines[0].startswith(("data:", "event:", "id:", ":"))


@dataclass
class _Stream:
    """Puts the pieces of a streamed completion together."""

    _text: list[str] = field(default_factory=list)
    _thought: list[str] = field(default_factory=list)
    _pieces: dict[int, dict[str, Any]] = field(default_factory=dict)
    _finish: object = None
    _usage: object = None

    def read(self, answer: str) -> Completion:
        """The whole completion; raises ``EndpointFailure`` if a piece is an error or there is none."""
        read = 0
        for line in answer.splitlines():
            piece = line.removeprefix("data:").strip() if line.startswith("data:") else ""
            if piece and piece != "[DONE]":
                read += self._take(read_json(piece), piece)
        if not read:
            raise _other("choices: there are none", answer)
        calls = [{"function": call} for _, call in sorted(self._pieces.items())]
        message = {"content": "".join(self._text), "reasoning": "".join(self._thought), "tool_calls": calls}
        return _completion(message, self._finish, self._usage)

    def _take(self, body: object, piece: str) -> bool:
        """Add a piece; whether it has a choice."""
        if not isinstance(body, dict):
            raise _other("its answer: it is no object", piece)
        _check_error(body, piece)
        self._usage = body.get("usage") or self._usage
        choices = body.get("choices")
        choice = choices[0] if isinstance(choices, list) and choices else None
        if not isinstance(choice, dict):
            return False
        said = choice.get("delta") or choice.get("message") or {}
        self._finish = choice.get("finish_reason") or self._finish
        text, inner = _parts(said.get("content"))
        self._text.append(text)
        self._thought.append(next((found for key in _THOUGHTS if (found := _plain(said.get(key)))), inner))
        for index, call in enumerate(said.get("tool_calls") or ()):
            self._add_call(call, index)
        return True

    def _add_call(self, call: Any, index: int) -> None:
        function = call.get("function") if isinstance(call, dict) else None
        if isinstance(function, dict):
            number = call.get("index", index)
            whole = self._pieces.setdefault(number if isinstance(number, int) else index, {"name": "", "arguments": ""})
            for key in whole:
                whole[key] += function.get(key) or "" if isinstance(function.get(key), str | None) else ""
