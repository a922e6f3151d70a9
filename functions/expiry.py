"""When a future expires, in weekdays: what a strategy needs to roll in time. Pure.

Holidays count as weekdays here, so where one lies in between, fewer sessions are left than days.
IB names the last day of trading and not the first notice; of what is delivered in kind (crude oil,
bonds), notice comes days or weeks before, so roll that many days earlier.
"""

from datetime import date, datetime, time, timedelta
from typing import Final

from schemas.new_york import NEW_YORK, new_york_date
from schemas.values import Contract

FRIDAY: Final = 4


def last_day(contract: Contract) -> date:
    """The last day on which a contract trades. Raises `ValueError` where it names none."""
    try:
        return datetime.strptime(contract.last_trade_date, "%Y%m%d").date()  # noqa: DTZ007
    except ValueError:
        raise ValueError(
            f"{contract.name} names no last day of trading, but {contract.last_trade_date!r}"
        ) from None


def weekdays_left(as_of: datetime, last: date) -> int:
    """Weekdays after the New York date of `as_of`, up to and with the last; 0 on the last day."""
    today = new_york_date(as_of)
    days = (today + timedelta(days=n) for n in range(1, (last - today).days + 1))
    return sum(day.weekday() <= FRIDAY for day in days)


def weekdays_before(last: date, count: int) -> datetime:
    """The start, in New York, of the day that lies so many weekdays before the last one."""
    day = last
    while count:
        day -= timedelta(days=1)
        count -= day.weekday() <= FRIDAY
    return datetime.combine(day, time(), NEW_YORK)
