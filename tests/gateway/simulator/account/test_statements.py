"""Account values in IB's words: their identities, their currencies, what changed."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.simulator.account.account import Account, Trade, account_with
from gateway.simulator.account.statements import (
    LEDGER_AND_NET,
    LEDGER_KEYS,
    Row,
    is_ledger_row,
    statement,
    summary_selection,
)
from gateway.simulator.market.contracts import Listing

SPY = Listing(1, "SPY", "ARCA", "S&P 500")
SAP = Listing(2, "SAP", "IBIS", "SAP", currency="EUR")
ES = Listing(3, "ES", "CME", "E-mini", security_type="FUT", multiplier=Decimal(50))
EUR_USD = Listing(5, "EUR", "IDEALPRO", "Euro", security_type="CASH", local_symbol="EUR.USD")
LISTINGS = (SPY, SAP, ES, EUR_USD)
TRADES = st.lists(
    st.builds(
        Trade,
        st.sampled_from(LISTINGS),
        st.integers(-500, 500).filter(bool).map(Decimal),
        st.decimals("0.5", 900, places=2),
        st.decimals(0, 9, places=2),
    ),
    max_size=8,
)


@dataclass
class Marks:
    """A valuation made by hand: every price is 100, a euro 1.10."""

    prices: Mapping[int, Decimal] = field(default_factory=dict)

    def price(self, con_id: int) -> Decimal | None:
        return self.prices.get(con_id, Decimal(100))

    def rate(self, currency: str) -> Decimal:
        return Decimal("1.10") if currency == "EUR" else Decimal(1)


def account(*trades: Trade, **others: int) -> Account:
    made = account_with("DU1", Decimal(100_000), {key: Decimal(x) for key, x in others.items()})
    made.rate = Marks().rate
    for trade in trades:
        made.apply(trade)
    return made


def trade(listing: Listing, quantity: int, price: int = 100) -> Trade:
    return Trade(listing, Decimal(quantity), Decimal(price), Decimal(0))


def values(held: Account) -> dict[tuple[str, str], str]:
    rows = statement(held, Marks()).rows()
    assert len({(key, currency) for key, _, currency in rows}) == len(rows)
    return {(key, currency): value for key, value, currency in rows}


def test_key_and_currency_name_one_row() -> None:
    """ib.md 4: key, currency and account together are the identity."""
    shown = values(account(EUR=1000))
    assert shown["CashBalance", "USD"] == "100000.00"
    assert shown["CashBalance", "EUR"] == "1000.00"
    assert shown["CashBalance", "BASE"] == "101100.00"
    assert [shown["ExchangeRate", name] for name in ("USD", "EUR", "BASE")] == [
        "1.00",
        "1.1000000",
        "1.00",
    ]
    assert (shown["Currency", "EUR"], shown["RealCurrency", "BASE"]) == ("EUR", "USD")


def test_the_account_is_shown_in_ibs_words() -> None:
    shown = values(account())
    assert shown["BuyingPower", "USD"] == "400000.00"
    assert shown["AccountType", ""] == "INDIVIDUAL"
    assert {"FullInitMarginReq", "FullMaintMarginReq", "FullAvailableFunds"} <= {
        key for key, _ in shown
    }


def test_a_futures_variation_is_cash_and_not_settled_cash() -> None:
    """IB: TotalCashValue contains the profit of futures, SettledCash does not."""
    shown = values(account(trade(ES, 2, 98)))
    assert shown["FuturesPNL", "USD"] == "200.00"
    assert shown["TotalCashValue", "USD"] == "100200.00"
    assert shown["SettledCash", "USD"] == "100000.00"
    assert shown["GrossPositionValue", "USD"] == "0.00"


@given(TRADES)
def test_the_margin_numbers_agree_with_each_other(trades: list[Trade]) -> None:
    """To half a cent of rounding on each side."""
    shown = values(account(*trades))
    cent = Decimal("0.011")

    def number(key: str) -> Decimal:
        return Decimal(shown[key, "USD"])

    for prefix in ("", "Full", "LookAhead"):
        initial, maintenance = number(f"{prefix}InitMarginReq"), number(f"{prefix}MaintMarginReq")
        assert number(f"{prefix}AvailableFunds") == pytest.approx(
            number("EquityWithLoanValue") - initial, abs=cent
        )
        assert number(f"{prefix}ExcessLiquidity") == pytest.approx(
            number("EquityWithLoanValue") - maintenance, abs=cent
        )
    net = number("NetLiquidation")
    available = max(number("AvailableFunds"), Decimal(0))
    assert number("BuyingPower") == pytest.approx(4 * available, abs=4 * cent)
    assert net == pytest.approx(
        number("TotalCashValue") + Decimal(shown["StockMarketValue", "BASE"]), abs=cent
    )
    if net > 0:
        assert Decimal(shown["Cushion", ""]) == pytest.approx(
            number("ExcessLiquidity") / net, abs=Decimal("0.001")
        )
        assert Decimal(shown["Leverage", ""]) == pytest.approx(
            number("GrossPositionValue") / net, abs=Decimal("0.02")
        )


@given(TRADES)
def test_the_rows_by_currency_add_up_to_base(trades: list[Trade]) -> None:
    shown = values(account(*trades, EUR=777))
    for key in LEDGER_KEYS.keys() - {"ExchangeRate"}:
        parts = Decimal(shown[key, "USD"]) + Decimal(shown[key, "EUR"]) * Decimal("1.10")
        assert Decimal(shown[key, "BASE"]) == pytest.approx(parts, abs=Decimal("0.02"))
    assert shown["NetLiquidationByCurrency", "BASE"] == shown["NetLiquidation", "USD"]


def test_only_what_changed_is_named() -> None:
    held = account()
    first = statement(held, Marks())
    assert statement(held, Marks(), first).since(first) == []
    held.add("USD", Decimal(5))
    moved = statement(held, Marks(), first).since(first)
    assert ("NetLiquidation", "100005.00", "USD") in moved
    assert not {"InitMarginReq", "AccountCode", "ExchangeRate"} & {key for key, _, _ in moved}


def test_a_balance_spent_to_the_last_cent_is_told_to_be_nothing() -> None:
    held = account(EUR=1000)
    first = statement(held, Marks())
    held.add("EUR", Decimal(-1000))
    assert ("CashBalance", "0.00", "EUR") in statement(held, Marks(), first).since(first)


@given(TRADES, TRADES)
def test_what_changed_leads_from_one_statement_to_the_next(
    before: list[Trade], then: list[Trade]
) -> None:
    """A client that only hears changes ends with every row right, new currencies too."""
    held = account(*before)
    first = statement(held, Marks())
    for item in then:
        held.apply(item)
    second = statement(held, Marks(), first)
    known = {(key, currency): value for key, value, currency in first.rows()}
    known |= {(key, currency): value for key, value, currency in second.since(first)}
    fresh = {(key, currency): value for key, value, currency in statement(held, Marks()).rows()}
    assert known | fresh == known


def names(rows: list[Row]) -> set[str]:
    return {currency for key, _, currency in rows if is_ledger_row((key, "", currency))}


@pytest.mark.parametrize(
    ("tags", "currencies"),
    [
        ("NetLiquidation", set()),
        ("$LEDGER", {"BASE"}),
        ("$LEDGER:EUR", {"EUR"}),
        ("$LEDGER:ALL", {"BASE", "USD", "EUR"}),
        ("$LEDGER:EUR,$LEDGER:USD", {"USD", "EUR"}),
    ],
)
def test_a_summary_has_the_ledgers_asked_for(tags: str, currencies: set[str]) -> None:
    rows = statement(account(EUR=1), Marks()).rows()
    assert names(summary_selection(tags).of(rows)) == currencies


def test_a_summary_has_only_the_tags_asked_for() -> None:
    rows = statement(account(), Marks()).rows()
    chosen = summary_selection("NetLiquidation, FullInitMarginReq,Nonsense").of(rows)
    assert {key for key, _, _ in chosen} == {"NetLiquidation", "FullInitMarginReq"}


def test_the_ledger_and_net_liquidation_can_be_asked_for_alone() -> None:
    rows = LEDGER_AND_NET.of(statement(account(), Marks()).rows())
    assert {key for key, _, _ in rows if not is_ledger_row((key, "", ""))} == {"NetLiquidation"}
    assert names(rows) == {"BASE", "USD"}
