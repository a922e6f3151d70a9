"""The broker alone: the requests of a run over a bare ib_async session, one after the other.

Same simulator, same bars, a socket, and `ib_async.IB` as its users know it; nothing is checked,
booked or written in between. The account is another one than the measured stack's.
"""

import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from typing import Any, Final

import ib_async
from ib_async.connection import Connection
from ib_async.ib import StartupFetchNONE

from gateway.simulator import requests as q
from gateway.simulator.clock import VirtualClock
from gateway.simulator.exchange import Exchange
from gateway.simulator.server import Simulator
from infra.bench.witness import Departure, Request, WatchedExchange, departed
from infra.local.day import SYMBOL
from infra.local.stack import GATEWAY_CLIENT_ID, StackOptions


@contextmanager
def noting_departures() -> Iterator[list[Departure]]:
    """When any session of this process writes a placeOrder to its socket, in that order."""
    departures: list[Departure] = []
    send = Connection.sendMsg

    def noting(self: Connection, message: bytes) -> None:
        send(self, message)  # type: ignore[no-untyped-call]
        if message[LENGTH_BYTES:].startswith(PLACE_ORDER):
            departures.append(Departure(time.monotonic(), time.process_time()))

    Connection.sendMsg = noting  # type: ignore[method-assign]
    try:
        yield departures
    finally:
        Connection.sendMsg = send  # type: ignore[method-assign]


class BareBroker:
    """Repeats the questions and the order of a run; `contract` is what is traded."""

    def __init__(
        self, ib: ib_async.IB, exchange: WatchedExchange, departures: list[Departure]
    ) -> None:
        self._ib = ib
        self._exchange = exchange
        self._departures = departures
        self._contract = ib_async.Stock(SYMBOL, "SMART", "USD")
        self._side = "SELL"

    async def play(self, requests: Sequence[Request]) -> tuple[float, Request]:
        """Ask what `requests` asked, each answered before the next; end with an order's leaving.

        Returns the seconds until then, and the order.

        Cancels and other requests without an answer are left out. Raises `LookupError` for a
        question that is not known here.
        """
        self._exchange.forget()
        self._departures.clear()
        self._side = "BUY" if self._side == "SELL" else "SELL"
        began = time.monotonic()
        for request in requests:
            await self._ask(request)
        self._ib.placeOrder(self._contract, self._order())
        await self._exchange.ordered.wait()
        order = departed(self._exchange.requests, self._departures)[-1]
        return order.at - began, order

    async def prepare(self) -> None:
        """Learn the contract's id once, as the gateway does."""
        await self._ib.qualifyContractsAsync(self._contract)

    async def _ask(self, request: Request) -> None:
        if not is_answered(request):
            return
        ask = QUESTIONS.get(type(request.body))
        if ask is None:
            raise LookupError(f"no bare question for {type(request.body).__name__}")
        await ask(self._ib, self._contract, self._order())

    def _order(self) -> ib_async.Order:
        return ib_async.MarketOrder(self._side, 1, tif="DAY")


LENGTH_BYTES: Final = 4
PLACE_ORDER: Final = b"3\0"
"""How a message begins: its length, then its number."""

type _Question = Callable[[ib_async.IB, ib_async.Contract, ib_async.Order], Awaitable[Any]]

MARKET_RULE: Final = 26
"""The price steps of US shares."""

UNANSWERED: Final = frozenset({q.AccountUpdatesMultiCancel, q.MarketDataCancel})

QUESTIONS: Final[dict[type[Any], _Question]] = {
    q.PositionsRequest: lambda ib, contract, order: ib.reqPositionsAsync(),
    q.ExecutionsRequest: lambda ib, contract, order: ib.reqExecutionsAsync(),
    q.AllOpenOrdersRequest: lambda ib, contract, order: ib.reqAllOpenOrdersAsync(),
    q.CompletedOrdersRequest: lambda ib, contract, order: ib.reqCompletedOrdersAsync(False),
    q.AccountUpdatesMultiRequest: lambda ib, contract, order: ib.reqAccountUpdatesMultiAsync(
        ib.managedAccounts()[0]
    ),
    q.ContractDetailsRequest: lambda ib, contract, order: ib.reqContractDetailsAsync(contract),
    q.MarketRuleRequest: lambda ib, contract, order: ib.reqMarketRuleAsync(MARKET_RULE),
    q.HistoricalDataRequest: lambda ib, contract, order: ib.reqHistoricalDataAsync(
        contract, "", "1 D", "30 mins", "TRADES", True, 2
    ),
    q.MarketDataRequest: lambda ib, contract, order: ib.reqTickersAsync(contract),
    q.PlaceOrder: lambda ib, contract, order: ib.whatIfOrderAsync(contract, order),
}
"""What was asked -> how a bare session asks it; a `PlaceOrder` here is a what-if."""


def is_answered(request: Request) -> bool:
    """Whether the product has to wait for an answer to it."""
    return not request.is_order and type(request.body) not in UNANSWERED


@asynccontextmanager
async def bare_broker(
    options: StackOptions, departures: list[Departure] | None = None
) -> AsyncIterator[BareBroker]:
    """A session of its own at a simulator of its own, on the same bars, at their first instant."""
    exchange = WatchedExchange(Exchange(options.bars, options.exchange))
    clock = VirtualClock(options.start)
    async with Simulator(exchange, clock) as simulator:
        ib = ib_async.IB()
        await ib.connectAsync(
            "127.0.0.1", simulator.port, GATEWAY_CLIENT_ID, fetchFields=StartupFetchNONE
        )
        bare = BareBroker(ib, exchange, [] if departures is None else departures)
        await bare.prepare()
        try:
            yield bare
        finally:
            ib.disconnect()
