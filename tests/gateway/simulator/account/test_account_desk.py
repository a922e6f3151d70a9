"""Account values, positions, portfolio, profit and loss, and their updates."""

from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from typing import Any

from gateway.simulator import replies as r
from gateway.simulator import requests as q
from gateway.simulator.broker import ExchangeOptions, InitialHolding
from gateway.simulator.exchange import Exchange
from gateway.simulator.market.bars import BarBook, Row

Say = Callable[..., list[Any]]
At = Callable[..., datetime]
MakeOrder = Callable[..., q.PlaceOrder]


def values(replies: list[Any]) -> dict[tuple[str, str], str]:
    return {(x.key, x.currency): x.value for x in replies if isinstance(x, r.AccountValue)}


def test_the_first_account_values_are_complete_and_end(say: Say) -> None:
    """Cash 100,000 and 50 SPY at 601."""
    heard = say(q.AccountUpdatesRequest(True, "DUSIM0001"))
    assert values(heard)["NetLiquidation", "USD"] == "130050.00"
    assert values(heard)["TotalCashBalance", "BASE"] == "100000.00"
    assert values(heard)["InitMarginReq", "USD"] == "15025.00"
    assert heard[-1] == r.AccountDownloadEnd("DUSIM0001")
    (item,) = [reply for reply in heard if isinstance(reply, r.PortfolioItem)]
    assert [item.position, item.market_price, item.unrealized] == [
        Decimal(50),
        Decimal(601),
        Decimal(550),
    ]


def test_a_trade_sends_position_portfolio_and_what_changed(say: Say, order: MakeOrder) -> None:
    say(q.AccountUpdatesRequest(True, ""), q.PositionsRequest())
    after = say(order(1))[7:]
    assert isinstance(after[0], r.Position)
    assert after[0].position == 60
    assert ("AccountCode", "") not in values(after)
    assert values(after)["TotalCashValue", "USD"] == "93988.90"
    assert [x.position for x in after if isinstance(x, r.PortfolioItem)] == [60]


def test_values_follow_the_market_every_three_minutes(exchange: Exchange, say: Say, at: At) -> None:
    say(q.AccountUpdatesRequest(True, ""))
    assert exchange.advance(at("10:02")) == []
    assert exchange.advance(at("10:04")) == []
    moved = values([reply for _, reply in exchange.advance(at("10:30"))])
    assert moved["NetLiquidation", "USD"] == "130100.00"


def test_only_positions_that_moved_are_valued_again(
    book: BarBook, exchange: Exchange, at: At
) -> None:
    """QQQ has no bars here, so it stays at its cost while SPY rises."""
    holdings = tuple(InitialHolding(name, Decimal(1), Decimal(9)) for name in ("SPY", "QQQ"))
    made = Exchange(book, ExchangeOptions(holdings=holdings))
    made.connect(1, at("10:00"))
    made.handle(1, q.AccountUpdatesRequest(True, ""), at("10:00"))
    told = [reply for _, reply in made.advance(at("10:30"))]
    assert [x.contract.symbol for x in told if isinstance(x, r.PortfolioItem)] == ["SPY"]


def test_an_fx_trade_is_seen_in_balances_and_as_a_position(at: At) -> None:
    """ib.md 4: FX conversions. The euro is at 1.10, then at 1.20; the commission is 2 USD."""
    prices = ((at("09:30"), "1.10"), (at("10:30"), "1.20"))
    rows = [Row(when, (*(Decimal(price),) * 4, Decimal(10**6)), "test") for when, price in prices]
    made = Exchange(BarBook({("EUR.USD", "30 mins"): rows}), ExchangeOptions(cash=Decimal(50_000)))
    made.connect(1, at("09:40"))
    made.handle(1, q.AccountUpdatesRequest(True, ""), at("09:40"))
    made.handle(1, q.PositionsRequest(), at("09:40"))
    deal = made.trade_by_hand("EUR.USD", Decimal(20_000), Decimal("1.10"), at("09:40"))
    told = [reply for _, reply in deal]
    (position,) = [reply for reply in told if isinstance(reply, r.Position)]
    assert (position.contract.security_type, position.position) == ("CASH", Decimal(20_000))
    shown = values(told)
    assert shown["CashBalance", "EUR"] == "20000.00"
    assert shown["CashBalance", "USD"] == "27998.00"
    assert shown["CashBalance", "BASE"] == "49998.00"
    moved = values([reply for _, reply in made.advance(at("10:30"))])
    assert moved["NetLiquidation", "USD"] == "51998.00"
    assert moved["ExchangeRate", "EUR"] == "1.2000000"


def test_an_ended_subscription_is_silent(exchange: Exchange, say: Say, at: At) -> None:
    say(q.AccountUpdatesRequest(True, ""), q.PositionsRequest(), q.PnLRequest(4, "", ""))
    say(q.AccountUpdatesRequest(False, ""), q.PositionsCancel(), q.PnLCancel(4))
    assert exchange.trade_by_hand("SPY", Decimal(1), None, at("10:00")) == []


def test_a_disconnected_client_hears_nothing_and_its_subscriptions_end(
    exchange: Exchange, say: Say, at: At
) -> None:
    say(q.AccountUpdatesRequest(True, ""), q.PositionsRequest())
    exchange.disconnect(1)
    exchange.connect(1, at("10:00"))
    assert exchange.trade_by_hand("SPY", Decimal(1), None, at("10:00")) == []


