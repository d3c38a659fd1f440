"""A server that speaks OpenAI's chat completions: its address, patience with it, what its failures mean."""

from __future__ import annotations

import json
import os
import random
import re
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from concurrent.futures import wait as wait_for
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeVar
from urllib.parse import urlsplit

from pydantic import BaseModel, Field, ValidationError

from ...actions.errors import PolicyFailure, UsageError
from ...actions.extras import need_package

if TYPE_CHECKING:
    import openai

PREFIX: Final = "openai:"
KEYS: Final = ("SACCADE_API_KEY", "OPENAI_API_KEY")
_FORM = f"{PREFIX}http://host:8000/v1#NAME"
_CONNECTING = 10.0
"""Seconds in which a server that is there takes a connection."""
_LONGEST_WAIT = 60.0
"""Seconds between two tries, whatever the server asks for."""

Body = TypeVar("Body", bound=BaseModel)


class Address(NamedTuple):
    """Where a server is, and which of its models is meant; None where it has but one."""

    url: str
    model: str | None

    @classmethod
    def parse(cls, text: str) -> Address:
        """Read ``openai:URL#NAME``.

        Raises:
            UsageError: it is something else, or holds a password, which would end up in records.
        """
        url, _, model = text.removeprefix(PREFIX).partition("#")
        try:
            parts = urlsplit(url)
            known = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
        except ValueError:
            known = False
        if not text.startswith(PREFIX) or not known:
            raise UsageError(f"a served model is named {_FORM}, not {text!r}")
        if parts.username or parts.password or parts.query:
            raise UsageError(f"the address of a model holds no keys; put the key in {KEYS[0]}")
        return cls(url.rstrip("/"), model or None)


