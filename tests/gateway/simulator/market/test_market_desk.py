"""Contract details, symbol search, historical bars and quotes as a client asks for them."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from typing import Any

import pytest

from gateway.simulator import replies as r
from gateway.simulator import requests as q
from gateway.simulator.broker import ExchangeOptions
from gateway.simulator.exchange import Exchange
from gateway.simulator.market.bars import BarBook, Row
from gateway.simulator.market.contracts import Contract, ContractTable, Listing

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
        ({"bar_size": "5 mins"}, 162),
        ({"bar_size": "7 mins"}, 321),
        ({"what_to_show": "HISTORICAL_VOLATILITY"}, 321),
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
        6: Decimal(602),
        7: Decimal(598),
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
    assert prices(frozen)[1] == Decimal("612.99")


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


def test_a_number_in_use_is_refused(say: Say, snapshot: q.MarketDataRequest) -> None:
    stream = replace(snapshot, snapshot=False)
    assert [x.code for x in say(stream, stream) if isinstance(x, r.Notice)] == [322]


def test_a_stream_sends_only_what_changed(
    exchange: Exchange, say: Say, snapshot: q.MarketDataRequest, at: At
) -> None:
    say(replace(snapshot, snapshot=False))
    news: list[Any] = [x for _, x in exchange.advance(at("10:30"))]
    assert prices(news) == {
        1: Decimal("601.99"),
        2: Decimal("602.01"),
        4: Decimal(602),
        6: Decimal(603),
    }
    assert [x.tick_type for x in news if not isinstance(x, r.TickPrice)] == [8, 45]


def test_the_type_of_the_data_comes_before_them_and_again_when_it_changes(
    exchange: Exchange, say: Say, snapshot: q.MarketDataRequest, at: At
) -> None:
    first = say(q.MarketDataTypeRequest(2), replace(snapshot, snapshot=False))
    assert [type(x) for x in first[:3]] == [r.TickRequestParameters, r.MarketDataType, r.TickPrice]
    assert first[1] == r.MarketDataType(4, 1)
    closed = [x for _, x in exchange.advance(at("16:00"))]
    (at_close,) = [place for place, x in enumerate(closed) if isinstance(x, r.MarketDataType)]
    assert closed[at_close] == r.MarketDataType(4, 2)
    assert isinstance(closed[at_close + 1], r.TickPrice)


def test_a_line_has_volume_the_time_of_the_last_trade_and_halts(
    say: Say, snapshot: q.MarketDataRequest, at: At
) -> None:
    heard = say(snapshot)
    assert r.TickSize(4, 8, Decimal(1000)) in heard
    assert r.TickString(4, 45, str(int(at("10:00").timestamp()))) in heard
    assert r.TickGeneric(4, 49, Decimal(0)) in heard


@pytest.mark.parametrize(
    ("shares", "value"), [(None, 3), (Decimal(999), 2), (Decimal(0), 1), (Decimal(1000), 3)]
)
def test_generic_tick_236_tells_what_can_be_sold_short(
    book: BarBook, snapshot: q.MarketDataRequest, at: At, shares: Decimal | None, value: int
) -> None:
    """IB: above 2.5 at least 1,000 shares, above 1.5 if they can be located, else none."""
    spy = Listing(756733, "SPY", "ARCA", "SPY", shortable_shares=shares)
    exchange = Exchange(book, ExchangeOptions(), ContractTable([spy]))
    exchange.connect(1, at("10:00"))
    asked = replace(snapshot, generic_ticks="233,236", snapshot=False)
    heard = [x for _, x in exchange.handle(1, asked, at("10:00"))]
    assert r.TickGeneric(4, 46, Decimal(value)) in heard
    sizes = [x.size for x in heard if isinstance(x, r.TickSize) and x.tick_type == 89]
    assert sizes == [Decimal(10_000_000) if shares is None else shares]


def test_a_generic_tick_that_is_no_number_is_refused(
    say: Say, snapshot: q.MarketDataRequest
) -> None:
    stream = replace(snapshot, generic_ticks="233,x", snapshot=False)
    assert [x.code for x in say(stream)] == [321]


def test_a_snapshot_has_no_generic_ticks(say: Say, snapshot: q.MarketDataRequest) -> None:
    assert [x.code for x in say(replace(snapshot, generic_ticks="236"))] == [321]


@pytest.fixture
def mixed(book: BarBook, at: At) -> Exchange:
    """SPY, of which only delayed data are had, beside EUR.USD and ESZ5."""
    flat = [Row(at("09:00"), (*[Decimal("1.17")] * 4, Decimal(0)), "one")]
    half_hours = [
        Row(bar.start, (bar.open, bar.high, bar.low, bar.close, bar.volume), "x")
        for bar in book.series("SPY", "30 mins").bars
    ]
    bars = {
        ("SPY", "30 mins"): half_hours,
        ("EUR.USD", "30 mins"): [*flat, replace(flat[0], time=at("10:00"))],
        ("ESZ5", "30 mins"): [replace(flat[0], time=at("10:00"))],
    }
    levels = {"STK": "delayed", "ESZ5": "none"}
    exchange = Exchange(BarBook(bars), ExchangeOptions(subscriptions=levels))
    exchange.connect(1, at("10:10"))
    return exchange


def asked(exchange: Exchange, now: datetime, *requests: Any) -> list[Any]:
    return [x for request in requests for _, x in exchange.handle(1, request, now)]


def test_delayed_data_have_types_of_their_own_and_are_a_quarter_of_an_hour_old(
    mixed: Exchange, snapshot: q.MarketDataRequest, at: At
) -> None:
    """At 10:10 the delayed price is that of 9:55; the notice 10167 comes before everything."""
    heard = asked(mixed, at("10:10"), q.MarketDataTypeRequest(3), snapshot)
    assert (heard[0].code, heard[2]) == (10167, r.MarketDataType(4, 3))
    assert prices(heard)[66] == Decimal("599.99")
    assert set(prices(heard)) == {66, 67, 68, 72, 73, 75, 76}
    assert [x.tick_type for x in heard if isinstance(x, r.TickSize | r.TickString)] == [74, 88]
    assert isinstance(heard[-1], r.TickSnapshotEnd)


def test_live_data_that_are_not_had_are_refused(
    mixed: Exchange, snapshot: q.MarketDataRequest, at: At
) -> None:
    future = Contract(local_symbol="ESZ5", security_type="FUT", exchange="CME")
    assert [x.code for x in asked(mixed, at("10:10"), snapshot)] == [10089]
    other = replace(snapshot, contract=future)
    assert [x.code for x in asked(mixed, at("10:10"), other)] == [354]


def test_a_pair_has_sides_and_no_last_price(
    mixed: Exchange, snapshot: q.MarketDataRequest, at: At
) -> None:
    pair = Contract(symbol="EUR", security_type="CASH", exchange="IDEALPRO", currency="USD")
    heard = asked(mixed, at("10:10"), replace(snapshot, contract=pair))
    assert (prices(heard)[1], prices(heard)[2]) == (Decimal("1.16995"), Decimal("1.17005"))
    assert 4 not in prices(heard)


def details(say: Say, **fields: Any) -> list[Any]:
    return say(q.ContractDetailsRequest(4, Contract(**fields)))


def test_the_details_of_a_pair_have_its_rule_and_its_hours(say: Say) -> None:
    told, _ = details(say, symbol="EUR", security_type="CASH", currency="USD")
    assert (told.contract.con_id, told.tick) == (12087792, Decimal("0.00005"))
    assert (told.market_rules, told.valid_exchanges) == ("239", "IDEALPRO")
    assert told.trading_hours.startswith("20251211:1715-20251212:1700;20251213:CLOSED;")
    assert (told.stock_type, told.aggregation_group, told.time_zone) == ("", 4, "US/Eastern")


def test_the_details_of_a_future_tell_its_last_hour_and_its_underlying(say: Say) -> None:
    """As recorded from IB: the hour and zone stand behind the last trading day."""
    told, _ = details(say, local_symbol="ESZ5", security_type="FUT", exchange="CME")
    assert told.contract.expiry == "20251219 08:30:00 US/Central"
    assert (told.contract_month, told.real_expiry) == ("202512", "20251219")
    assert (told.under_con_id, told.under_symbol, told.under_security_type) == (
        11004968,
        "ES",
        "IND",
    )
    assert (told.market_rules, told.time_zone) == ("67", "US/Central")
    assert (told.contract.multiplier, told.size_suggested) == ("50", 1)


def test_a_future_without_its_expiry_has_details_for_every_one(say: Say) -> None:
    *several, end = details(say, symbol="ES", security_type="FUT", exchange="CME")
    assert [told.contract.local_symbol for told in several][:2] == ["ESZ5", "ESH6"]
    assert end == r.ContractDetailsEnd(4)


def test_an_ambiguous_contract_is_error_200_where_one_is_needed(
    say: Say, snapshot: q.MarketDataRequest
) -> None:
    future = Contract(symbol="ES", security_type="FUT", exchange="CME")
    (refused,) = say(replace(snapshot, contract=future))
    assert refused.code == 200
    assert refused.text == (
        "The contract description specified for ES is ambiguous; "
        "you must specify the multiplier or trading class."
    )


def test_an_expired_future_has_details_only_when_asked_for(say: Say) -> None:
    wanted = Contract(local_symbol="ESU5", security_type="FUT", exchange="CME")
    assert [x.code for x in say(q.ContractDetailsRequest(4, wanted))] == [200]
    told, _ = say(q.ContractDetailsRequest(4, wanted, include_expired=True))
    assert told.contract_month == "202509"


@pytest.mark.parametrize(
    ("kind", "number", "found"), [("ISIN", "US78462F1030", 2), ("ISIN", "X", 1), ("CUSIP", "X", 1)]
)
def test_a_contract_is_found_by_its_isin(say: Say, kind: str, number: str, found: int) -> None:
    asked_ = q.ContractDetailsRequest(4, Contract(), False, kind, number)
    assert len(say(asked_)) == found


def test_only_stocks_are_told_with_an_isin(say: Say) -> None:
    stock, _ = say(q.ContractDetailsRequest(4, Contract(symbol="SPY", security_type="STK")))
    pair, _ = say(
        q.ContractDetailsRequest(4, Contract(local_symbol="EUR.USD", security_type="CASH"))
    )
    assert stock.security_ids == (r.SecurityId("ISIN", "US78462F1030"),)
    assert pair.security_ids == ()


@pytest.mark.parametrize(
    ("pattern", "found"), [("eur", "EUR CASH"), ("EUR.U", "EUR CASH"), ("es", "ES IND"), ("", "")]
)
def test_every_kind_of_contract_is_found_by_its_beginning(
    say: Say, pattern: str, found: str
) -> None:
    (answer,) = say(q.MatchingSymbolsRequest(4, pattern))
    assert [f"{x.symbol} {x.security_type}" for x in answer.samples] == ([found] if found else [])


def test_futures_are_found_as_derivatives_of_their_underlying(say: Say) -> None:
    (answer,) = say(q.MatchingSymbolsRequest(4, "ES"))
    assert [(x.con_id, x.derivatives) for x in answer.samples] == [(11004968, ("FUT",))]


def test_the_option_chain_is_empty_and_ends(say: Say) -> None:
    asked_ = q.OptionParametersRequest(4, "SPY", "", "STK", 756733)
    assert say(asked_) == [r.OptionParametersEnd(4)]
    unknown = replace(asked_, underlying_con_id=5)
    assert [x.code for x in say(unknown)] == [200]


@pytest.mark.parametrize(("rule", "step"), [(26, "0.01"), (239, "0.00005"), (67, "0.25")])
def test_each_market_rule_has_its_increments(say: Say, rule: int, step: str) -> None:
    (answer,) = say(q.MarketRuleRequest(rule))
    assert answer.increments == (r.PriceIncrement(Decimal(0), Decimal(step)),)
