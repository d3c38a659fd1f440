"""A client of a server with OpenAI's chat completions API: address, retries, and errors."""

from __future__ import annotations

import json
import os
import random
import re
import ssl
import threading
import time
import weakref
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future
from concurrent.futures import wait as wait_for
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeVar
from urllib.parse import urlsplit

from pydantic import BaseModel, ValidationError

from ...actions.errors import UsageError, first_problem
from ...actions.extras import need_package
from ...env.secrets import TextHider
from .completion import Completion, read_completion, read_json
from .failures import EndpointFailure, clip, refusal
from .key import KEYS, read_key
from .network import check_network, proxy_for

if TYPE_CHECKING:
    import openai

PREFIX: Final = "openai:"
_FORM = f"{PREFIX}http://host:8000/v1#NAME"
_CONNECTING = 10.0
"""Seconds for a connection."""
_LONGEST_WAIT = 60.0
"""Maximum seconds between two tries, whatever the server asks for."""

Answer = TypeVar("Answer")


class Address(NamedTuple):
    """The URL of a server and the name of the model; None if the server has only one."""

    url: str
    model: str | None

    @classmethod
    def parse(cls, text: str) -> Address:
        """Read ``openai:URL#NAME``.

        Raises:
            UsageError: it is invalid, or contains a password, which would be recorded.
        """
        url, _, model = text.removeprefix(PREFIX).partition("#")
        try:
            parts = urlsplit(url)
            known = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
        except ValueError:
            known = False
        if not text.startswith(PREFIX) or not known:
            raise UsageError(f"a served model is named {_FORM}; what was given is not written so")
        if parts.username or parts.password or parts.query:
            raise UsageError(f"the address of a model holds no keys; put the key in {KEYS[0]}")
        return cls(url.rstrip("/"), model or None)


class ServedModel(BaseModel):
    """A model in the server's list: its name, the serving program (such as ``vllm``), its directory or hub id."""

    id: str
    owned_by: str | None = None
    root: str | None = None


class _Models(BaseModel):
    data: list[ServedModel]


