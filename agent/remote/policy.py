"""The policy that runs on a server: vLLM, SGLang, or any other with OpenAI's chat completions API."""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from typing import Any, Final

from ...actions.dialects import Dialect, get_dialect, resize_limits
from ...actions.errors import ParseError, PolicyFailure, UsageError
from ...actions.schema import Action, Type
from ..checkpoints.model_card import ModelCard, with_max_images
from ..context import task_message
from ..policy import Context, PolicySettings, Prediction, UnreadableReply, Usage
from ..prompts.chatml import ENDS
from ..replay.expected import DialectPolicy, ExpectedReply, Verification
from ..replay.point_tolerance import farthest, same_but_points
from ..replay.recording import MARK
from .completion import Completion, TokenCounts, read_reply
from .endpoint import PREFIX, Endpoint, ServedModel
from .failures import EndpointFailure
from .messages import Messages

LONGEST_REPLY: Final = 1024
"""Tokens after which a reply is cut off; a safeguard, since the server stops at the end of a turn."""
_EXACT = ("vllm", "sglang")
"""Servers that count tokens exactly and can keep special tokens, such as those around a box."""
_NO_LIST = (404, 405, 501)
_FAMILIES = (
    (r"doubao-?1[.-]?5", "doubao-1.5"),
    (r"ui-?tars-?1[.-]?5", "uitars-1.5"),
    (r"ui-?tars-?\d+b", "uitars-1.0"),
    (r"opencua", "opencua"),
    (r"qwen-?2[.-]?5-?vl", "qwen2.5-vl-toolcall"),
    (r"qwen-?3-?vl", "qwen3-vl-toolcall"),
)
"""Patterns of model names and their dialects; the first match counts."""


