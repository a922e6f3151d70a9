from decimal import Decimal
from typing import Any

import pytest

from gateway.simulator.faults.refusals import MISLEADING, REJECTIONS, REQUEST_ERRORS
from gateway.simulator.replies import Cut, Notice, OpenOrder
from gateway.simulator.requests import (
    AllOpenOrdersRequest,
    CompletedOrdersRequest,
    ContractDetailsRequest,
    CurrentTimeRequest,
    HistoricalDataRequest,
    MatchingSymbolsRequest,
    OpenOrdersRequest,
    PositionsRequest,
)

Play = Any


@pytest.mark.parametrize("reason", list(REJECTIONS))
def test_an_order_is_rejected_with_ibs_code(play: Play, reason: Any) -> None:
    play.faults.rejection(reason=reason)
    (notice,) = play.ask(play.order(1))
    assert (notice.id, notice.code, notice.text) == (1, *REJECTIONS[reason])
    assert play.spy == 50
    assert play.exchange.orders.next_id(1) == 2, "the id is used up"


def test_only_the_orders_that_are_meant_are_rejected(play: Play, bought: list[str]) -> None:
    play.faults.rejection(order_ref="ref-2", times=1)
    assert play.buy(1) == bought
    assert play.buy(2, order_ref="ref-2") == ["error 201"]
    assert play.buy(3, order_ref="ref-2") == bought


def test_a_late_rejection_comes_after_the_acknowledgement(play: Play) -> None:
    """10243 for fractions: accepted locally, cancelled about 80 ms later."""
    play.faults.late_rejection(seconds=0.08, reason="fraction")
    assert play.buy() == ["open PreSubmitted", "status PreSubmitted"]
    assert play.wait_for(0.08) == ["status Inactive", "error 10243"]
    assert play.wait_for(60) == []


@pytest.mark.parametrize("code", list(MISLEADING))
def test_a_misleading_notice_leaves_the_order_alive(
    play: Play, bought: list[str], code: Any
) -> None:
    play.faults.misleading_notice(code=code)
    assert play.buy() == [*bought, f"error {code}"]
    assert play.spy == 60


def test_a_misleading_notice_may_follow_a_change(play: Play) -> None:
    play.faults.misleading_notice(code=110, to="change")
    assert "error 110" not in play.rest()
    assert play.rest(quantity=Decimal(20))[-1] == "error 110"
    (order,) = play.exchange.working_orders
    assert order.terms.quantity == 20


def test_error_10148_may_come_late_after_a_cancel(play: Play) -> None:
    play.faults.misleading_notice(code=10148, to="cancel", seconds=3)
    play.rest()
    assert play.cancel() == ["status Cancelled", "error 202"]
    assert play.wait_for(3) == ["error 10148"]


@pytest.mark.parametrize("code", [161, 10147, 10148])
def test_a_refused_cancel_leaves_the_order_working(play: Play, code: Any) -> None:
    play.rest()
    play.faults.cancel_refused(code=code)
    assert play.cancel() == [f"error {code}"]
    assert len(play.exchange.working_orders) == 1


def test_a_lost_cancel_is_not_answered(play: Play) -> None:
    play.rest(1)
    play.rest(2)
    play.faults.cancel_lost(times=1)
    assert play.cancel(1) == []
    assert play.cancel(2) == ["status Cancelled", "error 202"]
    assert [order.order_id for order in play.exchange.working_orders] == [1]


def test_a_late_cancel_finds_the_order_filled(play: Play) -> None:
    """LEAN IB #248: the answer to the cancel is 10148."""
    play.rest()
    play.faults.late_cancel(seconds=2)
    assert play.cancel() == []
    assert "status Filled" in play.wait_for(1)
    assert play.wait_for(1) == ["error 10148"]
    assert play.spy == 60


def test_a_late_cancel_may_cancel_after_all(play: Play) -> None:
    play.rest()
    play.faults.late_cancel(seconds=2, filled=False)
    assert play.cancel() == []
    assert play.wait_for(2) == ["status Cancelled", "error 202"]


