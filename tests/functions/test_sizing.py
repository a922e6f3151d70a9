"""Weights to whole shares, toward zero, inside the capital."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.decision import Hold, Quantities, Weights
from functions.sizing import Sized, normalized, quantity, sized
from schemas.messages import Market

WEIGHT = st.decimals(-1, 1, places=4)
MONEY = st.decimals("0.01", 10**7, places=2)


@pytest.fixture
def market(days: Any) -> Market:
    """SPY's and VIXY's last closes are 500 and 16."""
    found: Market = days.market("spy_macd_vixy", days.ends()[-1], 1)
    spy, vixy = found.bars
    bars = (replace(spy, close=(500.0,)), replace(vixy, close=(16.0,)))
    return replace(found, bars=bars, capital=Decimal(10_000))


def all_in(symbol: str, weight: str = "1") -> Weights:
    return Weights({symbol: Decimal(weight)}, "because")


@given(WEIGHT, MONEY, MONEY)
def test_sizes_go_toward_zero_to_whole_units(w: Decimal, capital: Decimal, unit: Decimal) -> None:
    """[N9]"""
    whole = quantity(w, capital, unit)
    assert whole == int(whole)
    assert abs(whole) * unit <= abs(w) * capital < (abs(whole) + 1) * unit
    assert whole == -quantity(-w, capital, unit)


@given(st.dictionaries(st.text(), WEIGHT, max_size=9))
def test_normalized_weights_never_sum_to_more_than_the_capital(given: dict[str, Decimal]) -> None:
    found = normalized(given)
    total = sum(map(abs, found.values()), Decimal(0))
    assert total <= 1
    assert total > Decimal("0.999999") or not any(given.values())
    assert all((found[key] > 0) == (given[key] > 0) for key in given)


def test_a_weight_becomes_a_signed_quantity_of_the_resolved_contract(market: Market) -> None:
    found = sized(market, all_in("SPY", "-0.51"))
    assert isinstance(found, Sized)
    assert [(t.con_id, t.quantity) for t in found.targets] == [(756733, Decimal(-10))]


def test_the_multiplier_is_part_of_what_one_unit_costs(market: Market) -> None:
    spy, vixy = market.bars
    option = replace(spy, contract=replace(spy.contract, multiplier=Decimal(10)))
    found = sized(replace(market, bars=(option, vixy)), all_in("SPY"))
    assert isinstance(found, Sized)
    assert found.targets[0].quantity == 2


def test_a_weight_that_yields_zero_is_said_and_reported(market: Market) -> None:
    """[N9, T1]"""
    found = sized(market, all_in("SPY", "0.01"))
    assert isinstance(found, Sized)
    assert found.targets[0].quantity == 0
    assert found.notes == {"zero_SPY": "0.01 of 10000 USD is less than one unit of SPY at 500.0"}


def test_a_weight_of_zero_is_a_target_of_zero_without_a_note(market: Market) -> None:
    """0 is said, never implied [T1]."""
    found = sized(market, all_in("VIXY", "0"))
    assert isinstance(found, Sized)
    assert (found.targets[0].quantity, found.notes) == (Decimal(0), {})


@pytest.mark.parametrize("capital", ["0", "-1"])
def test_without_capital_it_holds(market: Market, capital: str) -> None:
    found = sized(replace(market, capital=Decimal(capital)), all_in("SPY"))
    assert found == Hold(f"the capital is {capital} USD, nothing to size with")


def test_a_symbol_without_a_price_holds(market: Market) -> None:
    assert sized(market, all_in("QQQ")) == Hold("QQQ has no price")


@pytest.mark.parametrize("rates", [{}, {"CHF": "1.1"}, {"USD": "0"}, {"USD": "-1"}])
@pytest.mark.parametrize("decide", [all_in("SPY"), Quantities({"SPY": Decimal(1)}, "by hand")])
def test_another_currency_without_its_rate_holds(
    market: Market, rates: dict[str, str], decide: Weights | Quantities
) -> None:
    """[M14] A missing rate is never 1, nor is a senseless one a rate."""
    known = {currency: Decimal(rate) for currency, rate in rates.items()}
    assert sized(replace(market, base_currency="EUR", exchange_rates=known), decide) == Hold(
        "SPY trades in USD, the capital is in EUR, and the message carries no rate of exchange"
    )


@pytest.mark.parametrize(
    ("rate", "multiplier", "capital", "quantity"),
    [
        ("0.8", 1, 10_000, 25),
        ("0.8", 1, 9_999, 24),
        ("1.25", 1, 10_000, 16),
        ("0.8", 50, 40_000, 2),
        ("0.8", 50, 39_999, 1),
    ],
)
def test_a_unit_costs_close_times_multiplier_times_rate(
    market: Market, rate: str, multiplier: int, capital: int, quantity: int
) -> None:
    """[M14] SPY at 500 dollars in an account in euros: exactly what the capital buys."""
    spy, vixy = market.bars
    bars = replace(spy, contract=replace(spy.contract, multiplier=Decimal(multiplier)))
    euros = replace(
        market,
        bars=(bars, vixy),
        capital=Decimal(capital),
        base_currency="EUR",
        exchange_rates={"USD": Decimal(rate)},
    )
    found = sized(euros, all_in("SPY"))
    assert isinstance(found, Sized)
    (target,) = found.targets
    assert target.quantity == quantity
    assert target.multiplier == multiplier


def test_the_rate_of_the_capital_s_own_currency_is_1_whatever_the_message_says(
    market: Market,
) -> None:
    odd = replace(market, exchange_rates={"USD": Decimal(2)})
    assert sized(odd, all_in("SPY")) == sized(market, all_in("SPY"))


def test_quantities_are_worth_their_money_in_the_capital_s_currency(market: Market) -> None:
    """[M14] 25 SPY are worth 12500 dollars and 10000 euros."""
    euros = replace(market, base_currency="EUR", exchange_rates={"USD": Decimal("0.8")})
    assert isinstance(sized(euros, Quantities({"SPY": Decimal(25)}, "by hand")), Sized)
    with pytest.raises(ValueError, match=r"worth 10400\.00? EUR, the capital is 10000"):
        sized(euros, Quantities({"SPY": Decimal(26)}, "by hand"))


def test_quantities_are_taken_as_said_up_to_the_capital(market: Market) -> None:
    found = sized(market, Quantities({"SPY": Decimal(-20)}, "by hand"))
    assert isinstance(found, Sized)
    assert found.targets[0].quantity == -20
    with pytest.raises(ValueError, match=r"worth 10500\.0 USD, the capital is 10000"):
        sized(market, Quantities({"SPY": Decimal(-21)}, "by hand"))
