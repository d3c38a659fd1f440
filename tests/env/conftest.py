"""One loopback server for the whole directory; profiles and pages are made per test."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from saccade.env.browser.chromium import Chromium
from saccade.env.browser.environment import BrowserEnvironment
from saccade.env.browser.options import BrowserOptions
from saccade.env.guard.guard import Guard


class Site:
    """Pages by path; ``address`` is where they are served."""

    def __init__(self, port: int) -> None:
        self.address = f"http://127.0.0.1:{port}"
        self.pages: dict[str, tuple[str, bytes, float]] = {}
        self.asked: list[str] = []

    def page(self, path: str, html: str, *, seconds: float = 0.0) -> str:
        body = f"<!DOCTYPE html><meta charset=utf-8><body style='margin:0'>{html}"
        return self.file(path, body.encode(), "text/html", seconds=seconds)

    def file(self, path: str, data: bytes, kind: str, *, seconds: float = 0.0) -> str:
        self.pages[path] = (kind, data, seconds)
        return self.address + path


@pytest.fixture(scope="session")
def site() -> Iterator[Site]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path = self.path.split("?")[0]
            site.asked.append(path)
            kind, data, seconds = site.pages.get(path, ("text/plain", b"", 0.0))
            time.sleep(seconds)
            self.send_response(200 if path in site.pages else 404)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    site = Site(server.server_address[1])
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    yield site
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def open_page(chromium: Chromium, site: Site) -> Iterator[Callable[..., BrowserEnvironment]]:
    """Serve some HTML, open it in a fresh profile, and look at it once."""
    opened: list[BrowserEnvironment] = []

    def open_(html: str, **options: object) -> BrowserEnvironment:
        url = site.page("/page", html)
        environment = BrowserEnvironment(url, BrowserOptions(**options), chromium=chromium, guard=Guard.of("open"))
        opened.append(environment)
        environment.reset()
        return environment

    yield open_
    for environment in opened:
        environment.close()
