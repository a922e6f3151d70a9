"""Days of stocks, pairs and futures together: sessions of their own, and the same words again."""

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import chain

import pytest

from gateway.simulator import replies as r
from gateway.simulator import requests as q
from gateway.simulator.broker import ExchangeOptions
from gateway.simulator.exchange import Exchange
from gateway.simulator.market.bars import BarBook, Row
from gateway.simulator.market.contracts import Contract
from gateway.simulator.orders.orders import OrderTerms
from gateway.simulator.replies import Delivery
from gateway.simulator.wire.messages import encode_reply

At = Callable[..., datetime]
SPY = Contract(symbol="SPY", security_type="STK", exchange="SMART", currency="USD")
PAIR = Contract(symbol="EUR", security_type="CASH", exchange="IDEALPRO", currency="USD")
FUTURE = Contract(local_symbol="ESZ5", security_type="FUT", exchange="CME")
HALF_HOUR = timedelta(minutes=30)


def bars(start: datetime, count: int, price: Decimal, step: Decimal) -> Iterator[Row]:
    """Bars of half an hour that rise by a step each and range two steps both ways."""
    for index in range(count):
        opens = price + index * step
        numbers = (opens, opens + 2 * step, opens - 2 * step, opens + step, Decimal(50_000))
        yield Row(start + index * HALF_HOUR, numbers, f"test:{index}")


@pytest.fixture
def kinds(at: At) -> BarBook:
    """Thursday and Friday: SPY from 08:00 to 16:00, EUR.USD and ESZ5 from 08:00 to 17:00."""
    days = (-1, 0)
    spy = chain(*(bars(at("08:00", d), 16, Decimal(600), Decimal(1)) for d in days))
    pair = chain(*(bars(at("08:00", d), 18, Decimal("1.1"), Decimal("0.0005")) for d in days))
    future = chain(*(bars(at("08:00", d), 18, Decimal(6000), Decimal(1)) for d in days))
    rows = {"SPY": spy, "EUR.USD": pair, "ESZ5": future}
    return BarBook({(key, "30 mins"): tuple(found) for key, found in rows.items()})


@pytest.fixture
def broker(kinds: BarBook, at: At) -> Exchange:
    made = Exchange(kinds, ExchangeOptions(cash=Decimal(1_000_000), seed=3))
    made.connect(1, at("08:00", -1))
    return made


def order(number: int, contract: Contract, **terms: object) -> q.PlaceOrder:
    plain = {"quantity": Decimal(2), "tif": "DAY", "order_type": "MKT"}
    return q.PlaceOrder(number, contract, OrderTerms(**(plain | terms)))  # type: ignore[arg-type]


def statuses(deliveries: list[Delivery]) -> list[tuple[int, str]]:
    told = (reply for _, reply in deliveries if isinstance(reply, r.OrderStatus))
    return [(reply.order_id, reply.status) for reply in told]


def test_before_the_opening_only_orders_for_extended_hours_trade(
    broker: Exchange, kinds: BarBook, at: At
) -> None:
    now = at("08:30", -1)
    limit = {"order_type": "LMT", "limit_price": Decimal(700)}
    outside = broker.handle(1, order(1, SPY, outside_rth=True, **limit), now)
    inside = broker.handle(1, order(2, SPY, **limit), now)
    market = broker.handle(1, order(3, SPY), now)
    assert statuses(outside)[-1] == (1, "Filled")
    assert statuses(inside)[-1] == (2, "PreSubmitted")
    assert statuses(market)[-1] == (3, "PreSubmitted")
    opened = statuses(broker.advance(at("09:30", -1)))
    assert {(2, "Filled"), (3, "Filled")} <= set(opened)


def test_an_order_for_the_day_ends_with_the_session_of_its_contract(
    broker: Exchange, at: At
) -> None:
    """A stock's at 16:00, a future's and a pair's at 17:00 New York time."""
    for number, contract in enumerate((SPY, PAIR, FUTURE), 1):
        quantity = Decimal(25_000) if contract is PAIR else Decimal(1)
        terms = {"order_type": "LMT", "limit_price": Decimal(1), "quantity": quantity}
        placed = broker.handle(1, order(number, contract, **terms), at("10:00", -1))
        assert statuses(placed)[-1] == (number, "Submitted")
    ended = {
        text: {number for number, status in statuses(broker.advance(at(text, -1)))}
        for text in ("15:59", "16:00", "16:59", "17:00")
    }
    assert ended == {"15:59": set(), "16:00": {1}, "16:59": set(), "17:00": {2, 3}}


def played(book: BarBook, at: At) -> list[list[str]]:
    """Two days of orders in everything, with data and account streams, as fields of messages."""
    broker = Exchange(book, ExchangeOptions(cash=Decimal(1_000_000), seed=3))
    heard = broker.connect(1, at("08:00", -1))
    heard += broker.handle(1, q.AccountUpdatesRequest(True, ""), at("08:00", -1))
    number = 0
    for days in (-1, 0):
        for hour in range(9, 18):
            now = at(f"{hour:02}:40", days)
            for contract in (SPY, PAIR, FUTURE):
                number += 1
                side = "SELL" if number % 3 == 0 else "BUY"
                limit = {"order_type": "LMT", "limit_price": Decimal(600)} if number % 4 else {}
                heard += broker.handle(1, order(number, contract, action=side, **limit), now)
            heard += broker.handle(1, q.AllOpenOrdersRequest(), now)
    heard += broker.advance(at("23:59"))
    return [encode_reply(reply, 178) for _, reply in heard]


def test_days_of_all_kinds_replay_to_the_same_words(kinds: BarBook, at: At) -> None:
    first = played(kinds, at)
    assert len(first) > 500
    assert played(kinds, at) == first
