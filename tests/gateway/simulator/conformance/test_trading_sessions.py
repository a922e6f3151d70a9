"""The trading cases about connections and clients, on the simulator, honest and wrong."""

from typing import Any

import pytest

from gateway.simulator.conformance.trading_sessions import chapter
from tests.gateway.simulator.conformance.trading_stand import VERSIONS, find_out, prove


@pytest.mark.parametrize("version", VERSIONS)
def test_every_case_passes_and_leaves_the_account_as_it_was(stage: Any, version: int) -> None:
    prove(stage, chapter.cases, version)


@pytest.mark.parametrize(
    ("fault", "parameters", "case"),
    [
        ("rolled_back_ids", {"times": 0}, "order_ids_go_on_after_a_reconnect"),
        ("silent_loss", {"after": "booking"}, "an_order_outlives_its_connection"),
        ("vanished_order", {"seconds": 0.0}, "another_clients_order_cannot_be_cancelled"),
    ],
)
def test_a_wrong_gateway_is_found_out(
    stage: Any, fault: str, parameters: dict[str, Any], case: str
) -> None:
    find_out(stage, chapter, case, (fault, parameters))
