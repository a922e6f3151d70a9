"""Splits, dividends, cash and margin calls: what a client sees of them."""

from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from typing import Any

import pytest

from gateway.simulator import replies as r
from gateway.simulator import requests as q
from gateway.simulator.broker import ExchangeOptions, InitialHolding
from gateway.simulator.exchange import Exchange
from gateway.simulator.market.bars import BarBook

At = Callable[..., datetime]
Say = Callable[..., list[Any]]
MakeOrder = Callable[..., q.PlaceOrder]


def heard(deliveries: list[Any], kind: type[Any]) -> list[Any]:
    return [reply for client, reply in deliveries if client == 1 and isinstance(reply, kind)]


def values(deliveries: list[Any]) -> dict[tuple[str, str], str]:
    return {(x.key, x.currency): x.value for x in heard(deliveries, r.AccountValue)}


def test_a_split_changes_positions_without_an_execution(
    exchange: Exchange, say: Say, at: At
) -> None:
    """50 SPY at 590 become 200 at 147.50, worth what they were."""
    say(q.PositionsRequest(), q.AccountUpdatesRequest(True, ""))
    told = exchange.split("SPY", Decimal(4), at("10:05"))
    (position,) = heard(told, r.Position)
    (item,) = heard(told, r.PortfolioItem)
    assert (position.position, position.average_cost) == (200, Decimal("147.5"))
    assert (item.market_price, item.market_value) == (Decimal("150.25"), Decimal(30050))
    assert values(told) == {}
    assert heard(told, r.ExecutionDetails) == []


def test_a_reverse_split_pays_for_the_fraction(exchange: Exchange, say: Say, at: At) -> None:
    """50 SPY by 1/4 are 12.5; half a share of 2404 is 1202."""
    say(q.AccountUpdatesRequest(True, ""))
    told = exchange.split("SPY", Decimal("0.25"), at("10:05"))
    assert exchange.positions == {"SPY": 12}
    assert values(told)["CashBalance", "USD"] == "101202.00"
    assert ("NetLiquidation", "USD") not in values(told)


def test_a_split_cancels_the_working_orders_of_the_share(
    exchange: Exchange, say: Say, order: MakeOrder, at: At
) -> None:
    """IB on GTC: cancelled "if a corporate action results in a stock split"; 202."""
    say(order(1, order_type="LMT", limit_price=Decimal(500), tif="GTC"))
    told = exchange.split("SPY", Decimal(2), at("10:00"))
    assert [(item.id, item.code) for item in heard(told, r.Notice)] == [(1, 202)]
    assert exchange.working_orders == []


def test_a_bar_that_begins_with_the_split_is_in_new_prices(exchange: Exchange, at: At) -> None:
    """The fraction is paid at the price seen before it, 601 by 1/4: half a share of 2404."""
    exchange.split("SPY", Decimal("0.25"), at("10:30"))
    assert exchange.account.cash == 100_000 + 1202


def test_what_is_sold_after_a_split_gets_the_price_of_the_new_share(
    exchange: Exchange, say: Say, order: MakeOrder, at: At
) -> None:
    """Nobody doubles his money by selling 100 halves at the price of the whole, 601."""
    exchange.split("SPY", Decimal(2), at("10:05"))
    say(order(1, action="SELL", quantity=Decimal(100)), when=at("10:10"))
    assert exchange.account.cash == 100_000 + 100 * Decimal("300.49") - 1


def test_an_auction_in_a_bar_of_before_the_split_is_in_new_prices(
    exchange: Exchange, say: Say, order: MakeOrder, at: At
) -> None:
    """The last bar closes at 613, of which a new share is a quarter, on the tick."""
    exchange.split("SPY", Decimal(4), at("15:40"))
    say(order(1, order_type="MOC", quantity=Decimal(4)), when=at("15:45"))
    told = exchange.advance(at("16:00"))
    assert [item.execution.price for item in heard(told, r.ExecutionDetails)] == [Decimal("153.25")]


def test_an_execution_of_before_a_split_cannot_be_taken_back(
    exchange: Exchange, say: Say, order: MakeOrder, at: At
) -> None:
    """Its 10 shares at 601.01 are 20 now: to take 10 back for all the money would make some."""
    say(order(1))
    (_, execution) = exchange.orders.record.executions[0]
    exchange.split("SPY", Decimal(2), at("10:05"))
    with pytest.raises(ValueError, match="was split since"):
        exchange.orders.bust(execution.execution_id)
    assert exchange.positions == {"SPY": 120}


