"""The margin model's rules, one by one."""

from dataclasses import replace
from decimal import Decimal

import pytest

from gateway.simulator.account.margins import MarginRates, margin_change, rounded
from gateway.simulator.market.contracts import Listing
from gateway.simulator.orders.orders import Margin

SPY = Listing(1, "SPY", "ARCA", "S&P 500")
ES = Listing(3, "ES", "CME", "E-mini", security_type="FUT", multiplier=Decimal(50))
PAIR = Listing(5, "EUR", "IDEALPRO", "Euro", security_type="CASH")
RATES = MarginRates()


@pytest.mark.parametrize(
    ("listing", "quantity", "value", "initial", "maintenance"),
    [
        (SPY, 10, 1000, 500, 250),
        (SPY, -10, -1000, 500, 300),
        (ES, 1, 300_000, 30_000, 27_000),
        (ES, -1, -300_000, 30_000, 27_000),
        (PAIR, 1000, 1100, 0, 0),
    ],
)
def test_a_position_takes_its_part(
    listing: Listing, quantity: int, value: int, initial: int, maintenance: int
) -> None:
    """Regulation T and FINRA 4210 for stocks; a pair's margin is that of its balances."""
    terms = (listing, Decimal(quantity), Decimal(value))
    assert RATES.initial(*terms) == initial
    assert RATES.maintenance(*terms) == maintenance


def test_a_listing_may_say_its_own_margin_per_contract() -> None:
    listing = replace(ES, initial_margin=Decimal(22_000), maintenance_margin=Decimal(20_000))
    terms = (listing, Decimal(-2), Decimal(-600_000))
    assert (RATES.initial(*terms), RATES.maintenance(*terms)) == (Decimal(44_000), Decimal(40_000))


def test_a_currency_takes_a_haircut_owned_or_owed() -> None:
    assert RATES.haircut("EUR", Decimal(-1000)) == 25
    assert RATES.haircut("XYZ", Decimal(1000)) == 50


def test_a_change_is_the_difference_of_all_three() -> None:
    before = Margin(Decimal(1), Decimal(2), Decimal(3))
    after = Margin(Decimal(10), Decimal(20), Decimal(30))
    assert margin_change(before, after) == Margin(Decimal(9), Decimal(18), Decimal(27))


def test_unset_numbers_stay_unset() -> None:
    assert rounded(Margin(initial=Decimal("1.005"))) == Margin(initial=Decimal("1.00"))
