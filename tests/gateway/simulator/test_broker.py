"""An account in several currencies behind an exchange: what orders do to it."""

from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from typing import Any

import pytest

from gateway.simulator import replies as r
from gateway.simulator import requests as q
from gateway.simulator.account.margins import margin_change
from gateway.simulator.broker import ExchangeOptions, InitialHolding
from gateway.simulator.exchange import Exchange
from gateway.simulator.market.bars import BarBook, Row
from gateway.simulator.market.contracts import Contract, ContractTable, Listing
from gateway.simulator.orders.orders import OrderTerms

At = Callable[..., datetime]
SAP = Listing(14204, "SAP", "IBIS", "SAP SE", "COMMON", "EUR")
ACCOUNT = q.AccountUpdatesRequest(True, "")


@pytest.fixture
def book(at: At) -> BarBook:
    """From 9:30 on: SPY at 600, SAP at 200 euros, the euro at 1.10, ESZ5 at 6000."""
    prices = {"SPY": "600", "SAP": "200", "EUR.USD": "1.10", "ESZ5": "6000"}
    rows = {
        (key, "30 mins"): [
            Row(at(start), (*(Decimal(price),) * 4, Decimal(10**9)), "test")
            for start in ("09:30", "10:00", "10:30")
        ]
        for key, price in prices.items()
    }
    return BarBook(rows)


def opened(book: BarBook, at: At, **options: Any) -> Exchange:
    table = ContractTable([*ContractTable().listings, SAP])
    made = Exchange(book, ExchangeOptions(**options), table)
    made.connect(1, at("09:40"))
    return made


def contract(key: str, exchange: str = "") -> Contract:
    kinds = {"EUR.USD": ("EUR", "CASH", "USD"), "ESZ5": ("ES", "FUT", "USD")}
    symbol, kind, currency = kinds.get(key, (key, "STK", "EUR" if key == "SAP" else "USD"))
    return Contract(
        symbol=symbol,
        security_type=kind,
        currency=currency,
        exchange=exchange,
        local_symbol=key,
    )


def placed(key: str, quantity: int, *, what_if: bool = False, exchange: str = "") -> q.PlaceOrder:
    terms = OrderTerms(
        action="BUY" if quantity > 0 else "SELL",
        quantity=Decimal(abs(quantity)),
        order_type="MKT",
        tif="DAY",
        what_if=what_if,
    )
    return q.PlaceOrder(8 if what_if else 7, contract(key, exchange), terms)


def values(made: Exchange, at: At) -> dict[tuple[str, str], str]:
    told = made.handle(1, ACCOUNT, at("09:40"))
    return {(x.key, x.currency): x.value for _, x in told if isinstance(x, r.AccountValue)}


def refusal(made: Exchange, order: q.PlaceOrder, at: At) -> r.Notice:
    (notice,) = [reply for _, reply in made.handle(1, order, at("09:40"))]
    assert isinstance(notice, r.Notice)
    return notice


@pytest.mark.parametrize(
    ("key", "quantity"),
    [("SPY", 100), ("SPY", -50), ("SPY", -100), ("SAP", 50), ("ESZ5", 2), ("EUR.USD", 30_000)],
)
def test_what_if_foretells_the_account_after_the_order(
    book: BarBook, at: At, key: str, quantity: int
) -> None:
    """Opening, closing and turning a position of 50 SPY round, in every kind of contract."""
    held = (InitialHolding("SPY", Decimal(50), Decimal(590)),)
    made = opened(book, at, holdings=held, cash=Decimal(200_000))
    asked = made.handle(1, placed(key, quantity, what_if=True), at("09:40"))
    (state,) = [reply.state for _, reply in asked if isinstance(reply, r.OpenOrder)]
    before = values(made, at)
    made.handle(1, placed(key, quantity), at("09:40"))
    after = values(made, at)
    for margin, shown in ((state.before, before), (state.after, after)):
        assert str(margin.initial) == shown["InitMarginReq", "USD"]
        assert str(margin.maintenance) == shown["MaintMarginReq", "USD"]
        assert str(margin.equity_with_loan) == shown["EquityWithLoanValue", "USD"]
    assert state.change == margin_change(state.before, state.after)


