"""Ticks of the past: the first from a start on, or the last until an end, read out of the bars."""

from collections.abc import Callable
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
MINUTE = timedelta(minutes=1)
OPENS = ("600", "601", "601", "603")
BEFORE_THE_OPEN = "599"


def row(start: datetime, opened: str) -> Row:
    """A minute that closes 40 cents above its open."""
    price = Decimal(opened)
    prices = (price, price + 1, price - 1, price + Decimal("0.4"), Decimal(70))
    return Row(start, prices, start.isoformat())


@pytest.fixture
def say(at: At) -> Callable[..., list[Any]]:
    """Says what is answered at 9:33:30: four minutes since 9:30, the last one half over."""
    rows = [row(at("09:30") + MINUTE * place, price) for place, price in enumerate(OPENS)]
    early = row(at("09:29"), BEFORE_THE_OPEN)
    pair = Row(at("09:31"), (*[Decimal("1.17")] * 4, Decimal(0)), "one")
    series = {"SPY": [early, *rows], "EUR.USD": [pair], "QQQ": rows}
    book = BarBook({(symbol, "1 min"): bars for symbol, bars in series.items()})
    exchange = Exchange(book, ExchangeOptions(subscriptions={"QQQ": "delayed"}))
    exchange.connect(1, at("09:30"))

    def answer(**named: Any) -> list[Any]:
        return [reply for _, reply in exchange.handle(1, request(**named), at("09:33:30"))]

    return answer


def request(**named: Any) -> q.HistoricalTicksRequest:
    terms: dict[str, Any] = {
        "request_id": 4, "contract": SPY, "include_expired": False, "start": "", "end": "",
        "count": 1000, "what_to_show": "TRADES", "regular_hours": True, "ignore_size": False,
    }  # fmt: skip
    return q.HistoricalTicksRequest(**terms | named)


def text(at: At, time: str) -> str:
    return f"{at(time):%Y%m%d-%H:%M:%S}"


def shown(at: At, ticks: Any) -> list[str]:
    opens = int(at("09:30").timestamp())
    return [f"{tick.epoch_seconds - opens} {tick.price} {tick.size}" for tick in ticks]


Say = Callable[..., list[Any]]


def test_each_bar_is_two_trades_as_they_are_told_live(say: Say, at: At) -> None:
    (answer,) = say(end=text(at, "16:00"))
    assert isinstance(answer, r.HistoricalTrades)
    assert (answer.request_id, answer.done) == (4, True)
    assert shown(at, answer.ticks) == [
        "0 600 100", "60 600.4 70", "60 601 100", "120 601.4 70", "120 601 100", "180 601.4 70",
        "180 603 100",
    ]  # fmt: skip
    assert {tick.exchange for tick in answer.ticks} == {"ARCA"}


def test_of_the_bar_that_is_forming_only_its_beginning_is_known(say: Say, at: At) -> None:
    (answer,) = say(start=text(at, "09:33"))
    assert shown(at, answer.ticks) == ["180 601.4 70", "180 603 100"]


@pytest.mark.parametrize(
    ("named", "found"),
    [
        ({"start": "09:30:01", "count": 1}, ["60 600.4 70", "60 601 100"]),
        ({"start": "09:31:00", "count": 2}, ["60 600.4 70", "60 601 100"]),
        (
            {"start": "09:31:00", "count": 3},
            ["60 600.4 70", "60 601 100", "120 601.4 70", "120 601 100"],
        ),
        ({"end": "09:31:30", "count": 1}, ["60 600.4 70", "60 601 100"]),
        ({"end": "09:31:00", "count": 3}, ["0 600 100", "60 600.4 70", "60 601 100"]),
        ({"end": "09:30:59", "count": 3}, ["0 600 100"]),
        ({"end": "09:29:59"}, []),
        ({"start": "09:34:00"}, []),
    ],
)  # fmt: skip
def test_the_first_from_a_start_or_the_last_until_an_end_by_whole_seconds(
    say: Say, at: At, named: dict[str, Any], found: list[str]
) -> None:
    times = {key: text(at, named[key]) for key in ("start", "end") if key in named}
    (answer,) = say(**named | times)
    assert shown(at, answer.ticks) == found


def test_extended_hours_belong_to_it_when_asked_for(say: Say, at: At) -> None:
    (answer,) = say(end=text(at, "09:30"), regular_hours=False)
    assert shown(at, answer.ticks) == ["-60 599 100", "0 599.4 70", "0 600 100"]


def test_a_quote_is_told_where_it_changes(say: Say, at: At) -> None:
    (answer,) = say(end=text(at, "16:00"), what_to_show="BID_ASK")
    assert isinstance(answer, r.HistoricalQuotes)
    seen = [(str(tick.bid), str(tick.ask), int(tick.bid_size)) for tick in answer.ticks]
    assert seen == [("599.99", "600.01", 100), ("600.99", "601.01", 100), ("602.99", "603.01", 100)]


@pytest.mark.parametrize(("contract", "found"), [(SPY, ["600", "601", "603"]), (EUR_USD, ["1.17"])])
def test_the_middle_of_each_quote(say: Say, at: At, contract: Contract, found: list[str]) -> None:
    (answer,) = say(end=text(at, "16:00"), what_to_show="MIDPOINT", contract=contract)
    assert isinstance(answer, r.HistoricalMidpoints)
    assert [tick.price for tick in answer.ticks] == [Decimal(price) for price in found]


@pytest.mark.parametrize(
    ("named", "reason"),
    [
        ({}, "give either a start or an end"),
        ({"start": "20251212-14:30:00", "end": "20251212-15:00:00"}, "give either a start"),
        ({"end": "yesterday"}, "end time 'yesterday'"),
        ({"end": "20251212-15:00:00", "count": 1001}, "not 1 to 1000"),
        ({"end": "20251212-15:00:00", "count": 0}, "not 1 to 1000"),
        ({"end": "20251212-15:00:00", "what_to_show": "BID"}, "'BID' is not one of"),
        ({"end": "20251212-15:00:00", "contract": EUR_USD}, "no trades of EUR.USD"),
        (
            {"end": "20251212-15:00:00", "contract": Contract(symbol="QQQ", security_type="STK")},
            "No market data permissions for NASDAQ STK",
        ),
    ],
)
def test_what_makes_no_sense_is_refused_with_a_reason(
    say: Say, named: dict[str, Any], reason: str
) -> None:
    """10187, for ib_async would wait for ever after 321."""
    (refusal,) = say(**named)
    assert isinstance(refusal, r.Notice)
    assert (refusal.id, refusal.code) == (4, 10187)
    assert reason in refusal.text


def test_a_contract_that_nobody_knows_is_refused_as_everywhere(say: Say) -> None:
    (refusal,) = say(end="20251212-15:00:00", contract=Contract(symbol="NOPE", security_type="STK"))
    assert (refusal.id, refusal.code) == (4, 200)
