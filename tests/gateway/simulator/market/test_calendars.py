"""Which days trade: bars decide where there are any, else the rules."""

from datetime import UTC, date, datetime

import pytest

from gateway.simulator.market.calendars import Calendar
from gateway.simulator.market.hours import KINDS, US, Day

WEDNESDAY, THURSDAY, FRIDAY = date(2025, 12, 10), date(2025, 12, 11), date(2025, 12, 12)


def test_a_day_with_bars_trades_whatever_the_rules_say() -> None:
    christmas = date(2025, 12, 25)
    assert Calendar(KINDS[US], {}).regular(christmas) is None
    session = Calendar(KINDS[US], {christmas: Day.SHORT}).regular(christmas)
    assert session is not None
    assert session.early


def test_a_weekday_without_bars_amid_days_with_bars_is_a_holiday() -> None:
    known = {WEDNESDAY: Day.WHOLE, FRIDAY: Day.WHOLE}
    assert Calendar(KINDS[US], known).length(THURSDAY) is Day.CLOSED
    assert Calendar(KINDS[US], {WEDNESDAY: Day.WHOLE}).length(THURSDAY) is Day.WHOLE


def test_far_from_all_bars_the_rules_hold() -> None:
    known = {date(2025, 1, 2): Day.WHOLE, FRIDAY: Day.WHOLE}
    calendar = Calendar(KINDS[US], known)
    assert calendar.length(date(2025, 6, 18)) is Day.WHOLE
    assert calendar.length(date(2025, 6, 19)) is Day.CLOSED
    assert calendar.length(date(2025, 7, 3)) is Day.SHORT


def test_the_session_ahead_is_the_one_that_is_on_or_the_next() -> None:
    calendar = Calendar(KINDS[US], {})
    during = datetime(2025, 12, 12, 20, 59, tzinfo=UTC)
    assert calendar.ahead(KINDS[US].regular, during).day == FRIDAY
    after = datetime(2025, 12, 12, 21, tzinfo=UTC)
    assert calendar.ahead(KINDS[US].regular, after).day == date(2025, 12, 15)
    assert calendar.ahead(KINDS[US].extended, after).day == FRIDAY


def test_a_market_that_never_opens_is_said_so() -> None:
    never = Calendar(KINDS[US], {date(2025, 12, day): Day.CLOSED for day in range(1, 32)})
    with pytest.raises(ValueError, match="no session within 14 days"):
        never.ahead(KINDS[US].regular, datetime(2025, 12, 12, 12, tzinfo=UTC))
