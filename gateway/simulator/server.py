"""The simulator on a socket: the only place here that touches one.

Bytes go to a `ServerProtocol` per connection, its requests to the one `Stage` (faults, then the
exchange), the deliveries to the connections they are for. All of it happens in one event loop,
request by request, and everything that virtual time brings (held deliveries, paced messages,
restarts) in the order of its times.
"""

import asyncio
import contextlib
import logging
from collections.abc import Callable, Mapping
from datetime import datetime
from decimal import Decimal
from functools import partial
from types import TracebackType
from typing import Any

from gateway.simulator.agenda import Action, Agenda
from gateway.simulator.clock import VirtualClock
from gateway.simulator.connection import LAG_BYTES, Connection
from gateway.simulator.exchange import Exchange
from gateway.simulator.faults import Faults
from gateway.simulator.notices import CLIENT_ID_IN_USE
from gateway.simulator.orders.orders import Execution, Order
from gateway.simulator.outages import Change, Outages
from gateway.simulator.pacing import PACE_OPTION, WAITING_MAX
from gateway.simulator.replies import Delivery, Notice
from gateway.simulator.requests import StartApi
from gateway.simulator.server_options import ServerOptions
from gateway.simulator.stage import Stage, Welcome
from gateway.simulator.switchboard import Switchboard
from gateway.simulator.timekeeper import Timekeeper, Work
from gateway.simulator.trace import Recorder
from gateway.simulator.wire.protocol import Closed, State

__all__ = ["ServerOptions", "Simulator"]

log = logging.getLogger(__name__)

READ_BYTES_MAX = 64 * 1024


