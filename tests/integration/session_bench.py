"""A session at a simulator that writes down its requests, for tests of what crosses the wire."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from gateway.core.broker import BrokerEvent, BrokerStatus, OrderReport
from gateway.session import Session, SessionSettings
from gateway.simulator.bars import BarBook
from gateway.simulator.broker import ExchangeOptions
from gateway.simulator.clock import VirtualClock
from gateway.simulator.exchange import Exchange
from gateway.simulator.replies import Delivery
from gateway.simulator.server import ServerOptions, Simulator

CLIENT_ID: Final = 7
PATIENCE_SECONDS: Final = 30
"""How long a test waits for what must come; only a failing one waits at all."""


class Recorder(Exchange):
    """The simulator's exchange; `meddle` rewrites the answers to a type of request."""

    def __init__(self, book: BarBook, options: ExchangeOptions) -> None:
        super().__init__(book, options)
        self.asked: list[Any] = []
        self.meddle: dict[type, Callable[[list[Delivery]], list[Delivery]]] = {}

    def handle(self, client_id: int, request: Any, now: datetime) -> list[Delivery]:
        """Answer a request."""
        self.asked.append(request)
        answer = super().handle(client_id, request, now)
        change = self.meddle.get(type(request))
        return change(answer) if change else answer

    def count(self, kind: type) -> int:
        """How often a kind of request has come."""
        return sum(isinstance(request, kind) for request in self.asked)


@dataclass
class Bench:
    """The session, the broker that it is connected to, and what it delivers."""

    exchange: Recorder
    simulator: Simulator
    session: Session
    told: list[BrokerEvent] = field(default_factory=list)
    more: asyncio.Event = field(default_factory=asyncio.Event)

    def deliver(self, event: BrokerEvent) -> None:
        """Hear what the session says."""
        self.told.append(event)
        self.more.set()

    async def until[T: BrokerEvent](
        self, kind: type[T], fits: Callable[[T], bool] = lambda event: True
    ) -> T:
        """The first event of a kind that fits, which has come or will. Raises `TimeoutError`."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            while True:
                for event in self.told:
                    if isinstance(event, kind) and fits(event):
                        return event
                self.more.clear()
                await self.more.wait()

    async def status(self, order_ref: str, status: BrokerStatus) -> OrderReport:
        """The first report of an order with this status."""
        return await self.until(
            OrderReport, lambda report: (report.order_ref, report.status) == (order_ref, status)
        )


@asynccontextmanager
async def benched(
    now: datetime,
    book: BarBook,
    options: ExchangeOptions | None = None,
    seconds: float = PATIENCE_SECONDS,
) -> AsyncIterator[Bench]:
    """A session that is connected at this time; `seconds` are the deadline of its requests."""
    exchange = Recorder(book, options or ExchangeOptions())
    server = ServerOptions(master_client_id=CLIENT_ID)
    async with Simulator(exchange, VirtualClock(now), server) as simulator:
        made: list[Bench] = []
        settings = SessionSettings(
            "127.0.0.1", simulator.port, CLIENT_ID, request_timeout_seconds=seconds
        )
        session = Session(settings, simulator.clock.now, lambda event: made[0].deliver(event))
        made.append(Bench(exchange, simulator, session))
        await session.connect()
        yield made[0]
        await session.close()
