from decimal import Decimal
from typing import Any

import pytest

from gateway.simulator.faults import FaultError
from gateway.simulator.replies import (
    AccountSummary,
    AccountValue,
    ManagedAccounts,
    PortfolioItem,
    Position,
)
from gateway.simulator.requests import (
    AccountSummaryRequest,
    AccountUpdatesRequest,
    PositionsRequest,
)

Play = Any


def rows(replies: list[Any], kind: type[Any] = Position) -> list[Any]:
    return [reply for reply in replies if isinstance(reply, kind)]


def test_a_flat_position_is_reported_by_omission(play: Play) -> None:
    """Nautilus #3443: nobody says that a position is gone."""
    play.ask(PositionsRequest(), AccountUpdatesRequest(True, ""))
    play.faults.omitted_position(symbol="SPY")
    told = play.ask(play.order(1, action="SELL", quantity=Decimal(50)))
    assert play.spy == 0
    assert rows(told) == []
    assert rows(told, PortfolioItem) == []
    assert [row.position for row in rows(play.ask(play.order(2)))] == [10]


def test_a_position_may_be_omitted_always(play: Play) -> None:
    play.faults.omitted_position(when="always")
    assert play.story(play.ask(PositionsRequest())) == ["PositionEnd"]


def test_a_position_is_told_wrong(play: Play) -> None:
    play.faults.wrong_position(symbol="SPY", difference=Decimal(-3))
    (row,) = rows(play.ask(PositionsRequest()))
    assert (row.position, play.spy) == (47, 50)


def test_other_symbols_and_other_clients_are_told_right(play: Play) -> None:
    play.connect(2)
    play.faults.wrong_position(symbol="QQQ")
    play.faults.wrong_position(client_id=2)
    play.faults.stale_account_values(key="NetLiquidation")
    play.faults.second_account(client_id=2)
    assert [row.position for row in rows(play.ask(PositionsRequest()))] == [50]
    assert [row.position for row in rows(play.ask(PositionsRequest(), client=2))] == [51, 7]
    play.ask(AccountUpdatesRequest(True, ""))
    told = rows(play.ask(play.order(1)), AccountValue)
    assert "TotalCashValue" in {row.key for row in told}, "other values go on"


def test_net_liquidation_is_never_told(play: Play) -> None:
    play.faults.missing_account_values()
    told = play.ask(AccountUpdatesRequest(True, ""))
    assert "NetLiquidation" not in {row.key for row in rows(told, AccountValue)}
    summary = play.ask(AccountSummaryRequest(1, "All", "NetLiquidation,TotalCashValue"))
    assert [row.tag for row in rows(summary, AccountSummary)] == ["TotalCashValue"]


def test_account_values_stand_still(play: Play) -> None:
    play.faults.stale_account_values(key="TotalCashValue")
    request = AccountSummaryRequest(1, "All", "TotalCashValue")
    (before,) = rows(play.ask(request), AccountSummary)
    play.buy()
    (after,) = rows(play.ask(request), AccountSummary)
    assert after == before
    assert play.exchange.account.cash < Decimal(before.value)


def test_a_second_account_is_mixed_with_the_first(play: Play) -> None:
    play.faults.second_account(account="DUSIM0002", quantity=Decimal(7))
    (accounts,) = rows(play.reconnect(), ManagedAccounts)
    assert accounts.accounts == "DUSIM0001,DUSIM0002"
    told = rows(play.ask(PositionsRequest()))
    assert [(row.account, row.position) for row in told] == [("DUSIM0001", 50), ("DUSIM0002", 7)]


def test_somebody_trades_by_hand_between_the_snapshot_and_the_order(
    play: Play, bought: list[str]
) -> None:
    """Nautilus #3476: -1 became +3."""
    play.faults.hand_trade(traded_symbol="SPY", quantity=Decimal(-30), kind="place_order")
    (snapshot,) = rows(play.ask(PositionsRequest()))
    told = play.ask(play.order(1))
    assert snapshot.position == 50
    assert [row.position for row in rows(told)] == [20, 30]
    assert [word for word in play.story(told) if word != "Position"] == bought
    assert rows(play.ask(play.order(2)))[-1].position == 40, "once only"


def test_a_hand_trade_without_a_price_is_noted_and_does_not_happen(play: Play) -> None:
    play.faults.hand_trade(traded_symbol="NOPE")
    play.buy()
    assert "not traded by hand" in play.faults.log[-1].what
    assert play.spy == 60


def test_the_broker_liquidates_a_position(play: Play) -> None:
    play.ask(PositionsRequest())
    play.faults.forced_liquidation(traded_symbol="SPY", seconds=10)
    assert [row.position for row in rows(play.wait(10))] == [0]
    assert play.spy == 0


def test_a_share_splits_without_notice(play: Play) -> None:
    play.faults.split_without_notice(traded_symbol="SPY", ratio=Decimal(2), seconds=10)
    told = play.wait(10)
    assert play.story(told) == [], "no message says that it split"
    (row,) = rows(play.ask(PositionsRequest()))
    assert row.position == 100


def test_a_split_that_cannot_be_is_noted(play: Play) -> None:
    play.faults.split_without_notice(traded_symbol="NOPE")
    play.wait(0)
    assert "NOPE not split" in play.faults.log[-1].what
    with pytest.raises(FaultError, match="ratio 0 is not above 0"):
        play.faults.split_without_notice(traded_symbol="SPY", ratio=Decimal(0))
