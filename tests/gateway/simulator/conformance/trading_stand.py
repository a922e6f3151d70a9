"""What the tests of the trading cases share: playing them, with a fault, and what came of it."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from gateway.simulator.conformance.case import Case, Chapter, Outcome, Result
from gateway.simulator.server import Simulator

VERSIONS = (157, 178)
"""The oldest version that a client knows, and the newest that is spoken."""
Fault = tuple[str, dict[str, Any]]


def prove(stage: Any, cases: Sequence[Case], version: int = 178) -> None:
    """Play cases on an honest simulator: all pass, and the account is left as it was found."""
    played = stage(setting={"client_version": version}).play(cases)
    assert strange(played.report.results) == {}
    assert len(played.report.results) == len(cases)
    exchange = played.simulator.exchange
    assert played.report.is_clean
    assert exchange.positions == {"SPY": Decimal(50)}
    assert exchange.orders.working == []


def with_fault(stage: Any, chapter: Chapter, name: str, fault: Fault) -> Result:
    """What came of one case on a simulator that has a fault all the time."""
    cases = [case for case in chapter.cases if case.name == name]
    assert len(cases) == 1, f"no case {name}"

    def prepare(simulator: Simulator) -> None:
        simulator.faults.inject(fault[0], **fault[1])

    results: list[Result] = stage(prepare=prepare).play(cases).report.results
    return results[0]


def find_out(stage: Any, chapter: Chapter, name: str, fault: Fault) -> None:
    """A case says of a simulator with this fault that it differs, from what, and in what."""
    result = with_fault(stage, chapter, name, fault)
    assert result.outcome is Outcome.DIFFERS, result
    assert result.expected
    assert result.heard


def strange(results: Sequence[Result]) -> dict[str, str]:
    """What neither passed nor was skipped because the market is open, with the reason."""
    return {
        result.name: f"{result.outcome}: {result.expected}; {result.heard}; {result.reason}"
        for result in results
        if result.outcome is not Outcome.PASSED and "market" not in result.reason
    }
