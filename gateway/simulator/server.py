"""The simulator on a socket: the only place here that touches one.

Bytes go to a `ServerProtocol` per connection, its requests to the one `Exchange`, the deliveries
to the connections they are for. All of it happens in one event loop, request by request.
"""

import asyncio
import contextlib
import ipaddress
from collections.abc import Coroutine, Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from types import TracebackType
from typing import Any

from gateway.simulator.clock import VirtualClock
from gateway.simulator.exchange import Exchange
from gateway.simulator.protocol import Closed, ServerProtocol, State
from gateway.simulator.replies import Delivery, Notice
from gateway.simulator.requests import StartApi

READ_BYTES_MAX = 64 * 1024


@dataclass(frozen=True, slots=True)
class ServerOptions:
    """Where the simulator listens, and its limits.

    `port` 0 takes a free one. `clients_max` is IB's; `connections_max` counts
    those not ready yet too. A client that has not become ready within
    `handshake_seconds_max`, or lets `write_buffer_bytes_max` pile up unread, is cut off.
    """

    host: str = "127.0.0.1"
    port: int = 0
    master_client_id: int | None = None
    clients_max: int = 32
    connections_max: int = 128
    handshake_seconds_max: float = 10.0
    write_buffer_bytes_max: int = 16 * 1024 * 1024
    tick_seconds: float = 0.05

    def __post_init__(self) -> None:
        if not _is_loopback(self.host):
            raise ValueError(f"the simulator listens on loopback only, not on {self.host!r}")


class Connection:
    """One accepted socket with its protocol state."""

    def __init__(self, writer: asyncio.StreamWriter, now: datetime) -> None:
        self.protocol = ServerProtocol(now)
        self.writer = writer
        self.client_id: int | None = None

    def flush(self, buffer_bytes_max: int) -> None:
        """Hand the protocol's bytes to the transport; cut off a client that does not read."""
        data = self.protocol.data_to_send()
        if not data or self.writer.transport.is_closing():
            return
        self.writer.write(data)
        if self.writer.transport.get_write_buffer_size() > buffer_bytes_max:
            self.writer.transport.abort()

    async def drain(self) -> None:
        """Wait until the client has taken most of what was written."""
        with contextlib.suppress(ConnectionError):
            await self.writer.drain()


class Simulator:
    """An IB Gateway stand-in, listening while the context is entered.

    Attributes:
        exchange: the broker behind it; read it for assertions.
        clock: its virtual time; move it with `advance_to`.
    """

    def __init__(
        self, exchange: Exchange, clock: VirtualClock, options: ServerOptions | None = None
    ) -> None:
        self.exchange = exchange
        self.clock = clock
        self.options = options or ServerOptions()
        self._connections: dict[int, Connection] = {}
        self._accepted: set[Connection] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None
        self._closing = False
        exchange.set_master_client(self.options.master_client_id)

    @property
    def port(self) -> int:
        """The port it listens on. Raises RuntimeError before it listens."""
        if self._server is None:
            raise RuntimeError("the simulator is not listening")
        return int(self._server.sockets[0].getsockname()[1])

    async def __aenter__(self) -> "Simulator":
        self._closing = False
        self.exchange.advance(self.clock.now())
        self._server = await asyncio.start_server(
            self._accept, self.options.host, self.options.port, limit=READ_BYTES_MAX
        )
        if self.clock.speed:
            self._keep(self._tick())
        return self

    async def __aexit__(
        self,
        _type: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        self._closing = True
        if self._server is not None:
            self._server.close()
        for task in tuple(self._tasks):
            task.cancel()
        for connection in tuple(self._accepted):
            connection.writer.transport.abort()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._server is not None:
            await self._server.wait_closed()
            self._server = None

    async def advance_to(self, when: datetime) -> None:
        """Move the clock; orders trade and end, updates go out. Raises ValueError if backwards."""
        self.clock.set(when)
        self._deliver(self.exchange.advance(when))
        await asyncio.sleep(0)  # the transports write before the caller goes on

    async def trade_by_hand(
        self, symbol: str, quantity: Decimal, price: Decimal | None = None
    ) -> None:
        """Someone at TWS trades a signed quantity behind the clients' backs."""
        now = self.clock.now()
        self._deliver(self.exchange.trade_by_hand(symbol, quantity, price, now))
        await asyncio.sleep(0)

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(self.options.tick_seconds)
            self.clock.publish()
            self._deliver(self.exchange.advance(self.clock.now()))

    def _keep(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._forget)

    def _forget(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            context = {"message": "the simulator failed", "exception": error, "task": task}
            task.get_loop().call_exception_handler(context)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Take a connection. Not a coroutine, so that its task is ours to cancel and to await."""
        if self._closing or len(self._accepted) >= self.options.connections_max:
            writer.transport.abort()
            return
        # Noted before its task begins: one cancelled before its first step would close nothing.
        connection = Connection(writer, self.clock.now())
        self._accepted.add(connection)
        self._keep(self._converse(reader, connection))

    async def _converse(self, reader: asyncio.StreamReader, connection: Connection) -> None:
        try:
            with contextlib.suppress(ConnectionError):
                await self._serve(reader, connection)
        finally:
            self._drop(connection)
            connection.writer.close()
        with contextlib.suppress(ConnectionError):
            await connection.writer.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, connection: Connection) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self.options.handshake_seconds_max) as limit:
                while data := await reader.read(READ_BYTES_MAX):
                    connection.protocol.receive_data(data)
                    if not await self._answer(connection):
                        break
                    if connection.client_id is not None:
                        limit.reschedule(None)

    async def _answer(self, connection: Connection) -> bool:
        """Answer everything that came in. Returns whether the connection goes on.

        Other clients have their turn between any two requests of this one.
        """
        protocol, transport = connection.protocol, connection.writer.transport
        while (event := protocol.next_event()) is not None and not isinstance(event, Closed):
            self._deliver(self._handle(connection, event))
            await asyncio.sleep(0)
            if transport.is_closing() or protocol.state is State.CLOSED:
                break
        connection.flush(self.options.write_buffer_bytes_max)
        await connection.drain()
        return event is None

    def _handle(self, connection: Connection, request: object) -> list[Delivery]:
        now = self.clock.now()
        if isinstance(request, StartApi):
            return self._admit(connection, request.client_id, now)
        assert connection.client_id is not None
        return self.exchange.handle(connection.client_id, request, now)

    def _admit(self, connection: Connection, client_id: int, now: datetime) -> list[Delivery]:
        if client_id in self._connections:
            text = "Unable to connect as the client id is already in use. "
            connection.protocol.close(Notice(-1, 326, f"{text}Retry with a unique client id."))
            return []
        if len(self._connections) >= self.options.clients_max:
            text = f"Maximum number of clients ({self.options.clients_max}) is connected"
            connection.protocol.close(Notice(-1, 322, text))
            return []
        connection.client_id = client_id
        self._connections[client_id] = connection
        return self.exchange.connect(client_id, now)

    def _deliver(self, deliveries: Iterable[Delivery]) -> None:
        touched: dict[int, Connection] = {}
        for client_id, reply in deliveries:
            connection = self._connections.get(client_id)
            if connection is not None:
                connection.protocol.send([reply])
                touched[client_id] = connection
        for connection in touched.values():
            connection.flush(self.options.write_buffer_bytes_max)

    def _drop(self, connection: Connection) -> None:
        self._accepted.discard(connection)
        if connection.client_id is not None:
            self._connections.pop(connection.client_id, None)
            self.exchange.disconnect(connection.client_id)
            connection.client_id = None


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