class Endpoint:
    """Sends requests with retries.

    Refused connections, timeouts and invalid answers (429, 5xx, no JSON, cut off) are retried after a delay that
    doubles; other refusals are final. The timeout is enforced here: the HTTP client's starts again with every byte.

    Args:
        address: ``openai:URL#NAME``.
        timeout: seconds for one try.
        tries: maximum number of tries.
        wait: waits some seconds between tries; a stop must interrupt it.

    Raises:
        UsageError: the address is invalid, or the key or the network's settings cannot be used.
        MissingPartError: the package ``openai`` is missing.
    """

    def __init__(
        self, address: str, *, timeout: float = 300.0, tries: int = 4, wait: Callable[[float], object] | None = None
    ) -> None:
        self.address = Address.parse(address)
        self._timeout = timeout
        self._tries = tries
        self._wait = wait or (lambda seconds: _naps(seconds, threading.Event().wait))
        self._key = read_key(os.environ)
        self._hider = TextHider(self._key, "(the key)") if self._key else None
        check_network()
        self._client: openai.OpenAI | None = None
        self._openai = need_package("openai")

    def models(self) -> list[ServedModel]:
        """The models that it serves; raises ``EndpointFailure``."""
        return self._ask(_read_models, lambda client: client.models.with_raw_response.list()).data

    def complete(self, request: Mapping[str, Any], extra: Mapping[str, Any]) -> Completion:
        """A chat completion; ``extra`` fields are not part of OpenAI's API. Raises ``EndpointFailure``."""
        said = self._ask(
            read_completion,
            lambda client: client.chat.completions.with_raw_response.create(**request, extra_body=extra),
        )
        return replace(said, text=self._plain(said.text), thought=self._plain(said.thought))  # streamed in pieces

    def _ask(self, read: Callable[[str], Answer], question: Callable[[openai.OpenAI], Any]) -> Answer:
        for attempt in range(1, self._tries + 1):
            try:
                return read(self._once(lambda: str(question(self._connection()).text)))
            except EndpointFailure as failure:
                if failure.passing and attempt < self._tries:
                    self._wait(_pause(attempt, failure.after))
                    continue
                tried = f" ({attempt} tries)" if attempt > 1 else ""
                raise failure.told(f"{self.address.url} {failure}{tried}") from failure
        raise AssertionError("the last try returns or raises")

    def _once(self, ask: Callable[[], str]) -> str:
        """One try, in a separate thread that can be abandoned; returns an answer that does not repeat the key.

        Errors of the client package stay in that thread: their texts and those of their causes hold the key.
        """
        answer: Future[str] = Future()

        def work() -> None:
            problem: EndpointFailure | None = None
            try:
                text = self._plain(ask())
            except BaseException as error:  # whatever the client package raises
                problem = self._failure(error)
            if problem is None:
                answer.set_result(text)
            else:
                answer.set_exception(problem)

        threading.Thread(target=work, name="asking a server", daemon=True).start()
        try:
            _naps(self._timeout, lambda seconds: bool(wait_for([answer], seconds).done))
            if not answer.done():
                raise EndpointFailure(f"gave no answer in {self._timeout:g} s")
            return answer.result()
        finally:
            if not answer.done():
                self._hang_up()

    def _connection(self) -> openai.OpenAI:
        if self._client is None:
            http = self._openai.DefaultHttpxClient(follow_redirects=False)
            self._client = self._openai.OpenAI(
                base_url=self.address.url,
                api_key=self._key or "none",
                max_retries=0,
                http_client=http,
                timeout=self._openai.Timeout(self._timeout, connect=min(_CONNECTING, self._timeout)),
            )
            weakref.finalize(self._client, http.close)
        return self._client

    def _hang_up(self) -> None:
        """Abandon a try; it ends with the next byte or timeout of its connection."""
        client, self._client = self._client, None
        if client is not None:
            client.close()

    def _failure(self, error: BaseException) -> EndpointFailure:
        """What is said of an error of the client package, without the key."""
        if isinstance(error, self._openai.APITimeoutError):
            return EndpointFailure(f"gave no answer in {self._timeout:g} s")
        if not isinstance(error, self._openai.OpenAIError):
            return EndpointFailure(f"cannot be asked ({type(error).__name__} in the client)", passing=False)
        if not isinstance(error, self._openai.APIStatusError):
            return self._no_connection(error)
        status = error.status_code
        if status in (401, 403):
            wants = "refuses the key" if self._key else "wants a key"
            refused = f"{wants} ({status}); put the right one in {' or '.join(KEYS)}"
            return EndpointFailure(refused, status=status, passing=False)
        if 300 <= status < 400:
            moved = f"redirects elsewhere ({status}), where neither screenshots nor the key go; name the new address"
            return EndpointFailure(moved, status=status, passing=False)
        after = error.response.headers.get("retry-after", "")
        wanted = float(after) if re.fullmatch(r"\d{1,6}(\.\d+)?", after) else None
        text = self._plain(error.response.text)
        body: object = None
        with suppress(ValueError, RecursionError):
            body = json.loads(text)
        return refusal(status, body, text, wanted)

    def _no_connection(self, error: BaseException) -> EndpointFailure:
        reason = clip(self._plain(str(error.__cause__ or error)))
        unsafe = [each for each in _causes(error) if isinstance(each, ssl.SSLError)]
        if unsafe:
            advice = "is it https there, and does SSL_CERT_FILE name the certificates to trust?"
            passing = not isinstance(unsafe[-1], ssl.SSLCertVerificationError)
            return EndpointFailure(f"cannot be reached safely ({reason}); {advice}", passing=passing)
        proxy = proxy_for(self.address.url)
        through = f" through the proxy that {proxy} names" if proxy else ""
        return EndpointFailure(f"does not answer{through} ({reason}); is the server running there?")

    def _plain(self, text: str) -> str:
        """A text without the key, in case the server repeated it."""
        return text if self._hider is None else self._hider.hide(text)


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _naps(seconds: float, over: Callable[[float], bool]) -> None:
    """Wait in short naps, so that a stop that arrives as one begins takes effect at its end."""
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0 and not over(min(left, 0.5)):
        pass


def _read_models(text: str) -> _Models:
    """Parse a server's list; raises ``EndpointFailure`` if it is none."""
    try:
        return _Models.model_validate(read_json(text))
    except ValidationError as error:
        problem = first_problem(error, "its answer")
        raise EndpointFailure(f"answered something else: {problem}: {clip(text)}") from error


def _pause(attempt: int, wanted: float | None) -> float:
    """Seconds before the next try: 0.5, doubled each time, or what the server asks for."""
    if wanted is not None:
        return min(wanted, _LONGEST_WAIT)
    return min(0.5 * 2.0 ** (attempt - 1), _LONGEST_WAIT) * random.uniform(0.75, 1.25)
