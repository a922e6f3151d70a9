"""When New York's exchanges are open, and when a cron line was due. Pure.

From a table that a test holds against the calendar library: what is asked here is only whether
silence matters, never whether an order may go out. After the table's last day every weekday counts
as open, for a needless alarm is better than none.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Final

from cronsim import CronSim

from functions.closures import CLOSED, EARLY, LAST
from schemas.new_york import NEW_YORK, new_york_date

OPEN: Final = time(9, 30)
CLOSE: Final = time(16, 0)
EARLY_CLOSE: Final = time(13, 0)
KNOWN_UNTIL: Final = date.fromisoformat(LAST)


@dataclass(frozen=True, slots=True)
class Session:
    """A day's regular trading hours."""

    opens: datetime
    closes: datetime

    def holds(self, at: datetime, before: timedelta, after: timedelta) -> bool:
        """Whether a moment is in it, or so long before or after it."""
        return self.opens - before <= at <= self.closes + after


def session(day: date) -> Session | None:
    """The regular hours of a date in New York; None when the exchanges stay closed."""
    if day.weekday() > 4 or day.isoformat() in CLOSED:
        return None
    close = EARLY_CLOSE if day.isoformat() in EARLY else CLOSE
    return Session(_moment(day, OPEN), _moment(day, close))


def session_at(at: datetime) -> Session | None:
    """The session of the New York date that it is then."""
    return session(new_york_date(at))


def due_times(cron: str, after: datetime, until: datetime) -> Iterator[datetime]:
    """When a cron line in New York time was due, later than `after`, not later than `until`.

    Raises `cronsim.CronSimError` for a line that is none.
    """
    for moment in CronSim(cron, after.astimezone(NEW_YORK)):
        if moment > until:
            return
        yield moment.astimezone(UTC)


def weekly(weekday: int, at: time, before: datetime) -> datetime:
    """The latest such moment of a New York week that is not after `before`; Monday is 0."""
    local = before.astimezone(NEW_YORK)
    day = local.date() - timedelta(days=(local.weekday() - weekday) % 7)
    found = _moment(day, at)
    return found if found <= before else _moment(day - timedelta(days=7), at)


def _moment(day: date, at: time) -> datetime:
    return datetime.combine(day, at, NEW_YORK).astimezone(UTC)
