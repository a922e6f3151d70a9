"""A session at a simulator that writes down its requests, for tests of what crosses the wire."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from gateway.core.broker import BrokerEvent, BrokerStatus, OrderReport
from gateway.session import Session, SessionSettings
from gateway.simulator import replies
from gateway.simulator.broker import ExchangeOptions
from gateway.simulator.clock import VirtualClock
from gateway.simulator.exchange import Exchange
from gateway.simulator.market.bars import BarBook, Row
from gateway.simulator.replies import Delivery, Notice
from gateway.simulator.server import ServerOptions, Simulator

CLIENT_ID: Final = 7
PATIENCE_SECONDS: Final = 30
"""How long a test waits for what must come; only a failing one waits at all."""
SHORT_SECONDS: Final = 0.2
"""The deadline that a test waits out."""

type Answer = Callable[[int, Any, list[Delivery]], list[Delivery]]
"""From client id, request and true answer to what is answered."""


def flat_bars(starts: Iterable[datetime]) -> BarBook:
    """SPY, half an hour each: from 590 to 590.50, between 589 and 591."""
    numbers = tuple(map(Decimal, ("590", "591", "589", "590.5", "10000")))
    return BarBook({("SPY", "30 mins"): [Row(start, numbers, "made up") for start in starts]})


class Recorder(Exchange):
    """The simulator's exchange; `meddle` rewrites the answers to a type of request.

    `forgets_order_ids` gives out the first order id at each connect.
    """

    def __init__(self, book: BarBook, options: ExchangeOptions) -> None:
        super().__init__(book, options)
        self.asked: list[Any] = []
        self.meddle: dict[type, Answer] = {}
        self.notices: list[Notice] = []
        self.forgets_order_ids = False

    def connect(self, client_id: int, now: datetime) -> list[Delivery]:
        """Welcome a client."""
        said = super().connect(client_id, now)
        if not self.forgets_order_ids:
            return said
        first = replies.NextValidId(1)
        return [(to, first if isinstance(one, replies.NextValidId) else one) for to, one in said]

    def handle(self, client_id: int, request: Any, now: datetime) -> list[Delivery]:
        """Answer a request."""
        self.asked.append(request)
        answer = super().handle(client_id, request, now)
        change = self.meddle.get(type(request))
        return change(client_id, request, answer) if change else answer

    def advance(self, now: datetime) -> list[Delivery]:
        """Let time pass, and say the notices that wait."""
        said, self.notices = self.notices, []
        return [*super().advance(now), *((CLIENT_ID, notice) for notice in said)]

    def count(self, kind: type) -> int:
        """How often a kind of request has come."""
        return sum(isinstance(request, kind) for request in self.asked)


@dataclass(kw_only=True)
class Heard:
    """What a session delivers, to wait for."""

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

    async def reason(self, start: str) -> OrderReport:
        """The first report of any order whose reason begins so."""
        return await self.until(OrderReport, lambda report: report.reason.startswith(start))


@dataclass(kw_only=True)
class Bench(Heard):
    """The session, the broker that it is connected to, and what it delivers."""

    exchange: Recorder
    simulator: Simulator
    session: Session

    async def say(self, code: int, text: str) -> None:
        """Have the broker say something to nobody in particular."""
        self.exchange.notices.append(Notice(-1, code, text))
        await self.simulator.advance_to(self.simulator.clock.now())


def settings(port: int, seconds: float = PATIENCE_SECONDS) -> SessionSettings:
    """Settings with the same deadline for every request."""
    return SessionSettings(
        "127.0.0.1",
        port,
        CLIENT_ID,
        request_timeout_seconds=seconds,
        bars_timeout_seconds=seconds,
        quote_timeout_seconds=seconds,
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
        chosen = settings(simulator.port, seconds)
        session = Session(chosen, simulator.clock.now, lambda event: made[0].deliver(event))
        made.append(Bench(exchange=exchange, simulator=simulator, session=session))
        await session.connect()
        yield made[0]
        await session.close()
