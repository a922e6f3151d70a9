from decimal import Decimal
from typing import Any

import pytest

from gateway.simulator.faults import FaultError
from gateway.simulator.replies import TickPrice
from gateway.simulator.requests import (
    CurrentTimeRequest,
    GlobalCancel,
    MarketDataRequest,
    OpenOrdersRequest,
    PositionsRequest,
)

Play = Any


def test_a_lost_link_says_1100_and_then_1102(play: Play) -> None:
    play.faults.link_lost(seconds=30)
    assert play.wait_for(0) == ["error 1100"]
    assert play.wait_for(29) == []
    assert play.wait_for(1) == ["error 1102"]


def test_orders_sent_over_a_lost_link_are_lost(play: Play, bought: list[str]) -> None:
    """ibx #116: no error, no callback."""
    play.faults.link_lost(seconds=30)
    play.wait(1)
    assert play.buy(1) == []
    assert play.wait_for(29) == ["error 1102"]
    assert play.spy == 50
    assert play.buy(2) == bought


def test_orders_sent_over_a_lost_link_may_be_refused(play: Play) -> None:
    play.faults.link_lost(orders="refused")
    play.wait(1)
    assert play.buy() == ["error 201"]


def test_a_fill_during_the_outage_is_only_in_the_records_afterwards(play: Play) -> None:
    """LEAN IB #249: fills in the gap must be asked for."""
    play.ask(PositionsRequest())
    play.buy(1)
    play.buy(2, order_type="LMT", limit_price=Decimal(601))
    play.faults.link_lost(seconds=3600)
    play.wait(1)
    assert play.ask(OpenOrdersRequest()) == [], "the gateway can ask nobody"
    assert len(play.ask(CurrentTimeRequest())) == 1
    assert play.wait_for(3599) == ["error 1102"]
    assert play.spy == 70
    assert play.executions().count("execution 10") == 2


def test_news_may_come_through_a_lost_link_all_the_same(play: Play) -> None:
    """LEAN IB #249: the fill arrived two seconds after the 1100."""
    play.buy(1, order_type="LMT", limit_price=Decimal(601))
    play.faults.link_lost(seconds=3600, news="live")
    assert play.wait_for(3599)[0] == "error 1100"
    assert "execution 10" in play.story([reply for _, reply in play.heard])


def test_a_cancel_does_not_pass_a_lost_link_though_news_does(play: Play) -> None:
    play.rest(1)
    play.faults.link_lost(seconds=30, news="live")
    play.wait(1)
    assert play.cancel(1) == []
    assert play.ask(GlobalCancel()) == []
    assert len(play.exchange.working_orders) == 1


def test_after_1101_market_data_is_dead_until_it_is_asked_for_again(play: Play, spy: Any) -> None:
    line = MarketDataRequest(1, spy, "", False, False, "")
    play.ask(line)
    play.faults.link_lost(seconds=30, data="lost")
    assert play.wait_for(30) == ["error 1100", "error 1101"]
    assert not any(isinstance(reply, TickPrice) for reply in play.wait(1800))
    play.ask(MarketDataRequest(2, spy, "", False, False, ""))
    told = [reply for reply in play.wait(1800) if isinstance(reply, TickPrice)]
    assert {reply.request_id for reply in told} == {2}


def test_after_1102_market_data_goes_on(play: Play, spy: Any) -> None:
    play.ask(MarketDataRequest(1, spy, "", False, False, ""))
    play.faults.link_lost(seconds=30)
    play.wait(30)
    assert any(isinstance(reply, TickPrice) for reply in play.wait(1800))


def test_a_client_that_connects_without_a_link_hears_of_it(play: Play) -> None:
    play.faults.link_lost(seconds=30)
    play.wait(1)
    assert play.story(play.connect(2)) == ["accounts DUSIM0001", "id 1", "error 1100"]


def test_the_night_brings_a_burst_of_1100s(play: Play) -> None:
    play.faults.nightly_disconnects(seconds=60, notices=15)
    assert play.wait_for(60) == ["error 1100"] * 15 + ["error 1102"]


def test_clearing_a_lost_link_restores_it(play: Play) -> None:
    fault = play.faults.link_lost(seconds=3600)
    play.wait(1)
    play.faults.clear(fault)
    assert play.wait_for(0) == ["error 1102"]


def test_a_link_is_lost_at_least_once(play: Play) -> None:
    with pytest.raises(FaultError, match="notices=0 is below 1"):
        play.faults.link_lost(notices=0)


@pytest.mark.parametrize(
    ("code", "clear"),
    [(2103, 2104), (2105, 2106), (2107, 2106), (2108, 2104), (2110, 1102), (2157, 2158)],
)
def test_a_farm_notice_is_taken_back(play: Play, code: Any, clear: int, bought: list[str]) -> None:
    play.faults.farm_notice(code=code, seconds=10)
    assert play.wait_for(0) == [f"error {code}"]
    assert play.buy() == bought, "information only"
    assert play.wait_for(10) == [f"error {clear}"]
