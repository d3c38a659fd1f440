"""A server of pages that stall, flood, crash or never end, for tests of what a browser must survive."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

BUTTON = "<button style='position:absolute;left:0;top:0;width:300px;height:200px' onclick=\"{}\">press</button>"
"""A button at the corner, which does something hostile; a click at (100, 100) presses it."""

PRESSED = {
    "script": "while (true);",
    "timer": "setTimeout(() => { while (true); }, 50)",
    "promise": "const again = () => Promise.resolve().then(again); again()",
    "native": "x = (3n ** 40000000n).toString()",
    "regexp": "/^(a+)+$/.test('a'.repeat(60) + 'b')",
    "alerts": "setInterval(() => alert('x'), 0)",
    "alert": "while (true) alert('again')",
    "confirm": "while (confirm('Again?')); document.title = 'out'",
    "unconfirmed": "while (!confirm('Sure?')); document.title = 'out'",
    "prompt": "while (prompt('Name?', 'Ada')); document.title = 'out'",
    "print": "while (true) print()",
    "windows": "while (true) window.open('/plain')",
    "window": "setInterval(() => window.open('/plain'), 0)",
    "write": "while (true) document.write('<p>more')",
    "history": "let n = 0; setInterval(() => history.pushState({}, '', '/plain?' + n++), 0)",
    "dom": "setInterval(() => { for (let n = 0; n < 500; n++) document.body.append('x') }, 0)",
    "debugger": "while (true) debugger",
    "memory": "const all = []; while (true) all.push(new Array(1e6).fill(Math.random()))",
    "goto hang": "location.href = '/hang'",
    "goto slow": "location.href = '/slow?s=30'",
    "goto file": "location.href = '/slowfile?s=90'",
    "goto drip": "location.href = '/drip'",
    "goto refresh": "location.href = '/refresh'",
    "goto loop": "location.href = '/loop'",
    "download": "setInterval(() => document.querySelector('a').click(), 0)",
    "endless file": "location.href = '/endless'",
    "close": "window.close()",
    "frame": "document.body.innerHTML = '<iframe src=/hang></iframe>'",
    "fetch": "fetch('/hang')",
    "sync": "const q = new XMLHttpRequest(); q.open('GET', '/hang', false); q.send()",
    "animate": "document.body.animate([{opacity: 0}, {opacity: 1}], {duration: 1, iterations: 1e9})",
    "unload": "onbeforeunload = () => { while (true); }; location.href = '/plain'",
    "worker": "navigator.serviceWorker && navigator.serviceWorker.register('/hang.js')",
    "huge": "document.body.innerHTML = '<table>' + '<tr><td>x'.repeat(300000)",
    "reload": "location.reload(); setInterval(() => location.reload(), 0)",
    "focus": "setInterval(() => { window.open('', 'a').focus() }, 0)",
}
"""What the button of ``/press?KEY`` does."""

PAGES = {
    "/plain": "<title>plain</title><h1>plain</h1>",
    "/refresh": "<meta http-equiv=refresh content=0><h1>again</h1>",
    "/loop": "<script>setTimeout(() => { while (true); }, 0)</script><h1>loop</h1>",
}


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        address = urlsplit(self.path)
        seconds = float(parse_qs(address.query).get("s", ["0"])[0])
        with suppress(OSError):
            if address.path in ("/hang", "/hang.js"):
                self.server.ended.wait(600)  # type: ignore[attr-defined]
            elif address.path == "/press":
                key = address.query.replace("%20", " ").replace("+", " ")
                self._answer(BUTTON.format(PRESSED[key]) + "<a href=/file download></a>")
            elif address.path == "/framed":
                other = f"http://localhost:{self.server.server_address[1]}"  # type: ignore[attr-defined]
                self._answer(f"<iframe src='{other}/press?script' width=600 height=400></iframe>")
            elif address.path == "/slow":
                self.server.ended.wait(seconds)  # type: ignore[attr-defined]
                self._answer(PAGES["/plain"])
            elif address.path == "/slowfile":
                self.server.ended.wait(seconds)  # type: ignore[attr-defined]
                self._answer("x", disposition="attachment; filename=x.zip")
            elif address.path == "/file":
                self._answer("x", disposition="attachment; filename=x.txt")
            elif address.path in ("/drip", "/endless"):
                self._drip(address.path == "/endless")
            elif address.path in PAGES:
                self._answer(PAGES[address.path])
            else:
                self._answer("<h1>not here", 404)

    def _answer(self, body: str, status: int = 200, disposition: str | None = None) -> None:
        data = f"<!DOCTYPE html><body style='margin:0'>{body}".encode() if disposition is None else body.encode()
        self.send_response(status)
        self.send_header("Content-Type", "text/html" if disposition is None else "application/octet-stream")
        self.send_header("Content-Length", str(len(data)))
        if disposition:
            self.send_header("Content-Disposition", disposition)
        self.end_headers()
        self.wfile.write(data)

    def _drip(self, file: bool) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "application/octet-stream" if file else "text/html")
        if file:
            self.send_header("Content-Disposition", "attachment; filename=endless.bin")
        self.end_headers()
        piece = bytes(100_000) if file else b"<p>drip"
        while not self.server.ended.is_set():  # type: ignore[attr-defined]
            self.wfile.write(piece)
            self.wfile.flush()
            time.sleep(0.01 if file else 0.3)

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def hostile_site() -> Iterator[str]:
    """Serve the pages; gives their address."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.daemon_threads = True
    server.block_on_close = False
    server.ended = threading.Event()  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.ended.set()  # type: ignore[attr-defined]
        server.shutdown()
        thread.join()
        server.server_close()
