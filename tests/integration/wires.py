"""The wires of a gateway process, watched from outside: what crosses them can be a time to strike.

A `Wire` stands between the gateway and one of its servers and passes everything on, piece by piece,
in both directions. What it passes is looked at but never changed; a strike keeps a piece back.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Final, Literal

type Line = Literal["store", "bus", "broker"]
type Way = Literal["up", "down"]
"""`up` is from the gateway to its server."""

PIECE_BYTES_MAX: Final = 262_144
GREETING: Final = b"API\0"
"""What a client says to IB before the first of its frames."""


@dataclass(frozen=True, slots=True)
class Piece:
    """What crossed a wire at once; on the broker's line a whole message, without its length."""

    line: Line
    way: Way
    data: bytes


type Look = Callable[[Piece], Awaitable[bool]]
"""Called with each piece before it goes on; False keeps it back for ever."""


@dataclass(slots=True)
class Wire:
    """One server's stand-in, which the gateway connects to instead."""

    line: Line
    host: str
    port: int
    look: Look
    server: asyncio.Server | None = None
    tasks: set[asyncio.Task[None]] = field(default_factory=set)

    @property
    def address(self) -> str:
        """Where the gateway has to connect to."""
        assert self.server is not None
        return f"127.0.0.1:{self.server.sockets[0].getsockname()[1]}"

    async def close(self) -> None:
        """Stop listening, and cut what is connected."""
        assert self.server is not None
        self.server.close()
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)

    def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """A client is there: connect it through."""
        task = asyncio.create_task(self._connect(reader, writer))
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    async def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            far_reader, far_writer = await asyncio.open_connection(self.host, self.port)
        except OSError:  # nobody listens there either
            writer.transport.abort()
            return
        try:
            ways = (self._pass("up", reader, far_writer), self._pass("down", far_reader, writer))
            await asyncio.gather(*ways)
        finally:
            writer.transport.abort()
            far_writer.transport.abort()

    async def _pass(
        self, way: Way, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        with suppress(OSError, asyncio.IncompleteReadError):
            pieces = _frames(reader, way) if self.line == "broker" else _chunks(reader)
            async for bare, whole in pieces:
                if await self.look(Piece(self.line, way, bare)):
                    writer.write(whole)
                    await writer.drain()
        writer.close()  # the other way ends by it, too


async def _chunks(reader: asyncio.StreamReader) -> AsyncIterator[tuple[bytes, bytes]]:
    while chunk := await reader.read(PIECE_BYTES_MAX):
        yield chunk, chunk


async def _frames(reader: asyncio.StreamReader, way: Way) -> AsyncIterator[tuple[bytes, bytes]]:
    """IB's messages, each with its length before it."""
    if way == "up":
        greeting = await reader.readexactly(len(GREETING))
        yield b"", greeting
    while True:
        length = await reader.readexactly(4)
        body = await reader.readexactly(int.from_bytes(length))
        yield body, length + body


@asynccontextmanager
async def wired(line: Line, address: str, look: Look) -> AsyncIterator[Wire]:
    """A wire to a server at `host:port`."""
    host, _, port = address.rpartition(":")
    wire = Wire(line, host, int(port), look)
    wire.server = await asyncio.start_server(wire.accept, "127.0.0.1", 0)
    try:
        yield wire
    finally:
        await wire.close()
