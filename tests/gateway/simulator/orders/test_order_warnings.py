"""Warnings that look like errors while the order works (design/ib.md 4)."""

from collections.abc import Callable
from datetime import datetime
from decimal import Decimal

import pytest

from gateway.simulator.market.bars import BarBook
from gateway.simulator.market.contracts import LISTINGS
from gateway.simulator.market.market import Market
from gateway.simulator.orders.order_warnings import on_arrival, until_open
from gateway.simulator.orders.orders import OrderTerms

At = Callable[..., datetime]
BY_KEY = {listing.key: listing for listing in LISTINGS}
SPY, EUR = BY_KEY["SPY"], BY_KEY["EUR.USD"]


@pytest.mark.parametrize(("quantity", "codes"), [(19_999, [399]), (20_000, [])])
def test_a_small_currency_order_is_an_odd_lot(quantity: int, codes: list[int]) -> None:
    """ib.md 4: 399, routed as an odd lot below the IDEALPRO minimum."""
    terms = OrderTerms(quantity=Decimal(quantity))
    warnings = on_arrival(terms, EUR.contract())
    assert [item.code for item in warnings] == codes
    assert all("below the EUR 20000 IdealPro minimum" in item.text for item in warnings)
    assert on_arrival(terms, EUR.contract("FXCONV")) == []


@pytest.mark.parametrize(("order_type", "codes"), [("MKT", [2109]), ("LMT", []), ("MOC", [2109])])
def test_a_type_that_cannot_trade_outside_regular_hours_says_so(
    order_type: str, codes: list[int]
) -> None:
    terms = OrderTerms(order_type=order_type, outside_rth=True, quantity=Decimal(1))
    assert [item.code for item in on_arrival(terms, SPY.contract())] == codes


@pytest.mark.parametrize(
    ("now", "outside", "opens"),
    [
        ("03:00", False, "2025-12-12 09:30:00 US/Eastern"),
        ("03:00", True, "2025-12-12 04:00:00 US/Eastern"),
    ],
)
def test_an_order_for_a_closed_market_is_told_when_it_opens(
    book: BarBook, at: At, now: str, outside: bool, opens: str
) -> None:
    terms = OrderTerms(order_type="LMT", outside_rth=outside)
    warning = until_open(terms, SPY, Market(book), at(now))
    assert (warning.code, opens in warning.text) == (399, True)
