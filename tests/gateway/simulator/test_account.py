"""The account's arithmetic: cash, average cost, profit, margin."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.simulator.account import (
    Account,
    Trade,
    account_rows,
    ledger_rows,
    margin_change,
    rounded,
)

SPY = 756733
TRADES = st.lists(
    st.builds(
        Trade,
        st.just(SPY),
        st.integers(-500, 500).filter(bool).map(Decimal),
        st.decimals(1, 900, places=2),
        st.decimals(1, 9, places=2),
    ),
    max_size=12,
)


def account(cash: int = 100_000) -> Account:
    return Account("DU1", Decimal(cash))


def trade(quantity: int, price: str, commission: str = "1") -> Trade:
    return Trade(SPY, Decimal(quantity), Decimal(price), Decimal(commission))


def at(price: str) -> Decimal:
    return Decimal(price)


def test_buying_costs_price_and_commission() -> None:
    held = account()
    assert held.apply(trade(10, "100")) is None
    assert held.cash == Decimal(98_999)
    assert held.holdings[SPY].average_cost == Decimal("100.1")


def test_selling_short_brings_cash_less_commission() -> None:
    held = account()
    held.apply(trade(-10, "100"))
    assert (held.cash, held.holdings[SPY].average_cost) == (Decimal(100_999), Decimal("99.9"))


def test_closing_realizes_the_difference_after_commission() -> None:
    held = account()
    held.apply(trade(10, "100"))
    assert held.apply(trade(-4, "110")) == Decimal("4") * (Decimal(110) - Decimal("100.1")) - 1
    assert held.holdings[SPY].quantity == 6
    assert held.holdings[SPY].average_cost == Decimal("100.1")


def test_crossing_zero_closes_and_opens() -> None:
    held = account()
    held.apply(trade(10, "100"))
    held.apply(trade(-30, "110", "3"))
    assert held.holdings[SPY].quantity == -20
    assert held.holdings[SPY].average_cost == Decimal("109.9")


def test_a_closed_position_has_no_cost() -> None:
    held = account()
    held.apply(trade(10, "100"))
    held.apply(trade(-10, "100"))
    assert held.holdings[SPY].average_cost == 0


@given(TRADES)
def test_profit_is_what_the_account_gained(trades: list[Trade]) -> None:
    """Realized and unrealized profit are together the change of net liquidation."""
    held = account()
    for item in trades:
        held.apply(item)
    gained = held.net_liquidation(lambda _: Decimal(500)) - 100_000
    profits = [
        holding.realized + held.unrealized(con_id, lambda _: Decimal(500))
        for con_id, holding in held.holdings.items()
    ]
    assert sum(profits, Decimal(0)) == pytest.approx(gained, abs=Decimal("0.001"))


@pytest.mark.parametrize(
    ("quantity", "initial", "maintenance"), [(100, 5000, 2500), (-100, 5000, 3000)]
)
def test_margin_is_half_and_a_quarter_or_three_tenths(
    quantity: int, initial: int, maintenance: int
) -> None:
    held = account()
    held.apply(trade(quantity, "100", "0"))
    margin = held.margin(lambda _: Decimal(100))
    assert (margin.initial, margin.maintenance) == (Decimal(initial), Decimal(maintenance))
    assert margin.equity_with_loan == 100_000


def test_a_question_about_a_trade_books_nothing() -> None:
    held = account()
    after = held.after(trade(10, "100"))
    assert (held.cash, held.holdings) == (Decimal(100_000), {})
    change = margin_change(held.margin(lambda _: at("100")), after.margin(lambda _: at("100")))
    assert (change.initial, change.equity_with_loan) == (Decimal(500), Decimal(-1))


def test_a_position_without_a_price_counts_at_its_cost() -> None:
    held = account()
    held.apply(trade(10, "100", "0"))
    assert held.net_liquidation(lambda _: None) == 100_000


def test_numbers_are_shown_in_cents() -> None:
    held = account()
    held.apply(trade(10, "33.333", "0"))
    assert rounded(held.margin(lambda _: at("33.333"))).initial == Decimal("166.66")


def test_the_account_is_shown_in_ibs_words() -> None:
    rows = {
        (key, currency): value for key, value, currency in account_rows(account(), lambda _: None)
    }
    assert rows["BuyingPower", "USD"] == "400000.00"
    assert rows["AccountType", ""] == "INDIVIDUAL"
    assert set(ledger_rows(account(), lambda _: None)) <= {
        (key, value, currency) for (key, currency), value in rows.items()
    }