@pytest.mark.parametrize(("quantity", "cash"), [(50, "100075.00"), (-50, "99925.00")])
def test_a_dividend_is_paid_to_long_and_by_short(
    book: BarBook, at: At, quantity: int, cash: str
) -> None:
    holding = InitialHolding("SPY", Decimal(quantity), Decimal(590))
    made = Exchange(book, ExchangeOptions(cash=Decimal(100_000), holdings=(holding,)))
    made.connect(1, at("10:00"))
    made.handle(1, q.AccountUpdatesRequest(True, ""), at("10:00"))
    told = made.dividend("SPY", Decimal("1.50"), at("10:01"))
    assert values(told)["TotalCashValue", "USD"] == cash
    assert heard(told, r.PortfolioItem) == []


def test_money_comes_and_goes_in_any_currency(book: BarBook, at: At) -> None:
    options = ExchangeOptions(cash=Decimal(1000), exchange_rates={"EUR": Decimal("1.10")})
    made = Exchange(book, options)
    made.connect(1, at("10:00"))
    made.handle(1, q.AccountUpdatesRequest(True, ""), at("10:00"))
    told = made.deposit("EUR", Decimal(500), at("10:00"))
    assert values(told)["CashBalance", "EUR"] == "500.00"
    assert values(told)["NetLiquidation", "USD"] == "1550.00"
    told = made.interest("EUR", Decimal("-0.50"), at("10:00"))
    assert values(told)["CashBalance", "EUR"] == "499.50"


@pytest.mark.parametrize(
    ("verb", "arguments"),
    [
        ("split", ("NONE", Decimal(2))),
        ("split", ("SPY", Decimal(0))),
        ("split", ("EUR.USD", Decimal(2))),
        ("split", ("QQQ", Decimal(2))),
        ("dividend", ("SPY", Decimal(-1))),
        ("deposit", ("USD", Decimal(0))),
        ("deposit", ("EUR", Decimal(5))),
        ("interest", ("USD", Decimal(0))),
    ],
)
def test_what_cannot_happen_is_an_error(
    exchange: Exchange, at: At, verb: str, arguments: tuple[Any, ...]
) -> None:
    with pytest.raises(ValueError, match=r"."):
        getattr(exchange, verb)(*arguments, at("10:00"))


def test_a_margin_call_closes_what_cannot_be_kept(book: BarBook, at: At) -> None:
    """1,000 SPY at 601 bought with 450,000 borrowed; then 50,000 leave the account."""
    holding = InitialHolding("SPY", Decimal(1000), Decimal(600))
    made = Exchange(book, ExchangeOptions(cash=Decimal(-450_000), holdings=(holding,)))
    made.connect(0, at("10:00"))
    made.set_master_client(1)
    made.connect(1, at("10:00"))
    assert made.margin_call(at("10:00")) == []
    told = made.margin_call(at("10:00"))
    assert told == []
    made.deposit("USD", Decimal(-50_000), at("10:00"))
    told = made.margin_call(at("10:00"))
    (details,) = heard(told, r.ExecutionDetails)
    assert (details.order_id, details.execution.side) == (0, "SLD")
    assert details.execution.liquidation == 1
    assert made.positions == {}


def test_the_broker_may_call_margin_by_itself(book: BarBook, at: At) -> None:
    holding = InitialHolding("SPY", Decimal(1000), Decimal(600))
    options = ExchangeOptions(cash=Decimal(-550_000), holdings=(holding,), liquidates=True)
    made = Exchange(book, options)
    made.advance(at("09:29"))
    assert made.positions == {"SPY": 1000}
    made.advance(at("09:30"))
    assert made.positions == {}


def test_margin_is_called_amid_a_jump_of_time_as_well(book: BarBook, at: At) -> None:
    """At the first price that demands it, 600 at 09:30, not at the 611 of the jump's end."""
    holding = InitialHolding("SPY", Decimal(100), Decimal(600))
    options = ExchangeOptions(cash=Decimal(-55_000), holdings=(holding,), liquidates=True)
    made = Exchange(book, options)
    made.advance(at("09:29"))
    made.advance(at("15:00"))
    (_, execution) = made.orders.record.executions[0]
    assert (execution.time, execution.price) == (at("09:30"), Decimal("599.99"))


def test_a_margin_call_waits_for_a_market(book: BarBook, at: At) -> None:
    holding = InitialHolding("SPY", Decimal(1000), Decimal(600))
    made = Exchange(book, ExchangeOptions(cash=Decimal(-550_000), holdings=(holding,)))
    assert made.margin_call(at("03:00")) == []
    assert made.positions == {"SPY": 1000}
