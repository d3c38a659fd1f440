"""A job of twelve pages on a server of its own: each asks for a click on the same button among others."""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

PAGES = 12
TASK = 'Click on the "Next" button.'
_OTHERS = ("Back", "Help", "Cancel", "Skip")
_LOOK = "body{margin:0;font:10px Arial;width:160px;height:210px;overflow:hidden;position:relative}"
_BAR = f"<div style='background:#ff0;height:44px;padding:3px;box-sizing:border-box'>{TASK}</div>"


@dataclass
class Wizard:
    """How its pages look now.

    Attributes:
        layout: seeds where the buttons are.
        style: further CSS.
        late: seconds for which each page stays empty.
        dialog: the page that a dialog lies over, until its button is clicked.
    """

    layout: int = 0
    style: str = ""
    late: float = 0.0
    dialog: int | None = None

    def page(self, number: int) -> str:
        """The HTML of a page, from 1; of the end after the last."""
        if number > PAGES:
            return "<!DOCTYPE html><meta charset=utf-8><body><h2>Done</h2>"
        dice = random.Random(100 * self.layout + number)
        body = _BAR + self._button(number, "Next", dice)
        if number == self.dialog:
            body += (
                "<div id=over style='position:absolute;left:10px;top:60px;width:140px;height:120px;"
                "background:#eee;border:1px solid #444'><p style='padding:6px'>News for you.</p>"
                "<button style='position:absolute;left:40px;top:70px;width:60px;height:26px' "
                "onclick='over.remove()'>Next</button></div>"
            )
        return self._html(body)

    def _button(self, number: int, word: str, dice: random.Random) -> str:
        left, top = dice.randrange(4, 90), dice.randrange(50, 170)
        return (
            f"<button style='position:absolute;left:{left}px;top:{top}px;width:60px;height:30px' "
            f"onclick=\"location.href='/{number + 1}'\">{word}</button>"
        )

    def _html(self, body: str) -> str:
        head = f"<!DOCTYPE html><meta charset=utf-8><style>{_LOOK}{self.style}</style>"
        if not self.late:
            return f"{head}<body>{body}"
        wait = round(self.late * 1000)
        return (
            f"{head}<body><template id=later>{body}</template><script>setTimeout(() => "
            f"document.body.append(later.content.cloneNode(true)), {wait})</script>"
        )


@contextmanager
def served(wizard: Wizard) -> Iterator[str]:
    """Serve a wizard, whose looks may change meanwhile; gives the address of its first page."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            name = self.path.strip("/")
            found = wizard.page(int(name)).encode() if name.isdigit() else b""
            self.send_response(200 if found else 404)
            self.send_header("Content-Type", "text/html")
            self.send_header("Content-Length", str(len(found)))
            self.end_headers()
            self.wfile.write(found)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/1"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
