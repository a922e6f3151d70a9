"""Prices and exchange rates at an instant."""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from decimal import Decimal

import pytest

from gateway.simulator.account.valuations import Moment, Valuer
from gateway.simulator.market.bars import BarBook, Row
from gateway.simulator.market.contracts import ContractTable
from gateway.simulator.market.market import Market

At = Callable[..., datetime]
SPY = 756733


def series(first: datetime, *prices: str) -> list[Row]:
    """One bar of half an hour for each price, which is all four of it."""
    return [
        Row(first + timedelta(minutes=30 * index), (*(Decimal(price),) * 4, Decimal(1)), "test")
        for index, price in enumerate(prices)
    ]


def valuer(rows: Mapping[str, list[Row]], currency: str = "USD", **fixed: str) -> Valuer:
    book = BarBook({(key, "30 mins"): bars for key, bars in rows.items()})
    rates = {name: Decimal(rate) for name, rate in fixed.items()}
    table = ContractTable().with_symbols(book.symbols)
    return Valuer(Market(book), table, currency, rates)


def test_the_base_currency_is_worth_one(at: At) -> None:
    assert valuer({}).rate("USD", at("10:00")) == 1


def test_a_pair_tells_the_rate_as_time_passes(at: At) -> None:
    found = valuer({"EUR.USD": series(at("09:30"), "1.10", "1.20")}, EUR="5")
    assert found.rate("EUR", at("09:45")) == Decimal("1.10")
    assert found.rate("EUR", at("10:15")) == Decimal("1.20")


def test_a_pair_upside_down_tells_the_rate_too(at: At) -> None:
    assert valuer({"USD.JPY": series(at("09:30"), "160")}).rate("JPY", at("10:00")) == (
        Decimal(1) / 160
    )
    euros = valuer({"EUR.USD": series(at("09:30"), "1.25")}, currency="EUR")
    assert euros.rate("USD", at("09:45")) == Decimal("0.8")


def test_two_pairs_meet_over_the_dollar(at: At) -> None:
    found = valuer(
        {"EUR.USD": series(at("09:30"), "1.25"), "GBP.USD": series(at("09:30"), "1.50")},
        currency="EUR",
    )
    assert found.rate("GBP", at("09:45")) == Decimal("1.2")


def test_without_bars_the_options_decide(at: At) -> None:
    assert valuer({}, EUR="1.07").rate("EUR", at("10:00")) == Decimal("1.07")


def test_before_the_first_bar_its_open_is_taken(at: At) -> None:
    found = valuer({"EUR.USD": series(at("09:30"), "1.10")})
    assert found.rate("EUR", at("09:00", -3)) == Decimal("1.10")


def test_an_unknown_currency_is_an_error_that_says_what_to_give(at: At) -> None:
    found = valuer({})
    assert not found.knows("EUR", at("10:00"))
    with pytest.raises(ValueError, match="EUR to USD: give bars"):
        found.rate("EUR", at("10:00"))


def test_after_a_split_the_price_is_divided_until_the_share_trades_again(at: At) -> None:
    found = valuer({"SPY": [*series(at("09:30"), "400"), *series(at("11:00"), "101")]})
    for _ in range(2):
        found.market.split(found.contracts.by_con_id(SPY), Decimal(2), at("10:30"))
    assert found.price(SPY, at("10:45")) == 100
    assert found.price(SPY, at("11:15")) == 101


def test_a_moment_stays_what_it_was(at: At) -> None:
    moment = Moment(valuer({"SPY": series(at("09:30"), "400", "500")}), at("09:45"))
    assert (moment.price(SPY), moment.price(320227571)) == (Decimal(400), None)
