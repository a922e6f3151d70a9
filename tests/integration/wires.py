"""The wires of a gateway process, watched from outside: what crosses them can be a time to strike.

A `Wire` stands between the gateway and one of its servers and passes everything on, piece by piece,
in both directions. What it passes is looked at but never changed; a strike keeps a piece back.

One thing it adds, on the bus: it ends a dead client's streams. The Pub/Sub emulator (0.8.20) takes
a streaming pull for alive until its client half-closes it, also when it was reset or when its
connection is gone, and goes on offering messages to it. Each offer keeps a message from the living
for ten seconds and the retry policy's growing delay, or for good. Measured, with one dead stream:
after a kill 18 of 20 messages came late, after up to 34 s, and in plays now and then one after more
than 170 s; after a reset 19 of 60 came late and 6 not within two minutes, which had not once
crossed the living gateway's wire. With dead streams half-closed none of 20 came late. Pub/Sub
itself forgets a stream with its connection; what was given to a dead one comes again either way.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Final, Literal

type Line = Literal["store", "bus", "broker"]
type Way = Literal["up", "down"]
"""`up` is from the gateway to its server."""

PIECE_BYTES_MAX: Final = 262_144
GREETING: Final = b"API\0"
"""What a client says to IB before the first of its frames."""

FAREWELL_SECONDS: Final = 0.2
"""So long the emulator has to take up the end of a stream before its connection ends."""

_PREFACE: Final = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
_HEAD_BYTES: Final = 9
_DATA, _HEADERS, _RESET = 0, 1, 3
_END_STREAM: Final = 1


@dataclass(frozen=True, slots=True)
class Piece:
    """What crossed a wire at once; on the broker's line a whole message, without its length."""

    line: Line
    way: Way
    data: bytes


type Look = Callable[[Piece], Awaitable[bool]]
"""Called with each piece before it goes on; False keeps it back for ever."""


@dataclass(slots=True)
class Streams:
    """The HTTP/2 streams of one connection that its client has begun and not ended [RFC 9113]."""

    begun: dict[int, None] = field(default_factory=dict)
    _rest: bytes = b""
    _is_greeted: bool = False

    def passed(self, data: bytes) -> list[int]:
        """Note what the client sent on; the streams that it resets with it."""
        self._rest += data
        if not self._is_greeted:
            if len(self._rest) < len(_PREFACE):
                return []
            self._rest, self._is_greeted = self._rest[len(_PREFACE) :], True
        return [stream for stream in map(self._frame, self._whole()) if stream]

    @property
    def is_between_frames(self) -> bool:
        """Whether another frame may be put in here."""
        return self._is_greeted and not self._rest

    def _whole(self) -> Iterator[bytes]:
        """The heads of the frames that are complete."""
        while len(self._rest) >= _HEAD_BYTES:
            length = _HEAD_BYTES + int.from_bytes(self._rest[:3])
            if len(self._rest) < length:
                return
            head, self._rest = self._rest[:_HEAD_BYTES], self._rest[length:]
            yield head

    def _frame(self, head: bytes) -> int:
        """Note one frame; the stream that it resets, or 0."""
        kind, flags, stream = head[3], head[4], int.from_bytes(head[5:9]) & 0x7FFFFFFF
        if kind == _HEADERS:
            self.begun[stream] = None
        is_known = stream in self.begun
        if kind == _RESET or (kind in (_DATA, _HEADERS) and flags & _END_STREAM):
            self.begun.pop(stream, None)
        return stream if kind == _RESET and is_known else 0


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
        streams = Streams()
        is_pulling = self.line == "bus" and way == "up"
        with suppress(OSError, asyncio.IncompleteReadError):
            pieces = _frames(reader, way) if self.line == "broker" else _chunks(reader)
            async for bare, whole in pieces:
                if await self.look(Piece(self.line, way, bare)):
                    if is_pulling:
                        await _say_farewell(writer, streams, whole)
                    writer.write(whole)
                    await writer.drain()
        if is_pulling:
            await _say_farewell(writer, streams)
        writer.close()  # the other way ends by it, too


async def _say_farewell(
    writer: asyncio.StreamWriter, streams: Streams, leaving: bytes | None = None
) -> None:
    """End the streams that this chunk is going to reset, or all of them when the client is gone."""
    is_possible = streams.is_between_frames
    ended = list(streams.begun) if leaving is None else streams.passed(leaving)
    if ended and is_possible:
        head = bytes((0, 0, 0, _DATA, _END_STREAM))
        with suppress(OSError):
            writer.write(b"".join(head + stream.to_bytes(4) for stream in ended))
            await writer.drain()
            await asyncio.sleep(FAREWELL_SECONDS)


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
