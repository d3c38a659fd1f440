"""Why a server gave no reply, and whether a shorter request may get one."""

from __future__ import annotations

import re
from typing import Literal

from ...actions.errors import PolicyFailure

_LOOKED_AT = 2000
"""Characters of a message that are searched; servers say what is wrong at its beginning."""
_CLIPPED = 200
_TAG = re.compile(r"<(?:(?:style|script|title)\b[^<>]*>[^<]*|[^<>]*>)")
_IMAGES = re.compile(r"\b(?:images?|image_urls?|pictures?|multi-?modal|mm)\b")
_TOO_MANY = re.compile(
    r"at most|too many|up to|no more than|exceed|maximum|\bmax\b|\blimit|only (?:one|\d)|more than|cannot contain|"
    r"too long|multiple"
)
_TOO_LARGE = re.compile(r"\b(?:size|pixels?|bytes|resolution|dimensions?|width|height|[mk]i?b)\b")
_LIMIT = re.compile(
    r"(?:at most|up to|no more than|exceeds?|maximum|max|limit|only)"
    r"(?: ?(?:is|of|number|count|allowed|the|images?|limit|supported|are|:|=|to|a|maximum|array length|length))*"
    r" ?(\d{1,4}|one)\b(?! ?(?:tokens|[mk]i?b))"
)
_CONTEXT = re.compile(
    r"context.?(?:length|window|size|limit|overflow)|max(?:imum)?[ _-](?:model|prompt|input|context|sequence)[ _-]len|"
    r"range of input length|(?:too many|(?:exceeds?\b|longer than|greater than|more than).{0,60}) tokens|"
    r"tokens?\b.{0,80}(?:exceed|must be (?:<|less|reduced)|too (?:long|many|large)|longer than|greater than)|"
    r"(?:prompt|input|inputs|request|payload|entity|message|messages|body|content)\b.{0,20} too (?:long|large|big)|"
    r"reduce the (?:length|size)|must be reduced|exceeds? max message|larger than.{0,40}(?:limit|allowed)|"
    r"length limit exceeded"
)
_REFUSED = frozenset((200, 400, 413, 422, 429, 500))
"""Statuses with which servers refuse a request that is too long."""

Excess = Literal["images", "context"]


class EndpointFailure(PolicyFailure):
    """Raised when the server does not answer, or its answer is invalid.

    Attributes:
        status: HTTP status; None without an answer.
        passing: whether a retry may help.
        after: seconds after which the server asks for a retry; None if it does not say.
        excess: what the request has too much of; None if that is not why.
        limit: the number of images that the server allows, if it says so.
    """

    def __init__(
        self,
        message: str,
        *,
        status: int | None = None,
        passing: bool = True,
        after: float | None = None,
        excess: Excess | None = None,
        limit: int | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.passing = passing
        self.after = after
        self.excess = excess
        self.limit = limit

    def told(self, message: str) -> EndpointFailure:
        """The same failure in other words."""
        return EndpointFailure(
            message, status=self.status, passing=self.passing, after=self.after, excess=self.excess, limit=self.limit
        )


def refusal(status: int, body: object, text: str, after: float | None = None) -> EndpointFailure:
    """The failure that an answer with an error states; ``body`` is its JSON, ``text`` all of it."""
    said = _message(body, text)
    excess, limit = _excess(status, f"{_code(body)} {said}".lower()[:_LOOKED_AT])
    passing = excess is None and (status in (200, 408, 409, 429) or status >= 500)
    word = "an error" if status == 200 else str(status)
    return EndpointFailure(
        f"answered {word}: {clip(said)}", status=status, passing=passing, after=after, excess=excess, limit=limit
    )


def clip(text: str) -> str:
    """The beginning of a text in one line."""
    line = " ".join(text[:_LOOKED_AT].split())
    return (line if len(line) <= _CLIPPED else line[: _CLIPPED - 3] + "...") or "nothing"


def _excess(status: int, said: str) -> tuple[Excess | None, int | None]:
    if status not in _REFUSED:
        return None, None
    if _IMAGES.search(said) and _TOO_MANY.search(said) and not (_CONTEXT.search(said) or _TOO_LARGE.search(said)):
        limit = _LIMIT.search(said)
        return "images", None if limit is None else 1 if limit[1] == "one" else int(limit[1])
    if status == 413 or _CONTEXT.search(said):
        return ("context", None) if status != 429 or "too large" in said or "reduced" in said else (None, None)
    return None, None


def _message(body: object, text: str) -> str:
    """The message in an error's body, or its text without HTML tags."""
    for _ in range(8):
        if isinstance(body, list) and body:
            body = body[0]
        if not isinstance(body, dict):
            break
        body = next((body[key] for key in ("message", "msg", "detail", "error", "error_msg") if body.get(key)), "")
    return body if isinstance(body, str) and body else _TAG.sub(" ", text[: 5 * _LOOKED_AT])


def _code(body: object) -> str:
    """The code and type of an error, which say more than some messages."""
    error = body.get("error", body) if isinstance(body, dict) else None
    if not isinstance(error, dict):
        return ""
    return " ".join(str(error[key])[:100].replace("_", " ") for key in ("code", "type") if error.get(key))
