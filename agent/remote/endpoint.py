"""A client of a server with OpenAI's chat completions API: address, retries, and errors."""

from __future__ import annotations

import os
import random
import re
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from concurrent.futures import wait as wait_for
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeVar
from urllib.parse import urlsplit

from pydantic import BaseModel, ValidationError

from ...actions.errors import UsageError, first_problem
from ...actions.extras import need_package
from .completion import Completion, read_completion, read_json
from .failures import EndpointFailure, clip, refusal

if TYPE_CHECKING:
    import openai

PREFIX: Final = "openai:"
KEYS: Final = ("SACCADE_API_KEY", "OPENAI_API_KEY")
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
            raise UsageError(f"a served model is named {_FORM}, not {text!r}")
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
        UsageError: the address is invalid.
        MissingPartError: the package ``openai`` is missing.
    """

    def __init__(
        self, address: str, *, timeout: float = 300.0, tries: int = 4, wait: Callable[[float], object] | None = None
    ) -> None:
        self.address = Address.parse(address)
        self._timeout = timeout
        self._tries = tries
        self._wait = wait or (lambda seconds: _naps(seconds, threading.Event().wait))
        self._key = next((os.environ[name] for name in KEYS if os.environ.get(name)), "none")
        self._client: openai.OpenAI | None = None
        self._openai = need_package("openai")

    def models(self) -> list[ServedModel]:
        """The models that it serves; raises ``EndpointFailure``."""
        return self._ask(_read_models, lambda client: client.models.with_raw_response.list()).data

    def complete(self, request: Mapping[str, Any], extra: Mapping[str, Any]) -> Completion:
        """A chat completion; ``extra`` fields are not part of OpenAI's API. Raises ``EndpointFailure``."""
        return self._ask(
            read_completion,
            lambda client: client.chat.completions.with_raw_response.create(**request, extra_body=extra),
        )

    def _ask(self, read: Callable[[str], Answer], question: Callable[[openai.OpenAI], Any]) -> Answer:
        for attempt in range(1, self._tries + 1):
            try:
                return read(self._once(lambda: str(question(self._connection()).text)))
            except EndpointFailure as failure:
                if failure.passing and attempt < self._tries:
                    self._wait(_pause(attempt, failure.after))
                    continue
                tried = f" ({attempt} tries)" if attempt > 1 else ""
                message = self._plain(f"{self.address.url} {failure}{tried}")
                raise failure.told(message) from failure
        raise AssertionError("the last try returns or raises")

    def _once(self, ask: Callable[[], str]) -> str:
        """One try, in a separate thread that can be abandoned."""
        answer: Future[str] = Future()

        def work() -> None:
            try:
                answer.set_result(ask())
            except BaseException as error:  # re-raised in the calling thread
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
        """Abandon a try; it ends with the next byte or timeout of its connection."""
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
        after = error.response.headers.get("retry-after", "")
        wanted = float(after) if re.fullmatch(r"\d{1,6}(\.\d+)?", after) else None
        return refusal(status, error.body, error.response.text, wanted)

    def _plain(self, message: str) -> str:
        """The message without the key, in case the server repeated it."""
        return message if self._key == "none" else message.replace(self._key, "(the key)")


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
