"""A key is never shown, however malformed it is and whatever a server says; settings of the network are one line."""

from __future__ import annotations

import base64
import itertools
import json
import os
import shlex
import ssl
import subprocess
import sys
import threading
import traceback
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import quote

import pytest

from made_endpoint import Endpoint as Server
from made_endpoint import scripted, serving
from saccade.actions.errors import MissingPartError, SaccadeError, UsageError
from saccade.agent.remote.endpoint import Endpoint, EndpointFailure
from saccade.agent.remote.key import read_key
from saccade.agent.remote.network import proxy_for
from saccade.agent.remote.policy import RemotePolicy

KEY = "sk-geheim/Qr+42=="
_VARIABLES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")


@pytest.fixture(autouse=True)
def _plain_network(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (*_VARIABLES, *map(str.upper, _VARIABLES), "SSL_CERT_FILE", "SSL_CERT_DIR", "OPENAI_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("SACCADE_API_KEY", KEY)


@pytest.fixture
def server() -> Iterator[Server]:
    with serving(scripted([])) as running:
        yield running


@pytest.mark.parametrize(
    "given",
    [
        "{}\r\n", "  {}\t", "\ufeff{}\u200b", '"{}"', "'{}'", "\u201c{}\u201d", "\u201e{}\u201c", "\u2018{}\u2019",
        "`{}`", "Bearer {}", "bearer  {}\n", '"Bearer {}"', "Authorization: Bearer {}",
        "\u00a0\u2018Bearer \u201c{}\u201d\u2019 ",
    ],
)  # fmt: skip
def test_what_is_around_a_key_by_mistake_is_left_out(given: str) -> None:
    assert read_key({"SACCADE_API_KEY": given.format(KEY), "OPENAI_API_KEY": "another"}) == KEY


@pytest.mark.parametrize("empty", ["", "  ", "\r\n", '""', "\u201c\u201d", "Bearer", "'Bearer '"])
def test_an_empty_key_is_none(empty: str) -> None:
    assert read_key({"SACCADE_API_KEY": empty, "OPENAI_API_KEY": "another"}) == "another"
    assert read_key({"SACCADE_API_KEY": empty}) is None


@pytest.mark.parametrize(
    ("name", "text", "position"),
    [
        ("SACCADE_API_KEY", "gehe\u00efm", 5),
        ("SACCADE_API_KEY", " gehe im", 6),
        ("SACCADE_API_KEY", "gehe\r\nim", 5),
        ("OPENAI_API_KEY", "geheim\u201d", 7),
        ("OPENAI_API_KEY", "Bearer gehe\x7fim", 12),
        ("OPENAI_ORG_ID", "gehe\u00efm", 5),
    ],
)
def test_a_malformed_key_is_named_as_the_cause_and_not_shown(
    server: Server, monkeypatch: pytest.MonkeyPatch, name: str, text: str, position: int
) -> None:
    if name == "OPENAI_API_KEY":
        monkeypatch.delenv("SACCADE_API_KEY")
    monkeypatch.setenv(name, text)
    with pytest.raises(UsageError) as caught:
        Endpoint(server.address)
    assert str(caught.value) == f"{name} contains a character that HTTP does not allow at position {position}"
    assert server.asked == []


def test_the_whole_command_line_does_not_show_a_malformed_key(server: Server, tmp_path: Path) -> None:
    words = [sys.executable, "-m", "saccade", "run", "--model", server.address, "--out", str(tmp_path / "x"), "--json"]
    environ = {**os.environ, "SACCADE_API_KEY": "sk-gehe\u00efm"}
    done = subprocess.run(words, capture_output=True, text=True, env=environ, check=False, cwd=tmp_path)
    assert json.loads(done.stdout)["error"]["message"].startswith("SACCADE_API_KEY contains")
    assert (done.returncode, done.stderr.count("\n")) == (2, 2), done.stderr  # 'loading', and why not
    assert "geh" not in done.stdout + done.stderr


def everything(error: BaseException) -> str:
    """All that a traceback, or a debugger that follows the causes, shows of an error."""
    shown, seen = "".join(traceback.format_exception(error)), []
    rest: list[BaseException | None] = [error]
    while rest:
        if (each := rest.pop()) is not None and each not in seen:
            seen.append(each)
            shown += repr(each) + repr(vars(each))
            rest += [each.__cause__, each.__context__]
    return shown


FORMS = (
    KEY, quote(KEY, safe=""), quote(KEY), quote(quote(KEY, safe="")), KEY.replace("/", "\\/"),
    "".join(f"&#{ord(each)};" for each in KEY), base64.b64encode(f"user:{KEY}".encode()).decode(),
    f"Bearer {KEY}", f"{'x' * 185}{KEY}", f"{'x ' * 97}{KEY}",
)  # fmt: skip


@pytest.mark.parametrize("status", [200, 400, 401, 403, 404, 500])
def test_a_server_that_repeats_the_key_is_not_quoted(status: int) -> None:
    def respond(self: BaseHTTPRequestHandler) -> None:
        as_json, said = next(answers)
        kind, body = ("application/json", json.dumps({"error": said})) if as_json else ("text/plain", said)
        self.send_response(status)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body.encode())

    quiet = {"do_GET": respond, "log_message": lambda *_: None}
    with ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (BaseHTTPRequestHandler,), quiet)) as running:
        threading.Thread(target=running.serve_forever, args=(0.02,), daemon=True).start()
        said = list(itertools.product((True, False), FORMS))
        answers = iter(said)
        for _ in said:
            with pytest.raises((EndpointFailure, UsageError)) as caught:
                Endpoint(f"openai:http://127.0.0.1:{running.server_port}/v1#x", tries=1).models()
            shown = everything(caught.value)
            assert [form for form in (KEY, "geheim", *FORMS) if form in shown] == []
            assert not any(KEY[:length] in shown for length in range(5, len(KEY))), "a part is a leak, too"
        running.shutdown()


