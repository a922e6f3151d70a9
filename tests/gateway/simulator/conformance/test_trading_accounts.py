"""The trading cases about what a fill does to the account, on the simulator, honest and wrong."""

from typing import Any

import pytest

from gateway.simulator.conformance.trading_accounts import chapter
from tests.gateway.simulator.conformance.trading_stand import VERSIONS, find_out, prove


@pytest.mark.parametrize("version", VERSIONS)
def test_every_case_passes_and_leaves_the_account_as_it_was(stage: Any, version: int) -> None:
    prove(stage, chapter.cases, version)


@pytest.mark.parametrize(
    ("fault", "parameters", "case"),
    [
        ("execution_bust", {}, "an_order_trades_once"),
        ("omitted_position", {"when": "always"}, "the_position_moves_by_the_fill"),
        ("missing_messages", {"kind": "portfolio_item"}, "the_portfolio_agrees_with_the_positions"),
        ("missing_messages", {"kind": "portfolio_item"}, "the_portfolio_moves_by_the_fill"),
        ("stale_account_values", {}, "the_cash_moves_by_the_fill"),
    ],
)
def test_a_wrong_gateway_is_found_out(
    stage: Any, fault: str, parameters: dict[str, Any], case: str
) -> None:
    find_out(stage, chapter, case, (fault, parameters))
