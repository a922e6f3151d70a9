"""The trading cases about brackets and groups, on the simulator, honest and wrong."""

from typing import Any

import pytest

from gateway.simulator.conformance.trading_groups import chapter
from tests.gateway.simulator.conformance.trading_stand import VERSIONS, find_out, prove


@pytest.mark.parametrize("version", VERSIONS)
def test_every_case_passes_and_leaves_the_account_as_it_was(stage: Any, version: int) -> None:
    prove(stage, chapter.cases, version)


@pytest.mark.parametrize(
    ("fault", "parameters", "case"),
    [
        ("cancel_lost", {}, "a_cancelled_parent_takes_its_children_along"),
        ("missing_open_orders", {}, "a_group_is_echoed"),
        ("vanished_order", {"order": 2}, "children_wait_for_their_parent"),
    ],
)
def test_a_wrong_gateway_is_found_out(
    stage: Any, fault: str, parameters: dict[str, Any], case: str
) -> None:
    find_out(stage, chapter, case, (fault, parameters))
