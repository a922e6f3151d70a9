from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from gateway.simulator.faults import FaultError
from gateway.simulator.replies import ExecutionDetails, Notice, OpenOrder, OrderStatus
from gateway.simulator.requests import OpenOrdersRequest

Play = Any


def executed(replies: list[Any]) -> list[ExecutionDetails]:
    return [reply for reply in replies if isinstance(reply, ExecutionDetails)]


def test_odd_parts_fill_one_by_one_and_add_up(play: Play) -> None:
    play.faults.odd_parts(parts=3, seconds=1)
    first = play.ask(play.order(1, quantity=Decimal(100)))
    assert play.story(first) == ["open PreSubmitted", "status PreSubmitted"]
    assert first[1].why_held == "", "nobody learns that the fault holds it"
    told = [play.wait(1), play.wait(1), play.wait(1)]
    sizes = [executed(part)[0].execution.quantity for part in told]
    assert sum(sizes) == 100
    assert len(set(sizes)) > 1
    assert "status Submitted" in play.story(told[0])
    assert "status Filled" in play.story(told[2])
    assert play.spy == 150


def test_odd_parts_are_refused_without_a_part(play: Play) -> None:
    with pytest.raises(FaultError, match="odd_parts: parts 0 is not between 1 and 100"):
        play.faults.odd_parts(parts=0)


def test_clearing_odd_parts_lets_the_rest_trade_at_once(play: Play) -> None:
    fault = play.faults.odd_parts(seconds=10)
    play.buy()
    play.faults.clear(fault)
    assert "status Filled" in play.wait_for(0)
    assert play.spy == 60


def test_an_order_fills_after_it_was_told_cancelled(play: Play) -> None:
    """pysystemtrade #1580: Cancelled, then filled."""
    play.faults.fill_after_cancel(seconds=0.7)
    play.rest()
    assert play.cancel() == ["status Cancelled", "error 202"]
    told = play.wait_for(0.7)
    assert told[0] == "execution 10"
    assert "commission" in told
    assert play.spy == 60


def test_error_10349_comes_and_the_order_goes_on_and_fills(play: Play, bought: list[str]) -> None:
    """ib_async #191, #217: a notice that reads like a cancel; filled 0.7 to 8 s later."""
    play.faults.preset_notice(seconds=0.7)
    assert play.buy() == ["error 10349"]
    assert play.wait_for(0.7) == bought


def test_an_execution_is_corrected_with_the_same_id_and_last_group_02(play: Play) -> None:
    play.faults.execution_correction(
        seconds=1, price_change=Decimal("0.05"), quantity_change=Decimal(-4)
    )
    (first,) = executed(play.ask(play.order(1)))
    (second,) = executed(play.wait(1))
    assert first.execution.execution_id.endswith(".01")
    assert second.execution.execution_id == first.execution.execution_id[:-2] + "02"
    assert second.execution.quantity == 6
    assert second.execution.price == first.execution.price + Decimal("0.05")
    assert play.spy == 56
    assert play.wait_for(60) == [], "a correction is not corrected"


def test_an_execution_is_busted(play: Play) -> None:
    play.faults.execution_bust(seconds=1)
    play.buy()
    (bust,) = executed(play.wait(1))
    assert bust.execution.quantity == 0
    assert bust.execution.execution_id.endswith(".02")
    assert play.spy == 50


def test_a_working_order_vanishes_without_a_word(play: Play) -> None:
    play.faults.vanished_order(seconds=1)
    play.rest()
    assert play.wait_for(1) == []
    assert play.story(play.ask(OpenOrdersRequest())) == ["OpenOrderEnd"]
    assert play.cancel() in (["error 135"], ["error 10147"])


def test_an_inactive_order_is_revived(play: Play) -> None:
    play.faults.inactive_order(seconds=2)
    assert play.buy() == ["open Inactive", "status Inactive"]
    assert "open Inactive" in play.story(play.ask(OpenOrdersRequest()))
    told = play.wait_for(2)
    assert told[0] == "execution 10"
    assert "status Filled" in told


def test_an_inactive_order_may_stay_so(play: Play) -> None:
    play.faults.inactive_order(seconds=0)
    play.buy()
    assert play.wait_for(3600) == []
    assert play.cancel() == ["status Cancelled", "error 202"]


