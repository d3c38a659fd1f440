"""A proxy on loopback for one browser profile: it looks names up itself, and reaches only what the rules allow.

It connects to the very address that it checked, so a name cannot lead elsewhere between the two. A host outside the
rules gets nothing: no connection, and no question for its name.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections import Counter
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any, Final, NamedTuple

from ...notes import excerpt
from .request_head import LONGEST, RequestHead, read_head
from .rules import NetworkRules

_LOG = logging.getLogger(__name__)
_CHUNK: Final = 1 << 16
_CONNECT: Final = 10.0
"""Seconds to connect to one address."""
_MOST_KEPT: Final = 1000
"""Different refusals that are kept apart between two looks."""
_CLOSE: Final = 5.0


class Blocked(NamedTuple):
    """A connection that was refused."""

    host: str
    port: int
    why: str


class _RefusedError(Exception):
    def __init__(self, status: str, why: str) -> None:
        super().__init__(why)
        self.status = status


class FilteringProxy:
    """A running proxy.

    Attributes:
        port: on 127.0.0.1.
        refused: how many connections were refused so far.
    """

    def __init__(self, rules: NetworkRules) -> None:
        self._rules = rules
        self._lock = threading.Lock()
        self._blocked: Counter[Blocked] = Counter()
        self._tasks: set[asyncio.Task[None]] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="saccade-proxy", daemon=True)
        self._thread.start()
        self.refused = 0
        self._server = self._call(asyncio.start_server(self._accept, "127.0.0.1", 0, limit=LONGEST))
        self.port: int = self._server.sockets[0].getsockname()[1]

    def take(self) -> dict[Blocked, int]:
        """What was refused since the last time, and how often."""
        with self._lock:
            blocked, self._blocked = dict(self._blocked), Counter()
        return blocked

    def close(self) -> None:
        """End all connections; may be called again."""
        if self._loop.is_closed():
            return
        self._call(self._end())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(_CLOSE)
        if not self._thread.is_alive():
            self._loop.close()

    def _call(self, work: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(_CLOSE)

    async def _end(self) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = self._loop.create_task(self._serve(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection of the browser, whose requests are all for one host."""
        upstream: _Upstream | None = None
        try:
            while (head := await read_head(reader)) is not None:
                if upstream is None:
                    upstream = _Upstream(head, *await self._connect(head.host, head.port))
                if head.connects:
                    writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
                    await upstream.tunnel(reader, writer)
                    return
                if not upstream.is_for(head):
                    return
                await upstream.ask(head, reader, writer)
        except _RefusedError as error:
            await _answer(writer, error.status, str(error))
        except ValueError as error:
            await _answer(writer, "400 Bad Request", f"this request is not passed on: {error}")
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            if upstream is not None:
                upstream.close()
            writer.close()

    async def _connect(self, host: str, port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if (why := self._rules.refuses_host(host, port)) is not None:
            raise self._refuse(host, port, why)
        addresses = await self._addresses(host)
        for address in addresses:
            if (why := self._rules.refuses_address(host, port, address)) is not None:
                raise self._refuse(host, port, why)
        for address in addresses:
            with suppress(OSError, TimeoutError):
                return await asyncio.wait_for(asyncio.open_connection(address, port, limit=LONGEST), _CONNECT)
        raise _RefusedError("502 Bad Gateway", f"{host} does not answer at port {port}")

    async def _addresses(self, host: str) -> tuple[str, ...]:
        if ":" in host or host.replace(".", "").isdigit():
            return (host,)
        try:
            return tuple(await self._loop.run_in_executor(None, self._rules.resolve, host))
        except (OSError, UnicodeError):
            raise _RefusedError("502 Bad Gateway", f"{host} has no address") from None

    def _refuse(self, host: str, port: int, why: str) -> _RefusedError:
        blocked = Blocked(host, port, why)
        with self._lock:
            self.refused += 1
            if blocked in self._blocked or len(self._blocked) < _MOST_KEPT:
                self._blocked[blocked] += 1
        _LOG.info("refused a connection to %s, port %d: %s", excerpt(host), port, why)
        return _RefusedError("403 Forbidden", f"{host} is not reached from here: {why}")


class _Upstream:
    """A connection to one host, for one of the browser's."""

    def __init__(self, head: RequestHead, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._place = (head.host, head.port)
        self._reader, self._writer = reader, writer
        self._answers: asyncio.Task[None] | None = None

    def is_for(self, head: RequestHead) -> bool:
        """Whether a request is for its host."""
        return self._place == (head.host, head.port)

    async def ask(self, head: RequestHead, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Pass a request on; the answer follows by itself, and the browser's connection ends with this one."""
        if self._answers is None:
            self._answers = asyncio.create_task(_copy(self._reader, writer, ends=True))
        self._writer.write(head.forwarded)
        left = head.length
        while left:
            data = await reader.read(min(left, _CHUNK))
            if not data:
                raise asyncio.IncompleteReadError(b"", left)
            self._writer.write(data)
            await self._writer.drain()
            left -= len(data)
        await self._writer.drain()

    async def tunnel(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Pass everything on, both ways, until both ends are done."""
        self._answers = asyncio.create_task(_copy(self._reader, writer))
        await _copy(reader, self._writer)
        await self._answers

    def close(self) -> None:
        """End it."""
        if self._answers is not None:
            self._answers.cancel()
        self._writer.close()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, ends: bool = False) -> None:
    try:
        while data := await reader.read(_CHUNK):
            writer.write(data)
            await writer.drain()
        if ends:
            writer.close()
        else:
            writer.write_eof()
    except OSError:
        writer.close()


async def _answer(writer: asyncio.StreamWriter, status: str, why: str) -> None:
    body = f"{excerpt(why)}\n".encode()
    head = f"HTTP/1.1 {status}\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: {len(body)}\r\n"
    with suppress(OSError):
        writer.write(f"{head}Connection: close\r\n\r\n".encode() + body)
        await writer.drain()
