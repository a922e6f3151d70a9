"""When the market trades: New York sessions with early closes, and how IB writes them down."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

NEW_YORK = ZoneInfo("America/New_York")
TIME_ZONE_NAME = "US/Eastern"
"""How IB calls New York's zone; an IANA name too."""

OPEN = time(9, 30)
CLOSE = time(16, 0)
EARLY_CLOSE = time(13, 0)
EXTENDED_OPEN = time(4, 0)
EXTENDED_CLOSE = time(20, 0)
EXTENDED_EARLY_CLOSE = time(17, 0)
HOURS_DAYS = 6
"""For how many days, today included, contract details tell the hours."""


@dataclass(frozen=True, slots=True)
class Session:
    """One day's regular session; `opens` and `closes` are aware UTC times."""

    day: date
    opens: datetime
    closes: datetime
    early: bool = False

    def contains(self, when: datetime) -> bool:
        """Whether the market is open at this instant: the close itself is not."""
        return self.opens <= when < self.closes


def session_on(day: date, *, early: bool = False) -> Session:
    """The regular session of a trading day."""
    close = EARLY_CLOSE if early else CLOSE
    return Session(day, new_york(day, OPEN), new_york(day, close), early)


def new_york(day: date, at: time) -> datetime:
    """A New York wall time as UTC."""
    return datetime.combine(day, at, NEW_YORK).astimezone(UTC)


def new_york_day(when: datetime) -> date:
    """The New York date of an instant."""
    return when.astimezone(NEW_YORK).date()


def hours_text(sessions: Callable[[date], Session | None], today: date, *, liquid: bool) -> str:
    """IB's hours: `20251212:0930-20251212:1600;20251213:CLOSED;...` from today on."""
    days = (today + timedelta(days=ahead) for ahead in range(HOURS_DAYS))
    return ";".join(_day_text(day, sessions(day), liquid=liquid) for day in days)


def _day_text(day: date, session: Session | None, *, liquid: bool) -> str:
    stamp = f"{day:%Y%m%d}"
    if session is None:
        return f"{stamp}:CLOSED"
    first, last = (OPEN, CLOSE) if liquid else (EXTENDED_OPEN, EXTENDED_CLOSE)
    if session.early:
        last = EARLY_CLOSE if liquid else EXTENDED_EARLY_CLOSE
    return f"{stamp}:{first:%H%M}-{stamp}:{last:%H%M}"


def between(days: Iterable[date], day: date, gap_days_max: int) -> bool:
    """Whether some of the days lie within the gap both before and after this day."""
    gap = timedelta(days=gap_days_max)
    near = [other for other in days if abs(other - day) <= gap]
    return any(other < day for other in near) and any(other > day for other in near)