class RemotePolicy(DialectPolicy):
    """Requests replies from a server; each request holds the whole conversation.

    Args:
        endpoint: the server, or its address, ``openai:URL#NAME``.
        dialect: the dialect or its name; by default recognized by the name of the model or its weights.
        temperature: 0 is greedy decoding.
        top_p: draw only from the likeliest tokens that together reach this probability.
        seed: of sampling, together with the number of the step, for servers that support it.
        max_images: the maximum number of screenshots in a request; by default the card's.
        card: further facts about the model; by default those of UI-TARS.

    Raises:
        UsageError: the server does not answer, refuses, or lacks the model; or the dialect is unknown.
        MissingPartError: the package ``openai`` is missing.
    """

    def __init__(
        self,
        endpoint: Endpoint | str,
        dialect: str | Dialect | None = None,
        *,
        temperature: float = 0.0,
        top_p: float = 1.0,
        seed: int = 0,
        max_images: int | None = None,
        card: ModelCard | None = None,
    ) -> None:
        if temperature < 0 or not 0 < top_p <= 1:
            raise UsageError(f"temperature {temperature:g} and top_p {top_p:g} draw nothing")
        self._endpoint = endpoint if isinstance(endpoint, Endpoint) else Endpoint(endpoint)
        if isinstance(dialect, str):  # before any request
            dialect = get_dialect(dialect)
        self._served = _find(self._endpoint)
        dialect = dialect or get_dialect(card.dialect if card else _dialect_of(self._served))
        card = card or ModelCard(dialect=dialect.name, max_new_tokens=LONGEST_REPLY)
        super().__init__(dialect, with_max_images(card, max_images), resize_limits(dialect.name))
        self._max_images = max_images
        self._max_replies: int | None = None
        self._notes: tuple[str, ...] = ()
        self._sampling: dict[str, Any] = {"temperature": temperature}
        if temperature > 0:
            self._sampling |= {"top_p": top_p, "seed": seed}
        self._exact = self._served.owned_by in _EXACT
        self.start()

    @property
    def name(self) -> str:
        """The address and the model's name; ``--model`` takes it."""
        return f"{PREFIX}{self._endpoint.address.url}#{self._served.id}"

    @property
    def decoding(self) -> tuple[str, ...]:
        """None: the server decides how it decodes."""
        return ()

    @property
    def settings(self) -> PolicySettings:
        """The settings that its replies depend on, as far as they are known."""
        temperature = self._sampling["temperature"]
        return PolicySettings(
            dialect=self.dialect, temperature=temperature, served=self._served.root, max_images=self._max_images
        )

    @property
    def fingerprint(self) -> None:
        """None: a server may serve other weights under the same name."""
        return None

    def start(self) -> None:
        """Begin a new episode; what a server was found to allow is kept."""
        self._messages = self._new_messages()
        self._known: tuple[Context, Prediction | UnreadableReply] | None = None

    def predict(self, context: Context) -> Prediction:
        """Send the conversation and parse the reply.

        Raises:
            UnreadableReply: the reply cannot be parsed; the error carries it and what it cost.
            EndpointFailure: the server gave no reply after several tries, or takes not even one screenshot.
            UsageError: the screenshot is too narrow or too low for the model.
        """
        known, self._known = self._known, None
        if known is not None and known[0] is context:
            if isinstance(known[1], UnreadableReply):
                raise known[1]
            return known[1]
        started = time.perf_counter()
        completion = self._complete(context)
        timings, count = {"request": time.perf_counter() - started}, completion.usage or TokenCounts()
        usage = Usage(prompt_tokens=count.prompt_tokens, reply_tokens=count.completion_tokens, timings=timings)
        self._check_size(context, usage)
        notes, self._notes = self._notes, ()
        try:
            raw, reply = read_reply(completion, self._dialect, lambda raw: self._parse(raw, context))
        except ParseError as error:
            raise UnreadableReply(error, usage, notes) from error
        return Prediction(reply, raw, usage, notes)

    def verify(self, context: Context, expected: Sequence[ExpectedReply], tolerance: float = 0.0) -> Verification:
        """Say which of some replies has the same actions as its own; see ``VerifyingPolicy``; raises as ``predict``.

        A server cannot verify, so it writes a reply, which the next ``predict`` returns if none agrees.
        """
        try:
            own = self.predict(context)
        except UnreadableReply as error:
            self._known = (context, UnreadableReply(error, _paid(error.usage)))
            return Verification(None, None, error.usage)
        for index, each in enumerate(expected):
            try:
                reply = self._parse(each.raw, context)
            except ParseError:
                continue
            if _same(own.reply.actions, reply.actions, tolerance):
                return Verification(index, Prediction(reply, each.raw, own.usage), own.usage)
        self._known = (context, Prediction(own.reply, own.raw, _paid(own.usage)))
        return Verification(None, None, own.usage)

    def _complete(self, context: Context) -> Completion:
        """A reply to the conversation, which loses older screenshots, then replies, where the server takes no more."""
        extra = {"skip_special_tokens": False} if self._exact else {}
        while True:
            try:
                return self._endpoint.complete(self._request(context), extra)
            except EndpointFailure as failure:
                if failure.excess is None:
                    raise
                self._shorten(context, failure)

    def _shorten(self, context: Context, failure: EndpointFailure) -> None:
        """Send less from now on; raises the failure if there is nothing to leave out."""
        images, replies = self._messages.count(context)
        if images > 1 and failure.limit != 0:
            fewer = images // 2 if failure.limit is None else min(failure.limit, images - 1)
            self._card = self._card.model_copy(update={"max_images": fewer})
        elif failure.excess == "context" and replies:
            self._max_replies = replies // 2
        else:
            least = "it takes no screenshots" if failure.limit == 0 else "one screenshot is too much for it"
            advice = "use a smaller screen, or raise the server's limit"
            raise failure.told(f"{failure}; {least}: {advice}") from failure
        kept = f"at most {_plural(self._card.max_images, 'screenshot')}"
        if self._max_replies is not None:
            kept += f" and {_plural(self._max_replies, 'earlier reply', 'earlier replies')}"
        why = "fewer screenshots" if failure.excess == "images" else "only a shorter conversation"
        self._notes = (f"the server allows {why}: from now on it gets {kept}",)
        self._messages = self._new_messages()

    def _new_messages(self) -> Messages:
        return Messages(task_message(self._dialect, self._card), self._card, self._max_replies, self._resize)

    def _request(self, context: Context) -> dict[str, Any]:
        sampling = dict(self._sampling)
        if "seed" in sampling:
            sampling["seed"] += len(context.turns)
        try:
            messages = self._messages.build(context)
        except ValueError as error:
            raise UsageError(str(error)) from error
        return {
            "model": self._served.id,
            "messages": messages,
            "max_tokens": self._card.max_new_tokens,
            "stop": list(ENDS),
            **sampling,
        }

    def _check_size(self, context: Context, usage: Usage) -> None:
        """Check that the server did not shrink the screenshots, which would shift its points."""
        least = self._messages.tokens(context)
        if self._exact and 0 < usage.prompt_tokens < least:
            raise PolicyFailure(
                f"{self.name} read {usage.prompt_tokens} tokens, but the screenshots alone are {least}: it "
                "shrinks them, and clicks would miss; give it a larger max_pixels, or use a smaller screen"
            )


