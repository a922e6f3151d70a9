from decimal import Decimal
from typing import Any

from gateway.simulator.replies import NextValidId
from gateway.simulator.requests import (
    CompletedOrdersRequest,
    CurrentTimeRequest,
    NextIdRequest,
    OpenOrdersRequest,
)

Play = Any


def test_an_order_lost_on_its_way_is_neither_booked_nor_told(play: Play) -> None:
    play.faults.silent_loss(after="sending")
    assert play.buy() == []
    assert play.spy == 50
    assert play.executions() == ["ExecutionDetailsEnd"]


def test_an_order_lost_after_booking_trades_unheard_of_until_the_client_reconnects(
    play: Play, bought: list[str]
) -> None:
    """LEAN IB #93: the unknown outcome; orderRef in completed orders and executions settles it."""
    play.faults.silent_loss(after="booking", order=2)
    assert play.buy(1) == bought
    assert play.buy(2) == []
    assert play.spy == 70
    assert play.executions() == ["execution 10", "commission", "ExecutionDetailsEnd"]
    play.reconnect()
    assert play.executions().count("execution 10") == 2
    assert play.story(play.ask(CompletedOrdersRequest(False))).count("completed Filled") == 2


def test_a_loss_for_ever_is_not_told_even_after_a_reconnect(play: Play) -> None:
    play.faults.silent_loss(after="booking", until="never")
    play.buy()
    play.reconnect()
    assert play.spy == 60
    assert play.executions() == ["ExecutionDetailsEnd"]
    assert play.story(play.ask(CompletedOrdersRequest(False))) == ["CompletedOrdersEnd"]


def test_the_only_open_order_of_a_silent_client_is_not_shown(play: Play) -> None:
    play.faults.silent_loss(after="booking")
    play.rest()
    assert play.story(play.ask(OpenOrdersRequest())) == ["OpenOrderEnd"]
    play.reconnect()
    assert "open Submitted" in play.story(play.ask(OpenOrdersRequest()))


def test_late_acks_come_all_together_and_in_order(play: Play, bought: list[str]) -> None:
    play.faults.late_acks(seconds=2)
    assert play.buy() == []
    assert play.spy == 60
    assert play.wait_for(1.9) == []
    assert play.wait_for(0.1) == bought


def test_late_statuses_leave_everything_else_in_time(play: Play, bought: list[str]) -> None:
    play.faults.late_statuses(seconds=3)
    statuses = ["status PreSubmitted", "status Filled"]
    assert play.buy() == [word for word in bought if word not in statuses]
    assert play.wait_for(3) == statuses


def test_a_late_execution_comes_after_its_filled_status(play: Play) -> None:
    play.faults.late_executions(seconds=1)
    assert "status Filled" in play.buy()
    assert play.wait_for(1) == ["execution 10"]


def test_an_answer_to_req_executions_is_never_late(play: Play) -> None:
    play.faults.late_executions(seconds=60)
    play.buy()
    assert "execution 10" in play.executions()


def test_a_late_commission_comes_alone(play: Play) -> None:
    play.faults.late_commissions(seconds=5)
    assert "commission" not in play.buy()
    assert play.wait_for(5) == ["commission"]


def test_a_late_order_trades_when_it_arrives_and_keeps_its_id(
    play: Play, bought: list[str]
) -> None:
    play.faults.late_orders(seconds=1800, order=1)
    assert play.buy(1) == []
    assert play.spy == 50
    assert play.buy(2) == bought, "later ids are not in its way"
    told = play.wait(1800)
    assert play.story(told) == bought
    assert told[2].execution.price == Decimal("602.01"), "the price of then, not of now"


def test_a_dialog_blocks_orders_until_somebody_closes_it(play: Play, bought: list[str]) -> None:
    dialog = play.faults.blocking_dialog()
    assert play.buy() == []
    assert play.wait_for(3600) == []
    play.faults.clear(dialog)
    assert play.wait_for(0) == bought


def test_what_waits_for_a_client_that_goes_is_lost_with_it(play: Play) -> None:
    play.faults.late_acks(seconds=2)
    play.buy()
    play.reconnect()
    assert play.wait_for(2) == []


def test_slow_delivery_lets_messages_trickle(play: Play, bought: list[str]) -> None:
    play.faults.slow_delivery(seconds=0.2)
    assert play.buy() == bought[:1]
    assert play.wait_for(0.2) == bought[1:2]
    assert play.wait_for(1.0) == bought[2:]


def test_latency_keeps_the_order_of_messages(play: Play, bought: list[str]) -> None:
    play.faults.latency(seconds=0.1, jitter_seconds=0.5)
    assert play.buy() == []
    assert play.wait_for(0.099) == []
    assert play.wait_for(0.501) == bought


def test_latency_of_one_client_leaves_others_alone(play: Play) -> None:
    play.connect(2)
    play.faults.latency(client_id=1)
    assert play.ask(CurrentTimeRequest(), client=1) == []
    assert play.ask(NextIdRequest(1), client=2) == [NextValidId(1)]


def test_slow_delivery_of_one_client_leaves_others_alone(play: Play) -> None:
    play.connect(2)
    play.faults.slow_delivery(seconds=60, client_id=2)
    assert len(play.ask(NextIdRequest(1), CurrentTimeRequest(), client=1)) == 2
    assert len(play.ask(NextIdRequest(1), CurrentTimeRequest(), client=2)) == 1
