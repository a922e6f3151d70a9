"""What trading costs, against IBKR's fixed price list."""

from decimal import Decimal

import pytest

from gateway.simulator.account.commissions import commission, commission_currency
from gateway.simulator.market.contracts import Listing

SPY = Listing(1, "SPY", "ARCA", "S&P 500")
SAP = Listing(2, "SAP", "IBIS", "SAP", currency="EUR")
ES = Listing(3, "ES", "CME", "E-mini", security_type="FUT", multiplier=Decimal(50))
MES = Listing(4, "MES", "CME", "Micro E-mini", security_type="FUT", multiplier=Decimal(5))
FDAX = Listing(5, "DAX", "EUREX", "DAX", "", "EUR", security_type="FUT")


def pair(symbol: str, currency: str) -> Listing:
    return Listing(9, symbol, "IDEALPRO", symbol, "", currency, security_type="CASH")


@pytest.mark.parametrize(
    ("listing", "quantity", "price", "cost"),
    [
        (SPY, 100, "600", "1"),
        (SPY, 300, "600", "1.5"),
        (SPY, 10, "5", "0.5"),
        (SPY, 10_000, "0.10", "10"),
        (SPY, 10, "0", "1"),
        (SAP, 10, "200", "3"),
        (SAP, 100, "200", "10"),
        (ES, 2, "6000", "4.50"),
        (MES, 2, "6000", "1.24"),
        (FDAX, 1, "24000", "2"),
        (pair("EUR", "USD"), 20_000, "1.1", "2"),
        (pair("EUR", "USD"), 1_000_000, "1.1", "22"),
        (pair("USD", "JPY"), 1_000_000, "156", "20"),
        (SPY, 0, "600", "0"),
    ],
)
def test_an_order_costs_what_the_price_list_says(
    listing: Listing, quantity: int, price: str, cost: str
) -> None:
    """Minimum 1.00 and maximum 1 % for US shares; 0.2 basis points and 2 USD for FX."""
    assert commission(listing, Decimal(quantity), Decimal(price)) == Decimal(cost)


def test_a_sale_costs_as_much_as_a_purchase() -> None:
    assert commission(SPY, Decimal(-300), Decimal(600)) == Decimal("1.5")


def test_a_pair_without_the_dollar_is_valued_in_dollars() -> None:
    euro_pound = pair("EUR", "GBP")
    cost = commission(euro_pound, Decimal(1_000_000), Decimal("0.87"), lambda _: Decimal("1.1"))
    assert cost == 22
    with pytest.raises(ValueError, match=r"EUR\.GBP"):
        commission(euro_pound, Decimal(1), Decimal("0.87"))


def test_commission_is_paid_in_the_listings_currency_and_for_fx_in_the_base() -> None:
    paid_in = [commission_currency(item, "EUR") for item in (SPY, SAP, ES, pair("USD", "JPY"))]
    assert paid_in == ["USD", "EUR", "USD", "EUR"]