def what_if(play: Play, order_id: int = 1) -> list[Any]:
    told: list[Any] = play.ask(play.order(order_id, what_if=True))
    return told


def test_the_first_what_if_answer_is_unset_and_the_second_real(play: Play) -> None:
    """ib.md 4, F17: unset values with a warning first."""
    play.faults.what_if_trouble(answer="unset", seconds=1)
    (bare,) = what_if(play)
    assert isinstance(bare, OpenOrder)
    assert bare.state.change.initial is None
    assert bare.state.warning
    (real,) = play.wait(1)
    assert real.state.change.initial > 0


@pytest.mark.parametrize(
    ("answer", "told"), [("warning", ["error 399"]), ("refused", ["error 201"]), ("never", [])]
)
def test_a_what_if_is_answered_badly(play: Play, answer: Any, told: list[str]) -> None:
    play.faults.what_if_trouble(answer=answer)
    assert play.story(what_if(play)) == told
    assert play.wait(60) == []


@pytest.mark.parametrize("code", list(REQUEST_ERRORS))
def test_requests_of_a_kind_are_refused_with_a_code(play: Play, spy: Any, code: Any) -> None:
    play.faults.refused_requests(kind="contract_details", code=code)
    (notice,) = play.ask(ContractDetailsRequest(5, spy))
    assert (notice.id, notice.code) == (5, code)
    assert len(play.ask(CurrentTimeRequest())) == 1


def test_only_the_nth_request_goes_unanswered(play: Play, spy: Any) -> None:
    """pysystemtrade #1659: one contract's details never come."""
    play.faults.unanswered_requests(kind="contract_details", request=2)
    assert [len(play.ask(ContractDetailsRequest(n, spy))) for n in (1, 2, 3)] == [2, 0, 2]


def test_one_symbol_of_a_kind_goes_unanswered(play: Play) -> None:
    play.faults.unanswered_requests(kind="matching_symbols", symbol="SPY")
    assert play.ask(MatchingSymbolsRequest(1, "SPY")) == []
    assert len(play.ask(MatchingSymbolsRequest(2, "QQQ"))) == 1


def test_historical_data_is_refused_for_pacing(play: Play, spy: Any) -> None:
    play.faults.historical_pacing(times=1)
    request = HistoricalDataRequest(3, spy, False, "", "30 mins", "1 D", True, "TRADES", 1, False)
    (notice,) = play.ask(request)
    assert (notice.id, notice.code) == (3, 162)
    assert "pacing violation" in notice.text
    assert play.story(play.ask(request)) == ["HistoricalData"]


def test_pacing_refusals_count_and_the_third_cuts_the_connection(play: Play) -> None:
    """Error 100 comes with id -1, so nobody learns which order was refused."""
    play.faults.pacing_refusals(violations=3)
    told = [play.ask(play.order(number)) for number in (1, 2, 3)]
    notices = [reply for replies in told for reply in replies if isinstance(reply, Notice)]
    assert [(notice.id, notice.code, notice.text[-3:]) for notice in notices] == [
        (-1, 100, "(1)"),
        (-1, 100, "(2)"),
        (-1, 100, "(3)"),
    ]
    assert told[2][-1] == Cut()
    assert play.spy == 50


def test_a_read_only_api_refuses_orders_and_questions_about_them_without_an_end(
    play: Play,
) -> None:
    play.faults.read_only_api()
    for request in (
        play.order(1),
        OpenOrdersRequest(),
        AllOpenOrdersRequest(),
        CompletedOrdersRequest(True),
    ):
        (notice,) = play.ask(request)
        assert (notice.id, notice.code) == (-1, 321)
    assert play.story(play.ask(PositionsRequest())) == ["Position", "PositionEnd"]


def test_the_second_what_if_is_answered_well(play: Play) -> None:
    play.faults.what_if_trouble(answer="never", times=1)
    assert [len(what_if(play)) for _ in range(2)] == [0, 1]
