from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from gateway.simulator.broker import ExchangeOptions
from gateway.simulator.exchange import Exchange
from gateway.simulator.faults import FaultError
from gateway.simulator.market.bars import BarBook
from gateway.simulator.replies import Delivery, ExecutionDetails, Notice, Position, PositionEnd
from gateway.simulator.requests import OpenOrdersRequest, PlaceOrder, PositionsRequest
from gateway.simulator.stage import Stage, Welcome

At = Callable[..., datetime]
Make = Callable[..., PlaceOrder]


@pytest.fixture
def stage(exchange: Exchange, at: At) -> Stage:
    made = Stage(exchange, seed=7)
    made.advance(at("10:00"))
    return made


def replies(deliveries: list[Delivery], kind: type[Any]) -> list[Any]:
    return [reply for _, reply in deliveries if isinstance(reply, kind)]


def test_without_a_fault_the_stage_is_the_exchange(book: BarBook, at: At, order: Make) -> None:
    bare, stage = Exchange(book), Stage(Exchange(book))
    told = [
        (
            door.connect(1, at("10:00")),
            door.handle(1, order(1), at("10:00")),
            door.handle(1, PositionsRequest(), at("10:01")),
            door.advance(at("15:00")),
        )
        for door in (bare, stage)
    ]
    assert told[0] == told[1]
    assert stage.welcome(at("15:00")) is Welcome.ANSWER
    assert stage.admit(2, at("15:00")) is None
    assert stage.next_due() is None


def test_a_time_without_a_zone_is_refused_with_a_fault_too(stage: Stage, at: At) -> None:
    stage.faults.clock_skew()
    with pytest.raises(ValueError, match="a time without a zone"):
        stage.advance(at("10:00").replace(tzinfo=None))


def test_what_is_held_is_released_between_the_steps_of_the_exchange(
    stage: Stage, at: At, order: Make
) -> None:
    """An order that arrives late meets the price of its arrival, in one single step of time."""
    stage.faults.late_orders(seconds=3600)
    stage.handle(1, order(1), at("10:00"))
    assert stage.next_due() == at("11:00")
    (execution,) = replies(stage.advance(at("15:00")), ExecutionDetails)
    assert execution.execution.time == at("11:00")
    assert execution.execution.price == Decimal("603.01")


def test_what_is_held_passes_the_faults_injected_later_and_no_earlier_one(
    stage: Stage, at: At, order: Make
) -> None:
    stage.faults.late_executions(seconds=1)
    stage.faults.duplicated_executions()
    assert replies(stage.handle(1, order(1), at("10:00")), ExecutionDetails) == []
    told = stage.advance(at("10:00") + timedelta(seconds=1))
    assert len(replies(told, ExecutionDetails)) == 2
    assert stage.next_due() is None


def test_requests_meet_the_older_fault_first(stage: Stage, at: At, order: Make) -> None:
    stage.faults.silent_loss(after="sending")
    stage.faults.rejection()
    assert stage.handle(1, order(1), at("10:00")) == []
    stage.faults.clear()
    stage.faults.rejection()
    stage.faults.silent_loss(after="sending")
    assert [reply.code for reply in replies(stage.handle(1, order(2), at("10:00")), Notice)] == [
        201
    ]


def test_a_request_releases_what_is_due_before_its_answer(
    stage: Stage, at: At, order: Make
) -> None:
    stage.faults.late_acks(seconds=60)
    stage.handle(1, order(1), at("10:00"))
    told = stage.handle(1, PositionsRequest(), at("10:01"))
    assert isinstance(told[-1][1], PositionEnd)
    assert len(replies(told, ExecutionDetails)) == 1


def test_a_fault_before_time_began_counts_from_the_first_time_told(
    exchange: Exchange, at: At
) -> None:
    stage = Stage(exchange)
    stage.faults.gateway_down(seconds=60)
    assert stage.welcome(at("10:00")) is Welcome.RESET
    assert stage.welcome(at("10:01")) is Welcome.ANSWER


def test_an_injection_outside_of_a_call_wakes_the_server(stage: Stage, at: At) -> None:
    woken: list[list[Delivery]] = []
    stage.on_wake = lambda: woken.append(stage.advance(at("10:00")))
    stage.faults.clock_skew()
    assert woken == [], "nothing to tell yet"
    fault = stage.faults.link_lost()
    assert [reply.code for reply in replies(woken[0], Notice)] == [1100]
    stage.faults.clear(fault)
    assert [reply.code for reply in replies(woken[-1], Notice)] == [1102]


