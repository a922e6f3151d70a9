"""Historical bars as clients ask for them: kinds, keeping up to date, schedules, refusals."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.simulator import replies as r
from gateway.simulator import requests as q
from gateway.simulator.broker import ExchangeOptions
from gateway.simulator.exchange import Exchange
from gateway.simulator.market.aggregation import SIZES
from gateway.simulator.market.bars import BarBook, Row
from gateway.simulator.market.contracts import Contract
from gateway.simulator.market.history import SHOWN

At = Callable[..., datetime]
Ask = Callable[..., list[Any]]

SPY = Contract(symbol="SPY", security_type="STK", exchange="SMART", currency="USD")
EUR_USD = Contract(symbol="EUR", security_type="CASH", exchange="IDEALPRO", currency="USD")
PLAIN = q.HistoricalDataRequest(4, SPY, False, "", "5 mins", "1 D", True, "TRADES", 1, False)


def minutes(start: datetime, count: int, price: str) -> list[Row]:
    """Bars of a minute around one price."""
    middle = Decimal(price)
    numbers = (middle, middle + 2, middle - 1, middle + 1, Decimal(10))
    return [Row(start + timedelta(minutes=number), numbers, str(number)) for number in range(count)]


@pytest.fixture
def book(at: At) -> BarBook:
    """Minutes of SPY around 600 until 10:10, and of EUR.USD around 1.17 since 9:00."""
    return BarBook(
        {
            ("SPY", "1 min"): minutes(at("09:30"), 40, "600"),
            ("EUR.USD", "1 min"): [
                Row(at("09:00"), tuple(map(Decimal, ("1.17", "1.18", "1.16", "1.17", "0"))), "one")
            ],
        }
    )


def opened(book: BarBook, at: At, **options: Any) -> Exchange:
    exchange = Exchange(book, ExchangeOptions(**options))
    exchange.connect(1, at("10:00"))
    return exchange


@pytest.fixture
def exchange(book: BarBook, at: At) -> Exchange:
    return opened(book, at)


@pytest.fixture
def ask(exchange: Exchange, at: At) -> Ask:
    """Ask as client 1, at 10:00 unless said otherwise."""

    def say(request: Any, when: str = "10:00") -> list[Any]:
        return [reply for _, reply in exchange.handle(1, request, at(when))]

    return say


def told(deliveries: list[Any]) -> list[Any]:
    return [reply for _, reply in deliveries]


def row(replies: list[Any]) -> r.HistoricalBar:
    (answer,) = replies
    assert isinstance(answer, r.HistoricalData)
    return answer.bars[0]


def test_five_minutes_are_made_of_minutes(ask: Ask) -> None:
    (answer,) = ask(PLAIN)
    assert [bar.time[9:14] for bar in answer.bars] == [
        "09:30",
        "09:35",
        "09:40",
        "09:45",
        "09:50",
        "09:55",
        "10:00",
    ]
    assert answer.bars[0].volume == 50


@pytest.mark.parametrize(
    ("what", "prices", "volume"),
    [
        ("TRADES", ("600", "602", "599", "601"), 50),
        ("ADJUSTED_LAST", ("600", "602", "599", "601"), 50),
        ("MIDPOINT", ("600", "602", "599", "601"), -1),
        ("BID", ("599.99", "601.99", "598.99", "600.99"), -1),
        ("ASK", ("600.01", "602.01", "599.01", "601.01"), -1),
        ("BID_ASK", ("600.49", "602.01", "598.99", "600.51"), -1),
    ],
)
def test_each_kind_of_data_is_made_of_the_same_bars(
    ask: Ask, what: str, prices: tuple[str, ...], volume: int
) -> None:
    bar = row(ask(replace(PLAIN, what_to_show=what)))
    assert (bar.open, bar.high, bar.low, bar.close) == tuple(map(Decimal, prices))
    assert (int(bar.volume), bar.count) == (volume, -1)


def test_a_pair_has_midpoints_and_no_trades(ask: Ask) -> None:
    asked = replace(PLAIN, contract=EUR_USD, bar_size="1 min")
    (refused,) = ask(asked)
    assert refused.code == 162
    assert "No historical market data for EUR/CASH" in refused.text
    assert row(ask(replace(asked, what_to_show="MIDPOINT"))).high == Decimal("1.18")


def test_kept_bars_come_first_as_history_then_as_updates(
    ask: Ask, exchange: Exchange, at: At
) -> None:
    """The forming bar changes with each minute; the next one begins; each is sent as it ends."""
    (first,) = ask(replace(PLAIN, keep_up_to_date=True))
    assert (first.bars[-1].time[9:14], first.bars[-1].volume) == ("10:00", 0)
    assert exchange.advance(at("10:00:30")) == []
    (grown,) = told(exchange.advance(at("10:01")))
    assert (grown.request_id, grown.bar.time[9:14], grown.bar.volume) == (4, "10:00", 10)
    later = [reply.bar for reply in told(exchange.advance(at("10:06")))]
    minutes = [("10:00", 20), ("10:00", 30), ("10:00", 40), ("10:00", 50), ("10:05", 0)]
    assert [(bar.time[9:14], bar.volume) for bar in later] == [*minutes, ("10:05", 10)]


def test_a_cancel_ends_the_updates_with_error_162_and_a_second_one_is_error_366(
    ask: Ask, exchange: Exchange, at: At
) -> None:
    ask(replace(PLAIN, keep_up_to_date=True))
    (ended,) = ask(q.HistoricalDataCancel(4))
    assert (ended.id, ended.code) == (4, 162)
    assert ended.text.endswith("API historical data query cancelled: 4")
    assert exchange.advance(at("10:06")) == []
    assert [reply.code for reply in ask(q.HistoricalDataCancel(4), "10:06")] == [366]


def test_a_number_in_use_is_refused(ask: Ask) -> None:
    ask(replace(PLAIN, keep_up_to_date=True))
    assert [reply.code for reply in ask(PLAIN)] == [322]


def test_a_client_that_is_gone_is_sent_no_updates(ask: Ask, exchange: Exchange, at: At) -> None:
    ask(replace(PLAIN, keep_up_to_date=True))
    exchange.disconnect(1)
    exchange.connect(1, at("10:00"))
    assert exchange.advance(at("10:06")) == []


def test_a_schedule_is_told_in_the_zone_of_its_exchange(ask: Ask) -> None:
    asked = replace(PLAIN, bar_size="1 day", what_to_show="SCHEDULE")
    (told,) = ask(asked)
    assert isinstance(told, r.HistoricalSchedule)
    assert told.sessions == (
        r.ScheduledSession("20251212-09:30:00", "20251212-16:00:00", "20251212"),
    )
    future = Contract(local_symbol="ESZ5", security_type="FUT", exchange="CME")
    (night,) = ask(replace(asked, contract=future, regular_hours=False))
    assert night.time_zone == "US/Central"
    assert night.sessions[0].start == "20251211-17:00:00"


def test_pacing_is_refused_when_it_is_switched_on(book: BarBook, at: At) -> None:
    paced = opened(book, at, historical_pacing=True)
    small = replace(PLAIN, bar_size="30 secs")

    def answer(second: int) -> str:
        now = at("10:00") + timedelta(seconds=second)
        (reply,) = told(paced.handle(1, small, now))
        assert reply.code == 162
        return str(reply.text)

    assert "query returned no data" in answer(0)
    assert "Historical data request pacing violation" in answer(14)
    assert "query returned no data" in answer(15)


@pytest.mark.parametrize(
    ("level", "reason"),
    [("none", "No market data permissions for ARCA STK"), ("competing", "different IP address")],
)
def test_bars_need_a_subscription(book: BarBook, at: At, level: str, reason: str) -> None:
    exchange = opened(book, at, subscriptions={"STK": level})
    (refused,) = told(exchange.handle(1, PLAIN, at("10:00")))
    assert refused.code == 162
    assert reason in refused.text


ODD = st.text(st.characters(codec="ascii"), max_size=12)
ENDS = ["", "20251212 10:00:00 US/Eastern", "00010101-00:00:00", "99991231 23:59:59", "20251212"]


@given(
    end=st.sampled_from(ENDS) | ODD,
    size=st.sampled_from([*SIZES, "1W"]) | ODD,
    span=st.sampled_from(["1 D", "365 D", "30 Y", "12 M", "1 S", "2 W"]) | ODD,
    what=st.sampled_from(SHOWN) | ODD,
    live=st.booleans(),
)
def test_every_request_is_answered_once(
    end: str, size: str, span: str, what: str, live: bool
) -> None:
    """Whatever a client asks, it hears bars, a schedule or an error, and the broker lives on."""
    now = datetime(2025, 12, 12, 15, tzinfo=UTC)
    exchange = Exchange(BarBook({("SPY", "1 min"): minutes(now - timedelta(minutes=5), 9, "600")}))
    exchange.connect(1, now)
    asked = replace(
        PLAIN, end=end, bar_size=size, duration=span, what_to_show=what, keep_up_to_date=live
    )
    (answer,) = told(exchange.handle(1, asked, now))
    assert isinstance(answer, r.HistoricalData | r.HistoricalSchedule | r.Notice)
    exchange.advance(now + timedelta(minutes=3))


def test_an_expired_future_is_found_only_when_asked_for(ask: Ask) -> None:
    expired = Contract(local_symbol="ESU5", security_type="FUT", exchange="CME")
    head = q.HeadTimestampRequest(4, expired, False, True, "TRADES", 1)
    assert [reply.code for reply in ask(head)] == [200]
    assert [reply.code for reply in ask(replace(head, include_expired=True))] == [162]
