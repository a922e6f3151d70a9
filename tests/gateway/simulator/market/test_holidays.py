"""NYSE's calendar by rule, against the closed and short days it published for 2019 to 2026."""

from datetime import date, timedelta

import pytest

from gateway.simulator.market.holidays import Holiday, closes_early, easter, holiday

CLOSED = {
    2019: "01-01 01-21 02-18 04-19 05-27 07-04 09-02 11-28 12-25",
    2020: "01-01 01-20 02-17 04-10 05-25 07-03 09-07 11-26 12-25",
    2021: "01-01 01-18 02-15 04-02 05-31 07-05 09-06 11-25 12-24",
    2022: "01-17 02-21 04-15 05-30 06-20 07-04 09-05 11-24 12-26",
    2023: "01-02 01-16 02-20 04-07 05-29 06-19 07-04 09-04 11-23 12-25",
    2024: "01-01 01-15 02-19 03-29 05-27 06-19 07-04 09-02 11-28 12-25",
    2025: "01-01 01-09 01-20 02-17 04-18 05-26 06-19 07-04 09-01 11-27 12-25",
    2026: "01-01 01-19 02-16 04-03 05-25 06-19 07-03 09-07 11-26 12-25",
}
SHORT = {
    2019: "07-03 11-29 12-24",
    2020: "11-27 12-24",
    2021: "11-26",
    2022: "11-25",
    2023: "07-03 11-24",
    2024: "07-03 11-29 12-24",
    2025: "07-03 11-28 12-24",
    2026: "11-27 12-24",
}


def weekdays(year: int) -> list[date]:
    days = (date(year, 1, 1) + timedelta(days=number) for number in range(366))
    return [day for day in days if day.year == year and day.weekday() < 5]


@pytest.mark.parametrize("year", sorted(CLOSED))
def test_the_closed_days_are_those_that_nyse_published(year: int) -> None:
    closed = [f"{day:%m-%d}" for day in weekdays(year) if holiday(day) is not None]
    assert " ".join(closed) == CLOSED[year]


@pytest.mark.parametrize("year", sorted(SHORT))
def test_the_short_days_are_those_that_nyse_published(year: int) -> None:
    assert " ".join(f"{day:%m-%d}" for day in weekdays(year) if closes_early(day)) == SHORT[year]


def test_a_holiday_has_its_name() -> None:
    assert holiday(date(2025, 4, 18)) is Holiday.GOOD_FRIDAY
    assert holiday(date(2025, 1, 9)) is Holiday.MOURNING


def test_easter_is_where_the_church_has_it() -> None:
    known = ("2018-04-01", "2019-04-21", "2024-03-31", "2038-04-25")
    assert [easter(date.fromisoformat(text).year).isoformat() for text in known] == list(known)


def test_no_weekend_closes_early() -> None:
    assert not closes_early(date(2022, 12, 24))