def test_a_verb_of_the_exchange_is_told_through_the_faults(
    stage: Stage, at: At, order: Make
) -> None:
    stage.handle(1, order(1, order_type="LMT", limit_price=Decimal(500)), at("10:00"))
    (working,) = stage.exchange.working_orders
    stage.faults.missing_open_orders()
    told = stage.acting(at("10:00"), lambda: stage.exchange.orders.fill(working))
    names = [type(reply).__name__ for _, reply in told]
    assert names == ["ExecutionDetails", "OrderStatus", "CommissionReport"]


def test_a_verb_can_be_scheduled(stage: Stage, at: At) -> None:
    """Corporate actions are verbs of the exchange, not faults; the stage only keeps the time."""
    split = stage.exchange.actions.split
    stage.at(at("11:00"), lambda: split("SPY", Decimal(2)))
    assert stage.handle(1, OpenOrdersRequest(), at("10:59"))
    assert stage.exchange.positions == {"SPY": 50}
    stage.advance(at("11:00"))
    assert stage.exchange.positions == {"SPY": 100}


def test_a_trade_by_hand_is_told_through_the_faults(stage: Stage, at: At) -> None:
    stage.handle(1, PositionsRequest(), at("10:00"))
    stage.faults.wrong_position(difference=Decimal(1))
    told = stage.trade_by_hand("SPY", Decimal(5), None, at("10:00"))
    assert [row.position for row in replies(told, Position)] == [56]
    with pytest.raises(ValueError, match="cannot trade 5 of 'NOPE'"):
        stage.trade_by_hand("NOPE", Decimal(5), None, at("10:00"))


@pytest.mark.parametrize(("seed", "same"), [(7, True), (8, False)])
def test_what_chance_strikes_depends_on_the_seed(
    book: BarBook, at: At, order: Make, seed: int, same: bool
) -> None:
    def fate(of: int) -> list[bool]:
        stage = Stage(Exchange(book, ExchangeOptions()), seed=of)
        stage.connect(1, at("10:00"))
        stage.faults.silent_loss(probability=0.5)
        return [bool(stage.handle(1, order(n), at("10:00"))) for n in range(1, 30)]

    assert (fate(7) == fate(seed)) is same


def test_everything_a_fault_did_is_in_the_log(stage: Stage, at: At, order: Make) -> None:
    fault = stage.faults.silent_loss(order=1)
    stage.handle(1, order(1), at("10:00"))
    stage.faults.clear()
    assert {(entry.time, entry.fault_id, entry.fault) for entry in stage.faults.log} == {
        (at("10:00"), fault, "silent_loss")
    }
    told = [entry.what for entry in stage.faults.log]
    assert told == ["injected", "order 1 of client 1", "cleared"]


def test_what_an_injection_brings_is_due_at_once(stage: Stage, at: At) -> None:
    stage.faults.link_lost(seconds=30)
    assert stage.next_due() == at("10:00")
    assert [reply.code for reply in replies(stage.advance(at("10:00")), Notice)] == [1100]
    assert stage.next_due() == at("10:00") + timedelta(seconds=30)


def test_the_memory_of_executions_is_bounded(
    stage: Stage, at: At, order: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.simulator.stage.OWNERS_MAX", 1)
    stage.faults.clock_skew()
    told = [stage.handle(1, order(number), at("10:00")) for number in (1, 2)]
    ids = [item.execution.execution_id for part in told for item in replies(part, ExecutionDetails)]
    assert [stage.owner(name) for name in ids] == [None, (1, 2)]


def test_an_injection_can_be_scheduled(stage: Stage, at: At, order: Make) -> None:
    stage.at(at("11:00"), lambda: stage.faults.link_lost(seconds=60))
    assert stage.handle(1, order(1), at("10:59"))
    told = stage.advance(at("11:01"))
    assert [reply.code for reply in replies(told, Notice)] == [1100, 1102]


def test_a_mistyped_parameter_is_seen_by_mypy_and_refused_at_run_time(stage: Stage) -> None:
    """mypy complains of each `type: ignore` here that it does not need."""
    with pytest.raises(FaultError, match="did you mean 'order'"):
        stage.faults.silent_loss(odrer=3)  # type: ignore[call-arg]
    with pytest.raises(FaultError, match="is not one of sending, booking"):
        stage.faults.silent_loss(after="bookin")  # type: ignore[arg-type]


def test_faults_count_their_seconds_from_the_news_in_a_jump_too(
    stage: Stage, at: At, order: Make
) -> None:
    """At 16:00 the order is told Cancelled; it trades 0.7 s later, not on the next day."""
    stage.faults.fill_after_cancel(seconds=0.7)
    far = order(1, order_type="LMT", limit_price=Decimal(500))
    stage.handle(1, far, at("10:00"))
    told = replies(stage.advance(at("12:00", 1)), ExecutionDetails)
    assert [item.execution.time for item in told] == [at("16:00") + timedelta(seconds=0.7)]
