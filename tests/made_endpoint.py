"""A real HTTP server that speaks chat completions, answers by a function, and fails on demand."""

from __future__ import annotations

import base64
import json
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from saccade.actions.geometry import ResizeLimits, Size, smart_resize
from saccade.agent.checkpoints.checkpoint import Checkpoint
from saccade.agent.local import LocalPolicy
from saccade.agent.policy import Context, Turn, UnreadableReply
from saccade.perception.observation import Screenshot

Json = dict[str, Any]
Answer = Callable[[list[Json]], str | int | None]
"""From the messages of a request to the text of the reply, or the status with which it is refused."""
HTML = "<html><head><title>502 Bad Gateway</title></head><body>nginx</body></html>"


class Endpoint(ThreadingHTTPServer):
    """The server.

    Attributes:
        requests: bodies of all chat completions that were asked for, failed ones included.
        asked: how often each path was asked for.
        faults: what goes wrong next, first come first served: a status, or the name of a fault.
        released: set to let go of requests that hang.
        arrived: is released once per chat completion.
        key: without it nobody is answered.
        limits: how screenshots are resized before they are counted.
        moved: the status and address to which every request is redirected.
        bodies: what it answers next instead of a completion, with status 200 or one of its own.
    """

    daemon_threads = True

    def __init__(self, answer: Answer, model: str = "ui-tars", **listed: Any) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answer = answer
        self.model: Json | None = {"id": model, "object": "model", **listed}
        self.requests: list[Json] = []
        self.asked: list[str] = []
        self.faults: deque[int | str] = deque()
        self.endless: int | str | None = None
        self.released = threading.Event()
        self.arrived = threading.Semaphore(0)
        self.key: str | None = None
        self.moved: tuple[int, str] | None = None
        self.limits = ResizeLimits(28, 3136, 16384 * 28 * 28)
        self.bodies: deque[str | tuple[int, str]] = deque()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/v1"

    @property
    def address(self) -> str:
        return f"openai:{self.url}#{self.model['id'] if self.model else 'ui-tars'}"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Endpoint

    def do_GET(self) -> None:
        self.server.asked.append(self.path)
        if self.server.moved is not None:
            self._move()
        elif self._welcome():
            models = self.server.model
            if models is None:
                self._send(404, {"detail": "Not Found"})
            else:
                self._send(200, {"object": "list", "data": [models]})

    def do_POST(self) -> None:
        server = self.server
        server.asked.append(self.path)
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        server.requests.append(body)
        server.arrived.release()
        fault = server.faults.popleft() if server.faults else server.endless
        if self.server.moved is not None:
            self._move()
            return
        if not self._welcome():
            return
        if fault not in (None, "pass"):
            self._fail(fault)
        elif server.model is not None and body["model"] != server.model["id"]:
            self._send(404, {"object": "error", "message": f"The model `{body['model']}` does not exist."})
        else:
            self._answer(body["messages"])

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing."""

    def _welcome(self) -> bool:
        key = self.server.key
        if key is None or self.headers.get("authorization") == f"Bearer {key}":
            return True
        self._send(401, {"error": f"Unauthorized: {self.headers.get('authorization')}"})
        return False

    def _answer(self, messages: list[Json]) -> None:
        text = None if self.server.bodies else self.server.answer(messages)
        if self.server.bodies:
            body = self.server.bodies.popleft()
            status, body = body if isinstance(body, tuple) else (200, body)
            self._send(status, body)
        elif isinstance(text, int):
            self._fail(text)
        else:
            self._send(200, self._completion(messages, text))

    def _completion(self, messages: list[Json], text: str | None) -> Json:
        shown = [smart_resize(size, self.server.limits) for size in map(screenshot_size, pictures(messages))]
        words = sum(len(message["content"]) for message in messages if isinstance(message["content"], str))
        usage = {
            "prompt_tokens": words // 4 + sum(size.width * size.height // 784 for size in shown),
            "completion_tokens": len(text or "") // 4,
        }
        message = {"role": "assistant", "content": text}
        return {"id": "1", "choices": [{"index": 0, "message": message}], "usage": usage}

    def _move(self) -> None:
        assert self.server.moved is not None
        status, url = self.server.moved
        self._send(status, "", location=url + self.path.removeprefix("/v1"))

    def _fail(self, fault: int | str) -> None:
        if isinstance(fault, int):
            headers = {"retry-after": "7"} if fault == 429 else {}
            self._send(fault, {"error": {"message": "out of order", "type": "x"}}, **headers)
        elif fault == "hang":
            self.server.released.wait(120)
            self.close_connection = True
        elif fault == "trickle":
            self._head(200, 100_000)
            while not self.server.released.wait(0.05):
                try:
                    self.wfile.write(b" ")
                except OSError:
                    break
            self.close_connection = True
        elif fault == "cut":
            self._head(200, 100_000)
            self.wfile.write(b'{"choices": [{"mess')
            self.close_connection = True
        elif fault == "telltale":
            self._send(400, {"error": {"message": f"you sent {self.headers['authorization']}"}})
        elif fault == "html":
            self._send(200, HTML, kind="text/html")
        else:
            nonsense = {"no choices": {"choices": []}, "a list": [1], "no message": {"choices": [{"text": "a"}]}}
            self._send(200, nonsense[fault])

    def _head(self, status: int, length: int, kind: str = "application/json", **headers: str) -> None:
        self.send_response(status)
        for name, value in {"content-type": kind, "content-length": str(length), **headers}.items():
            self.send_header(name, value)
        self.end_headers()

    def _send(self, status: int, body: Any, kind: str = "application/json", **headers: str) -> None:
        data = (body if isinstance(body, str) else json.dumps(body)).encode()
        self._head(status, len(data), kind, **headers)
        self.wfile.write(data)


@contextmanager
def serving(answer: Answer, model: str = "ui-tars", **listed: Any) -> Iterator[Endpoint]:
    """A server on a free port, while it is needed."""
    with Endpoint(answer, model, **listed) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield server
        finally:
            server.released.set()
            server.shutdown()
            thread.join()


def scripted(replies: Sequence[str]) -> Answer:
    """The reply by how many there were before; after the last one it is done."""

    def answer(messages: list[Json]) -> str:
        said = sum(message["role"] == "assistant" for message in messages)
        return replies[said] if said < len(replies) else "Action: finished()"

    return answer


def embedded(checkpoint: Checkpoint) -> Answer:
    """What the embedded policy says, whichever prompt it is asked with."""
    behind, alone = LocalPolicy(checkpoint, decoding="plain"), threading.Lock()

    def answer(messages: list[Json]) -> str:
        shots, turns = iter(pictures(messages)), []
        shown: Screenshot | None = None
        for said in messages[1:]:
            if isinstance(said["content"], list):
                shown = next(shots)
            elif said["role"] == "assistant" and shown is not None:
                turns.append(Turn(shown, said["content"]))
        assert shown is not None
        instruction = messages[0]["content"].rpartition("## User Instruction\n")[2]
        with alone:
            behind.start()
            try:
                return behind.predict(Context(instruction, shown, turns)).raw
            except UnreadableReply as error:
                return error.raw

    return answer


def pictures(messages: list[Json]) -> list[Screenshot]:
    """The screenshots of a request, decoded."""
    urls = [
        part["image_url"]["url"]
        for said in messages
        if isinstance(said["content"], list)
        for part in said["content"]
        if part["type"] == "image_url"
    ]
    assert all(url.startswith("data:image/png;base64,") for url in urls)
    return [Screenshot.from_png(base64.b64decode(url.partition(",")[2])) for url in urls]


def screenshot_size(screenshot: Screenshot) -> Size:
    return screenshot.size
