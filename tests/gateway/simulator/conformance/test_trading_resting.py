"""The trading cases about orders that rest, on the simulator, honest and wrong."""

from typing import Any

import pytest

from gateway.simulator.conformance.case import Outcome
from gateway.simulator.conformance.trading_resting import chapter
from tests.gateway.simulator.conformance.trading_stand import VERSIONS, find_out, prove, with_fault


@pytest.mark.parametrize("version", VERSIONS)
def test_every_case_passes_and_leaves_the_account_as_it_was(stage: Any, version: int) -> None:
    prove(stage, chapter.cases, version)


@pytest.mark.parametrize(
    ("fault", "parameters", "case"),
    [
        ("missing_statuses", {}, "a_resting_limit_is_submitted"),
        ("odd_parts", {"parts": 1}, "a_limit_far_from_the_market_does_not_trade"),
        ("vanished_order", {}, "a_limit_far_from_the_market_does_not_trade"),
        ("missing_open_orders", {}, "a_resting_order_is_among_the_open_ones"),
        ("cancel_lost", {}, "a_cancelled_order_says_so_and_202"),
        ("cancel_refused", {}, "a_cancelled_order_says_so_and_202"),
        ("late_cancel", {}, "a_cancelled_order_says_so_and_202"),
        ("missing_statuses", {"which": "final"}, "a_cancelled_order_says_so_and_202"),
        ("fill_after_cancel", {}, "a_cancelled_order_trades_no_more"),
    ],
)
def test_a_wrong_gateway_is_found_out(
    stage: Any, fault: str, parameters: dict[str, Any], case: str
) -> None:
    find_out(stage, chapter, case, (fault, parameters))


@pytest.mark.parametrize(
    ("fault", "parameters", "case"),
    [
        (
            "notice_before_status",
            {},
            "a_cancelled_order_says_so_and_202",
        ),  # ib.md 1.8: both orders of arrival occur
        (
            "duplicated_statuses",
            {},
            "a_cancelled_order_trades_no_more",
        ),  # orderstatus.htm: it may return duplicate messages
        ("late_statuses", {}, "a_cancelled_order_says_so_and_202"),  # no time is promised
    ],
)
def test_what_ib_documents_is_no_difference(
    stage: Any, fault: str, parameters: dict[str, Any], case: str
) -> None:
    assert with_fault(stage, chapter, case, (fault, parameters)).outcome is Outcome.PASSED
