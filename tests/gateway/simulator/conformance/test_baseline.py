"""The committed report of the simulator: what people compare their paper account with."""

import os
from pathlib import Path
from typing import Any

from gateway.simulator.conformance import report as reports
from gateway.simulator.conformance.case import Case
from gateway.simulator.conformance.catalogue import CASES

FILE = Path(reports.__file__).with_name(reports.BASELINE)


def test_the_committed_report_is_what_the_simulator_does(stage: Any) -> None:
    """After a change that is meant: GOLDEN=write, and read the difference."""
    text = reports.to_json(stage().play(CASES).report)
    if os.environ.get("GOLDEN") == "write":
        FILE.write_text(text, "utf-8")
    assert text == FILE.read_text("utf-8")


def test_the_same_run_twice_is_the_same_report(stage: Any, reading: list[Case]) -> None:
    first, second = (reports.to_json(stage().play(reading).report) for _ in range(2))
    assert first == second


def test_the_committed_report_names_no_account_and_knows_every_case() -> None:
    assert "DUSIM" not in FILE.read_text("utf-8")
    assert [result.name for result in reports.baseline().results] == [case.name for case in CASES]
