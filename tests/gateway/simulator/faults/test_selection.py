from decimal import Decimal
from typing import Any

import pytest

from gateway.simulator.faults import FaultError
from gateway.simulator.requests import CompletedOrdersRequest, OpenOrdersRequest, PositionsRequest

Play = Any


def lost(play: Play, count: int, **changes: Any) -> list[int]:
    """Which of so many orders, placed now, are lost."""
    return [number for number in range(1, count + 1) if not play.buy(number, **changes)]


def test_without_a_selection_every_order_is_meant(play: Play) -> None:
    play.faults.silent_loss()
    assert lost(play, 3) == [1, 2, 3]


def test_one_request_of_another_kind_or_client_is_left_alone(play: Play) -> None:
    play.connect(2)
    play.faults.unanswered_requests(kind="positions", client_id=2)
    assert play.ask(PositionsRequest(), client=1)
    assert play.ask(PositionsRequest(), client=2) == []


def test_orders_count_from_the_injection_on(play: Play) -> None:
    play.buy(1)
    play.faults.silent_loss(order=2)
    assert [play.buy(number) == [] for number in (2, 3, 4)] == [False, True, False]


def test_a_change_and_a_what_if_are_no_new_orders(play: Play) -> None:
    play.rest(1)
    play.faults.silent_loss(order=1)
    assert play.rest(1, order_ref="changed")
    assert play.buy(7, what_if=True)
    assert play.buy(2) == []


def test_an_order_is_meant_by_its_reference(play: Play) -> None:
    play.faults.silent_loss(order_ref="b")
    assert play.buy(1, order_ref="a")
    assert play.buy(2, order_ref="b") == []


def test_orders_of_one_client_or_symbol_are_meant(play: Play) -> None:
    play.connect(2)
    play.faults.silent_loss(client_id=2, symbol="SPY")
    play.faults.silent_loss(symbol="QQQ")
    assert play.buy(1)
    assert play.ask(play.order(1), client=2) == []


def test_at_most_so_many_are_struck(play: Play) -> None:
    play.faults.silent_loss(times=2)
    assert lost(play, 4) == [1, 2]


def test_chance_strikes_some(play: Play) -> None:
    """That the seed decides which: see `test_stage`."""
    play.faults.silent_loss(probability=0.5)
    assert 10 < len(lost(play, 40)) < 30


def test_nothing_happens_with_probability_zero(play: Play) -> None:
    play.faults.silent_loss(probability=0)
    assert lost(play, 5) == []


def test_an_order_from_before_is_meant_by_its_reference_but_not_by_number(play: Play) -> None:
    play.rest(1, order_ref="old")
    play.faults.missing_statuses(order=1)
    play.faults.missing_open_orders(order_ref="old")
    assert play.story(play.ask(OpenOrdersRequest())) == ["status Submitted", "OpenOrderEnd"]


def test_a_finished_order_is_meant_in_the_list_of_completed_ones(play: Play) -> None:
    play.buy(1)
    play.buy(2, order_ref="other")
    play.faults.silent_loss(order_ref="other", after="booking")
    told = play.story(play.ask(CompletedOrdersRequest(False)))
    assert told == ["completed Filled", "CompletedOrdersEnd"]


def test_an_order_by_hand_is_never_meant(play: Play) -> None:
    play.faults.silent_loss(after="booking")
    play.stage.trade_by_hand("SPY", Decimal(5), None, play.now)
    told = play.story(play.ask(CompletedOrdersRequest(False)))
    assert told == ["completed Filled", "CompletedOrdersEnd"]


def test_the_nth_request_of_a_kind_is_meant(play: Play) -> None:
    play.faults.unanswered_requests(kind="positions", request=2)
    assert [bool(play.ask(PositionsRequest())) for _ in range(3)] == [True, False, True]


@pytest.mark.parametrize(
    ("parameters", "complaint"),
    [
        ({"probability": 1.5}, "probability 1.5 is not between 0 and 1"),
        ({"times": -1}, "times=-1 is below 0"),
        ({"order": -1}, "order=-1 is below 0"),
    ],
)
def test_a_selection_that_makes_no_sense_is_refused(
    play: Play, parameters: dict[str, Any], complaint: str
) -> None:
    with pytest.raises(FaultError, match=complaint):
        play.faults.silent_loss(**parameters)


def test_a_kind_that_does_not_exist_is_refused_with_the_nearest(play: Play) -> None:
    with pytest.raises(FaultError, match="did you mean 'contract_details'"):
        play.faults.unanswered_requests(kind="contract_detail")
    with pytest.raises(FaultError, match="request=-1 is below 0"):
        play.faults.unanswered_requests(kind="positions", request=-1)