class EndpointFailure(PolicyFailure):
    """Raised when the server does not answer, or answers something else than it was asked for.

    Attributes:
        status: of its answer; None without one.
        passing: whether it may be over in a moment.
        after: seconds in which the server wants to be asked again; None where it does not say.
    """

    def __init__(
        self, message: str, *, status: int | None = None, passing: bool = True, after: float | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.passing = passing
        self.after = after


class ServedModels(BaseModel):
    """A model as the server lists it.

    Attributes:
        id: what it is called in requests.
        owned_by: which program serves it, such as ``vllm``.
        root: its directory or hub id, where the server says so.
    """

    id: str
    owned_by: str | None = None
    root: str | None = None


class _Models(BaseModel):
    data: list[ServedModels]


class _Said(BaseModel):
    content: str | None = None


class _Choice(BaseModel):
    message: _Said


class _Tokens(BaseModel):
    prompt_tokens: int = 0
    completion_tokens: int = 0


class Completion(BaseModel):
    """What of a chat completion is used."""

    choices: list[_Choice] = Field(min_length=1)
    usage: _Tokens | None = None

    @property
    def text(self) -> str:
        """The reply; empty for one without words."""
        return self.choices[0].message.content or ""


class Endpoint:
    """Asks a server, patiently.

    A refused connection, a time-out, an answer that is none (429, 5xx, no JSON, cut off) is asked for again,
    after a while that doubles; other refusals are final. Time is kept here and not by the HTTP client, whose
    time-outs a server escapes that sends a byte now and then.

    Args:
        address: ``openai:URL#NAME``.
        timeout: seconds for one try.
        tries: how often one question is asked at most.
        wait: lets seconds pass between tries; a stop must break into it.

    Raises:
        UsageError: the address is none.
        MissingPartError: the package ``openai`` is missing.
    """

    def __init__(
        self,
        address: str,
        *,
        timeout: float = 300.0,
        tries: int = 4,
        wait: Callable[[float], object] | None = None,
    ) -> None:
        self.address = Address.parse(address)
        self._timeout = timeout
        self._tries = tries
        self._wait = wait or (lambda seconds: _naps(seconds, threading.Event().wait))
        self._key = next((os.environ[name] for name in KEYS if os.environ.get(name)), "none")
        self._client: openai.OpenAI | None = None
        self._openai = need_package("openai")

    def models(self) -> list[ServedModels]:
        """What it serves.

        Raises:
            EndpointFailure: it does not say.
        """
        return self._ask(_Models, lambda client: client.models.with_raw_response.list()).data

    def complete(self, request: Mapping[str, Any], extra: Mapping[str, Any]) -> Completion:
        """A chat completion.

        Args:
            request: arguments of ``chat.completions.create``.
            extra: fields that only this server knows.

        Raises:
            EndpointFailure: it gives none.
        """
        return self._ask(
            Completion,
            lambda client: client.chat.completions.with_raw_response.create(**request, extra_body=extra),
        )

    def _ask(self, kind: type[Body], question: Callable[[openai.OpenAI], Any]) -> Body:
        for attempt in range(1, self._tries + 1):
            try:
                return _read(kind, self._once(lambda: str(question(self._connection()).text)))
            except EndpointFailure as failure:
                if failure.passing and attempt < self._tries:
                    self._wait(_pause(attempt, failure.after))
                    continue
                tried = f" ({attempt} tries)" if attempt > 1 else ""
                message = self._plain(f"{self.address.url} {failure}{tried}")
                raise EndpointFailure(message, status=failure.status, passing=failure.passing) from failure
        raise AssertionError("the last try returns or raises")

    def _once(self, ask: Callable[[], str]) -> str:
        """One try, in a thread of its own, so that it can be left behind."""
        answer: Future[str] = Future()

        def work() -> None:
            try:
                answer.set_result(ask())
            except BaseException as error:  # whatever it is, it is for the one who asked
                answer.set_exception(error)

        threading.Thread(target=work, name="asking a server", daemon=True).start()
        try:
            _naps(self._timeout, lambda seconds: bool(wait_for([answer], seconds).done))
            if not answer.done():
                raise EndpointFailure(f"gave no answer in {self._timeout:g} s")
            return answer.result()
        except self._openai.OpenAIError as error:
            raise self._failure(error) from error
        finally:
            if not answer.done():
                self._hang_up()

    def _connection(self) -> openai.OpenAI:
        if self._client is None:
            self._client = self._openai.OpenAI(
                base_url=self.address.url,
                api_key=self._key,
                max_retries=0,
                timeout=self._openai.Timeout(self._timeout, connect=min(_CONNECTING, self._timeout)),
            )
        return self._client

    def _hang_up(self) -> None:
        """Leave a try behind; it ends with the next byte, or the next time-out, of its connection."""
        client, self._client = self._client, None
        if client is not None:
            client.close()

    def _failure(self, error: openai.OpenAIError) -> EndpointFailure:
        if isinstance(error, self._openai.APITimeoutError):
            return EndpointFailure(f"gave no answer in {self._timeout:g} s")
        if not isinstance(error, self._openai.APIStatusError):
            reason = error.__cause__ or error
            return EndpointFailure(f"does not answer ({reason}); is the server running there?")
        status = error.status_code
        if status in (401, 403):
            refused = f"refuses the key ({status}); put the right one in {' or '.join(KEYS)}"
            return EndpointFailure(refused, status=status, passing=False)
        passing = status in (408, 409, 429) or status >= 500
        message = f"answered {status}: {_gist(error.body, error.response.text)}"
        after = error.response.headers.get("retry-after", "")
        wanted = float(after) if re.fullmatch(r"\d{1,6}(\.\d+)?", after) else None
        return EndpointFailure(message, status=status, passing=passing, after=wanted)

    def _plain(self, message: str) -> str:
        """The message without the key, should the server have repeated it."""
        return message if self._key == "none" else message.replace(self._key, "(the key)")


def _naps(seconds: float, over: Callable[[float], bool]) -> None:
    """Wait until it is over or so long, in naps: a stop that comes just as one begins is heard at its end."""
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0 and not over(min(left, 0.5)):
        pass


def _read(kind: type[Body], text: str) -> Body:
    """An answer as what was asked for.

    Raises:
        EndpointFailure: it is something else.
    """
    try:
        return kind.model_validate(json.loads(text))
    except ValidationError as error:
        problem = error.errors()[0]
        where = ".".join(map(str, problem["loc"])) or "its answer"
        raise EndpointFailure(f"answered something else: {where}: {problem['msg']}: {_clip(text)}") from error
    except ValueError as error:
        raise EndpointFailure(f"answered no JSON: {_clip(text)}; is the path right, /v1, say?") from error


def _gist(body: object, text: str) -> str:
    """What an error's body says: its ``message``, wherever that is, or its text."""
    while isinstance(body, dict):
        body = body.get("message") or body.get("detail") or body.get("error") or ""
    return _clip(body if isinstance(body, str) and body else text)


def _clip(text: str) -> str:
    line = " ".join(text.split())
    return (line if len(line) <= 200 else line[:197] + "...") or "nothing"


def _pause(attempt: int, wanted: float | None) -> float:
    """Seconds before the next try: half a second, doubled each time, or what is asked for."""
    if wanted is not None:
        return min(wanted, _LONGEST_WAIT)
    return min(0.5 * 2.0 ** (attempt - 1), _LONGEST_WAIT) * random.uniform(0.75, 1.25)


def choose(models: Sequence[ServedModels], wanted: str | None, url: str) -> ServedModels:
    """The model that is meant.

    Raises:
        UsageError: the server has none of this name, or several and none was named.
    """
    names = ", ".join(model.id for model in models) or "nothing"
    found = [model for model in models if wanted in (None, model.id)]
    if wanted is None and len(found) != 1:
        raise UsageError(f"say which model: {PREFIX}{url}#NAME; {url} serves {names}")
    if not found:
        raise UsageError(f"{url} has no model {wanted!r}; it serves {names}")
    return found[0]
