from dataclasses import replace

from gateway.simulator import requests as q
from gateway.simulator.conformance.pace import Pace
from gateway.simulator.market.contracts import Contract

BARS = q.HistoricalDataRequest(
    1, Contract(756733), False, "", "1 day", "5 D", True, "TRADES", 1, False
)


def sent(requests: list[object], seconds: float = 0.0) -> list[float]:
    """When each would leave, if all of them were wanted at once."""
    pace, times = Pace(), []
    for request in requests:
        while wait := pace.wait_seconds(request, seconds):
            seconds += wait
        pace.note(request, seconds)
        times.append(seconds)
    return times


def test_messages_stay_below_fifty_in_any_second() -> None:
    times = sent([q.CurrentTimeRequest()] * 200)
    assert max(sum(start <= time < start + 1 for time in times) for start in times) < 50


def test_the_same_bars_are_not_asked_for_twice_in_fifteen_seconds() -> None:
    first, second = sent([BARS, replace(BARS, request_id=2)])
    assert second - first > 15


def test_six_questions_about_a_contract_do_not_leave_within_two_seconds() -> None:
    times = sent([replace(BARS, duration=f"{days} D") for days in range(1, 7)])
    assert times[4] == times[0]
    assert times[5] - times[0] > 2


def test_sixty_questions_for_bars_do_not_leave_within_ten_minutes() -> None:
    asked = [replace(BARS, contract=Contract(number)) for number in range(60)]
    times = sent([*asked])
    assert times[-1] - times[0] >= 600
