from datetime import UTC, datetime
from typing import Any

import pytest

from gateway.simulator.conformance.case import Case, Need
from gateway.simulator.conformance.safety import CannotRun
from gateway.simulator.conformance.survey import is_within, missing_need
from gateway.simulator.conformance.talk import Facts
from gateway.simulator.server import Simulator

HOURS = "20251211:CLOSED;20251212:0930-20251212:1600;20251213:CLOSED"
ZONE = "US/Eastern"


@pytest.mark.parametrize(
    ("hour", "minute", "is_open"),
    [(14, 29, False), (14, 30, True), (20, 59, True), (21, 0, False)],
)
def test_a_market_is_open_within_its_liquid_hours(hour: int, minute: int, is_open: bool) -> None:
    now = datetime(2025, 12, 12, hour, minute, tzinfo=UTC)
    assert is_within(HOURS, ZONE, now) is is_open


def test_hours_of_an_unknown_zone_are_a_reason_not_to_run() -> None:
    with pytest.raises(CannotRun, match="'Mars/North', which this Python does not know"):
        is_within(HOURS, "Mars/North", datetime(2025, 12, 12, tzinfo=UTC))


def test_hours_that_end_on_another_day_are_understood() -> None:
    hours = "20251214:1700-20251215:1600;20251215:1700-20251216:1600"
    assert is_within(hours, "US/Central", datetime(2025, 12, 15, 3, tzinfo=UTC))
    assert not is_within(hours, "US/Central", datetime(2025, 12, 15, 22, 30, tzinfo=UTC))


def test_the_first_need_that_is_not_met_is_named() -> None:
    facts = Facts(is_open=True, quotes="delayed")
    assert missing_need((Need.OPEN_MARKET, Need.QUOTES), facts) is None
    assert missing_need((Need.QUOTES, Need.LIVE_QUOTES), facts) is Need.LIVE_QUOTES
    assert missing_need((Need.CLOSED_MARKET,), facts) is Need.CLOSED_MARKET
    assert missing_need((Need.HISTORY,), facts) is Need.HISTORY
    assert missing_need((Need.SHORT_SALES,), facts) is None


@pytest.mark.parametrize(
    ("level", "quotes", "has_history"),
    [("live", "live", True), ("delayed", "delayed", True), ("none", "", False)],
)
def test_what_an_account_has_paid_for_is_found_out(
    stage: Any, reading: list[Case], level: str, quotes: str, has_history: bool
) -> None:
    played = stage(options={"subscriptions": {"*": level}}).play(reading[:1])
    assert played.run.facts.quotes == quotes
    assert played.run.facts.has_history is has_history


def test_a_silent_market_that_is_open_is_no_missing_permission(
    stage: Any, reading: list[Case]
) -> None:
    def prepare(simulator: Simulator) -> None:
        simulator.faults.inject("silent_market_data")

    assert stage(prepare=prepare).play(reading[:1]).run.facts.quotes == "live"


@pytest.mark.parametrize("level", ["delayed", "none", "competing"])
def test_an_account_without_data_differs_in_nothing(
    stage: Any, reading: list[Case], level: str
) -> None:
    """What it may not have is skipped with a reason, and is no difference."""
    played = stage(options={"subscriptions": {"*": level}}).play(reading)
    told = {item.name: item.outcome for item in played.report.results}
    assert "differs" not in told.values(), told
    assert "error" not in told.values(), told
