"""The trading cases about orders that wait for a price, on the simulator, honest and wrong."""

from typing import Any

import pytest

from gateway.simulator.conformance.trading_stops import chapter
from tests.gateway.simulator.conformance.trading_stand import VERSIONS, find_out, prove


@pytest.mark.parametrize("version", VERSIONS)
def test_every_case_passes_and_leaves_the_account_as_it_was(stage: Any, version: int) -> None:
    prove(stage, chapter.cases, version)


@pytest.mark.parametrize(
    ("fault", "parameters", "case"),
    [
        ("odd_parts", {"parts": 1}, "a_stop_waits_presubmitted"),
        ("vanished_order", {}, "a_stop_limit_waits_presubmitted"),
        ("cancel_lost", {}, "a_waiting_stop_can_be_cancelled"),
        ("late_cancel", {}, "a_limit_on_close_waits_for_the_auction"),
    ],
)
def test_a_wrong_gateway_is_found_out(
    stage: Any, fault: str, parameters: dict[str, Any], case: str
) -> None:
    find_out(stage, chapter, case, (fault, parameters))
