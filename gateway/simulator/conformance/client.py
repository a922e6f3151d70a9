"""A small client of IB's wire, for asking and not for trading comfort: it keeps all it hears.

It speaks the simulator's own codec and tables in the other direction, so it knows every request of
`gateway.simulator.requests` and every reply of `gateway.simulator.replies`. Nothing is interpreted
and nothing thrown away: what came, in which order and when, is what the cases look at.
"""

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from typing import Any

from gateway.simulator import requests as q
from gateway.simulator.conformance.hearing import Heard, understand
from gateway.simulator.conformance.pace import Pace
from gateway.simulator.replies import ManagedAccounts, NextValidId
from gateway.simulator.wire.codec import (
    FrameReader,
    Hello,
    ProtocolError,
    encode_frame,
    encode_hello,
)
from gateway.simulator.wire.messages import encode_request

CLIENT_VERSION_MIN = 100
CLIENT_VERSION_MAX = 178
"""The newest version that the tables know; a newer gateway goes down to it."""
FRAME_BYTES_MAX = 16 * 1024 * 1024
READ_BYTES = 64 * 1024
CODE_ID_IN_USE = 326
CODES_UNKNOWN = frozenset({135, 10147})
"""Of a cancel: there is no such order."""
TELLS_OF_ORDERS = frozenset({"OpenOrder", "OrderStatus", "ExecutionDetails", "Notice"})

Test = Callable[[Heard], bool]


class Silence(Exception):
    """What was waited for did not come in time. `heard` is what came instead."""

    def __init__(self, seconds: float, heard: Sequence[Heard]) -> None:
        super().__init__(f"nothing of it within {seconds:g} seconds")
        self.heard = tuple(heard)


class Ended(Exception):
    """The gateway closed the connection. Its text says how."""


