"""A network in memory: asyncio transports without a socket, for a loop whose time is virtual.

A listener is a host, a port and a protocol factory. A connection is two transports; what one
writes, the other's protocol receives in a later turn of the loop, in order, all that waits in one
piece. A transport whose protocol stopped reading leaves the bytes in the writer's buffer, so that
flow control (`pause_writing`, `drain`) acts as over a socket. `abort` is a reset: what the other
side has not paused away still arrives, then its connection is lost with ConnectionResetError.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

LOOPBACK = "127.0.0.1"
FREE_PORTS_FROM = 49152
BUFFER_HIGH_BYTES = 64 * 1024
TICK_SECONDS = 1e-6
"""How much too early a timer of the loop may come."""

type Factory = Callable[[], asyncio.BaseProtocol]
type Address = tuple[str, int]


@dataclass(frozen=True, slots=True)
class Segment:
    """Bytes that one side received at once: when (loop seconds), on which connection, which way."""

    seconds: float
    connection: int
    to_server: bool
    data: bytes


@dataclass(slots=True)
class Network:
    """Who listens where, and what was said.

    Attributes:
        latency_seconds: how long bytes, ends and resets travel, each way, in virtual time.
        is_recorded: keep every segment in `segments`; off by default, for it only grows.
    """

    latency_seconds: float = 0.0
    is_recorded: bool = False
    segments: list[Segment] = field(default_factory=list)
    listeners: dict[Address, "MemoryServer"] = field(default_factory=dict)
    connections: int = 0

    def free_port(self, host: str) -> int:
        """A port of this host on which nobody listens."""
        port = FREE_PORTS_FROM
        while (host, port) in self.listeners:
            port += 1
        return port

    def note(self, segment: Segment) -> None:
        """Keep a segment if this network is recorded."""
        if self.is_recorded:
            self.segments.append(segment)

    def said(self, connection: int, *, to_server: bool) -> bytes:
        """All that one side of a recorded connection received; the first connection is 1."""
        return b"".join(
            segment.data
            for segment in self.segments
            if (segment.connection, segment.to_server) == (connection, to_server)
        )


@dataclass(frozen=True, slots=True)
class ListeningSocket:
    """As much of a socket as a server of asyncio is asked for."""

    address: Address

    def getsockname(self) -> Address:
        """Host and port."""
        return self.address


class MemoryServer(asyncio.AbstractServer):
    """A listener in memory, with the face of `asyncio.Server`."""

    def __init__(self, network: Network, address: Address, factory: Factory) -> None:
        self._loop = asyncio.get_running_loop()
        self._network = network
        self._address = address
        self._factory = factory
        self._closed = self._loop.create_future()

    @property
    def sockets(self) -> tuple[ListeningSocket, ...]:
        """The one address it listens on, none when closed."""
        return (ListeningSocket(self._address),) if self.is_serving() else ()

    def get_loop(self) -> asyncio.AbstractEventLoop:
        """The loop it lives in."""
        return self._loop

    def is_serving(self) -> bool:
        """Whether it accepts connections."""
        return self._network.listeners.get(self._address) is self

    async def start_serving(self) -> None:
        """Listen. Raises OSError when somebody does already."""
        if not self.is_serving():
            if self._address in self._network.listeners:
                raise OSError(f"somebody listens on {self._address} already")
            self._network.listeners[self._address] = self

    async def serve_forever(self) -> None:
        """Listen until closed."""
        await self.start_serving()
        await self.wait_closed()

    def close(self) -> None:
        """Accept nobody any more; connections live on."""
        if self.is_serving():
            del self._network.listeners[self._address]
        if not self._closed.done():
            self._closed.set_result(None)

    async def wait_closed(self) -> None:
        """Return once `close` was called."""
        await asyncio.shield(self._closed)

    def protocol(self) -> asyncio.BaseProtocol:
        """A protocol for one more connection."""
        return self._factory()


class _Mark(Enum):
    END = "end"
    RESET = "reset"


class MemoryTransport(asyncio.Transport):
    """One end of a connection in memory."""

    def __init__(self, link: "_Link", *, is_server: bool) -> None:
        mine, theirs = link.addresses[:: -1 if is_server else 1]
        super().__init__({"sockname": mine, "peername": theirs})
        self.peer: MemoryTransport
        self._link = link
        self._is_server = is_server
        self._protocol: asyncio.BaseProtocol = asyncio.Protocol()
        self._waiting: deque[tuple[float, bytes | _Mark]] = deque()
        """What travels, with the loop's time at which it arrives."""
        self._waiting_bytes = 0
        self._limits = (BUFFER_HIGH_BYTES // 4, BUFFER_HIGH_BYTES)
        self._is_reading = True
        self._is_writing_paused = False
        self._is_closing = False
        self._is_ended = False
        self._is_lost = False

    def begin(self, protocol: asyncio.BaseProtocol) -> None:
        """Give this end its protocol and tell it."""
        self._protocol = protocol
        protocol.connection_made(self)

    def get_protocol(self) -> asyncio.BaseProtocol:
        """Who receives here."""
        return self._protocol

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        """Another one receives from now on."""
        self._protocol = protocol

    def is_closing(self) -> bool:
        """Whether this end was closed, aborted or reset."""
        return self._is_closing

    def is_reading(self) -> bool:
        """Whether bytes are received."""
        return self._is_reading and not self._is_closing

    def pause_reading(self) -> None:
        """Leave bytes with the writer."""
        self._is_reading = False

    def resume_reading(self) -> None:
        """Receive again."""
        self._is_reading = True
        if self.peer.has_waiting:
            self._link.soon(self.peer.deliver)

    @property
    def has_waiting(self) -> bool:
        """Whether something written here has not arrived."""
        return bool(self._waiting)

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Send bytes; those written after the end are lost, as on a broken socket."""
        if self._is_ended:
            raise RuntimeError("Cannot call write() after write_eof()")
        if data and not self._is_closing:
            self._waiting_bytes += len(data)
            self._put(bytes(data))
            self._check_limits()

    def can_write_eof(self) -> bool:
        """Yes."""
        return True

    def write_eof(self) -> None:
        """Say that no more comes; the other way stays open."""
        if not self._is_ended and not self._is_closing:
            self._is_ended = True
            self._put(_Mark.END)

    def close(self) -> None:
        """Receive no more; the connection ends when all that was written has arrived."""
        if self._is_closing:
            return
        if not self._is_ended:
            self._put(_Mark.END)
        self._stop_reading()
        if not self._waiting:
            self._link.soon(self._lose)

    def abort(self) -> None:
        """Reset the connection."""
        if self._is_lost:
            return
        self._stop_reading()
        if not self.peer.is_reading():
            self._forget_waiting()
        self._put(_Mark.RESET)
        self._link.soon(self._lose)

    def get_write_buffer_size(self) -> int:
        """Bytes that have not arrived yet."""
        return self._waiting_bytes

    def get_write_buffer_limits(self) -> tuple[int, int]:
        """Low and high water, in bytes."""
        return self._limits

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """When the protocol is told to pause, and when to resume. Raises ValueError."""
        top = high if high is not None else (BUFFER_HIGH_BYTES if low is None else 4 * low)
        bottom = low if low is not None else top // 4
        if not 0 <= bottom <= top:
            raise ValueError(f"high ({top}) must be >= low ({bottom}) must be >= 0")
        self._limits = (bottom, top)
        self._check_limits()

    def deliver(self) -> None:
        """What has travelled long enough arrives, as far as the other side reads."""
        data = bytearray()
        while self._waiting and self._arrives(*self._waiting[0]):
            _, item = self._waiting.popleft()
            if isinstance(item, bytes):
                data += item
                self._waiting_bytes -= len(item)
            else:
                self._hand_over(data)
                data = bytearray()
                self.peer.hear(item)
        self._hand_over(data)
        self._check_limits()
        if self._is_closing and not self._waiting:
            self._lose()

    def takes(self, item: bytes | _Mark) -> bool:
        """Whether this end takes what comes next: resets always, a closed end everything."""
        return self._is_reading or self._is_closing or item is _Mark.RESET

    def receive(self, data: bytes) -> None:
        """Bytes arrived."""
        if self._is_closing:
            return
        self._link.note(data, to_server=self._is_server)
        protocol = self._protocol
        if isinstance(protocol, asyncio.BufferedProtocol):
            raise TypeError("buffered protocols are not spoken in memory")
        assert isinstance(protocol, asyncio.Protocol)
        protocol.data_received(data)

    def hear(self, mark: _Mark) -> None:
        """The other side ended or reset the connection."""
        if mark is _Mark.RESET:
            self._is_closing = True
            self._forget_waiting()
            self._lose(ConnectionResetError(104, "Connection reset by peer"))
        elif not self._is_closing:
            protocol = self._protocol
            assert isinstance(protocol, asyncio.Protocol)
            if not protocol.eof_received():
                self.close()

    def _stop_reading(self) -> None:
        """Close: what the other side wrote and still waits to be read is thrown away."""
        self._is_closing = True
        if self.peer.has_waiting:
            self._link.soon(self.peer.deliver)

    def _hand_over(self, data: bytearray) -> None:
        if data:
            self.peer.receive(bytes(data))

    def _put(self, item: bytes | _Mark) -> None:
        self._waiting.append((self._link.arrival(), item))
        self._link.later(self.deliver)

    def _arrives(self, due: float, item: bytes | _Mark) -> bool:
        return due <= self._link.loop.time() + TICK_SECONDS and self.peer.takes(item)

    def _check_limits(self) -> None:
        low, high = self._limits
        if not self._is_writing_paused and self._waiting_bytes > high:
            self._is_writing_paused = True
            self._protocol.pause_writing()
        elif self._is_writing_paused and self._waiting_bytes <= low:
            self._is_writing_paused = False
            self._protocol.resume_writing()

    def _forget_waiting(self) -> None:
        self._waiting.clear()
        self._waiting_bytes = 0

    def _lose(self, error: Exception | None = None) -> None:
        if not self._is_lost:
            self._is_lost = True
            self._protocol.connection_lost(error)


@dataclass(slots=True)
class _Link:
    """What both ends of a connection share."""

    network: Network
    loop: asyncio.AbstractEventLoop
    number: int
    addresses: tuple[Address, Address]

    def soon(self, callback: Callable[[], None]) -> None:
        self.loop.call_soon(callback)

    def arrival(self) -> float:
        return self.loop.time() + self.network.latency_seconds

    def later(self, callback: Callable[[], None]) -> None:
        if self.network.latency_seconds:
            self.loop.call_later(self.network.latency_seconds, callback)
        else:
            self.loop.call_soon(callback)

    def note(self, data: bytes, *, to_server: bool) -> None:
        self.network.note(Segment(self.loop.time(), self.number, to_server, data))


def listen(network: Network, factory: Factory, host: str | None, port: int | None) -> MemoryServer:
    """A server on this host and port (0 or None takes a free one); it does not listen yet."""
    name = _canonical(host)
    return MemoryServer(network, (name, port or network.free_port(name)), factory)


async def connect(
    network: Network, factory: Factory, host: str | None, port: int | None
) -> tuple[MemoryTransport, asyncio.BaseProtocol]:
    """Connect to a listener. Raises ConnectionRefusedError where nobody listens."""
    address = (_canonical(host), port or 0)
    if network.latency_seconds:
        await asyncio.sleep(network.latency_seconds)
    server = network.listeners.get(address)
    if server is None:
        raise ConnectionRefusedError(111, f"Connect call failed {address}")
    network.connections += 1
    loop = asyncio.get_running_loop()
    here = (address[0], FREE_PORTS_FROM - network.connections)
    link = _Link(network, loop, network.connections, (here, address))
    near, far = (MemoryTransport(link, is_server=is_server) for is_server in (False, True))
    near.peer, far.peer = far, near
    protocol = factory()
    loop.call_soon(lambda: far.begin(server.protocol()))
    near.begin(protocol)
    return near, protocol


def refuse_options(options: Mapping[str, Any]) -> None:
    """Options of sockets mean nothing here. Raises ValueError for those that would be ignored."""
    meant = sorted(name for name, value in options.items() if value is not None)
    if meant:
        raise ValueError(f"connections in memory know no {', '.join(meant)}")


def _canonical(host: str | None) -> str:
    return LOOPBACK if host in {None, "", "localhost"} else str(host)
