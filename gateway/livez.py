"""Is this process still getting anywhere: `GET /livez` for the platform that may restart it.

200 while everything that must go on does, 503 with one sentence when something stands still. Not
whether the broker is there: that would restart the IB Gateway beside us in each of its nightly
restarts, and in live ask a person for the second factor (decision 14).
"""

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Final, Self

log = logging.getLogger(__name__)

PATH: Final = "/livez"

HOST: Final = "0.0.0.0"
"""Every address, for a probe does not come over loopback. One sentence is all that it can learn."""

REQUEST_BYTES_MAX: Final = 8_192
"""A request with all its headers; a probe's has some two hundred bytes."""

REQUEST_SECONDS: Final = 5.0
"""Real seconds for a request to arrive and for its answer to be taken."""

CONNECTIONS_MAX: Final = 16
"""At once; a probe needs one. More are closed unheard."""


@dataclass(slots=True)
class Pulse:
    """When one thing that must go on last went on. What rests is alive for as long as it rests.

    `patience_seconds` is longer than any single bounded wait of it, by the monotonic clock. It
    rests until its first beat.
    """

    name: str
    patience_seconds: float
    beat_at: float = field(default_factory=time.monotonic)
    is_resting: bool = True

    def beat(self) -> None:
        """It went on, and goes on."""
        self.beat_at, self.is_resting = time.monotonic(), False

    def rest(self) -> None:
        """It waits for something that may come at any time or never; `beat` ends it."""
        self.is_resting = True

    @property
    def standstill(self) -> str:
        """What stands still for how long, as a sentence; empty while it is alive."""
        still_seconds = time.monotonic() - self.beat_at
        if self.is_resting or still_seconds <= self.patience_seconds:
            return ""
        return (
            f"{self.name} stands still for {still_seconds:.0f} s, "
            f"more than {self.patience_seconds:.0f} s"
        )


def standstill(pulses: Sequence[Pulse]) -> str:
    """What of all this stands still, as one sentence; empty while all is alive."""
    return "; ".join(filter(None, (pulse.standstill for pulse in pulses)))


class Livez:
    """A server of one path, for as long as it is entered. `said` is called for each request.

    Entering it raises `OSError` when the port cannot be had. Port 0 is any free one: see `port`.
    """

    def __init__(self, said: Callable[[], str], port: int, host: str = HOST) -> None:
        self._said = said
        self._address = host, port
        self._connections: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None

    @property
    def port(self) -> int:
        """Where it listens."""
        assert self._server is not None, "enter it first"
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    async def __aenter__(self) -> Self:
        host, port = self._address
        self._server = await asyncio.start_server(self._answer, host, port, limit=REQUEST_BYTES_MAX)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        assert self._server is not None, "enter it first"
        self._server.close()
        for connection in self._connections:
            connection.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One request, one answer. Whatever a client does harms nobody but itself."""
        task = asyncio.current_task()
        assert task is not None, "streams run their callback as a task"
        if len(self._connections) >= CONNECTIONS_MAX:
            writer.transport.abort()
            return
        self._connections.add(task)
        try:
            async with asyncio.timeout(REQUEST_SECONDS):
                writer.write(self._response(await _head(reader)))
                await writer.drain()
                writer.close()
                await writer.wait_closed()
        except (OSError, TimeoutError, EOFError) as error:
            log.debug("a request was not answered: %s", error)
        finally:
            self._connections.discard(task)
            writer.transport.abort()

    def _response(self, head: bytes) -> bytes:
        method, _, rest = head.partition(b" ")
        path = rest.partition(b" ")[0].partition(b"?")[0]
        if method != b"GET" or path != PATH.encode():
            return _http("404 Not Found", f"there is only GET {PATH}")
        stands = self._said()
        return _http("503 Service Unavailable", stands) if stands else _http("200 OK", "alive")


async def _head(reader: asyncio.StreamReader) -> bytes:
    """The request with its headers; empty for one that is too long.

    Its end is waited for: a connection closed with bytes unread would be reset, answer and all.
    """
    try:
        return await reader.readuntil(b"\r\n\r\n")
    except asyncio.LimitOverrunError:
        return b""


def _http(status: str, text: str) -> bytes:
    body = f"{text}\n".encode()
    head = (
        f"HTTP/1.1 {status}\r\nContent-Type: text/plain; charset=utf-8\r\n"
        f"Content-Length: {len(body)}\r\nConnection: close\r\nCache-Control: no-store\r\n\r\n"
    )
    return head.encode() + body