class Simulator:
    """An IB Gateway stand-in, listening while the context is entered.

    Attributes:
        exchange: the broker behind it; read it for assertions.
        stage: the faults in front of it, and verbs that clients hear of.
        clock: its virtual time; move it with `advance_to` or `step`.
        outages: whether the gateway itself is down.
    """

    def __init__(
        self, exchange: Exchange, clock: VirtualClock, options: ServerOptions | None = None
    ) -> None:
        self.exchange = exchange
        self.clock = clock
        self.options = options or ServerOptions()
        self.stage = Stage(exchange, exchange.options.seed)
        self.outages = Outages(self.options.outages, clock.now())
        self._next_outage = self.outages.next_change()
        self._agenda = Agenda()
        self._messages_to_lose: int | None = None
        self._seen: dict[int, None] = {}
        self._clients = Switchboard(
            self.options.write_buffer_bytes_max,
            lambda connection: self._drop(connection, self.clock.now()),
        )
        self._accepted: dict[Connection, None] = {}
        self._tasks: dict[asyncio.Task[None], None] = {}
        self._server: asyncio.Server | None = None
        self._opening: asyncio.Task[None] | None = None
        self._port: int | None = None
        self._closing = True
        self._recorder: Recorder | None = None
        work = Work(
            self._pass_time,
            self.next_change,
            lambda: self.goes_on,
            self._clients.is_anyone_behind,
            lambda: bool(self._clients.connected),
        )
        full_speed = self.options.full_speed
        self._time = Timekeeper(clock, work, self.options.tick_seconds, full_speed=full_speed)
        self.stage.on_wake = self._time.wake
        exchange.set_master_client(self.options.master_client_id)

    @property
    def faults(self) -> Faults:
        """What goes wrong on command: `simulator.faults.silent_loss(after="booking")`.

        Asking for them brings the broker to the clock's time, so that what is injected begins now.
        """
        if not self._closing:
            self._pass_time(self.clock.now())
        return self.stage.faults

    @property
    def port(self) -> int:
        """The port it listens on, or will again after an outage. Raises RuntimeError if none."""
        if self._port is None:
            raise RuntimeError("the simulator is not listening")
        return self._port

    async def __aenter__(self) -> "Simulator":
        self._closing = False
        self._pass_time(self.clock.now())
        if not self.outages.is_down:
            await self._open()
        self._time.start()
        return self

    async def __aexit__(
        self,
        _type: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        self._closing = True
        server, self._server, self._port = self._server, None, None
        self._time.stop()
        if server is not None:
            server.close()
        for task in tuple(self._tasks):
            task.cancel()
        for connection in tuple(self._accepted):
            connection.ends("the simulator ended")
            connection.writer.transport.abort()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._accepted.clear()
        if server is not None:
            await server.wait_closed()

    async def advance_to(self, when: datetime) -> None:
        """Move the clock; orders trade and end, updates go out. Raises ValueError if backwards.

        A clock that stands still goes from change to change, and waits at each while a client that
        reads has much to read yet: a jump over a year is nothing that a client could not take.
        """
        self.clock.check(when)
        while not self.clock.speed and self._clients.connected:
            ahead = self.next_change()
            if ahead is None or not self.clock.now() < ahead < when:
                break
            self.clock.set(ahead)
            self._pass_time(ahead)
            await self._clients.room()
        self.clock.set(when)
        self._pass_time(when)
        await self._settle()

    async def step(self) -> datetime | None:
        """Move the clock to the next instant at which something changes.

        Returns that instant, or None when nothing lies ahead: the bars are over, nothing waits.
        """
        ahead = self.next_change()
        if ahead is not None and ahead > self.clock.now():
            await self.advance_to(ahead)
        elif ahead is not None:
            await self.act(_nothing)
        return ahead

    def next_change(self) -> datetime | None:
        """The next instant at which bars, orders, faults or the gateway itself change anything."""
        instants = (self._next_own(), self.stage.next_due(), self.exchange.next_change())
        return min((when for when in instants if when is not None), default=None)

    @property
    def goes_on(self) -> bool:
        """Whether bars, orders, faults or paced messages are to come; restarts always are."""
        waits = (self.exchange.next_change(), self.stage.next_due(), self._agenda.next_due())
        return any(when is not None for when in waits)

    async def trade_by_hand(
        self, symbol: str, quantity: Decimal, price: Decimal | None = None
    ) -> tuple[Order, Execution]:
        """Someone at TWS trades a signed quantity behind the clients' backs; returns the last."""
        now = self._brought_to_now()
        self._clients.deliver(self.stage.trade_by_hand(symbol, quantity, price, now))
        made = self.exchange.orders.record.executions[-1]
        await self._settle()
        return made

    async def act(self, verb: Callable[[], None]) -> None:
        """Run a verb of the exchange's, such as a split; the clients are told what it changes."""
        self._clients.deliver(self.stage.acting(self._brought_to_now(), verb))
        await self._settle()

    async def restart(self, messages_lost: int = 0) -> None:
        """Restart the gateway as it does daily: connections are reset and refused for a while.

        With `messages_lost` it happens when so many more messages have come, and they are lost.
        """
        if messages_lost > 0:
            self._messages_to_lose = messages_lost
        else:
            self._restart(self._brought_to_now())
        await self._settle()

    async def log_in(self) -> bool:
        """Someone does the weekly login. Returns whether the gateway waited for it."""
        was_needed = self.outages.log_in(self._brought_to_now())
        self._outage_changed()
        await self._settle()
        return was_needed

    # ------------------------------------------------------------------ time

    def record(self, recorder: Recorder) -> None:
        """From now on write down what is said on new connections."""
        self._recorder = recorder

    def note_verb(self, method: str, path: str, values: Mapping[str, Any]) -> None:
        """Write down that somebody steers from outside, if anything is written down."""
        if self._recorder is not None and method != "GET":
            self._it_is(self.clock.now())
            self._recorder.verb(method, path, values)

    def _pass_time(self, now: datetime) -> None:
        """Everything that is due by now, in the order of its times."""
        self._it_is(now)
        while (due := self._next_own()) is not None and due <= now:
            self._clients.deliver(self.stage.advance(due))
            change = self.outages.pass_to(due)
            if change is not None:
                self._undergo(change, due)
            elif (entry := self._agenda.take(due)) is not None:
                entry[1](entry[0])
        self._clients.deliver(self.stage.advance(now))

    def _next_own(self) -> datetime | None:
        """When something of the server's own is due: a paced message, an outage."""
        noted, outage = self._agenda.next_due(), self._next_outage
        if noted is None or outage is None:
            return noted or outage
        return min(noted, outage)

    def _it_is(self, now: datetime) -> None:
        if self._recorder is not None:
            self._recorder.now = max(now, self._recorder.now)

    def _brought_to_now(self) -> datetime:
        now = self.clock.now()
        self._it_is(now)
        due = self._next_own()
        if due is not None and due <= now:
            self._pass_time(now)
        return now

    async def _settle(self) -> None:
        """The transports write, and a port that opens again is open, before the caller goes on."""
        self._time.look_again()
        if self._opening is not None:
            await asyncio.wait([self._opening])
        await asyncio.sleep(0)

    # ------------------------------------------------------------------ outages

    def _undergo(self, change: Change, now: datetime) -> None:
        if change is Change.RESTART:
            self._fall(now)
        elif change is Change.LOGGED_OUT:
            self._reset_all(now)
        self._outage_changed()

    def _restart(self, now: datetime) -> None:
        self._messages_to_lose = None
        self.outages.restart(now)
        self._fall(now)
        self._outage_changed()

    def _fall(self, now: datetime) -> None:
        self._reset_all(now)
        orders = self.exchange.orders
        self._clients.deliver(self.stage.acting(now, orders.forget_drafts))
        back = self.options.outages.restart_ids_back
        if back:
            for client_id in sorted(self._seen):
                verb = partial(orders.roll_back_ids, client_id, back)
                self._clients.deliver(self.stage.acting(now, verb))

    def _reset_all(self, now: datetime) -> None:
        for connection in tuple(self._accepted):
            connection.reset()
            self._drop(connection, now)

    def _outage_changed(self) -> None:
        """Listen again, or no more; the port stays the same."""
        self._next_outage = self.outages.next_change()
        if self._closing:
            return
        if self.outages.is_down and self._server is not None:
            self._server.close()
            self._server = None
        elif not self.outages.is_down and self._server is None and self._opening is None:
            self._opening = asyncio.create_task(self._open())
            self._keep(self._opening)

    async def _open(self) -> None:
        try:
            port = self.options.port if self._port is None else self._port
            server = await asyncio.start_server(
                self._accept, self.options.host, port, limit=READ_BYTES_MAX
            )
        finally:
            self._opening = None
        self._server = server
        self._port = int(server.sockets[0].getsockname()[1])
        self._outage_changed()

    # ------------------------------------------------------------------ connections

    def _keep(self, task: asyncio.Task[None]) -> None:
        self._tasks[task] = None
        task.add_done_callback(self._forget)

    def _forget(self, task: asyncio.Task[None]) -> None:
        self._tasks.pop(task, None)
        if not task.cancelled() and (error := task.exception()) is not None:
            context = {"message": "the simulator failed", "exception": error, "task": task}
            task.get_loop().call_exception_handler(context)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Take a connection. Not a coroutine, so that its task is ours to cancel and to await."""
        is_full = len(self._accepted) >= self.options.connections_max
        if is_full:
            log.warning(
                "a connection is refused: %d are open, the most there may be", len(self._accepted)
            )
        if self._closing or is_full or self.outages.is_down:
            writer.transport.abort()
            return
        now = self.clock.now()
        self._pass_time(now)
        track = None if self._recorder is None else self._recorder.opened()
        # Noted before its task begins: one cancelled before its first step would close nothing.
        connection = Connection(writer, now, self.options.messages_per_second_max, track)
        welcome = self.stage.welcome(now)
        if welcome is Welcome.RESET:
            connection.reset()
            return
        self._accepted[connection] = None
        is_silent = welcome is Welcome.SILENT
        self._keep(asyncio.create_task(self._converse(reader, connection, is_silent=is_silent)))

    async def _converse(
        self, reader: asyncio.StreamReader, connection: Connection, *, is_silent: bool
    ) -> None:
        try:
            with contextlib.suppress(ConnectionError):
                await (_ignore(reader) if is_silent else self._serve(reader, connection))
        finally:
            self._it_is(self.clock.now())
            connection.protocol.end()
            connection.ends("the client left")
            connection.farewell()
            try:
                self._drop(connection, self.clock.now())
                await connection.closed()
            finally:
                self._accepted.pop(connection, None)

    async def _serve(self, reader: asyncio.StreamReader, connection: Connection) -> None:
        seconds = self.options.handshake_seconds_max
        try:
            async with asyncio.timeout(seconds) as connection.start_limit:
                while data := await reader.read(READ_BYTES_MAX):
                    connection.protocol.receive_data(data)
                    if not await self._answer(connection):
                        break
        except TimeoutError:
            connection.ends(f"the client did not start within {seconds:g} seconds")

    async def _answer(self, connection: Connection) -> bool:
        """Answer everything that came in. Returns whether the connection goes on.

        Other clients have their turn between any two requests of this one.
        """
        protocol, transport = connection.protocol, connection.writer.transport
        now = self._brought_to_now()
        while not isinstance(event := protocol.next_event(), Closed | None):
            self._take(connection, event, now)
            if connection.waiting >= WAITING_MAX:
                await connection.has_room()
            if transport.get_write_buffer_size() > LAG_BYTES:
                await connection.drain()
            if protocol.has_input:
                await asyncio.sleep(0)
            if transport.is_closing() or protocol.state is State.CLOSED:
                break
            now = self._brought_to_now()
        if isinstance(event, Closed):
            connection.ends(event.reason)
        connection.flush(self.options.write_buffer_bytes_max)
        await connection.drain()
        return event is None

    def _take(self, connection: Connection, request: object, now: datetime) -> None:
        """A request came in: it is lost, refused, put off, or handled now."""
        if connection.is_dropped or self._is_lost(now):  # by a restart, while it was on its way
            return
        if self.options.pacing == "off":
            self._handle(connection, request, now)
        elif self.options.pacing == "pace" or PACE_OPTION in connection.protocol.options:
            due = connection.pace.due(now)
            if due > now or connection.waiting:
                connection.waiting += 1
                self._note(due, partial(self._handle_waiting, connection, request), connection)
            else:
                self._handle(connection, request, now)
        elif connection.rate.accepts(now):
            self._handle(connection, request, now)
        elif (ends := connection.rate.violation_ends()) is not None:
            self._note(ends, partial(self._complain, connection), connection)

    def _is_lost(self, now: datetime) -> bool:
        """Whether a restart that is about to come swallows a message."""
        if self._messages_to_lose is None:
            return self.outages.is_deaf(now)
        self._messages_to_lose -= 1
        if not self._messages_to_lose:
            self._restart(now)
        return True

    def _note(self, due: datetime, action: Action, connection: Connection) -> None:
        self._agenda.note(due, action, connection)
        self._time.look_again()

    def _handle_waiting(self, connection: Connection, request: object, now: datetime) -> None:
        connection.one_less()
        self._handle(connection, request, now)
        connection.flush(self.options.write_buffer_bytes_max)

    def _complain(self, connection: Connection, now: datetime) -> None:
        violation = connection.rate.violation()
        if connection.client_id is not None:
            self._clients.deliver([(connection.client_id, violation.notice)])
        if violation.is_last:
            connection.ends(violation.notice.text)
            connection.farewell()
            self._drop(connection, now)

    def _handle(self, connection: Connection, request: object, now: datetime) -> None:
        if isinstance(request, StartApi):
            self._clients.deliver(self._admit(connection, request.client_id, now))
        elif connection.client_id is not None:
            self._clients.deliver(self.stage.handle(connection.client_id, request, now))
        self._time.look_again()

    def _admit(self, connection: Connection, client_id: int, now: datetime) -> list[Delivery]:
        refused = self.stage.admit(client_id, now)
        if client_id in self._clients.connected:
            refused = Notice(-1, *CLIENT_ID_IN_USE)
        elif len(self._clients.connected) >= self.options.clients_max:
            text = f"Maximum number of clients ({self.options.clients_max}) is connected"
            refused = Notice(-1, 322, text)
        if refused is not None:
            connection.named(client_id)
            connection.client_id = None
            connection.ends(refused.text)
            connection.protocol.close(refused)
            return self.stage.advance(now)
        connection.named(client_id)
        self._clients.connected[client_id] = connection
        self._seen[client_id] = None
        return self.stage.connect(client_id, now)

    def _drop(self, connection: Connection, now: datetime) -> None:
        if connection.is_dropped:
            return
        connection.is_dropped = True
        self._agenda.forget(connection)
        connection.forget_waiting()
        client_id, connection.client_id = connection.client_id, None
        if client_id is not None:
            self._clients.connected.pop(client_id, None)
            self._clients.deliver(self.stage.disconnect(client_id, now))


def _nothing() -> None:
    """Let time pass up to now."""


async def _ignore(reader: asyncio.StreamReader) -> None:
    """What a half-dead gateway does with a connection until the client gives up."""
    while await reader.read(READ_BYTES_MAX):
        pass