def test_located_sales_are_held_and_released_in_one_batch(play: Play) -> None:
    """ib.md 4, F16: 404, whyHeld locate, and all of them at once later."""
    play.faults.locate_hold(seconds=60)
    sale = play.ask(play.order(1, action="SELL"))
    (open_order,) = [reply for reply in sale if isinstance(reply, OpenOrder)]
    (status,) = [reply for reply in sale if isinstance(reply, OrderStatus)]
    assert (open_order.state.status, status.why_held) == ("PreSubmitted", "locate")
    assert play.story(sale)[0] == "error 404", "ib_insync #328: before the first openOrder"
    play.wait(30)
    play.buy(2, action="SELL")
    assert play.spy == 50
    assert play.wait_for(30).count("execution 10") == 2
    assert play.spy == 30


def test_a_purchase_needs_no_locating(play: Play, bought: list[str]) -> None:
    play.faults.locate_hold()
    assert play.buy() == bought


def test_a_fill_without_a_market_price_is_noted_and_does_not_happen(play: Play) -> None:
    """AAPL has no bars here, so it has no price."""
    play.faults.fill_after_cancel(seconds=1)
    wanted = play.order(1)
    play.ask(replace(wanted, contract=replace(wanted.contract, symbol="AAPL")))
    assert "status Cancelled" in play.cancel()
    play.wait(1)
    assert "not traded" in play.faults.log[-1].what


def test_an_order_that_filled_before_it_could_be_cancelled_fills_once(play: Play) -> None:
    play.rest()
    play.faults.late_cancel(seconds=2)
    play.faults.late_cancel(seconds=2)
    play.cancel()
    play.wait(60)
    assert play.spy == 60


BRACKET: tuple[dict[str, Any], ...] = (
    {"transmit": False},
    {
        "action": "SELL",
        "order_type": "LMT",
        "limit_price": Decimal(700),
        "parent_id": 1,
        "transmit": False,
    },
    {"action": "SELL", "order_type": "STP", "aux_price": Decimal(500), "parent_id": 1},
)


def send_bracket(play: Play) -> list[Any]:
    """Buy 10 at the market, with two exits far away."""
    return [
        reply
        for number, terms in enumerate(BRACKET, 1)
        for reply in play.ask(play.order(number, **terms))
    ]


def states(replies: list[Any]) -> list[tuple[int, str, str]]:
    return [(x.order_id, x.status, x.why_held) for x in replies if isinstance(x, OrderStatus)]


def test_an_order_lost_on_its_way_is_a_missing_parent(play: Play) -> None:
    play.faults.silent_loss(after="sending", order=1)
    told = send_bracket(play)
    assert [(x.id, x.code) for x in told if isinstance(x, Notice)] == [(2, 10006), (3, 10006)]
    assert play.spy == 50


def test_a_lost_exit_leaves_its_family_untransmitted(play: Play) -> None:
    play.faults.silent_loss(after="sending", order=3)
    assert send_bracket(play) == []
    assert play.exchange.working_orders == []


def test_odd_parts_of_an_exit_wait_for_its_entry(play: Play) -> None:
    """Nobody trades an exit before its entry, not even a fault."""
    play.faults.odd_parts(parts=2, seconds=1, order=2)
    play.ask(play.order(1, order_type="LMT", limit_price=Decimal(500)))
    play.ask(play.order(2, **BRACKET[2]))
    assert executed(play.wait(10)) == []
    assert play.exchange.working_orders[1].why_held == "child,trigger"


@pytest.mark.parametrize("number", [2, 3])
def test_odd_parts_of_an_exit_whose_entry_is_filled_are_left_to_the_market(
    play: Play, number: int
) -> None:
    """The market is at 601: it has no 700 for the one, and does not trigger the other at 500."""
    play.faults.odd_parts(parts=2, seconds=1, order=number)
    send_bracket(play)
    assert executed(play.wait(10)) == []
    assert play.spy == 60
    assert [(o.order_id, o.why_held) for o in play.exchange.working_orders] == [
        (2, ""),
        (3, "trigger"),
    ]


def test_a_late_family_arrives_whole(play: Play) -> None:
    play.faults.late_orders(seconds=2, order=3)
    send_bracket(play)
    play.wait(3)
    assert play.spy == 60
    assert [(o.order_id, o.status) for o in play.exchange.working_orders] == [
        (2, "Submitted"),
        (3, "PreSubmitted"),
    ]


def test_an_inactive_exit_wakes_as_a_child(play: Play) -> None:
    play.faults.inactive_order(order=2, seconds=1)
    play.ask(play.order(1, order_type="LMT", limit_price=Decimal(500)))
    assert states(play.ask(play.order(2, **BRACKET[2]))) == [(2, "Inactive", "")]
    play.wait(2)
    assert play.exchange.working_orders[1].why_held == "child,trigger"
