"""The account's arithmetic: cash by currency, average cost, profit, variation, margin."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.simulator.account.account import Account, Trade, account_with
from gateway.simulator.account.commissions import commission_currency
from gateway.simulator.account.margins import margin_change, rounded
from gateway.simulator.market.contracts import Listing

SPY = Listing(1, "SPY", "ARCA", "S&P 500")
SAP = Listing(2, "SAP", "IBIS", "SAP", currency="EUR")
ES = Listing(
    3,
    "ES",
    "CME",
    "E-mini",
    security_type="FUT",
    multiplier=Decimal(50),
    local_symbol="ESZ5",
    initial_margin=Decimal(20_000),
    maintenance_margin=Decimal(18_000),
)
DAX = Listing(4, "DAX", "EUREX", "DAX", "", "EUR", security_type="FUT", multiplier=Decimal(25))
EUR_USD = Listing(5, "EUR", "IDEALPRO", "Euro", security_type="CASH", local_symbol="EUR.USD")
USD_JPY = Listing(6, "USD", "IDEALPRO", "Dollar", "", "JPY", security_type="CASH")
LISTINGS = (SPY, SAP, ES, DAX, EUR_USD, USD_JPY)
RATES = {"EUR": Decimal("1.10"), "JPY": Decimal("0.0064")}


@dataclass
class Marks:
    """A valuation made by hand."""

    prices: Mapping[int, Decimal] = field(default_factory=dict)
    rates: Mapping[str, Decimal] = field(default_factory=lambda: RATES)

    def price(self, con_id: int) -> Decimal | None:
        return self.prices.get(con_id)

    def rate(self, currency: str) -> Decimal:
        return Decimal(1) if currency == "USD" else self.rates[currency]


def at(price: str | int, listing: Listing = SPY) -> Marks:
    return Marks({listing.con_id: Decimal(price)})


def account(cash: int = 100_000, **others: int) -> Account:
    made = account_with("DU1", Decimal(cash), {key: Decimal(item) for key, item in others.items()})
    made.rate = Marks().rate
    return made


def trade(quantity: int, price: str | int, commission: str = "1", listing: Listing = SPY) -> Trade:
    return Trade(listing, Decimal(quantity), Decimal(price), Decimal(commission))


def test_buying_costs_price_and_commission() -> None:
    held = account()
    assert held.apply(trade(10, "100")) is None
    assert held.cash == Decimal(98_999)
    assert held.holdings[1].average_cost == Decimal("100.1")


def test_selling_short_brings_cash_less_commission() -> None:
    held = account()
    held.apply(trade(-10, "100"))
    assert (held.cash, held.holdings[1].average_cost) == (Decimal(100_999), Decimal("99.9"))


def test_closing_realizes_the_difference_after_commission() -> None:
    held = account()
    held.apply(trade(10, "100"))
    assert held.apply(trade(-4, "110")) == Decimal("4") * (Decimal(110) - Decimal("100.1")) - 1
    assert held.holdings[1].quantity == 6
    assert held.holdings[1].average_cost == Decimal("100.1")


def test_crossing_zero_closes_and_opens() -> None:
    held = account()
    held.apply(trade(10, "100"))
    held.apply(trade(-30, "110", "3"))
    assert held.holdings[1].quantity == -20
    assert held.holdings[1].average_cost == Decimal("109.9")


def test_a_closed_position_has_no_cost() -> None:
    held = account()
    held.apply(trade(10, "100"))
    held.apply(trade(-10, "100"))
    assert held.holdings[1].average_cost == 0


def test_a_foreign_stock_settles_in_its_currency() -> None:
    """The base currency is not touched: the account borrows euros."""
    held = account()
    held.apply(trade(10, 200, "3", SAP))
    assert held.balances == {"USD": Decimal(100_000), "EUR": Decimal(-2003)}
    ledger = held.ledgers(at(200, SAP))[1]
    assert (ledger.currency, ledger.stocks, ledger.net) == ("EUR", Decimal(2000), Decimal(-3))


def test_an_fx_trade_moves_both_balances_and_shows_a_virtual_position() -> None:
    """ib.md 4: FX conversions. 20,000 EUR at 1.10 cost 22,000 USD and 2 USD commission."""
    held = account()
    held.apply(trade(20_000, "1.10", "2", EUR_USD))
    assert held.balances == {"USD": Decimal(77_998), "EUR": Decimal(20_000)}
    position = held.holdings[EUR_USD.con_id]
    assert (position.quantity, position.average_cost) == (Decimal(20_000), Decimal("1.1001"))


def test_a_virtual_position_is_not_counted_twice() -> None:
    held = account()
    held.apply(trade(20_000, "1.10", "2", EUR_USD))
    assert held.net_liquidation(at("1.10", EUR_USD)) == 100_000 - 2


def test_a_conversion_leaves_no_position() -> None:
    """FXCONV instead of IDEALPRO."""
    held = account()
    item = Trade(EUR_USD, Decimal(1000), Decimal("1.10"), Decimal(2), conversion=True)
    assert held.apply(item) is None
    assert held.balances == {"USD": Decimal(98_898), "EUR": Decimal(1000)}
    assert held.holdings == {}


def test_the_commission_of_a_pair_without_dollars_to_pay_in_is_converted_for_its_cost() -> None:
    """USD.JPY is paid in yen and its commission in dollars: 2 USD are 312.5 JPY at 0.0064."""
    held = account()
    held.apply(trade(20_000, 156, "2", USD_JPY))
    assert held.balances == {"USD": Decimal(119_998), "JPY": Decimal(-3_120_000)}
    assert held.holdings[USD_JPY.con_id].average_cost == Decimal("156.015625")
    realized = held.apply(trade(-20_000, 157, "2", USD_JPY))
    assert realized == (20_000 * (157 - Decimal("156.015625"))) * Decimal("0.0064") - 2


def test_a_future_costs_no_cash_but_its_commission() -> None:
    held = account()
    held.apply(trade(2, 6000, "4.50", ES))
    assert held.cash == Decimal("99995.50")
    assert held.holdings[ES.con_id].average_cost == Decimal("300002.25")
    assert held.net_liquidation(at(6010, ES)) == Decimal("99995.50") + 2 * 50 * 10


def test_a_futures_variation_goes_into_cash_when_it_settles() -> None:
    held = account()
    held.apply(trade(2, 6000, "0", ES))
    assert held.ledgers(at(6010, ES))[0].variation == 1000
    assert held.settle(ES.con_id, Decimal(6010)) == 1000
    (ledger,) = held.ledgers(at(6012, ES))
    assert (ledger.cash, ledger.variation, ledger.unrealized) == (
        Decimal(101_000),
        Decimal(200),
        Decimal(1200),
    )


def test_a_future_closed_within_the_day_has_its_profit_in_the_variation() -> None:
    held = account()
    held.apply(trade(2, 6000, "0", ES))
    assert held.apply(trade(-2, 5990, "0", ES)) == -1000
    assert (held.cash, held.ledgers(at(6100, ES))[0].variation) == (
        Decimal(100_000),
        Decimal(-1000),
    )
    held.settle(ES.con_id, Decimal(6100))
    assert held.cash == 99_000


def test_an_expired_future_is_closed_without_commission() -> None:
    held = account()
    held.apply(trade(2, 6000, "0", ES))
    held.expire(ES.con_id, Decimal(6010))
    assert (held.cash, held.holdings[ES.con_id].quantity) == (Decimal(101_000), Decimal(0))
    assert held.holdings[ES.con_id].realized == 1000


def test_a_split_multiplies_shares_and_divides_their_cost() -> None:
    held = account()
    held.apply(trade(10, 100, "0"))
    assert held.split(1, Decimal(4), Decimal(25)) == 0
    assert (held.holdings[1].quantity, held.holdings[1].average_cost) == (Decimal(40), Decimal(25))


@pytest.mark.parametrize(("quantity", "left", "paid"), [(10, 2, 200), (-10, -2, -200)])
def test_a_reverse_split_pays_the_fraction_in_cash(quantity: int, left: int, paid: int) -> None:
    """10 shares become 2.5; half a share at 400 is 200."""
    held = account()
    held.apply(trade(quantity, 100, "0"))
    assert held.split(1, Decimal("0.25"), Decimal(400)) == paid
    assert held.holdings[1].quantity == left
    assert held.cash == 100_000 - quantity * 100 + paid
    assert held.net_liquidation(at(400)) == 100_000


def test_a_new_day_counts_profit_from_here_and_forgets_what_is_closed() -> None:
    held = account()
    held.apply(trade(10, 100, "0"))
    held.apply(trade(-5, 110, "0"))
    held.apply(trade(5, 50, "0", SAP))
    held.apply(trade(-5, 50, "0", SAP))
    held.begin_day(at(120))
    assert list(held.holdings) == [1]
    assert held.holdings[1].realized_today == 0
    assert held.holdings[1].unrealized_before_today == 100
    assert held.equity_of_yesterday == 100_000 + 50 + 100


@pytest.mark.parametrize(
    ("quantity", "initial", "maintenance"), [(100, 5000, 2500), (-100, 5000, 3000)]
)
def test_margin_of_a_stock_is_half_and_a_quarter_or_three_tenths(
    quantity: int, initial: int, maintenance: int
) -> None:
    held = account()
    held.apply(trade(quantity, "100", "0"))
    margin = held.margin(at(100))
    assert (margin.initial, margin.maintenance) == (Decimal(initial), Decimal(maintenance))
    assert margin.equity_with_loan == 100_000


def test_margin_of_a_future_is_per_contract_whichever_way() -> None:
    held = account()
    held.apply(trade(-3, 6000, "0", ES))
    margin = held.margin(at(6000, ES))
    assert (margin.initial, margin.maintenance) == (Decimal(60_000), Decimal(54_000))


def test_margin_of_other_currencies_is_a_haircut_in_the_base() -> None:
    """1,000 EUR at 1.10 and 2.5 %."""
    margin = account(EUR=1000).margin(Marks())
    assert (margin.initial, margin.maintenance) == (Decimal("27.5"), Decimal("27.5"))
    assert margin.equity_with_loan == 101_100


def test_a_question_about_a_trade_books_nothing() -> None:
    held = account()
    held.apply(trade(1, 100, "0"))
    after = held.after(trade(10, "100"))
    assert (held.cash, held.holdings[1].quantity) == (Decimal(99_900), Decimal(1))
    change = margin_change(held.margin(at("100")), after.margin(at("100")))
    assert (change.initial, change.equity_with_loan) == (Decimal(500), Decimal(-1))


def test_a_question_may_be_about_several_trades() -> None:
    after = account().after(trade(10, 100), trade(-4, 100), trade(1, 6000, "2", ES))
    assert (after.holdings[1].quantity, after.holdings[3].quantity) == (Decimal(6), Decimal(1))


def test_a_position_without_a_price_counts_at_its_cost() -> None:
    held = account()
    held.apply(trade(10, "100", "0"))
    held.apply(trade(1, "6000", "0", ES))
    assert held.net_liquidation(Marks()) == 100_000


def test_numbers_are_shown_in_cents() -> None:
    held = account()
    held.apply(trade(10, "33.333", "0"))
    assert rounded(held.margin(at("33.333"))).initial == Decimal("166.66")


def test_a_currency_nobody_knows_is_an_error() -> None:
    with pytest.raises(ValueError, match="no exchange rate for JPY"):
        account_with("DU1", Decimal(1), {}).apply(trade(1, 1, "2", USD_JPY))


# ---------------------------------------------------------------------- any sequence of trades

TRADES = st.lists(
    st.builds(
        Trade,
        st.sampled_from(LISTINGS),
        st.integers(-500, 500).filter(bool).map(Decimal),
        st.decimals("0.5", 900, places=2),
        st.decimals(0, 9, places=2),
    ),
    max_size=12,
)
PRICES = st.fixed_dictionaries(
    {item.con_id: st.decimals("0.5", 900, places=2) for item in LISTINGS}
)


def bare_value(item: Trade, marks: Marks) -> Decimal:
    """What a trade gains or loses at the marks, worked out without an account."""
    listing, price = item.listing, marks.prices[item.listing.con_id]
    paid_in = marks.rate(commission_currency(listing))
    rate = marks.rate(listing.currency)
    if listing.security_type == "CASH":
        gain = item.quantity * (marks.rate(listing.symbol) - item.price * rate)
    else:
        gain = item.quantity * (price - item.price) * listing.multiplier * rate
    return gain - item.commission * paid_in


@given(TRADES, PRICES)
def test_net_liquidation_changes_only_by_prices_and_commissions(
    trades: list[Trade], prices: dict[int, Decimal]
) -> None:
    """However stocks, futures and pairs in three currencies mix, and whenever futures settle."""
    held, marks = account(EUR=5000), Marks(prices)
    for number, item in enumerate(trades):
        held.apply(item)
        if number % 3 == 2:
            for con_id in {ES.con_id, DAX.con_id} & set(held.holdings):
                held.settle(con_id, prices[con_id])
    gained = sum((bare_value(item, marks) for item in trades), Decimal(0))
    assert held.net_liquidation(marks) == pytest.approx(105_500 + gained, abs=Decimal("1e-6"))


@given(TRADES, PRICES)
def test_profit_is_what_each_contract_gained(
    trades: list[Trade], prices: dict[int, Decimal]
) -> None:
    """Realized and unrealized profit together, after commissions, at any prices."""
    held, marks = account(), Marks(prices)
    for item in trades:
        held.apply(item)
    for con_id, holding in held.holdings.items():
        listing = holding.listing
        into = marks.rate(commission_currency(listing)) / marks.rate(listing.currency)
        gained = sum(
            (
                item.quantity * (prices[con_id] - item.price) * listing.multiplier
                - item.commission * into
                for item in trades
                if item.listing is listing
            ),
            Decimal(0),
        )
        profit = holding.realized + held.unrealized(con_id, marks)
        assert profit == pytest.approx(gained, abs=Decimal("0.001"))


@given(TRADES, TRADES, PRICES)
def test_what_if_is_what_then_really_happens(
    before: list[Trade], trades: list[Trade], prices: dict[int, Decimal]
) -> None:
    held, marks = account(EUR=100), Marks(prices)
    for item in before:
        held.apply(item)
    foreseen = held.after(*trades)
    for item in trades:
        held.apply(item)
    assert foreseen.margin(marks) == held.margin(marks)
    assert foreseen.ledgers(marks) == held.ledgers(marks)
