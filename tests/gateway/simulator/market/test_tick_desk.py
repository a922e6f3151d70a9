"""Ticks one by one and bars of five seconds, as the bars tell them while time passes."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from gateway.simulator import replies as r
from gateway.simulator import requests as q
from gateway.simulator.broker import ExchangeOptions
from gateway.simulator.exchange import Exchange
from gateway.simulator.market.bars import BarBook, Row
from gateway.simulator.market.contracts import Contract

At = Callable[..., datetime]
SPY = Contract(symbol="SPY", security_type="STK", exchange="SMART", currency="USD")
EUR_USD = Contract(symbol="EUR", security_type="CASH", exchange="IDEALPRO", currency="USD")
LAST = q.TickByTickRequest(4, SPY, "Last", 0, False)
REAL_TIME = q.RealTimeBarsRequest(5, SPY, 5, "TRADES", True)


def rows(start: datetime, count: int, step: timedelta) -> list[Row]:
    """Bars from 600 on, each closing half a dollar above its open."""
    return [
        Row(
            start + step * number,
            (
                *(Decimal(600 + number) + Decimal(add) for add in ("0", "1", "-1", "0.5")),
                Decimal(70),
            ),
            str(number),
        )
        for number in range(count)
    ]


def opened(at: At, *, size: str = "5 secs", **options: Any) -> Exchange:
    """SPY from 10:00 on for half a minute in bars of five seconds, EUR.USD for a minute."""
    step = {"5 secs": timedelta(seconds=5), "1 min": timedelta(minutes=1)}[size]
    pair = Row(at("10:00"), (*[Decimal("1.17")] * 4, Decimal(0)), "one")
    book = BarBook({("SPY", size): rows(at("10:00"), 6, step), ("EUR.USD", "1 min"): [pair]})
    exchange = Exchange(book, ExchangeOptions(**options))
    exchange.connect(1, at("10:00"))
    return exchange


def told(exchange: Exchange, now: datetime, request: Any = None) -> list[Any]:
    deliveries = exchange.handle(1, request, now) if request else exchange.advance(now)
    return [reply for _, reply in deliveries]


def epoch(at: At, text: str) -> int:
    return int(at(text).timestamp())


@pytest.mark.parametrize(("kind", "number"), [("Last", 1), ("AllLast", 2)])
def test_a_bar_is_a_trade_when_it_ends_and_one_when_the_next_begins(
    at: At, kind: str, number: int
) -> None:
    exchange = opened(at)
    assert told(exchange, at("10:00:02"), replace(LAST, kind=kind)) == []
    ticks = told(exchange, at("10:00:05"))
    assert [(tick.kind, tick.epoch_seconds, tick.price, tick.size) for tick in ticks] == [
        (number, epoch(at, "10:00:05"), Decimal("600.5"), Decimal(70)),
        (number, epoch(at, "10:00:05"), Decimal(601), Decimal(100)),
    ]
    assert len(told(exchange, at("10:01"))) == 9


def test_a_quote_is_told_at_once_and_whenever_it_changes(at: At) -> None:
    exchange = opened(at)
    (now,) = told(exchange, at("10:00:02"), replace(LAST, kind="BidAsk"))
    assert (now.bid, now.ask, now.bid_size) == (Decimal("599.99"), Decimal("600.01"), 100)
    (then,) = told(exchange, at("10:00:05"))
    assert (then.epoch_seconds, then.bid) == (epoch(at, "10:00:05"), Decimal("600.99"))
    assert told(exchange, at("10:00:09")) == []


def test_a_midpoint_lies_between_bid_and_ask(at: At) -> None:
    exchange = opened(at)
    asked = replace(LAST, contract=EUR_USD, kind="MidPoint")
    assert told(exchange, at("10:00:02"), asked) == [
        r.TickByTickMidpoint(4, epoch(at, "10:00:02"), Decimal("1.17"))
    ]


@pytest.mark.parametrize(("kind", "contract"), [("First", SPY), ("Last", EUR_USD)])
def test_ticks_that_do_not_exist_are_error_10189(at: At, kind: str, contract: Contract) -> None:
    asked = replace(LAST, kind=kind, contract=contract)
    assert [reply.code for reply in told(opened(at), at("10:00"), asked)] == [10189]


def test_every_bar_of_five_seconds_is_told_when_it_is_over(at: At) -> None:
    exchange = opened(at)
    assert told(exchange, at("10:00:03"), REAL_TIME) == []
    (first,) = told(exchange, at("10:00:05"))
    assert first == r.RealTimeBar(
        5,
        epoch(at, "10:00"),
        open=Decimal(600),
        high=Decimal(601),
        low=Decimal(599),
        close=Decimal("600.5"),
        volume=Decimal(70),
        average=(first.high + first.low + first.close) / 3,
        count=-1,
    )
    later = told(exchange, at("10:00:17"))
    assert [bar.epoch_seconds - first.epoch_seconds for bar in later] == [5, 10]


def test_real_time_bids_lie_half_a_spread_below(at: At) -> None:
    exchange = opened(at)
    told(exchange, at("10:00"), replace(REAL_TIME, what_to_show="BID"))
    (bar,) = told(exchange, at("10:00:05"))
    assert (bar.open, bar.volume) == (Decimal("599.99"), -1)


def test_without_bars_of_five_seconds_there_are_none_in_real_time(at: At) -> None:
    """Error 420; ticks come from the finest bars there are."""
    exchange = opened(at, size="1 min")
    (refused,) = told(exchange, at("10:00"), REAL_TIME)
    assert (refused.code, "no bars of 5 seconds" in refused.text) == (420, True)
    told(exchange, at("10:00"), LAST)
    assert len(told(exchange, at("10:01"))) == 2


def test_lines_end_when_they_are_cancelled(at: At) -> None:
    exchange = opened(at)
    told(exchange, at("10:00"), LAST)
    told(exchange, at("10:00"), REAL_TIME)
    assert told(exchange, at("10:00:01"), q.TickByTickCancel(4)) == []
    assert told(exchange, at("10:00:01"), q.RealTimeBarsCancel(5)) == []
    assert told(exchange, at("10:01")) == []
    assert [x.code for x in told(exchange, at("10:01"), q.TickByTickCancel(4))] == [300]


def test_lines_end_with_their_connection(at: At) -> None:
    exchange = opened(at)
    told(exchange, at("10:00"), LAST)
    exchange.disconnect(1)
    exchange.connect(1, at("10:00"))
    assert told(exchange, at("10:01")) == []


def test_a_number_in_use_and_too_many_lines_are_refused(at: At) -> None:
    exchange = opened(at)
    told(exchange, at("10:00"), LAST)
    assert [x.code for x in told(exchange, at("10:00"), LAST)] == [322]
    more = [replace(LAST, request_id=number) for number in range(100, 200)]
    refused = [reply for request in more for reply in told(exchange, at("10:00"), request)]
    assert [reply.code for reply in refused] == [10190]


@pytest.mark.parametrize(("request_", "code"), [(LAST, 10189), (REAL_TIME, 420)])
def test_lines_need_live_data(at: At, request_: Any, code: int) -> None:
    exchange = opened(at, subscriptions={"*": "delayed"})
    assert [reply.code for reply in told(exchange, at("10:00"), request_)] == [code]
