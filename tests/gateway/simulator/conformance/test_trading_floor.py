"""How the trading cases treat an account that is somebody's own: little, paused, and undone."""

from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal
from typing import Any

from gateway.simulator.conformance.case import Case, Kind, Outcome, Result
from gateway.simulator.conformance.catalogue import CASES
from gateway.simulator.conformance.runner import NOT_UNDONE
from gateway.simulator.market.contracts import Contract
from gateway.simulator.orders.orders import OrderTerms
from gateway.simulator.server import Simulator
from tests.gateway.simulator.conformance.trading_stand import strange

TRADING = [case for case in CASES if case.kind is Kind.TRADE]
AFTER_HOURS = timedelta(hours=13)
SPY = Contract(symbol="SPY", security_type="STK", exchange="SMART", currency="USD")
THEIRS = OrderTerms(
    order_type="LMT",
    quantity=Decimal(3),
    limit_price=Decimal(100),
    tif="GTC",
    order_ref="a person's own",
)


def named(*names: str) -> list[Case]:
    return [case for case in TRADING if case.name in names]


def outcomes(results: Sequence[Result], outcome: Outcome) -> list[str]:
    return [result.name for result in results if result.outcome is outcome]


def hand_order(simulator: Simulator) -> None:
    simulator.exchange.orders.place_by_hand(SPY, THEIRS)


def test_there_are_more_than_forty_cases_and_each_has_a_name_of_its_own() -> None:
    assert len(TRADING) > 40
    assert len({case.name for case in TRADING}) == len(TRADING)


def test_no_order_is_for_more_than_a_share_but_the_one_that_grows(stage: Any) -> None:
    exchange = stage().play(TRADING).simulator.exchange
    large = [order for order in exchange.orders.done if order.terms.quantity > 1]
    assert [order.terms.quantity for order in large] == [2]
    assert large[0].status == "Cancelled"
    assert not large[0].filled


def test_while_the_market_is_closed_nothing_trades_and_the_rest_passes(stage: Any) -> None:
    played = stage(after_opening=AFTER_HOURS).play(TRADING)
    assert strange(played.report.results) == {}
    assert "an_order_while_closed_waits_for_the_open" in outcomes(
        played.report.results, Outcome.PASSED
    )
    exchange = played.simulator.exchange
    assert not any(order.filled for order in exchange.orders.done)
    assert exchange.orders.working == []


def test_orders_of_others_are_left_alone_and_nothing_is_cancelled_globally(stage: Any) -> None:
    played = stage(prepare=hand_order).play(TRADING)
    skipped = {item.name: item.reason for item in played.report.results if item.reason}
    assert "orders of others are open" in skipped["a_global_cancel_cancels_all"]
    assert [order.terms for order in played.simulator.exchange.orders.working] == [
        played.simulator.exchange.orders.by_ref(THEIRS.order_ref)[0].terms
    ]
    assert played.report.is_clean


def test_without_any_price_no_order_is_priced(stage: Any) -> None:
    names = ("a_resting_limit_is_submitted", "a_stop_waits_presubmitted")
    played = stage(options={"subscriptions": {"*": "none"}}).play(named(*names))
    assert outcomes(played.report.results, Outcome.SKIPPED) == list(names)
    assert all("no price" in item.reason for item in played.report.results)


def test_an_order_that_the_presets_of_tws_stop_is_no_difference(stage: Any) -> None:
    def prepare(simulator: Simulator) -> None:
        simulator.faults.inject("rejection", reason="precaution")

    played = stage(prepare=prepare).play(named("a_resting_limit_is_submitted"))
    assert played.report.results[0].outcome is Outcome.SKIPPED
    assert "precautions" in played.report.results[0].reason


def test_what_cannot_be_undone_is_the_last_thing_that_trades(stage: Any) -> None:
    """With everything about orders told late, the sweep cannot see what it should undo."""

    def prepare(simulator: Simulator) -> None:
        simulator.faults.inject("late_acks")

    played = stage(prepare=prepare).play(TRADING)
    held = played.simulator.exchange.positions["SPY"]
    assert abs(held - 50) <= 1
    assert not played.report.is_clean
    assert [item.reason for item in played.report.results].count(NOT_UNDONE) > 40


def test_a_slow_gateway_is_cleaned_up_after_too(stage: Any) -> None:
    def prepare(simulator: Simulator) -> None:
        simulator.faults.inject("slow_delivery")

    played = stage(prepare=prepare).play(TRADING)
    assert strange(played.report.results) == {}
    assert played.report.is_clean


def test_what_was_told_of_each_order_is_in_the_report(stage: Any) -> None:
    """So the sequences of a paper account can be laid beside those of the simulator."""
    played = stage().play(named("a_market_order_is_told_filled"))
    assert played.report.results[0].observations == (
        "BUY MKT DAY: openOrder PreSubmitted, orderStatus PreSubmitted, execDetails, "
        "openOrder Filled, orderStatus Filled, openOrder Filled, commissionReport",
    )