def _find(endpoint: Endpoint) -> ServedModel:
    """The model of the address in the server's list, the only one, or as named if the server has no list."""
    url, wanted = endpoint.address
    try:
        models = endpoint.models()
    except EndpointFailure as failure:
        if failure.status in _NO_LIST and wanted is not None:
            return ServedModel(id=wanted)
        raise UsageError(str(failure)) from failure
    names = ", ".join(model.id for model in models) or "nothing"
    found = [model for model in models if wanted in (None, model.id)]
    if wanted is None and len(found) != 1:
        raise UsageError(f"say which model: {PREFIX}{url}#NAME; {url} serves {names}")
    if not found:
        raise UsageError(f"{url} has no model {wanted!r}; it serves {names}")
    return found[0]


def _dialect_of(served: ServedModel) -> str:
    for name in (served.root or "", served.id):
        plain = name.lower().replace("_", "-")
        for pattern, dialect in _FAMILIES:
            if re.search(pattern, plain):
                return dialect
    raise UsageError(f"the dialect of {served.id} cannot be recognized by its name; pass dialect (--dialect NAME)")


def _paid(usage: Usage) -> Usage:
    """The same without timings, which were recorded already."""
    return usage.model_copy(update={"timings": {}})


def _same(own: Sequence[Action], recorded: Sequence[Action], tolerance: float) -> bool:
    """Whether actions are the same, with a tolerance for points; the text of secrets is not compared."""
    seen = [_blind(mine, theirs) for mine, theirs in zip(own, recorded, strict=False)]
    return len(own) == len(recorded) and same_but_points(seen, recorded) and farthest(seen, recorded) <= tolerance


def _blind(own: Action, recorded: Action) -> Action:
    """The model's action with the placeholders of the recorded text, if the rest of the text is the same."""
    if not (isinstance(own, Type) and isinstance(recorded, Type) and MARK.search(recorded.text)):
        return own
    matches = _matches(own.text, MARK.sub("\0", recorded.text).split("\0"))
    return own.model_copy(update={"text": recorded.text}) if matches else own


def _matches(text: str, parts: Sequence[str]) -> bool:
    """Whether a text consists of these parts, in order, with anything between two of them."""
    first, *between, last = parts
    if not text.startswith(first) or not text.endswith(last):
        return False
    position, end = len(first), len(text) - len(last)
    for part in between:
        position = text.find(part, position, end) + len(part)
        if position < len(part):
            return False
    return position <= end


def _plural(count: int, one: str, many: str = "") -> str:
    return f"{count} {one if count == 1 else many or one + 's'}"