def test_an_order_the_equity_does_not_carry_is_refused_with_the_numbers(
    book: BarBook, at: At
) -> None:
    """ib.md 4: 201, YOUR ORDER IS NOT ACCEPTED."""
    made = opened(book, at, cash=Decimal(10_000))
    notice = refusal(made, placed("ESZ5", 2), at)
    assert notice.code == 201
    assert "EQUITY WITH LOAN VALUE [" in notice.text
    assert "USD] MUST EXCEED THE INITIAL MARGIN [" in notice.text


def test_idealpro_leaves_a_virtual_position_and_fxconv_none(book: BarBook, at: At) -> None:
    for exchange, positions in (("IDEALPRO", {"EUR.USD": Decimal(30_000)}), ("FXCONV", {})):
        made = opened(book, at, cash=Decimal(100_000))
        made.handle(1, placed("EUR.USD", 30_000, exchange=exchange), at("09:40"))
        assert made.account.balances["EUR"] == 30_000
        assert made.positions == positions


def test_the_base_currency_can_be_chosen(book: BarBook, at: At) -> None:
    made = opened(
        book,
        at,
        currency="EUR",
        cash=Decimal(10_000),
        cash_by_currency={"USD": Decimal(1_100)},
    )
    shown = values(made, at)
    assert shown["NetLiquidation", "EUR"] == "11000.00"
    assert shown["ExchangeRate", "USD"] == "0.9090909"
    assert shown["CashBalance", "BASE"] == "11000.00"
    made.handle(1, placed("SAP", 10), at("09:40"))
    assert made.account.cash < 10_000 - 2000


def test_a_first_position_in_another_currency_has_its_rows(book: BarBook, at: At) -> None:
    """10 SAP at 200 euros of 1.10 are worth 2,200 USD."""
    made = opened(book, at, holdings=(InitialHolding("SAP", Decimal(10), Decimal(150)),))
    shown = values(made, at)
    assert shown["StockMarketValue", "EUR"] == "2000.00"
    assert shown["StockMarketValue", "BASE"] == "2200.00"
    assert shown["UnrealizedPnL", "EUR"] == "500.00"


def test_the_base_currency_is_not_given_twice() -> None:
    with pytest.raises(ValueError, match="USD, the base currency"):
        ExchangeOptions(cash_by_currency={"USD": Decimal(1)})


def test_an_order_in_a_currency_without_a_rate_is_refused(at: At) -> None:
    rows = [Row(at("09:30"), (*(Decimal(200),) * 4, Decimal(10**6)), "test")]
    made = opened(BarBook({("SAP", "30 mins"): rows}), at)
    notice = refusal(made, placed("SAP", 1), at)
    assert (notice.code, "no exchange rate for SAP" in notice.text) == (201, True)


def test_commissions_can_be_replaced(book: BarBook, at: At) -> None:
    def free(listing: Listing, quantity: Decimal, price: Decimal) -> Decimal:
        return Decimal(0)

    made = opened(book, at, commissions=free)
    heard = [reply for _, reply in made.handle(1, placed("SPY", 10), at("09:40"))]
    assert [x.commission for x in heard if isinstance(x, r.CommissionReport)] == [0]


def test_an_account_in_euros_pays_fx_commission_in_euros(book: BarBook, at: At) -> None:
    """2 USD at 1.10, as in portfolio-performance #4701: `ibCommissionCurrency="EUR"`."""
    made = opened(book, at, currency="EUR")
    heard = [reply for _, reply in made.handle(1, placed("EUR.USD", -1000), at("09:40"))]
    (report,) = [x for x in heard if isinstance(x, r.CommissionReport)]
    assert (report.commission, report.currency) == (Decimal("1.81818"), "EUR")
    assert made.account.cash == 1_000_000 - 1000 - Decimal("1.81818")


def test_commissions_are_told_in_the_currency_they_are_paid_in(book: BarBook, at: At) -> None:
    told = []
    for key in ("SAP", "EUR.USD"):
        made = opened(book, at)
        heard = [reply for _, reply in made.handle(1, placed(key, 100), at("09:40"))]
        told += [(x.commission, x.currency) for x in heard if isinstance(x, r.CommissionReport)]
    assert told == [(Decimal("10.0005"), "EUR"), (Decimal(2), "USD")]
