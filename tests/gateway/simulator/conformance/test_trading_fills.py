"""The trading cases about orders that trade, on the simulator, honest and wrong."""

from typing import Any

import pytest

from gateway.simulator.conformance.case import Outcome
from gateway.simulator.conformance.trading_fills import chapter
from tests.gateway.simulator.conformance.trading_stand import VERSIONS, find_out, prove, with_fault


@pytest.mark.parametrize("version", VERSIONS)
def test_every_case_passes_and_leaves_the_account_as_it_was(stage: Any, version: int) -> None:
    prove(stage, chapter.cases, version)


@pytest.mark.parametrize(
    ("fault", "parameters", "case"),
    [
        ("missing_open_orders", {}, "a_market_order_is_acknowledged_by_open_order"),
        ("rejection", {}, "a_market_order_is_acknowledged_by_open_order"),
        ("silent_loss", {"after": "sending"}, "a_market_order_is_acknowledged_by_open_order"),
        ("silent_loss", {"after": "booking"}, "a_market_order_is_told_by_its_execution"),
        ("inactive_order", {"seconds": 0}, "a_market_order_is_told_filled"),
        ("missing_executions", {}, "a_market_order_is_told_by_its_execution"),
        ("execution_before_ack", {}, "a_fill_is_preceded_by_its_acknowledgement"),
        ("reordered_statuses", {}, "a_status_never_goes_back"),
        ("missing_perm_ids", {}, "one_permanent_id_is_in_every_message"),
        ("duplicated_executions", {}, "each_execution_is_told_once"),
        ("missing_commissions", {}, "each_execution_has_one_commission"),
        ("commission_before_execution", {}, "a_commission_follows_its_execution"),
        ("execution_zone", {}, "an_execution_is_of_this_moment"),
        ("missing_messages", {"kind": "completed_order"}, "a_filled_order_is_among_the_completed"),
        ("cancel_lost", {}, "a_filled_order_cannot_be_cancelled"),
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
            "duplicated_statuses",
            {},
            "a_status_never_goes_back",
        ),  # orderstatus.htm: it may return duplicate messages
        (
            "missing_statuses",
            {},
            "a_market_order_is_told_filled",
        ),  # order_submission.html: no guarantee of a status for every change
        (
            "status_before_execution",
            {},
            "a_fill_is_preceded_by_its_acknowledgement",
        ),  # nautilus_trader #3958: no order is promised between them
        (
            "preset_notice",
            {"seconds": 0.1},
            "a_market_order_is_told_filled",
        ),  # ib.md 4, F14: 10349 is no refusal
        (
            "misleading_notice",
            {"code": 399},
            "a_market_order_is_told_filled",
        ),  # ib.md 2.1, row 3: 399 is a warning
        (
            "late_executions",
            {"seconds": 2.0},
            "a_market_order_is_told_by_its_execution",
        ),  # no time is promised
        (
            "execution_correction",
            {},
            "each_execution_is_told_once",
        ),  # ib.md 4, D9: a correction has another last group
    ],
)
def test_what_ib_documents_is_no_difference(
    stage: Any, fault: str, parameters: dict[str, Any], case: str
) -> None:
    assert with_fault(stage, chapter, case, (fault, parameters)).outcome is Outcome.PASSED
