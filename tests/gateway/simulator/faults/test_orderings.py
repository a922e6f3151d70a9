from decimal import Decimal
from typing import Any

from gateway.simulator.requests import ExecutionsRequest

Play = Any


def test_a_duplicated_status_comes_twice_in_a_row(play: Play) -> None:
    play.faults.duplicated_statuses()
    assert play.rest() == [
        "open PreSubmitted",
        "status PreSubmitted",
        "status PreSubmitted",
        "open Submitted",
        "status Submitted",
        "status Submitted",
    ]


def test_without_statuses_only_the_execution_tells_of_the_fill(
    play: Play, bought: list[str]
) -> None:
    """IB: watch execDetails too, a status may be missing."""
    play.faults.missing_statuses()
    assert play.buy() == [word for word in bought if not word.startswith("status")]


def test_without_the_final_status_the_order_seems_to_work_for_ever(play: Play) -> None:
    play.faults.missing_statuses(which="final")
    told = play.buy()
    assert "status PreSubmitted" in told
    assert "status Filled" not in told
    play.rest(2)
    assert play.cancel(2) == ["error 202"]


def test_the_newer_of_two_statuses_comes_first(play: Play) -> None:
    play.faults.reordered_statuses()
    told = [word for word in play.buy() if word.startswith("status")]
    assert told == ["status Filled", "status PreSubmitted"]


def test_a_last_status_without_another_comes_late(play: Play) -> None:
    play.rest()
    play.faults.reordered_statuses(seconds=1)
    assert play.cancel() == ["error 202"]
    assert play.wait_for(1) == ["status Cancelled"]


def test_clearing_a_reordering_sends_what_it_kept(play: Play) -> None:
    play.rest()
    fault = play.faults.reordered_statuses(seconds=60)
    play.cancel()
    play.faults.clear(fault)
    assert play.wait_for(0) == ["status Cancelled"]


def test_without_open_orders_statuses_and_executions_are_all_there_is(play: Play) -> None:
    play.faults.missing_open_orders()
    assert play.buy() == ["status PreSubmitted", "execution 10", "status Filled", "commission"]


def test_the_execution_precedes_the_status_unless_turned_round(
    play: Play, bought: list[str]
) -> None:
    assert play.buy(1) == bought, "IB's normal order: execDetails before Filled"
    play.faults.status_before_execution()
    assert play.buy(2) == [
        "open PreSubmitted",
        "status PreSubmitted",
        "status Filled",
        "execution 10",
        "open Filled",
        "open Filled",
        "commission",
    ]


def test_an_execution_may_come_before_the_acknowledgement(play: Play, bought: list[str]) -> None:
    play.faults.execution_before_ack()
    assert play.buy() == ["execution 10", *[word for word in bought if word != "execution 10"]]


def test_a_duplicated_execution_has_the_same_id(play: Play) -> None:
    play.faults.duplicated_executions(copies=2)
    told = [reply for reply in play.ask(play.order(1)) if hasattr(reply, "execution")]
    assert [reply.execution.quantity for reply in told] == [Decimal(10)] * 3
    assert len({reply.execution.execution_id for reply in told}) == 1
    assert play.executions().count("execution 10") == 1
    assert play.spy == 60


def test_a_missing_execution_is_only_shown_when_asked_for(play: Play, bought: list[str]) -> None:
    """LEAN IB #249: fills that are not asked for are lost."""
    play.faults.missing_executions()
    hidden = {"execution 10", "commission"}
    assert play.buy() == [word for word in bought if word not in hidden]
    assert play.executions() == ["execution 10", "commission", "ExecutionDetailsEnd"]


def test_a_commission_may_come_before_its_execution(play: Play) -> None:
    play.faults.commission_before_execution()
    told = play.buy()
    assert told.index("commission") == told.index("execution 10") - 1


def test_a_commission_may_never_come(play: Play) -> None:
    play.faults.missing_commissions()
    assert "commission" not in play.buy()
    assert "commission" not in play.executions()


def test_error_202_may_come_before_the_status(play: Play) -> None:
    play.rest(1)
    play.rest(2)
    assert play.cancel(1) == ["status Cancelled", "error 202"]
    play.faults.notice_before_status()
    assert play.cancel(2) == ["error 202", "status Cancelled"]


def test_perm_ids_are_zero_for_the_orders_that_are_meant(play: Play) -> None:
    play.faults.missing_perm_ids(order=1)
    told = play.ask(play.order(1)) + play.ask(play.order(2))
    numbers = [(reply.order_id, reply.perm_id) for reply in told if hasattr(reply, "perm_id")]
    assert {perm for order, perm in numbers if order == 1} == {0}
    assert all(perm for order, perm in numbers if order == 2)


def test_an_order_by_hand_has_neither_an_order_id_nor_a_perm_id(play: Play) -> None:
    play.faults.missing_perm_ids(orders="external")
    play.stage.connect(9, play.now)
    play.stage.trade_by_hand("SPY", Decimal(5), None, play.now)
    everything = ExecutionsRequest(1, 0, "", "", "", "", "", "")
    shown = [reply for reply in play.ask(everything, client=9) if hasattr(reply, "perm_id")]
    assert [(reply.order_id, reply.perm_id) for reply in shown] == [(0, 0)]
    assert all(reply.perm_id for reply in play.ask(play.order(1)) if hasattr(reply, "perm_id"))