def test_a_reply_that_repeats_the_key_is_read_without_it(server: Server) -> None:
    server.answer = lambda messages: f"Thought: my key is {KEY}\nAction: wait()"
    completion = Endpoint(server.address).complete({"model": "ui-tars", "messages": []}, {})
    assert completion.text == "Thought: my key is (the key)\nAction: wait()"


@pytest.mark.parametrize(
    "address",
    [
        "openai:sk-geheim",
        "openai:https://sk-geheim@:99999/v1",
        "openai:http://a:geheim@h/v1",
        "openai:http://h/?k=geheim",
    ],
)
def test_an_address_that_holds_a_key_is_not_repeated(address: str) -> None:
    with pytest.raises(UsageError) as caught:
        Endpoint(address)
    assert "geheim" not in everything(caught.value)


@pytest.mark.parametrize(
    ("name", "value", "kind", "said"),
    [
        ("HTTP_PROXY", "http://bob:geheim@", UsageError, "HTTP_PROXY does not name a proxy"),
        ("https_proxy", "http://bob:geheim@[h:1", UsageError, "https_proxy does not name a proxy"),
        ("ALL_PROXY", "http://bob:geheim@h:99999", UsageError, "ALL_PROXY does not name a proxy"),
        ("HTTP_PROXY", "bad geheim", UsageError, "HTTP_PROXY does not name a proxy"),
        ("HTTP_PROXY", "ftp://bob:geheim@h:1", UsageError, "HTTP_PROXY names a proxy of a kind that is not known"),
        ("ALL_PROXY", "socks5://bob:geheim@h:1", MissingPartError, "ALL_PROXY names a SOCKS proxy, which needs"),
        (
            "SSL_CERT_FILE",
            "/no/geheim.pem",
            UsageError,
            "SSL_CERT_FILE names certificates that cannot be read: No such",
        ),
        ("SSL_CERT_FILE", __file__, UsageError, "SSL_CERT_FILE names certificates that cannot be read: it holds no"),
        ("SSL_CERT_DIR", "/no/geheim", UsageError, "SSL_CERT_DIR names certificates that cannot be read: No such"),
    ],
)
def test_settings_of_the_network_that_cannot_be_used_are_one_line(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, kind: type[SaccadeError], said: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(kind) as caught:
        RemotePolicy("openai:http://127.0.0.1:9/v1#x", "uitars-1.5")
    assert str(caught.value).startswith(said)
    assert "\n" not in str(caught.value)
    assert "geheim" not in everything(caught.value)


def test_a_proxy_is_named_when_nothing_is_reached_through_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://bob:geheim@127.0.0.1:9")
    with pytest.raises(UsageError, match=r"does not answer through the proxy that HTTP_PROXY names \(") as caught:
        RemotePolicy(Endpoint("openai:http://203.0.113.1/v1#x", tries=1), "uitars-1.5")
    assert "geheim" not in everything(caught.value)
    assert proxy_for("https://a.example/") is None
    monkeypatch.setenv("NO_PROXY", "203.0.113.1,.example,[::1")
    assert proxy_for("http://203.0.113.1/v1") is None
    assert proxy_for("http://b.invalid/v1") == "HTTP_PROXY"


def test_a_server_whose_certificate_is_not_trusted_is_asked_once(tmp_path: Path) -> None:
    made = "openssl req -x509 -newkey rsa:2048 -nodes -keyout k -out c -days 2 -subj /CN=127.0.0.1"
    subprocess.run(shlex.split(made), cwd=tmp_path, check=True, capture_output=True)
    with serving(scripted([])) as server:
        secure = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        secure.load_cert_chain(tmp_path / "c", tmp_path / "k")
        server.socket = secure.wrap_socket(server.socket, server_side=True)
        address = server.address.replace("http:", "https:")
        with pytest.raises(UsageError, match=r"cannot be reached safely \(.*certificate verify failed") as caught:
            RemotePolicy(Endpoint(address, wait=lambda seconds: pytest.fail("it is tried again")), "uitars-1.5")
        assert "geheim" not in everything(caught.value)
