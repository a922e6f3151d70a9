"""Fifty messages a second: refused and at last cut off, or slowed down."""

from datetime import UTC, datetime, timedelta

from gateway.simulator.pacing import Pace, RateLimit

NOW = datetime(2025, 12, 12, 15, tzinfo=UTC)


def after(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def burst(limit: RateLimit, count: int, seconds: float) -> int:
    """How many of so many messages at once are accepted."""
    return sum(limit.accepts(after(seconds)) for _ in range(count))


def test_fifty_messages_of_a_second_are_accepted_and_not_one_more() -> None:
    limit = RateLimit()
    assert burst(limit, 50, 0) == 50
    assert limit.violation_ends() is None
    assert not limit.accepts(after(0.9))
    assert limit.accepts(after(1))


def test_a_second_begins_with_a_message() -> None:
    limit = RateLimit()
    assert limit.accepts(after(0.5))
    assert burst(limit, 50, 1.4) == 49
    assert limit.violation_ends() == after(1.5)


def test_error_100_counts_what_came_in_that_second_and_the_third_is_the_last() -> None:
    """The text as logged by a live gateway: ib.md section 4, message rate."""
    limit, texts = RateLimit(), []
    for second, count in enumerate((138, 58, 106)):
        assert burst(limit, count, second) == 50
        violation = limit.violation()
        texts.append(violation.notice.text)
        assert violation.is_last == (second == 2)
        assert (violation.notice.id, violation.notice.code) == (-1, 100)
    head = "Max rate of messages per second has been exceeded:max=50 rec="
    assert texts == [f"{head}138 (1)", f"{head}58 (2)", f"{head}106 (3)"]


def test_only_the_first_message_too_many_announces_the_violation() -> None:
    limit = RateLimit(allowed=2)
    announced = []
    for _ in range(5):
        limit.accepts(NOW)
        announced.append(limit.violation_ends())
    assert announced == [None, None, after(1), None, None]


def test_a_paced_client_gets_fifty_a_second() -> None:
    pace = Pace()
    dues = [pace.due(NOW) for _ in range(120)]
    assert dues == [NOW] * 50 + [after(1)] * 50 + [after(2)] * 20


def test_a_paced_message_never_overtakes_an_earlier_one() -> None:
    pace = Pace(allowed=2)
    assert [pace.due(after(seconds)) for seconds in (0, 0.5, 0.6, 0.7, 5)] == [
        after(0),
        after(0.5),
        after(1),
        after(1.5),
        after(5),
    ]
