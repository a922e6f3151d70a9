from datetime import UTC, date, datetime

from schemas.new_york import new_york_date


def test_a_day_ends_at_midnight_in_new_york() -> None:
    at = datetime(2026, 1, 6, 4, 59, tzinfo=UTC)
    assert new_york_date(at) == date(2026, 1, 5)
    assert new_york_date(at.replace(hour=5)) == date(2026, 1, 6)