class Client:
    """One connection. Make it by `dial` (bytes only) or `open_client` (ready for requests).

    Attributes:
        heard: every message since the handshake, in order of arrival.
        version: the server version that was agreed on; 0 before the handshake.
        greeting: the fields of the handshake's answer.
        ended: how the gateway ended the connection; empty while it lives.
        placed: order id and orderRef of each order that was sent; what-ifs left out.
    """

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.heard: list[Heard] = []
        self.version = 0
        self.client_id = -1
        self.greeting: tuple[str, ...] = ()
        self.ended = ""
        self.placed: dict[int, str] = {}
        self._pace = Pace()
        self._opened = asyncio.get_running_loop().time()
        self._writer = writer
        self._frames = FrameReader(FRAME_BYTES_MAX)
        self._news = asyncio.Event()
        self._reading = asyncio.Event()
        self._reading.set()
        self._task = asyncio.create_task(self._read(reader), name="conformance reader")

    @classmethod
    async def dial(cls, host: str, port: int, pace: Pace | None = None) -> "Client":
        """Connect and say nothing. Raises OSError."""
        client = cls(*await asyncio.open_connection(host, port))
        client._pace = pace or client._pace
        return client

    async def greet(
        self, low: int = CLIENT_VERSION_MIN, high: int = CLIENT_VERSION_MAX, seconds: float = 10
    ) -> int:
        """Exchange versions; returns the one agreed on. Raises Silence, Ended."""
        self.write(encode_hello(Hello(low, high)))
        await self._wait(lambda: bool(self.greeting), seconds)
        return self.version

    async def start(self, client_id: int, seconds: float = 15) -> None:
        """Say who we are; wait for the accounts and the next order id. Raises Silence, Ended."""
        self.client_id = client_id
        await self.say(q.StartApi(client_id, ""))
        await self._wait(lambda: self._knows(ManagedAccounts) and self._knows(NextValidId), seconds)

    @property
    def accounts(self) -> tuple[str, ...]:
        """The accounts of the login, as managedAccounts named them last."""
        said = [item.reply.accounts for item in self.heard if item.kind == "ManagedAccounts"]
        return tuple(filter(None, said[-1].split(","))) if said else ()

    @property
    def next_order_id(self) -> int:
        """The last nextValidId."""
        ids = [item.reply.order_id for item in self.heard if item.kind == "NextValidId"]
        return ids[-1] if ids else 0

    def has_heard_of(self, order_id: int) -> bool:
        """Whether the gateway knows an order: said anything of it, but that it cannot find it."""
        return any(
            item.kind in TELLS_OF_ORDERS
            and order_id in {item.id, getattr(item.reply, "order_id", None)}
            and item.code not in CODES_UNKNOWN
            for item in self.heard
        )

    def mark(self) -> int:
        """Where we are in `heard`: for `since=` of the questions below."""
        return len(self.heard)

    def now(self) -> float:
        """Seconds since the connection was opened."""
        return asyncio.get_running_loop().time() - self._opened

    async def say(self, request: Any) -> None:
        """Send a request, as late as IB's pacing asks for. Raises Ended."""
        fields = encode_request(request, self.version)
        if isinstance(request, q.PlaceOrder) and not request.terms.what_if:
            self.placed[request.order_id] = request.terms.order_ref
        await self.say_fields(fields, request)

    async def say_fields(self, fields: Sequence[str], request: Any = None) -> None:
        """Send any fields as one message. Raises Ended."""
        loop = asyncio.get_running_loop()
        while wait := self._pace.wait_seconds(request, loop.time()):
            await asyncio.sleep(wait)
        self._pace.note(request, loop.time())
        self.write(encode_frame(fields))
        with contextlib.suppress(ConnectionError):
            await self._writer.drain()

    def write(self, data: bytes) -> None:
        """Send bytes as they are. Raises Ended."""
        if self.ended:
            raise Ended(self.ended)
        self._writer.write(data)

    def pause(self, paused: bool) -> None:
        """Stop reading, or go on: for the case of a slow client."""
        if paused:
            self._reading.clear()
        else:
            self._reading.set()

    async def until(self, test: Test, *, since: int = 0, seconds: float = 10) -> Heard:
        """The first message from `since` on that passes the test. Raises Silence, Ended."""
        return (await self.gather(test, since=since, seconds=seconds))[-1]

    async def gather(self, last: Test, *, since: int = 0, seconds: float = 10) -> list[Heard]:
        """All messages from `since` up to the first that passes the test. Raises Silence, Ended."""
        place = since

        def found() -> bool:
            nonlocal place
            while place < len(self.heard) and not last(self.heard[place]):
                place += 1
            return place < len(self.heard)

        await self._wait(found, seconds, since)
        return self.heard[since : place + 1]

    async def listen(self, seconds: float) -> list[Heard]:
        """All that comes within the next seconds, or until the connection ends."""
        since = self.mark()
        with contextlib.suppress(Silence, Ended):
            await self._wait(lambda: False, seconds)
        return self.heard[since:]

    async def until_ended(self, seconds: float = 10) -> str:
        """How the gateway closed the connection. Raises Silence if it did not."""
        with contextlib.suppress(Ended):
            await self._wait(lambda: bool(self.ended), seconds)
        return self.ended

    async def close(self) -> None:
        """End the connection from our side."""
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task
        self._writer.close()
        with contextlib.suppress(ConnectionError, OSError, TimeoutError):
            async with asyncio.timeout(5):
                await self._writer.wait_closed()

    async def _wait(self, done: Callable[[], bool], seconds: float, since: int = 0) -> None:
        try:
            async with asyncio.timeout(seconds):
                while not done():
                    if self.ended:
                        raise Ended(self.ended)
                    self._news.clear()
                    await self._news.wait()
        except TimeoutError:
            raise Silence(seconds, self.heard[since:]) from None

    async def _read(self, reader: asyncio.StreamReader) -> None:
        ended = "the gateway closed the connection"
        try:
            while data := await reader.read(READ_BYTES):
                await self._reading.wait()
                self._frames.receive_data(data)
                while (fields := self._frames.next_frame()) is not None:
                    self._take(fields)
                self._news.set()
        except ConnectionError as error:
            ended = f"the connection was reset: {error}"
        except ProtocolError as error:
            ended = f"the gateway broke the framing: {error}"
        self.ended = ended
        self._news.set()

    def _take(self, fields: tuple[str, ...]) -> None:
        if not self.greeting and not self.version and fields[0].isdecimal() and len(fields) == 2:
            self.greeting, self.version = fields, int(fields[0])
            return
        reply, trouble = understand(fields, self.version or CLIENT_VERSION_MAX)
        self.heard.append(Heard(len(self.heard), self.now(), fields, reply, trouble))

    def _knows(self, kind: type) -> bool:
        return any(isinstance(item.reply, kind) for item in self.heard)
