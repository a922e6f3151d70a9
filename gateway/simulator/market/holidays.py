"""The days on which US exchanges are closed or close early, by rule; used where no bars decide.

Rules of NYSE as they stand since 2019, when Juneteenth (kept from 2022 on) was the only one to
come. Days of mourning follow no rule: those since 2018 are listed. The CME's equity index futures
trade on most of these days until noon in Chicago; `CME_CLOSED` says which ones they do not.
"""

from datetime import date, timedelta
from enum import Enum
from functools import lru_cache

JUNETEENTH_SINCE = 2022
DAYS_OF_MOURNING = frozenset({date(2018, 12, 5), date(2025, 1, 9)})
MONDAY, THURSDAY, FRIDAY, SATURDAY, SUNDAY = 0, 3, 4, 5, 6


class Holiday(Enum):
    """Why an exchange is closed on a weekday."""

    NEW_YEAR = "New Year's Day"
    KING = "Martin Luther King Jr. Day"
    WASHINGTON = "Washington's Birthday"
    GOOD_FRIDAY = "Good Friday"
    MEMORIAL = "Memorial Day"
    JUNETEENTH = "Juneteenth"
    INDEPENDENCE = "Independence Day"
    LABOR = "Labor Day"
    THANKSGIVING = "Thanksgiving Day"
    CHRISTMAS = "Christmas Day"
    MOURNING = "a day of mourning"


CME_CLOSED = frozenset({Holiday.NEW_YEAR, Holiday.GOOD_FRIDAY, Holiday.CHRISTMAS})
"""Equity index futures do not trade at all; on a Good Friday with a jobs report they do at CME."""


def holiday(day: date) -> Holiday | None:
    """The holiday that closes NYSE on this weekday, if one does."""
    if day in DAYS_OF_MOURNING:
        return Holiday.MOURNING
    return _holidays(day.year).get(day)


def closes_early(day: date) -> bool:
    """Whether NYSE closes at 13:00: before Independence Day and Christmas, after Thanksgiving."""
    if day.weekday() >= SATURDAY or holiday(day) is not None:
        return False
    eve = (day.month, day.day) in {(7, 3), (12, 24)}
    return eve or holiday(day - timedelta(days=1)) is Holiday.THANKSGIVING


def easter(year: int) -> date:
    """Easter Sunday of the Gregorian calendar (the method of Meeus, Jones and Butcher)."""
    century, of_century = divmod(year, 100)
    golden = year % 19
    correction = (century - (century + 8) // 25 + 1) // 3
    moon = (19 * golden + century - century // 4 - correction + 15) % 30
    weekday = (32 + 2 * (century % 4) + 2 * (of_century // 4) - moon - of_century % 4) % 7
    late = (golden + 11 * moon + 22 * weekday) // 451
    month, day = divmod(moon + weekday - 7 * late + 114, 31)
    return date(year, month, day + 1)


@lru_cache(maxsize=64)
def _holidays(year: int) -> dict[date, Holiday]:
    found = {
        _nth(year, 1, MONDAY, 3): Holiday.KING,
        _nth(year, 2, MONDAY, 3): Holiday.WASHINGTON,
        easter(year) - timedelta(days=2): Holiday.GOOD_FRIDAY,
        _nth(year, 6, MONDAY, 1) - timedelta(days=7): Holiday.MEMORIAL,
        _observed(date(year, 7, 4)): Holiday.INDEPENDENCE,
        _nth(year, 9, MONDAY, 1): Holiday.LABOR,
        _nth(year, 11, THURSDAY, 4): Holiday.THANKSGIVING,
        _observed(date(year, 12, 25)): Holiday.CHRISTMAS,
    }
    if year >= JUNETEENTH_SINCE:
        found[_observed(date(year, 6, 19))] = Holiday.JUNETEENTH
    # On a Saturday New Year's Day is not kept the day before: that ends the business year.
    if date(year, 1, 1).weekday() != SATURDAY:
        found[_observed(date(year, 1, 1))] = Holiday.NEW_YEAR
    return found


def _observed(day: date) -> date:
    """A Saturday is kept on Friday, a Sunday on Monday."""
    return day + timedelta(days={SATURDAY: -1, SUNDAY: 1}.get(day.weekday(), 0))


def _nth(year: int, month: int, weekday: int, nth: int) -> date:
    first = date(year, month, 1)
    return first + timedelta(days=(weekday - first.weekday()) % 7 + 7 * (nth - 1))
