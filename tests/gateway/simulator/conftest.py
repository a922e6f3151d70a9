"""A small synthetic market and an exchange over it, for the tests of the simulator."""

from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from gateway.simulator.broker import ExchangeOptions, InitialHolding
from gateway.simulator.exchange import Exchange
from gateway.simulator.market.bars import BarBook, Row, read_folder
from gateway.simulator.market.contracts import Contract
from gateway.simulator.orders.orders import OrderTerms
from gateway.simulator.requests import PlaceOrder

DAYS = (date(2025, 12, 11), date(2025, 12, 12))
NEW_YORK = ZoneInfo("America/New_York")


def rows(day: date, first_open: int) -> Iterator[Row]:
    """Thirteen bars of half an hour: each opens 1 higher, ranges from 2 below to 2 above."""
    opens = datetime.combine(day, time(9, 30), NEW_YORK).astimezone(UTC)
    for index in range(13):
        price = Decimal(first_open + index)
        numbers = (price, price + 2, price - 2, price + 1, Decimal(1000))
        yield Row(opens + timedelta(minutes=30 * index), numbers, f"{day}:{index}")


@pytest.fixture(scope="session")
def book() -> BarBook:
    """SPY on Thursday from 500 and on Friday from 600, half-hour bars only."""
    spy = [*rows(DAYS[0], 500), *rows(DAYS[1], 600)]
    return BarBook({("SPY", "30 mins"): spy})


@pytest.fixture(scope="session")
def at() -> Callable[..., datetime]:
    """`at("10:00")` on Friday, `at("10:00", -1)` on Thursday, New York time, as UTC."""

    def moment(text: str, days: int = 0) -> datetime:
        day = DAYS[1] + timedelta(days=days)
        return datetime.combine(day, time.fromisoformat(text), NEW_YORK).astimezone(UTC)

    return moment


@pytest.fixture
def exchange(book: BarBook, at: Callable[..., datetime]) -> Exchange:
    """One account with 100,000 USD and 50 SPY at 590; client 1 is connected, client 9 is master."""
    holding = InitialHolding("SPY", Decimal(50), Decimal(590))
    made = Exchange(book, ExchangeOptions(cash=Decimal(100_000), holdings=(holding,), seed=7))
    made.set_master_client(9)
    made.connect(1, at("10:00"))
    return made


@pytest.fixture
def say(exchange: Exchange, at: Callable[..., datetime]) -> Callable[..., list[Any]]:
    """Send requests as client 1 at 10:00 and take what client 1 hears."""

    def ask(*requests: Any, when: datetime | None = None) -> list[Any]:
        now = when or at("10:00")
        heard = [exchange.handle(1, request, now) for request in requests]
        return [reply for deliveries in heard for client, reply in deliveries if client == 1]

    return ask


@pytest.fixture
def spy() -> Contract:
    """SPY as a client names it."""
    return Contract(symbol="SPY", security_type="STK", exchange="SMART", currency="USD")


@pytest.fixture
def order(spy: Contract) -> Callable[..., PlaceOrder]:
    """`order(3, action="SELL")`: a market order for 10 SPY with changes."""

    def make(order_id: int = 1, **changes: Any) -> PlaceOrder:
        terms: dict[str, Any] = {"quantity": Decimal(10), "order_ref": "ref-1", "tif": "DAY"}
        return PlaceOrder(order_id, spy, OrderTerms(**(terms | changes)))

    return make


@pytest.fixture(scope="session")
def shared_book(shared_data: Path) -> BarBook:
    """The recorded bars beside the repository."""
    return read_folder(shared_data)