def test_positions_are_sent_with_their_cost_and_an_end(say: Say) -> None:
    row, end = say(q.PositionsRequest())
    assert (row.position, row.average_cost, row.contract.con_id) == (50, 590, 756733)
    assert end == r.PositionEnd()
    assert say(q.PositionsMultiRequest(3, "", ""))[-1] == r.PositionMultiEnd(3)


def test_a_summary_has_the_tags_asked_for(say: Say) -> None:
    heard = say(q.AccountSummaryRequest(3, "All", "NetLiquidation,FullInitMarginReq"))
    assert {row.tag: row.value for row in heard[:-1]} == {
        "NetLiquidation": "130050.00",
        "FullInitMarginReq": "15025.00",
    }
    assert heard[-1] == r.AccountSummaryEnd(3)


def test_a_summary_has_the_ledger_when_asked_for(say: Say) -> None:
    heard = say(q.AccountSummaryRequest(3, "All", "$LEDGER:ALL"))
    assert {("CashBalance", "USD"), ("CashBalance", "BASE")} <= {
        (row.tag, row.currency) for row in heard[:-1]
    }


def test_a_third_summary_is_refused_until_one_is_cancelled(say: Say) -> None:
    """ib.md 4: 322, two per client."""
    say(*(q.AccountSummaryRequest(number, "All", "") for number in (1, 2)))
    assert say(q.AccountSummaryRequest(3, "All", ""))[0].code == 322
    assert say(q.AccountSummaryCancel(1), q.AccountSummaryRequest(3, "All", ""))[-1] == (
        r.AccountSummaryEnd(3)
    )


def test_a_summary_follows_every_three_minutes_with_what_changed(
    exchange: Exchange, say: Say, at: At
) -> None:
    """At IB trades do not hurry it."""
    say(q.AccountSummaryRequest(3, "All", "NetLiquidation,AccountType"))
    assert exchange.trade_by_hand("SPY", Decimal(1), Decimal(599), at("10:01")) == []
    told = exchange.advance(at("10:03"))
    (row,) = [reply for _, reply in told if isinstance(reply, r.AccountSummary)]
    assert (row.tag, row.value) == ("NetLiquidation", "130051.00")
    assert exchange.advance(at("10:29")) == []


def test_a_summary_of_all_that_nautilus_trader_waits_for(say: Say) -> None:
    """ib.md 2: its execution client waits for ever for these."""
    tags = "NetLiquidation,TotalCashValue,FullAvailableFunds,FullInitMarginReq,FullMaintMarginReq"
    heard = say(q.AccountSummaryRequest(3, "All", tags))
    assert {row.tag for row in heard[:-1]} == set(tags.split(","))


def test_ledger_and_net_liquidation_are_less_than_all_values(say: Say) -> None:
    heard = say(q.AccountUpdatesMultiRequest(3, "", "", True))
    tags = {row.key for row in heard[:-1]}
    assert {"NetLiquidation", "CashBalance"} <= tags
    assert not {"BuyingPower", "AccountType"} & tags


def test_two_that_subscribed_at_different_times_hear_the_same_changes(
    exchange: Exchange, say: Say, at: At
) -> None:
    exchange.connect(2, at("10:00"))
    say(q.AccountUpdatesRequest(True, ""))
    exchange.trade_by_hand("SPY", Decimal(1), None, at("10:00"))
    exchange.handle(2, q.AccountUpdatesRequest(True, ""), at("10:01"))
    told = exchange.trade_by_hand("SPY", Decimal(1), None, at("10:01"))
    first, second = ([reply for client, reply in told if client == name] for name in (1, 2))
    assert first == second
    assert values(first)["CashBalance", "USD"]


def test_another_account_is_unknown(say: Say) -> None:
    for request in (
        q.AccountUpdatesRequest(True, "U1"),
        q.AccountUpdatesMultiRequest(3, "U1", "", False),
        q.PositionsMultiRequest(3, "U1", ""),
        q.PnLRequest(3, "U1", ""),
        q.PnLSingleRequest(3, "U1", "", 756733),
    ):
        assert [reply.code for reply in say(request)] == [321]


def test_multi_updates_are_complete_and_end(say: Say) -> None:
    heard = say(q.AccountUpdatesMultiRequest(3, "DUSIM0001", "", False))
    assert {row.key for row in heard[:-1]} >= {"NetLiquidation", "BuyingPower", "AccountType"}
    assert heard[-1] == r.AccountUpdateMultiEnd(3)


def test_profit_counts_from_the_days_first_look(say: Say, exchange: Exchange, at: At) -> None:
    """50 SPY rise from 601 to 602 within the day; they cost 590."""
    say(q.PnLRequest(3, "", ""), q.PnLSingleRequest(4, "", "", 756733))
    heard: list[Any] = [reply for _, reply in exchange.advance(at("10:30"))]
    total, single = heard
    assert (total.daily, total.unrealized, total.realized) == (50, 600, 0)
    assert (single.position, single.daily, single.value) == (50, 50, 30100)


def test_profit_is_told_again_only_when_it_changed(say: Say, exchange: Exchange, at: At) -> None:
    say(q.PnLRequest(3, "", ""))
    assert exchange.advance(at("10:10")) == []
    assert len(exchange.advance(at("10:30"))) == 1


def test_subscriptions_of_a_client_are_limited(say: Say) -> None:
    heard = say(*(q.PnLRequest(number, "", "") for number in range(60)))
    assert [reply.code for reply in heard if isinstance(reply, r.Notice)] == [322] * 10
