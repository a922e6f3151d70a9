"""Contract details, symbol search, historical bars and quotes as a client asks for them."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from typing import Any

import pytest

from gateway.simulator import replies as r
from gateway.simulator import requests as q
from gateway.simulator.contracts import Contract
from gateway.simulator.exchange import Exchange

Say = Callable[..., list[Any]]
At = Callable[..., datetime]


@pytest.fixture
def history(spy: Contract) -> q.HistoricalDataRequest:
    return q.HistoricalDataRequest(4, spy, False, "", "30 mins", "1 D", True, "TRADES", 1, False)


@pytest.fixture
def snapshot(spy: Contract) -> q.MarketDataRequest:
    return q.MarketDataRequest(4, spy, "", True, False, "")


def prices(replies: list[Any]) -> dict[int, Decimal]:
    return {x.tick_type: x.price for x in replies if isinstance(x, r.TickPrice)}


def test_an_unknown_contract_is_error_200_without_an_end(say: Say) -> None:
    heard = say(q.ContractDetailsRequest(4, Contract(symbol="NONE", security_type="STK")))
    assert [(reply.id, reply.code) for reply in heard] == [(4, 200)]


def test_details_are_those_of_the_day(say: Say, spy: Contract) -> None:
    details, end = say(q.ContractDetailsRequest(4, spy))
    assert details.liquid_hours.startswith("20251212:0930-20251212:1600;20251213:CLOSED;")
    assert details.trading_hours.startswith("20251212:0400-20251212:2000;")
    assert (details.market_rules, end) == ("26,26", r.ContractDetailsEnd(4))


def test_symbols_are_found_by_their_beginning(say: Say) -> None:
    (answer,) = say(q.MatchingSymbolsRequest(4, "sp"))
    assert [sample.symbol for sample in answer.samples] == ["SPY"]


def test_market_rules_have_increments_and_unknown_ones_are_errors(say: Say) -> None:
    known, unknown = say(q.MarketRuleRequest(26), q.MarketRuleRequest(27))
    assert known.increments == (r.PriceIncrement(Decimal(0), Decimal("0.01")),)
    assert (unknown.id, unknown.code) == (-1, 321)


def test_historical_bars_carry_new_york_times(say: Say, history: q.HistoricalDataRequest) -> None:
    (answer,) = say(history)
    assert [bar.time for bar in answer.bars] == [
        "20251212 09:30:00 US/Eastern",
        "20251212 10:00:00 US/Eastern",
    ]
    assert (answer.start, answer.end) == (
        "20251212 09:30:00 US/Eastern",
        "20251212 10:30:00 US/Eastern",
    )


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"end": "20200101-00:00:00"}, 162),
        ({"duration": "1 X"}, 321),
        ({"bar_size": "5 mins"}, 321),
        ({"what_to_show": "BID"}, 321),
        ({"keep_up_to_date": True}, 162),
        ({"contract": Contract(con_id=5)}, 200),
        ({"contract": Contract(symbol="QQQ", security_type="STK")}, 162),
    ],
)
def test_bars_that_cannot_be_served_are_errors(
    say: Say, history: q.HistoricalDataRequest, changes: dict[str, Any], code: int
) -> None:
    assert [(x.id, x.code) for x in say(replace(history, **changes))] == [(4, code)]


@pytest.mark.parametrize(("date_format", "text"), [(1, "20251211-14:30:00"), (2, "1765463400")])
def test_the_head_timestamp_is_the_first_bar(
    say: Say, spy: Contract, date_format: int, text: str
) -> None:
    request = q.HeadTimestampRequest(4, spy, False, True, "TRADES", date_format)
    assert say(request) == [r.HeadTimestamp(4, text)]


def test_a_snapshot_ends(say: Say, snapshot: q.MarketDataRequest) -> None:
    heard = say(snapshot)
    assert prices(heard) == {
        1: Decimal("600.99"),
        2: Decimal("601.01"),
        4: Decimal(601),
        9: Decimal(513),
        14: Decimal(600),
    }
    assert heard[-1] == r.TickSnapshotEnd(4)


def test_a_closed_market_shows_no_sides_unless_frozen_data_is_asked_for(
    say: Say, snapshot: q.MarketDataRequest, at: At
) -> None:
    closed = say(snapshot, when=at("17:00"))
    assert prices(closed)[1] == -1
    assert prices(closed)[4] == 613
    frozen = say(q.MarketDataTypeRequest(2), snapshot, when=at("17:00"))
    assert r.MarketDataType(4, 2) in frozen
    assert prices(frozen)[1] == 613


def test_a_contract_without_bars_has_no_market_data(
    say: Say, snapshot: q.MarketDataRequest
) -> None:
    other = Contract(symbol="QQQ", security_type="STK", currency="USD")
    assert [reply.code for reply in say(replace(snapshot, contract=other))] == [354]


def test_a_stream_goes_on_until_it_is_cancelled(
    exchange: Exchange, say: Say, snapshot: q.MarketDataRequest, at: At
) -> None:
    say(replace(snapshot, snapshot=False))
    assert exchange.advance(at("10:10")) == []
    assert prices([x for _, x in exchange.advance(at("10:30"))])[4] == 602
    say(q.MarketDataCancel(4), when=at("10:30"))
    assert exchange.advance(at("11:00")) == []


def test_streams_are_limited(say: Say, snapshot: q.MarketDataRequest) -> None:
    streams = [replace(snapshot, request_id=number, snapshot=False) for number in range(101)]
    assert [x.code for x in say(*streams) if isinstance(x, r.Notice)] == [101]


def test_a_cancel_of_nothing_and_a_strange_type_are_errors(say: Say) -> None:
    assert [x.code for x in say(q.MarketDataCancel(8), q.MarketDataTypeRequest(9))] == [300, 321]
