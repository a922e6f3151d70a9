"""The trading cases about what-if orders, on the simulator, honest and wrong."""

from typing import Any

import pytest

from gateway.simulator.conformance.case import Outcome
from gateway.simulator.conformance.trading_previews import chapter
from tests.gateway.simulator.conformance.trading_stand import VERSIONS, find_out, prove, with_fault


@pytest.mark.parametrize("version", VERSIONS)
def test_every_case_passes_and_leaves_the_account_as_it_was(stage: Any, version: int) -> None:
    prove(stage, chapter.cases, version)


@pytest.mark.parametrize(
    ("fault", "parameters", "case"),
    [
        ("what_if_trouble", {"answer": "never"}, "a_preview_tells_the_margins"),
        ("what_if_trouble", {"answer": "warning"}, "a_preview_tells_the_commission"),
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
            "what_if_trouble",
            {"answer": "unset"},
            "a_preview_tells_the_margins",
        ),  # ib.md 4, F17: unset values first, the real ones second
    ],
)
def test_what_ib_documents_is_no_difference(
    stage: Any, fault: str, parameters: dict[str, Any], case: str
) -> None:
    assert with_fault(stage, chapter, case, (fault, parameters)).outcome is Outcome.PASSED
