"""When orders work: time in force, good-after-time, sessions (design/ib.md 1.4, 4)."""

from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from typing import Any

import pytest

from gateway.simulator.market.bars import BarBook
from gateway.simulator.market.contracts import LISTINGS
from gateway.simulator.market.market import Market
from gateway.simulator.orders.order_times import auction_closed, life_of, moment, next_opening
from gateway.simulator.orders.orders import LONG_PAST, NEVER, OrderTerms

At = Callable[..., datetime]
BY_KEY = {listing.key: listing for listing in LISTINGS}
SPY, EUR, ES = BY_KEY["SPY"], BY_KEY["EUR.USD"], BY_KEY["ESZ5"]
LMT: dict[str, Any] = {"order_type": "LMT", "limit_price": Decimal(100)}


@pytest.fixture
def market(book: BarBook) -> Market:
    return Market(book)


def life(market: Market, now: datetime, **changes: Any) -> tuple[datetime, datetime]:
    terms = OrderTerms(**({"tif": "DAY"} | LMT | changes))
    found = life_of(terms, SPY, market, now)
    return found.active_from, found.expires_at


@pytest.mark.parametrize(
    ("now", "outside", "end"),
    [
        ("08:00", False, "16:00"),
        ("10:00", False, "16:00"),
        ("10:00", True, "20:00"),
        ("17:00", True, "20:00"),
    ],
)
def test_a_day_order_ends_with_the_session_it_may_trade_in(
    market: Market, at: At, now: str, outside: bool, end: str
) -> None:
    assert life(market, at(now), outside_rth=outside) == (LONG_PAST, at(end))


def test_a_day_order_of_the_evening_lives_until_the_next_close(market: Market, at: At) -> None:
    assert life(market, at("17:00", -1)) == (LONG_PAST, at("16:00"))


def test_a_type_that_cannot_trade_outside_keeps_to_the_regular_session(
    market: Market, at: At
) -> None:
    assert life(market, at("10:00"), order_type="MKT", outside_rth=True)[1] == at("16:00")


def test_good_till_cancelled_never_ends(market: Market, at: At) -> None:
    assert life(market, at("10:00"), tif="GTC") == (LONG_PAST, NEVER)


def test_no_order_outlives_its_contract(market: Market, at: At) -> None:
    """The December future trades until its expiry on the 19th, 16:00 in Chicago."""
    gtc = OrderTerms(**LMT, tif="GTC")
    assert life_of(gtc, ES, market, at("10:00")).expires_at == at("17:00", 7)


def test_a_day_order_for_a_future_on_the_evening_of_its_expiry_is_over(
    market: Market, at: At
) -> None:
    """Admission refuses what ends before it begins; there is no next session for it."""
    assert life_of(OrderTerms(**LMT, tif="DAY"), ES, market, at("18:00", 7)).expires_at == at(
        "17:00", 7
    )


def test_good_till_date_ends_then_and_good_after_time_begins_then(market: Market, at: At) -> None:
    till = {"goodTillDate": "20251212 11:00:00 US/Eastern"}
    after = {"goodAfterTime": "20251212-15:30:00"}
    assert life(market, at("10:00"), tif="GTD", other=till | after) == (at("10:30"), at("11:00"))
    assert life(market, at("10:00"), other=after) == (at("10:30"), at("16:00"))


def test_a_day_order_for_later_ends_on_the_day_it_begins(market: Market, at: At) -> None:
    after = {"goodAfterTime": "20251212 11:00:00 US/Eastern"}
    assert life(market, at("10:00", -1), other=after) == (at("11:00"), at("16:00"))


def test_an_on_open_order_has_one_instant(market: Market, at: At) -> None:
    assert life(market, at("08:00"), tif="OPG") == (at("09:30"), at("09:30"))
    assert life(market, at("10:00", -1), tif="OPG") == (at("09:30"), at("09:30"))
    assert next_opening(SPY, market, at("09:30", -1)) == at("09:30")


@pytest.mark.parametrize(
    ("text", "hour"),
    [
        ("20251212 11:00:00 US/Eastern", "11:00"),
        ("20251212 10:00:00 US/Central", "11:00"),
        ("20251212-16:00:00", "11:00"),
        ("20251212 11:00:00", "11:00"),
        ("20251212", "16:00"),
    ],
)
def test_times_of_orders_are_read_in_every_form(
    market: Market, at: At, text: str, hour: str
) -> None:
    assert moment(text, SPY, market, at("10:00")) == at(hour)


def test_good_till_a_day_without_a_session_does_not_reach_the_next_one(
    market: Market, at: At
) -> None:
    """The 13th is a Saturday: an order that is good till then must not trade on Monday."""
    till = {"goodTillDate": "20251213"}
    assert life(market, at("10:00"), tif="GTD", other=till)[1] == at("00:00", 2)


@pytest.mark.parametrize("text", ["", "now", "20251312", "20251212 25:00:00", "20251212 11:00 X/Y"])
def test_what_is_no_time_is_an_error(market: Market, at: At, text: str) -> None:
    with pytest.raises(ValueError, match=r"end time|no time given"):
        moment(text, SPY, market, at("10:00"))


@pytest.mark.parametrize(("when", "late"), [("15:58", False), ("15:59", True), ("16:00", False)])
def test_an_auction_closes_before_the_market(market: Market, at: At, when: str, late: bool) -> None:
    moc = OrderTerms(order_type="MOC", tif="DAY")
    assert auction_closed(moc, SPY, market, at(when)) is late
    assert not auction_closed(OrderTerms(**LMT), SPY, market, at(when))
