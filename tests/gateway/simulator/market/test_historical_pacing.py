"""IB's pacing rules for small historical bars (ib.md 4, historical limitations), on any clock."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from gateway.simulator.market.contracts import Contract
from gateway.simulator.market.historical_pacing import HistoricalPacing
from gateway.simulator.requests import HistoricalDataRequest

NOW = datetime(2025, 12, 12, 15, tzinfo=UTC)
SMALL = HistoricalDataRequest(1, Contract(), False, "", "5 secs", "60 S", True, "TRADES", 1, False)


def ask(pacing: HistoricalPacing, seconds: float, con_id: int = 1, **changes: Any) -> str | None:
    request = replace(SMALL, **changes)
    return pacing.violation(request, con_id, NOW + timedelta(seconds=seconds))


def test_an_identical_request_is_refused_for_fifteen_seconds() -> None:
    pacing = HistoricalPacing()
    assert ask(pacing, 0) is None
    assert ask(pacing, 14.9, request_id=2) == "an identical request within 15 seconds"
    assert ask(pacing, 15, request_id=3) is None


def test_the_sixth_request_for_one_contract_within_two_seconds_is_refused() -> None:
    pacing = HistoricalPacing()
    told = [ask(pacing, 0.1 * number, duration=f"{number + 60} S") for number in range(6)]
    assert told == [None] * 5 + ["six requests for one contract within 2 seconds"]
    assert ask(pacing, 0.6, con_id=2, duration="80 S") is None
    assert ask(pacing, 0.6, what_to_show="BID") is None
    assert ask(pacing, 2.6, duration="90 S") is None


def test_bid_and_ask_together_count_twice() -> None:
    pacing = HistoricalPacing()
    told = [
        ask(pacing, 0, what_to_show="BID_ASK", duration=f"{number + 60} S") for number in range(3)
    ]
    assert told == [None, None, "six requests for one contract within 2 seconds"]


def test_sixty_requests_are_allowed_in_ten_minutes() -> None:
    pacing = HistoricalPacing()
    told = [ask(pacing, number, con_id=number, duration=f"{number + 60} S") for number in range(60)]
    assert told == [None] * 60
    assert ask(pacing, 599, duration="1 D") == "more than 60 requests within 10 minutes"
    assert ask(pacing, 600, duration="1 D") is None


def test_bars_of_a_minute_are_not_paced() -> None:
    pacing = HistoricalPacing()
    assert [ask(pacing, 0, bar_size="1 min") for _ in range(100)] == [None] * 100


def test_fifty_requests_are_open_at_most() -> None:
    pacing = HistoricalPacing()
    assert pacing.violation(replace(SMALL, bar_size="1 min"), 1, NOW, 49) is None
    told = pacing.violation(replace(SMALL, bar_size="1 min"), 1, NOW, 50)
    assert told == "more than 50 requests are open"
